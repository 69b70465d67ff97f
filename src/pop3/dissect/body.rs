//! Bodies of multi-line responses: where they end. Nothing but lines that begin with a dot is looked at.

use memchr::{memchr, memchr_iter, memmem};

use super::held::Cursor;
use super::server::{OpenReply, ServerMode};
use super::{Dissector, Event};
use crate::pop3::command::Shape;
use crate::pop3::response::Status;
use crate::wire::Run;

impl Dissector {
    pub(super) fn body_octets(&mut self, cursor: &mut Cursor, out: &mut impl FnMut(Event)) {
        let watched = self.body_may_be_over();
        if watched {
            match self.status_in_body(cursor) {
                Beginning::Whole => return self.body_lost(out),
                Beginning::Begun => {
                    let all = cursor.rest().len();
                    return self.server.keep(cursor, all);
                }
                Beginning::Not => {}
            }
        }
        let ServerMode::Body(open) = &mut self.server_mode else { return };
        if self.server.octets.first().is_some_and(|&octet| octet != b'.') {
            // What could have been a status is text.
            let run = self.server.release();
            open.count(&run.bytes, 0);
            return out(Event::Body { n: open.outcome.n, run });
        }
        // Each line is looked at where one may be a status.
        let all = cursor.rest().len();
        let limit = memchr(b'\n', cursor.rest()).filter(|_| watched).map_or(all, |end| end + 1);
        // Held is at most the beginning of what could be a terminator: two octets, looked at together
        // with the ones that follow.
        let tail = self.server.octets.len();
        let found = if tail > 0 {
            let more = cursor.rest().len().min(3);
            let mut joined = [0; 5];
            joined[..tail].copy_from_slice(&self.server.octets);
            joined[tail..tail + more].copy_from_slice(&cursor.rest()[..more]);
            match terminator(&joined[..tail + more], open.bare_lf) {
                Terminator::Whole(len) => Found { body: 0, dots: 0, end: Terminator::Whole(len - tail) },
                Terminator::Begun => {
                    self.server.keep(cursor, more);
                    return;
                }
                Terminator::Not => {
                    // What was held is text; the chunk goes on as if it had never been cut.
                    let run = self.server.release();
                    open.count(&run.bytes, 1);
                    let n = open.outcome.n;
                    out(Event::Body { n, run });
                    return;
                }
            }
        } else {
            let mut found = find_terminator(&cursor.rest()[..limit], open.at_line_start, open.bare_lf);
            if found.end == Terminator::Begun && limit < all {
                found = Found { body: limit, dots: found.dots + 1, end: Terminator::Not };
            }
            found
        };
        let n = open.outcome.n;
        if found.body > 0 {
            let run = self.server.take(cursor, found.body);
            open.count(&run.bytes, found.dots);
            out(Event::Body { n, run });
        }
        match found.end {
            Terminator::Whole(len) => {
                let run = self.server.take(cursor, len);
                self.body_terminated(run, out);
            }
            Terminator::Begun => {
                let all = cursor.rest().len();
                self.server.keep(cursor, all);
            }
            Terminator::Not => {}
        }
    }

    /// Whether a status begins in a body that may be over.
    fn status_in_body(&self, cursor: &Cursor) -> Beginning {
        let ServerMode::Body(open) = &self.server_mode else { return Beginning::Not };
        let held = &self.server.octets[..];
        if !open.at_line_start || held.len() > 4 {
            return Beginning::Not;
        }
        let more = cursor.rest().len().min(4);
        let mut joined = [0; 8];
        joined[..held.len()].copy_from_slice(held);
        joined[held.len()..held.len() + more].copy_from_slice(&cursor.rest()[..more]);
        let line = &joined[..held.len() + more];
        // A challenge is no more to be taken for text than a status is: it is masked.
        let challenge = self.pending.front().is_some_and(|pending| pending.shape == Shape::Sasl);
        match (Status::of(line), line) {
            (Some(Status::Ok | Status::Err), _) => Beginning::Whole,
            (_, [b'+', b' ' | b'\r' | b'\n', ..]) if challenge => Beginning::Whole,
            (_, b"+") if challenge => Beginning::Begun,
            _ if line.len() < 4 && [&b"+OK"[..], b"-ERR"].iter().any(|status| begins(status, line)) => {
                Beginning::Begun
            }
            _ => Beginning::Not,
        }
    }

