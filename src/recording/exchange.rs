//! [`Exchange`]: a command with its response, put together from the dissector's events.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::pop3::dissect::{Outcome, Request};
use crate::pop3::lines::{Unstuffer, split_ending};
use crate::pop3::response::StatusLine;
use crate::pop3::{Event, State, Status, sasl};
use crate::wire::{Micros, Run};

/// A command with its response. Bodies are kept up to the assembler's limit, counts are always whole.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four facts that have nothing to do with each other")]
pub struct Exchange {
    /// Its number in the session; 0 is the greeting.
    pub n: u32,
    /// What was asked; None for the greeting and for a response that nothing asked for.
    pub request: Option<Request>,
    /// The request's line without its ending, secrets masked; None as above.
    pub command: Option<Bytes>,
    /// What the SASL payload of the request said.
    pub asked_step: Option<Box<sasl::Step>>,
    /// None where no status came.
    pub status: Option<Status>,
    /// The status line without its ending, secrets masked; None where no response came.
    pub reply: Option<Bytes>,
    /// What the SASL challenge in the response said.
    pub reply_step: Option<Box<sasl::Step>>,
    /// The beginning of the body, byte-stuffing undone.
    pub body: Vec<u8>,
    /// Lines of the body; None where there is none.
    pub lines: Option<u64>,
    /// Octets of the body, byte-stuffing undone, without the terminator.
    pub octets: Option<u64>,
    /// All octets of the response as sent.
    pub wire: u64,
    /// The state before the request was answered.
    pub state: State,
    /// The state after.
    pub after: State,
    /// When the request's last octet came.
    pub at: Micros,
    /// When the response's first octet came.
    pub replied: Option<Micros>,
    /// From `at` until the response's last octet.
    pub took: Option<Micros>,
    /// False where a body lacks its terminator, or octets are missing.
    pub complete: bool,
    /// Whether the terminator came.
    pub terminated: bool,
    /// How many octets of it nobody saw, 0 where that is not known; None where all are there.
    pub missing: Option<u64>,
    /// Lines that nothing asked for follow the response.
    pub attached: bool,
    /// Whether they belong here cannot be known.
    pub ambiguous: bool,
    unstuffer: Unstuffer,
}

impl Exchange {
    fn new(n: u32, request: Option<Request>) -> Self {
        Self {
            n,
            request,
            command: None,
            asked_step: None,
            status: None,
            reply: None,
            reply_step: None,
            body: Vec::new(),
            lines: None,
            octets: None,
            wire: 0,
            state: State::Authorization,
            after: State::Authorization,
            at: 0,
            replied: None,
            took: None,
            complete: true,
            terminated: false,
            missing: None,
            attached: false,
            ambiguous: false,
            unstuffer: Unstuffer::default(),
        }
    }

    /// The text of the status line: what follows the status, or the whole line where there is none.
    pub fn text(&self) -> Option<&[u8]> {
        self.reply.as_ref().map(|reply| StatusLine::parse(reply).text)
    }

    /// Takes note that octets are missing: what follows is taken to begin a line.
    fn lack(&mut self, octets: u64) {
        self.missing = Some(self.missing.unwrap_or_default().saturating_add(octets));
        self.complete = false;
        self.unstuffer = Unstuffer::default();
    }

    /// Takes octets that came after its end as its own.
    fn attach(&mut self, run: &Run) {
        self.attached = true;
        self.wire += run.bytes.len() as u64;
        if let Some(at) = run.last_arrival() {
            self.took = Some(at.saturating_sub(self.at));
        }
    }

    fn end(&mut self, outcome: &Outcome) {
        let Outcome { status, state, after, at, took, lines, octets, wire, complete, .. } = *outcome;
        (self.status, self.state, self.after, self.at, self.took) = (status, state, after, at, took);
        (self.lines, self.octets, self.wire) = (lines, octets, wire);
        self.complete = complete && self.missing.is_none();
    }
}

/// Puts exchanges together.
#[derive(Debug)]
pub struct Assembler {
    body_limit: usize,
    /// Requests whose answer has not begun, oldest first.
    asked: VecDeque<Exchange>,
    /// The exchange whose response came last: it may yet get lines that nothing asked for.
    current: Option<Exchange>,
    /// Octets of the current body, as on the wire, that were kept.
    kept: usize,
    ended: bool,
    /// When the client's last octets came.
    client_last: Micros,
}

impl Assembler {
    /// Keeps at most `body_limit` octets of each body.
    pub const fn new(body_limit: usize) -> Self {
        Self { body_limit, asked: VecDeque::new(), current: None, kept: 0, ended: false, client_last: 0 }
    }

    /// The exchange whose response is coming or came last.
    pub fn current(&self) -> Option<&Exchange> {
        self.current.as_ref()
    }

