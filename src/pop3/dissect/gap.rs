//! Octets that nobody saw: whose they were, and how what comes after them is understood.
//!
//! ```text
//!   in a body            the body goes on, at the beginning of a line; a status line ends it once a command waits that came later
//!   in a status line     the body follows, or the exchange is over
//!   where one is due     the next status answers; a client in lock-step that sends its next command had the answer
//!   of the client        a request nobody saw, or the rest of the one that was cut
//! ```

use super::client::{ClientMode, Expect};
use super::server::{OpenReply, ServerMode};
use super::{Dissector, Event, Pending, Request};
use crate::pop3::command::{Command, Keyword, Shape};
use crate::pop3::lines::split_ending;
use crate::pop3::response::Status;
use crate::pop3::state::State;
use crate::wire::{Run, Side};

/// A request whose line may not be whole.
#[derive(Debug, Clone, Copy)]
struct Cut {
    n: u32,
    /// What is left of it is.
    secret: bool,
    /// It was seen to begin, with a command that has a secret or might: what is left of it is no command, whatever it
    /// looks like.
    goes_on: bool,
}

/// What is remembered of octets that are missing.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    /// Whether there ever were any.
    pub(super) any: bool,
    /// The exchange whose answer, or its beginning, may have been among them.
    pub(super) due: Option<u32>,
    /// What is left of a server's line may be secret.
    pub(super) secret: bool,
    /// A request that nobody saw and that waits for its answer.
    unseen: Option<Pending>,
    /// The request whose line the client's next octets may go on with.
    cut: Option<Cut>,
    /// The client sends commands before earlier ones are answered.
    pub(super) pipelines: bool,
}

impl Dissector {
    /// Takes note that the next octets of a side are not known: so many, or 0 where not even that is known. It has to come
    /// before the octets of the other side that show that it had them.
    pub fn missing(&mut self, side: Side, octets: u64, out: &mut impl FnMut(Event)) {
        self.gaps.any = true;
        self.sasl.iter_mut().for_each(|exchange| exchange.lost());
        match side {
            Side::Client => self.client_missing(octets, out),
            Side::Server => self.server_missing(octets, out),
        }
    }

    fn client_missing(&mut self, octets: u64, out: &mut impl FnMut(Event)) {
        if let ClientMode::Waiting = self.client_mode {
            self.client_mode = ClientMode::Lines;
            self.unhold_client(out);
        }
        let held = !self.client.octets.is_empty() || !self.client.arrivals.is_empty();
        if held && !matches!(self.client_mode, ClientMode::Opaque) {
            let run = self.client.release();
            self.client_line(run, out);
        }
        if self.state == State::Authorization && self.expect == Expect::Command {
            // AUTH may be among what is missing: what looks like a payload is one, until a known command comes.
            self.expect = Expect::Refused;
        }
        let cut = match self.client_mode {
            ClientMode::Opaque => {
                self.records[Side::Client as usize].lose();
                return out(Event::Missing { n: None, side: Side::Client, octets });
            }
            ClientMode::Upload { n: Some(n) } => {
                return out(Event::Missing { n: Some(n), side: Side::Client, octets });
            }
            ClientMode::LongLine { n, secret, .. } => {
                self.client_mode = ClientMode::Lines;
                Cut { n, secret, goes_on: secret || self.may_be_secret(n) }
            }
            ClientMode::Lines | ClientMode::Upload { n: None } | ClientMode::Waiting => {
                Cut { n: self.unseen(), secret: false, goes_on: false }
            }
        };
        self.gaps.cut = Some(cut);
        out(Event::Missing { n: Some(cut.n), side: Side::Client, octets });
    }

    /// Whether the request has a secret, or could be the beginning of one that has.
    fn may_be_secret(&self, n: u32) -> bool {
        let pending = self.pending.iter().rfind(|pending| pending.n == n);
        let request = pending.and_then(|pending| pending.request);
        let could =
            |keyword| matches!(keyword, Keyword::Pass | Keyword::Apop | Keyword::Auth | Keyword::Unknown);
        request.is_some_and(|request| match request {
            Request::Command(keyword) => could(keyword),
            Request::SaslResponse => true,
            Request::Upload => false,
        })
    }