    pub(super) fn body_terminated(&mut self, run: Run, out: &mut impl FnMut(Event)) {
        if let ServerMode::Body(mut open) = std::mem::replace(&mut self.server_mode, ServerMode::Lines) {
            open.outcome.wire += run.bytes.len() as u64;
            out(Event::Terminator { n: open.outcome.n, run });
            self.reply_ended(*open, true, out);
        }
    }

    /// A lone dot between bare LFs ends a body only where the server writes bare LFs throughout, or where
    /// nothing came after it until the client, having nothing outstanding, sent its next line.
    pub(super) fn settle_bare_terminator(&mut self, out: &mut impl FnMut(Event)) {
        if self.server.octets == b".\n"
            && self.pending.is_empty()
            && matches!(self.server_mode, ServerMode::Body(_))
        {
            let run = self.server.release();
            self.body_terminated(run, out);
        }
    }
}

impl OpenReply {
    pub(super) fn multi_line(&self) -> bool {
        let accepted = match self.outcome.status {
            Some(status) => status == Status::Ok,
            // Its status is among the octets that are missing.
            None => self.missing,
        };
        self.shape == Shape::MultiLine && accepted
    }

    /// Counts octets of the body, `dots` of which are there for byte-stuffing.
    pub(super) fn count(&mut self, octets: &[u8], dots: u64) {
        self.outcome.wire += octets.len() as u64;
        self.body += octets.len() as u64;
        self.newlines += memchr_iter(b'\n', octets).count() as u64;
        self.dots += dots;
        self.at_line_start = octets.ends_with(b"\n");
    }
}

/// Whether a line begins with a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beginning {
    Whole,
    /// It may, once more octets are here.
    Begun,
    Not,
}

/// Whether a status begins like this, in any case.
fn begins(status: &[u8], line: &[u8]) -> bool {
    status.get(..line.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(line))
}

/// Whether a line that begins with a dot is the terminator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Terminator {
    /// It is, with this many octets.
    Whole(usize),
    /// It may be, once more octets are here.
    Begun,
    /// It is text.
    Not,
}

/// Judges the octets of a line that begins with a dot.
fn terminator(line: &[u8], bare_lf: bool) -> Terminator {
    match &line[1..] {
        [b'\r', b'\n', ..] => Terminator::Whole(3),
        [b'\n', ..] if bare_lf => Terminator::Whole(2),
        [] | [b'\r' | b'\n'] => Terminator::Begun,
        _ => Terminator::Not,
    }
}

struct Found {
    /// Octets of the body before what ends them.
    body: usize,
    /// Dots among them that byte-stuffing put there.
    dots: u64,
    end: Terminator,
}

/// Looks for the terminator in the octets of a body. Only lines that begin with a dot are looked at.
fn find_terminator(octets: &[u8], at_line_start: bool, bare_lf: bool) -> Found {
    let mut dots = 0;
    let mut candidate = (at_line_start && octets.first() == Some(&b'.')).then_some(0);
    let mut from = 0;
    loop {
        let Some(at) = candidate.or_else(|| memmem::find(&octets[from..], b"\n.").map(|at| from + at + 1))
        else {
            return Found { body: octets.len(), dots, end: Terminator::Not };
        };
        match terminator(&octets[at..], bare_lf) {
            Terminator::Not => dots += 1,
            end => return Found { body: at, dots, end },
        }
        candidate = None;
        from = at + 1;
    }
}