    /// Takes the next event; gives an exchange that is now settled: nothing can be added to it any more.
    pub fn take(&mut self, event: &Event) -> Option<Exchange> {
        match event {
            Event::Request { n, run, request, step } => {
                let mut exchange = Exchange::new(*n, Some(*request));
                exchange.command = Some(line(run));
                exchange.asked_step.clone_from(step);
                self.client_last = run.last_arrival().unwrap_or(self.client_last);
                exchange.at = self.client_last;
                self.asked.push_back(exchange);
                None
            }
            Event::Status { n, run, step, status } => {
                let settled = self.settle();
                let mut exchange = self.asked(*n).unwrap_or_else(|| Exchange::new(*n, None));
                exchange.status = *status;
                exchange.reply = Some(line(run));
                exchange.reply_step.clone_from(step);
                exchange.replied = run.arrivals.first().map(|&(_, at)| at);
                self.current = Some(exchange);
                settled
            }
            Event::Body { n, run } => {
                let settled = self.begin_without_status(*n, run);
                self.body(run);
                settled
            }
            Event::Terminator { n, run } => {
                let settled = self.begin_without_status(*n, run);
                if let Some(current) = &mut self.current {
                    current.terminated = true;
                    if self.ended {
                        current.attach(run);
                    }
                }
                settled
            }
            Event::Missing { n: Some(n), octets, .. } => {
                let current = self.current.as_mut().filter(|current| current.n == *n);
                if let Some(current) = current {
                    current.lack(*octets);
                    return None;
                }
                let place = self.asked.binary_search_by_key(n, |asked| asked.n).unwrap_or_else(|place| {
                    self.asked.insert(place, Exchange::new(*n, None));
                    place
                });
                self.asked[place].lack(*octets);
                None
            }
            Event::End(outcome) => {
                if let Some(current) = self.current.as_mut().filter(|current| current.n == outcome.n) {
                    self.ended = true;
                    current.end(outcome);
                    return None;
                }
                // No answer ever came; the one that is coming, if any, is another's.
                let mut exchange = self.asked(outcome.n)?;
                exchange.end(outcome);
                if self.current.is_some() && !self.ended {
                    return Some(exchange);
                }
                let settled = self.settle();
                self.current = Some(exchange);
                self.ended = true;
                settled
            }
            Event::Ambiguous { .. } => {
                if let Some(current) = &mut self.current {
                    current.ambiguous = true;
                }
                None
            }
            Event::RequestMore { .. }
            | Event::StatusMore { .. }
            | Event::Missing { n: None, .. }
            | Event::Opaque { .. } => None,
        }
    }

    /// Takes a request out of those whose answer has not begun.
    fn asked(&mut self, n: u32) -> Option<Exchange> {
        let place = self.asked.binary_search_by_key(&n, |asked| asked.n).ok()?;
        self.asked.remove(place)
    }

    /// A body whose status line is among the octets that are missing begins its exchange's answer.
    fn begin_without_status(&mut self, n: u32, run: &Run) -> Option<Exchange> {
        let mut exchange = self.asked(n)?;
        let settled = self.settle();
        exchange.replied = run.arrivals.first().map(|&(_, at)| at);
        self.current = Some(exchange);
        settled
    }

    /// The last exchange, once the session is over.
    pub fn settle(&mut self) -> Option<Exchange> {
        self.ended = false;
        self.kept = 0;
        self.current.take()
    }

    fn body(&mut self, run: &Run) {
        let Some(current) = &mut self.current else { return };
        if self.ended {
            current.attach(run);
            *current.lines.get_or_insert(0) += memchr::memchr_iter(b'\n', &run.bytes).count() as u64;
            *current.octets.get_or_insert(0) += run.bytes.len() as u64;
        }
        let room = (self.body_limit - self.kept).min(run.bytes.len());
        self.kept += room;
        current.unstuffer.push(&run.bytes[..room], &mut current.body);
    }
}

/// The line of a run, without its ending, in memory of its own.
fn line(run: &Run) -> Bytes {
    Bytes::copy_from_slice(split_ending(&run.bytes).0)
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::pop3::dissect::MAX_OUTSTANDING;
    use crate::pop3::{Dissector, Secrets};
    use crate::wire::Side;

    #[test]
    fn a_request_that_is_given_up_on_does_not_take_another_ones_response() {
        let mut dissector = Dissector::new(Secrets::Redact);
        let mut assembler = Assembler::new(100);
        let mut settled = Vec::new();
        let mut feed = |side, octets: Bytes| {
            dissector.feed(side, 0, octets, &mut |event| settled.extend(assembler.take(&event)));
        };
        feed(Side::Server, "+OK\r\n".into());
        feed(Side::Client, "RETR 1\r\n".into());
        feed(Side::Server, "+OK\r\nfirst\r\n".into());
        let mut many = BytesMut::new();
        for _ in 0..MAX_OUTSTANDING / 512 + 10 {
            many.extend_from_slice(b"NOOP\r\n");
        }
        feed(Side::Client, many.freeze());
        feed(Side::Server, "second\r\n.\r\n+OK\r\n".into());
        let retr = settled.iter().find(|exchange| exchange.n == 1).map(|exchange| &exchange.body[..]);
        assert_eq!(retr, Some(&b"first\r\nsecond\r\n"[..]));
        let given_up = settled.iter().filter(|exchange| exchange.status.is_none()).count();
        assert!(given_up > 0, "the bound was never reached");
    }
}