    /// The request that nobody saw: one at a time.
    fn unseen(&mut self) -> u32 {
        if let Some(unseen) = self.gaps.unseen {
            return unseen.n;
        }
        let n = self.new_n();
        let sent = self.client.last.max(self.server.last);
        self.gaps.unseen = Some(Pending { n, sent, request: None, shape: Shape::Unknown, octets: 0 });
        n
    }

    fn server_missing(&mut self, octets: u64, out: &mut impl FnMut(Event)) {
        if self.body_may_be_over() {
            self.body_lost(out);
        }
        self.server_cut(out);
        let missing = |n| Event::Missing { n: Some(n), side: Side::Server, octets };
        match std::mem::replace(&mut self.server_mode, ServerMode::Lines) {
            ServerMode::Opaque => {
                self.server_mode = ServerMode::Opaque;
                self.records[Side::Server as usize].lose();
                out(Event::Missing { n: None, side: Side::Server, octets });
            }
            ServerMode::Body(mut open) => {
                out(missing(open.outcome.n));
                (open.missing, open.gap, open.at_line_start) = (true, Some(self.next_n), true);
                self.server_mode = ServerMode::Body(open);
            }
            ServerMode::LongLine { secret, open: Some(mut open), .. } => {
                out(missing(open.outcome.n));
                (open.missing, open.gap, open.bare_lf) = (true, Some(self.next_n), false);
                self.gaps.secret = secret;
                self.status_ended(*open, out);
            }
            ServerMode::LongLine { n, secret, open: None, .. } => {
                out(missing(n));
                self.gaps.secret = secret;
            }
            ServerMode::Lines => {
                let (latest, unknown) = self.latest;
                let n = match self.pending.front() {
                    _ if !self.greeted => 0,
                    Some(pending) => {
                        self.gaps.secret = pending.shape == Shape::Sasl;
                        pending.n
                    }
                    None if unknown => latest,
                    None => self.unseen(),
                };
                self.gaps.due = Some(n);
                out(missing(n));
            }
        }
    }

    /// What was held back of the server's line comes out, cut off there.
    pub(super) fn server_cut(&mut self, out: &mut impl FnMut(Event)) {
        if self.server.octets.is_empty() {
            return;
        }
        let run = self.server.release();
        match &mut self.server_mode {
            ServerMode::Lines => {
                self.server_line(run, out);
                // The rest of a body may be held back again, as such.
                self.server_cut(out);
            }
            ServerMode::Body(open) => {
                open.count(&run.bytes, u64::from(run.bytes.starts_with(b".")));
                out(Event::Body { n: open.outcome.n, run });
            }
            // They hold nothing back.
            ServerMode::LongLine { .. } | ServerMode::Opaque => {}
        }
    }

    /// Whether commands wait that came after octets of the body under way were missing: its end may have been among
    /// them.
    pub(super) fn body_may_be_over(&self) -> bool {
        let ServerMode::Body(open) = &self.server_mode else { return false };
        open.gap.is_some_and(|gap| self.pending.back().is_some_and(|pending| pending.n >= gap))
    }

    /// The end of the body was among the octets that are missing.
    pub(super) fn body_lost(&mut self, out: &mut impl FnMut(Event)) {
        if let ServerMode::Body(open) = std::mem::replace(&mut self.server_mode, ServerMode::Lines) {
            self.reply_ended(*open, false, out);
        }
    }

    /// Before a client's line: where it is in lock-step, what it waited for has been answered.
    pub(super) fn client_had_its_answer(&mut self, out: &mut impl FnMut(Event)) {
        self.greeting_not_seen(out);
        let due = self.gaps.due;
        let waits = |pending: &Pending| Some(pending.n) == due;
        let alone = self.pending.len() == 1 && !self.gaps.pipelines;
        if self.gaps.unseen.as_ref().is_some_and(waits) {
            self.gaps.due = None;
            self.give_up_unseen(u32::MAX, out);
        } else if alone
            && self.pending.front().is_some_and(waits)
            && let Some(pending) = self.next_answered()
        {
            self.gaps.due = None;
            out(self.unanswered(pending, true));
        } else if !self.pending.is_empty() && !self.body_may_be_over() {
            self.gaps.pipelines = true;
        }
    }

