//! Segments as a dissector likes them that looks at one at a time (see [`wireshark`](super::wireshark)): one command
//! in each, a response in one if it fits; where it holds a message the status alone, then the message.
//!
//! ```text
//!   C: RETR 1
//!   C: RETR 2           held until the response to RETR 1 is over
//!   S: +OK 120 octets
//!   S: ... .            the end of the message with its terminator, reaching from before octet 120 to the end
//!   C: RETR 2
//! ```
//!
//! At most one segment of a response is held, and [`AHEAD`] of requests: it is written again with every tail.

use std::collections::VecDeque;

use super::arrivals::Arriving;
use super::conversation::Line;
use super::segment::{Label, Waiting};
use super::wireshark::{Wireshark, begins_with_status};
use crate::pop3::dissect::Request;
use crate::pop3::{Event, Keyword, Status};
use crate::wire::{Close, Micros, Run, Side};

/// Requests sent ahead are held up to this many octets, each with [`COST`] more, then written before their turn.
const AHEAD: usize = 64 << 10;

/// What it costs to hold a request: its packet in a tail is that much longer.
const COST: usize = 128;

/// Of a request that goes on as much is written at once: it does not fit one segment any more.
const MORE: usize = 4 << 10;

/// Octets by which it is known whether a segment begins with a status.
const STATUS: usize = 4;

/// See the [module](self).
#[derive(Debug, Clone, Default)]
pub(super) struct Exchanges {
    /// Requests that are not written, in order. The last one may go on.
    requests: VecDeque<Held>,
    cost: usize,
    /// What requests without a response ask: exchange, command.
    asked: VecDeque<(u32, Option<Keyword>)>,
    /// The exchange that is not over: no other's request is written.
    open: Turn,
    response: Response,
    wireshark: Wireshark,
    /// The client ended its direction while requests are held.
    client_closed: Option<Micros>,
    opaque: Arriving,
    /// The time of each side's last arrival.
    last: [Micros; 2],
}

#[derive(Debug, Clone)]
struct Held {
    n: u32,
    octets: Waiting,
    /// It will have no response.
    over: bool,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Exchange(u32),
    Nobodys,
}

impl Default for Turn {
    /// The greeting's.
    fn default() -> Self {
        Self::Exchange(0)
    }
}

/// How much of a response is to be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upto {
    /// What can be, as more comes.
    Known,
    /// All that is here; what follows is missing.
    Here,
    /// To its end, which it has or was cut off from.
    End { complete: bool },
}

/// Octets of the server that are not written.
#[derive(Debug, Clone, Default)]
struct Response {
    octets: Waiting,
    keyword: Option<Keyword>,
    /// A message follows the status.
    message: bool,
    /// Octets of the status line that stand before the message and are not written.
    head: usize,
    /// It is the `+OK` to `STLS`, and over: what comes next says how it is cut.
    stls: bool,
}

impl Exchanges {
    pub(super) fn event(&mut self, event: &Event, label: Label, line: &mut Line<'_>) {
        match event {
            Event::RequestMore { n, run } => return self.request_more(*n, run, line),
            Event::Body { run, .. } | Event::Terminator { run, .. } => return self.response_more(run, line),
            Event::Request { .. } => self.goes_on_readable(line),
            _ => {}
        }
        self.turns(line);
        match event {
            Event::Request { n, run, request, .. } => self.request(*n, run, *request, label, line),
            Event::Status { n, run, status, .. } => self.status(*n, run, *status, label, line),
            Event::StatusMore { run, .. } => {
                if self.response.message {
                    self.response.head += run.bytes.len();
                }
                self.response_more(run, line);
            }
            Event::End(outcome) => self.ended(outcome.n, outcome.complete, line),
            Event::Missing { side: Side::Client, octets, .. } => {
                self.release(line);
                line.skip(Side::Client, *octets);
            }
            Event::Missing { side: Side::Server, octets, .. } => {
                self.cut_response(Upto::Here, line);
                line.skip(Side::Server, *octets);
            }
            Event::Opaque { side, run } => {
                self.release(line);
                self.opaque.octets(*side, run, label, line);
            }
            Event::RequestMore { .. }
            | Event::Body { .. }
            | Event::Terminator { .. }
            | Event::Ambiguous { .. } => {}
        }
    }

    pub(super) fn tls(&mut self, readable: bool, line: &mut Line<'_>) {
        if readable {
            self.goes_on_readable(line);
        }
        self.turns(line);
    }

