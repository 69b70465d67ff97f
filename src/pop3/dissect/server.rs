//! The server's octets: status lines paired with what they answer, and lines that answer nothing.

use bytes::Bytes;
use memchr::memchr;

use super::client::{ClientMode, Expect};
use super::held::Cursor;
use super::{Dissector, Event, Outcome, Pending, Request};
use crate::pop3::command::{Keyword, Shape};
use crate::pop3::lines::{Ending, split_ending};
use crate::pop3::response::{Status, StatusLine};
use crate::pop3::sasl;
use crate::pop3::secret::Secrets;
use crate::pop3::state::State;
use crate::wire::{Run, Side};

#[derive(Debug)]
pub(super) enum ServerMode {
    Lines,
    /// The rest of a line whose first part is out; where it was a status line, its exchange ends with it.
    LongLine {
        n: u32,
        /// What is still to come of it is secret.
        secret: bool,
        /// Its last octet so far is CR.
        after_cr: bool,
        open: Option<Box<OpenReply>>,
    },
    Body(Box<OpenReply>),
    Opaque,
}

/// A response as far as it came.
#[derive(Debug)]
pub(super) struct OpenReply {
    pub(super) outcome: Box<Outcome>,
    pub(super) shape: Shape,
    /// Octets of it are missing.
    pub(super) missing: bool,
    /// Its end may be among them once a command waits that is this exchange or a later one.
    pub(super) gap: Option<u32>,
    /// The status line ended with a bare LF, so the terminator may too.
    pub(super) bare_lf: bool,
    pub(super) at_line_start: bool,
    pub(super) body: u64,
    pub(super) newlines: u64,
    pub(super) dots: u64,
}

impl OpenReply {
    /// Of which nothing but its status is there; `states` are those before and after it.
    pub(super) fn new(answered: Pending, status: Option<Status>, (before, after): (State, State)) -> Self {
        Self {
            outcome: Box::new(Outcome {
                n: answered.n,
                request: answered.request,
                status,
                state: before,
                after,
                at: answered.sent,
                took: None,
                lines: None,
                octets: None,
                wire: 0,
                complete: true,
            }),
            shape: answered.shape,
            missing: false,
            gap: None,
            bare_lf: false,
            at_line_start: true,
            body: 0,
            newlines: 0,
            dots: 0,
        }
    }
}