    pub(super) fn greeting_not_seen(&mut self, out: &mut impl FnMut(Event)) {
        if !self.greeted && self.gaps.due == Some(0) {
            (self.greeted, self.gaps.due) = (true, None);
            let greeting = Pending { n: 0, sent: 0, request: None, shape: Shape::SingleLine, octets: 0 };
            out(self.unanswered(greeting, true));
        }
    }

    /// Answers come in order: once a request after `n` has one, the unseen one before gets none.
    pub(super) fn give_up_unseen(&mut self, n: u32, out: &mut impl FnMut(Event)) {
        if let Some(unseen) = self.gaps.unseen.take_if(|unseen| unseen.n < n) {
            out(self.unanswered(unseen, true));
        }
    }

    /// The unseen request, where nothing else can be what is answered.
    pub(super) fn unseen_answered(&mut self) -> Option<Pending> {
        self.gaps.unseen.take()
    }

    /// Whether a client's line is the rest of one that was cut, of which request, and whether it is secret:
    /// it is no command, and nothing was answered since. Whatever it is, it may be the end of a password.
    pub(super) fn rest_of_request(&mut self, command: &Command<'_>) -> Option<(u32, bool)> {
        let Cut { n, secret, goes_on } = self.gaps.cut.take()?;
        // What answers a challenge is read as such, whatever it looks like, and masked.
        // More words than a command has are those of a password.
        let most = command.keyword.row().map(|row| usize::from(row.arity.1));
        let is_command = most.is_some_and(|most| command.words().take(most + 1).count() <= most);
        let is_none = !is_command && self.expect != Expect::Response;
        ((is_none || goes_on) && self.went_on(n))
            .then_some((n, secret || goes_on || self.state == State::Authorization))
    }

    /// More octets of a request came; whether it still waits for its answer.
    pub(super) fn went_on(&mut self, n: u32) -> bool {
        let unseen = self.gaps.unseen.as_mut().filter(|unseen| unseen.n == n);
        let waiting = unseen.or_else(|| self.pending.iter_mut().rfind(|pending| pending.n == n));
        waiting.map(|pending| pending.sent = self.client.last).is_some()
    }

    /// A line where a status is due that is none, right after octets that are missing: the rest of what they began.
    pub(super) fn rest_of_reply(&mut self, mut run: Run, out: &mut impl FnMut(Event)) -> Result<(), Run> {
        let secret = std::mem::take(&mut self.gaps.secret);
        let end = split_ending(&run.bytes).0.len();
        let hidden = (secret && end > 0).then_some(0..end);
        let Some(n) = self.gaps.due.take() else {
            self.mask(&mut run, hidden);
            return Err(run);
        };
        if n == 0 && !self.greeted {
            self.gaps.due = Some(n);
            self.greeting_not_seen(out);
        } else if self.gaps.unseen.is_some_and(|unseen| unseen.n == n) {
            self.latest = (n, true);
            self.give_up_unseen(u32::MAX, out);
        } else if self.pending.front().is_some_and(|pending| pending.n == n)
            && let Some(pending) = self.next_answered()
        {
            self.latest = (n, pending.shape == Shape::Unknown);
            self.ambiguous = false;
            if pending.shape == Shape::MultiLine {
                let mut open = OpenReply::new(pending, None, (self.state, self.state));
                (open.missing, open.gap) = (true, Some(self.next_n));
                self.server_mode = ServerMode::Body(Box::new(open));
                // It is read again, as what it is.
                return Err(run);
            }
            out(self.unanswered(pending, true));
        }
        self.mask(&mut run, hidden);
        self.attach(n, run, secret, out);
        Ok(())
    }

    /// A command that only TRANSACTION knows was accepted: the login was among the octets that are missing.
    pub(super) fn login_not_seen(&mut self, keyword: Keyword, status: Option<Status>) {
        let shows = keyword.row().is_some_and(|row| row.states == [State::Transaction]);
        if self.gaps.any && shows && status == Some(Status::Ok) && self.state == State::Authorization {
            self.state = State::Transaction;
        }
    }
}