    /// What comes next is POP3, also after an accepted STLS.
    fn goes_on_readable(&mut self, line: &mut Line<'_>) {
        if std::mem::take(&mut self.response.stls) {
            self.cut_before_tls(line);
        }
    }

    pub(super) fn close(&mut self, side: Side, how: Close, at: Micros, line: &mut Line<'_>) {
        self.turns(line);
        match (side, how) {
            (Side::Client, Close::Finished) if !self.requests.is_empty() => self.client_closed = Some(at),
            (Side::Client, Close::Finished) => line.close(side, how, at),
            _ => {
                // The server says nothing more that requests could wait for.
                self.finish(line);
                line.close(side, how, at);
            }
        }
    }

    /// Writes all that is held.
    pub(super) fn finish(&mut self, line: &mut Line<'_>) {
        self.cut_response(Upto::End { complete: false }, line);
        self.release(line);
        self.opaque.finish(line);
    }

    // ---- the client

    fn request(&mut self, n: u32, run: &Run, request: Request, label: Label, line: &mut Line<'_>) {
        let keyword = match request {
            Request::Command(keyword) => Some(keyword),
            Request::SaslResponse | Request::Upload => None,
        };
        self.asked.push_back((n, keyword));
        self.hold(n, run, label, line);
    }

    fn hold(&mut self, n: u32, run: &Run, label: Label, line: &mut Line<'_>) {
        let mut octets = Waiting::default();
        octets.push(run, label, &mut self.last[Side::Client as usize]);
        self.requests.push_back(Held { n, octets, over: false });
        self.cost += run.bytes.len() + COST;
        if self.cost > AHEAD {
            self.release(line);
        }
    }

    /// More of the request that came last.
    fn request_more(&mut self, n: u32, run: &Run, line: &mut Line<'_>) {
        if let Some(held) = self.requests.back_mut().filter(|held| held.n == n) {
            held.octets.push(run, Label::default(), &mut self.last[Side::Client as usize]);
            self.cost += run.bytes.len();
        } else {
            self.hold(n, run, Label::default(), line);
        }
        if self.requests.len() == 1 && self.is_turn_of(n) {
            self.write_front(false, line);
        } else if self.cost > AHEAD {
            self.release(line);
        }
    }

    fn is_turn_of(&self, n: u32) -> bool {
        self.open == Turn::Nobodys || self.open == Turn::Exchange(n)
    }

    /// Writes the requests whose turn it is.
    fn turns(&mut self, line: &mut Line<'_>) {
        if self.open == Turn::Nobodys {
            self.cut_response(Upto::End { complete: true }, line);
        }
        while self.requests.front().is_some_and(|held| self.is_turn_of(held.n)) {
            self.write_front(true, line);
        }
        self.closed_now(line);
    }

    /// Writes all requests, whoever's turn it is.
    fn release(&mut self, line: &mut Line<'_>) {
        if self.open == Turn::Nobodys {
            self.cut_response(Upto::End { complete: true }, line);
        }
        while !self.requests.is_empty() {
            self.write_front(true, line);
        }
        self.closed_now(line);
    }

    fn closed_now(&mut self, line: &mut Line<'_>) {
        if self.requests.is_empty()
            && let Some(at) = self.client_closed.take()
        {
            line.close(Side::Client, Close::Finished, at);
        }
    }

    /// Writes the oldest request, to its end if it is whole, else what can be of one that goes on.
    fn write_front(&mut self, whole: bool, line: &mut Line<'_>) {
        let Some(held) = self.requests.front_mut() else { return };
        let longest = line.longest();
        loop {
            let rest = held.octets.rest();
            if rest.is_empty() || (!whole && rest.len() < MORE) {
                break;
            }
            let length = rest.len().min(longest);
            self.wireshark.command(rest);
            held.octets.cut(Side::Client, length, line);
            self.cost = self.cost.saturating_sub(length);
        }
        if whole {
            if !held.over {
                self.open = Turn::Exchange(held.n);
            }
            self.cost = self.cost.saturating_sub(COST);
            self.requests.pop_front();
        }
    }

    // ---- the server