impl Dissector {
    pub(super) fn server_octets(&mut self, mut cursor: Cursor, out: &mut impl FnMut(Event)) {
        while !cursor.rest().is_empty() {
            let rest = cursor.rest();
            let all = rest.len();
            match self.server_mode {
                ServerMode::Lines => {
                    if let Some(len) = self.server.line(&mut cursor) {
                        let run = self.server.take(&mut cursor, len);
                        self.server_line(run, out);
                    }
                }
                ServerMode::LongLine { n, secret, ref mut after_cr, ref mut open } => {
                    let end = memchr(b'\n', rest);
                    let mut run = self.server.take(&mut cursor, end.map_or(all, |end| end + 1));
                    let ending: &'static [u8] = match &run.bytes[..] {
                        [.., b'\r', b'\n'] => b"\r\n",
                        [b'\n'] if *after_cr => b"\r\n",
                        [.., b'\n'] => b"\n",
                        _ => b"",
                    };
                    *after_cr = run.bytes.ends_with(b"\r");
                    if secret && self.secrets == Secrets::Redact {
                        run.bytes = Bytes::from_static(ending);
                        run.arrivals.iter_mut().for_each(|arrival| arrival.0 = 0);
                    }
                    if let Some(open) = open {
                        open.bare_lf = ending != b"\r\n";
                        open.outcome.wire += run.bytes.len() as u64;
                        out(Event::StatusMore { n, run });
                    } else {
                        out(Event::Body { n, run });
                    }
                    if end.is_some() {
                        let mode = std::mem::replace(&mut self.server_mode, ServerMode::Lines);
                        if let ServerMode::LongLine { open: Some(open), .. } = mode {
                            self.status_ended(*open, out);
                        }
                    }
                }
                ServerMode::Body(_) => self.body_octets(&mut cursor, out),
                ServerMode::Opaque => self.opaque_octets(Side::Server, &mut cursor, out),
            }
        }
    }

    /// A line where a status is due, whole or its first [`MAX_LINE`] octets.
    pub(super) fn server_line(&mut self, mut run: Run, out: &mut impl FnMut(Event)) {
        let status = Status::of(&run.bytes);
        if status.is_none() {
            match self.rest_of_reply(run, out) {
                Ok(()) => return,
                Err(line) => run = line,
            }
            if let ServerMode::Body(_) = self.server_mode {
                return self.server_octets(Cursor::new(run.bytes, run.arrivals), out);
            }
        }
        self.gaps.secret = false;
        let (latest, unknown) = self.latest;
        if !self.greeted {
            self.greeted = true;
            return self.reply(0, None, status, run, out);
        }
        // One command alone is taken to be answered by whatever comes. Where several wait, a line that does not
        // even look like a status is rather more of the response before it.
        let stray = self.pending.len() > 1 && !matches!(run.bytes.first(), Some(b'+' | b'-'));
        if status.is_none() && (self.pending.is_empty() || unknown || stray) {
            return self.attach(latest, run, false, out);
        }
        let pending = self.next_answered().or_else(|| self.unseen_answered());
        let n = pending.map_or_else(|| self.new_n(), |pending| pending.n);
        self.give_up_unseen(n, out);
        self.reply(n, pending, status, run, out);
    }

    /// A line without a status that answers nothing: it belongs to the exchange before it.
    pub(super) fn attach(&mut self, n: u32, run: Run, secret: bool, out: &mut impl FnMut(Event)) {
        if !self.pending.is_empty() && !self.ambiguous {
            self.ambiguous = true;
            out(Event::Ambiguous { n });
        }
        match split_ending(&run.bytes) {
            (b".", Ending::Crlf | Ending::Lf) => out(Event::Terminator { n, run }),
            (_, ending) => {
                let after_cr = run.bytes.ends_with(b"\r");
                out(Event::Body { n, run });
                if ending == Ending::None {
                    self.server_mode = ServerMode::LongLine { n, secret, after_cr, open: None };
                }
            }
        }
    }

    fn reply(
        &mut self,
        n: u32,
        pending: Option<Pending>,
        status: Option<Status>,
        mut run: Run,
        out: &mut impl FnMut(Event),
    ) {
        let first = run.arrivals.first().map_or(self.server.last, |&(_, at)| at);
        let missing = self.gaps.due.take() == Some(n);
        let request = pending.and_then(|pending| pending.request);
        let at = match pending {
            Some(pending) => pending.sent,
            None if n == 0 => 0,
            None => first,
        };
        let shape = pending.map_or(Shape::SingleLine, |pending| pending.shape);
        self.latest = (n, shape == Shape::Unknown && status == Some(Status::Ok));
        self.ambiguous = false;
        if let Some(Request::Command(keyword)) = request {
            self.login_not_seen(keyword, status);
        }
        let before = self.state;
        self.advance(request, shape, status);
        let whole = run.bytes.ends_with(b"\n");
        let mut hidden = None;
        let mut step = None;
        if status == Some(Status::Continue) {
            let text = split_ending(&run.bytes).0;
            let payload = StatusLine::parse(text).text;
            if !payload.is_empty() {
                hidden = Some(text.len() - payload.len()..text.len());
                step = self.step(Side::Server, payload);
            }
        }
        let after_cr = run.bytes.ends_with(b"\r");
        let secret = hidden.is_some();
        self.mask(&mut run, hidden);
        let answered = Pending { n, sent: at, request, shape, octets: 0 };
        let mut open = OpenReply::new(answered, status, (before, self.state));
        open.outcome.wire = run.bytes.len() as u64;
        (open.missing, open.bare_lf) = (missing, !run.bytes.ends_with(b"\r\n"));
        out(Event::Status { n, run, status, step });
        if whole {
            self.status_ended(open, out);
        } else {
            let open = Some(Box::new(open));
            self.server_mode = ServerMode::LongLine { n, secret, after_cr, open };
        }
    }

    /// Moves the state on.
    fn advance(&mut self, request: Option<Request>, shape: Shape, status: Option<Status>) {
        if status == Some(Status::Continue) {
            // Whatever it was paired with: what a client answers to a challenge is secret. Where it did not
            // wait for the challenge its answer is already here.
            let sent = self.pending.front().is_some_and(|next| next.request == Some(Request::SaslResponse));
            self.expect = if sent || self.sasl.is_none() { Expect::Either } else { Expect::Response };
            return;
        }
        let Some(request) = request else { return };
        match (request, shape, status) {
            // Exchange answers `AUTH NTLM` with +OK where a challenge is due.
            (Request::Command(Keyword::Auth), Shape::Sasl, Some(Status::Ok))
                if self.sasl.as_deref().is_some_and(sasl::Exchange::is_ntlm) =>
            {
                self.expect = Expect::Response;
            }
            (_, Shape::Sasl, Some(Status::Ok)) => {
                self.state = self.state.after(Keyword::Auth);
                self.expect = Expect::Command;
            }
            (_, Shape::Sasl, Some(Status::Err)) if self.expect != Expect::Command => {
                self.expect = Expect::Refused;
            }
            // `AUTH` alone asks for a list.
            (Request::Command(Keyword::Auth), ..) => {}
            (Request::Command(keyword), _, Some(Status::Ok)) => self.state = self.state.after(keyword),
            _ => {}
        }
    }

    /// The status line is whole: a body follows, or the exchange is over.
    pub(super) fn status_ended(&mut self, open: OpenReply, out: &mut impl FnMut(Event)) {
        if open.multi_line() {
            self.server_mode = ServerMode::Body(Box::new(open));
            return;
        }
        let Outcome { request, status, .. } = *open.outcome;
        let upload = open.shape == Shape::Upload;
        self.reply_ended(open, true, out);
        match (request, status) {
            (Some(Request::Command(Keyword::Stls)), Some(Status::Ok)) => {
                self.go_opaque();
                if !self.client.octets.is_empty() {
                    self.unhold_client(out);
                }
            }
            (Some(Request::Command(Keyword::Stls)), _) if matches!(self.client_mode, ClientMode::Waiting) => {
                self.client_mode = ClientMode::Lines;
                self.unhold_client(out);
            }
            (_, Some(Status::Ok)) if upload && matches!(self.client_mode, ClientMode::Lines) => {
                self.client_mode = ClientMode::Upload { n: None };
            }
            _ => {}
        }
    }

    pub(super) fn reply_ended(&mut self, mut open: OpenReply, complete: bool, out: &mut impl FnMut(Event)) {
        let multi_line = open.multi_line();
        let outcome = &mut open.outcome;
        outcome.took = Some(self.server.last.saturating_sub(outcome.at));
        outcome.complete = complete && !open.missing;
        if multi_line {
            outcome.lines = Some(open.newlines + u64::from(!open.at_line_start));
            outcome.octets = Some(open.body - open.dots);
        }
        out(Event::End(open.outcome));
    }

    pub(super) fn server_closed(&mut self, out: &mut impl FnMut(Event)) {
        if self.server.octets == b".\n" && matches!(self.server_mode, ServerMode::Body(_)) {
            let run = self.server.release();
            return self.body_terminated(run, out);
        }
        let held = !self.server.octets.is_empty();
        match std::mem::replace(&mut self.server_mode, ServerMode::Lines) {
            ServerMode::Lines => {
                if held {
                    let run = self.server.release();
                    self.server_line(run, out);
                    self.server_closed(out);
                }
            }
            ServerMode::LongLine { open: Some(open), .. } => {
                let complete = !open.multi_line();
                self.reply_ended(*open, complete, out);
            }
            ServerMode::LongLine { .. } => {}
            ServerMode::Body(open) => {
                self.server_mode = ServerMode::Body(open);
                self.server_cut(out);
                self.body_lost(out);
            }
            ServerMode::Opaque => self.server_mode = ServerMode::Opaque,
        }
    }
}