    fn status(&mut self, n: u32, run: &Run, status: Option<Status>, label: Label, line: &mut Line<'_>) {
        self.cut_response(Upto::End { complete: true }, line);
        while self.requests.front().is_some_and(|held| held.n <= n) {
            self.write_front(true, line);
        }
        while self.asked.front().is_some_and(|&(asked, _)| asked < n) {
            self.asked.pop_front();
        }
        let asked = self.asked.pop_front_if(|&mut (asked, _)| asked == n);
        let keyword = asked.and_then(|(_, keyword)| keyword);
        let message = status == Some(Status::Ok) && matches!(keyword, Some(Keyword::Retr | Keyword::Top));
        self.open = Turn::Exchange(n);
        self.response.keyword = keyword.filter(|_| status == Some(Status::Ok));
        self.response.message = message;
        self.response.head = if message { run.bytes.len() } else { 0 };
        self.response.octets.push(run, label, &mut self.last[Side::Server as usize]);
        self.cut_response(Upto::Known, line);
    }

    fn response_more(&mut self, run: &Run, line: &mut Line<'_>) {
        self.response.octets.push(run, Label::default(), &mut self.last[Side::Server as usize]);
        self.cut_response(Upto::Known, line);
    }

    /// An exchange is over, also where it never had its turn.
    fn ended(&mut self, n: u32, complete: bool, line: &mut Line<'_>) {
        if self.asked.back().is_some_and(|&(asked, _)| asked == n) {
            self.asked.pop_back();
        }
        if self.open == Turn::Exchange(n) {
            self.open = Turn::Nobodys;
            self.response.stls = self.response.keyword == Some(Keyword::Stls);
            if !self.response.stls {
                self.cut_response(Upto::End { complete }, line);
            }
        } else if let Some(held) = self.requests.iter_mut().find(|held| held.n == n) {
            held.over = true;
        }
    }

    /// Writes of the response what can be cut already.
    fn cut_response(&mut self, upto: Upto, line: &mut Line<'_>) {
        while let Some(length) = self.response.next(upto, line.longest(), self.wireshark) {
            self.cut(length, line);
        }
        if let Upto::End { .. } = upto {
            self.response =
                Response { octets: std::mem::take(&mut self.response.octets), ..Response::default() };
        }
    }

    /// After a segment that begins with `+OK ` and answers `STLS`, Wireshark takes everything for TLS. The octets that
    /// follow here are none: so the segment ends before the space, and the rest of the line is one of its own.
    fn cut_before_tls(&mut self, line: &mut Line<'_>) {
        if self.response.octets.rest().starts_with(b"+OK ") {
            self.cut(b"+OK".len(), line);
        }
        self.cut_response(Upto::End { complete: true }, line);
    }

    fn cut(&mut self, length: usize, line: &mut Line<'_>) {
        let Response { octets, head, .. } = &mut self.response;
        self.wireshark.reply(&octets.rest()[..length]);
        octets.cut(Side::Server, length, line);
        *head = head.saturating_sub(length);
    }
}

impl Response {
    /// How long the next segment is; None where it cannot be known yet, or nothing is left.
    fn next(&self, upto: Upto, longest: usize, wireshark: Wireshark) -> Option<usize> {
        let rest = self.octets.rest();
        if rest.is_empty() || (upto == Upto::Known && rest.len() < longest + STATUS) {
            return None;
        }
        if self.head > 0 && self.head < rest.len() && self.head <= longest {
            return Some(self.status_alone(upto == Upto::End { complete: true }, wireshark));
        }
        let lacks = if self.message { wireshark.lacks() } else { 0 };
        if lacks > 1 && rest.len() > 1 && begins_with_status(rest) {
            // The first octet alone is no status, and the next ones belong to the same message.
            return Some(1);
        }
        if rest.len() <= longest {
            return Some(rest.len());
        }
        // The number must not be reached before the last segment.
        let length = if lacks > 1 && lacks <= longest { lacks - 1 } else { longest };
        Some(if length > 1 && begins_with_status(&rest[length..]) { length - 1 } else { length })
    }

    /// The status line, so that a message follows.
    fn status_alone(&self, all_is_here: bool, wireshark: Wireshark) -> usize {
        let rest = self.octets.rest();
        let lacks = wireshark.lacks_after(&rest[..self.head]);
        if all_is_here && lacks > rest.len() - self.head && rest.starts_with(b"+OK ") {
            // More is promised than comes: Wireshark would wait for it. It must not see the number: the rest of the line
            // becomes a segment of its own, as after [`Exchanges::cut_before_tls`].
            return b"+OK ".len();
        }
        if lacks <= 1 && self.head > 1 && begins_with_status(&rest[self.head..]) {
            // Where the message is one segment it begins with the status line's LF.
            return self.head - 1;
        }
        self.head
    }
}
