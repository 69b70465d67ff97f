//! The [`Dissector`]: the octets of both sides in, [`Event`]s out. It pairs each response with its command,
//! frames bodies, follows SASL and STLS, and masks secrets, live and offline alike.
//!
//! Two promises hold whatever comes: the runs of the events, per side and in order, are exactly the octets
//! that went in (but for masked secrets), and how the octets were cut into chunks changes nothing but the
//! arrivals. Nothing a peer does is an error.
//!
//! ```text
//!   client octets -> Lines | LongLine | Upload | Waiting (for the reply to STLS) | Opaque
//!   server octets -> Lines | LongLine | Body (up to the terminator)              | Opaque
//!                       |
//!                  pending commands, oldest first: who is being answered
//! ```
//!
//! Octets that nobody saw are marked where they are missing; `gap` is how the rest is understood all the same.

mod body;
mod client;
mod event;
mod gap;
mod held;
mod opaque;
mod secrets;
mod server;

use bytes::Bytes;
use std::collections::VecDeque;

use self::client::{ClientMode, Expect};
pub use self::event::{Event, Outcome, Request};
use self::gap::Gaps;
use self::held::Held;
use self::opaque::Records;
use self::server::ServerMode;
use super::command::Shape;
use super::sasl;
use super::secret::Secrets;
use super::state::State;
use crate::wire::{Micros, Run, Side};

/// The longest line that is held until it is whole; a longer one is passed on in pieces.
pub const MAX_LINE: usize = 64 * 1024;

/// How many octets of requests may wait for an answer before further ones are given up on.
pub const MAX_OUTSTANDING: usize = 64 * 1024 * 1024;

/// What it costs to keep a request, beside its octets, in all who wait for its answer.
const PENDING_COST: usize = 512;

/// A request that waits for its response.
#[derive(Debug, Clone, Copy)]
struct Pending {
    n: u32,
    sent: Micros,
    /// None where nobody saw it.
    request: Option<Request>,
    shape: Shape,
    /// Of its line.
    octets: u32,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Dissector {
    secrets: Secrets,
    client: Held,
    server: Held,
    client_mode: ClientMode,
    server_mode: ServerMode,
    pending: VecDeque<Pending>,
    /// Octets of the requests in `pending`, each with what it costs to keep.
    outstanding: usize,
    expect: Expect,
    sasl: Option<Box<sasl::Exchange>>,
    /// What a recording says of the SASL payload that it masked, for the next line of a side.
    told: Option<Box<sasl::Step>>,
    state: State,
    greeted: bool,
    next_n: u32,
    /// The exchange that lines without a status are attached to, and whether its command is unknown.
    latest: (u32, bool),
    ambiguous: bool,
    /// Of each side, where both are opaque.
    records: [Records; 2],
    gaps: Gaps,
}

impl Dissector {
    /// For a session from its first octet on.
    pub fn new(secrets: Secrets) -> Self {
        Self {
            secrets,
            client: Held::default(),
            server: Held::default(),
            client_mode: ClientMode::Lines,
            server_mode: ServerMode::Lines,
            pending: VecDeque::new(),
            outstanding: 0,
            expect: Expect::Command,
            sasl: None,
            told: None,
            state: State::Authorization,
            greeted: false,
            next_n: 1,
            latest: (0, false),
            ambiguous: false,
            records: Default::default(),
            gaps: Gaps::default(),
        }
    }

    /// The state after the last answered command.
    pub const fn state(&self) -> State {
        self.state
    }

    /// How many commands wait for their answer.
    pub fn outstanding(&self) -> usize {
        self.pending.len()
    }

    /// Whether nothing is owed: the greeting is over, and every command has its whole answer.
    pub fn is_quiet(&self) -> bool {
        let between = matches!(self.server_mode, ServerMode::Lines | ServerMode::Opaque);
        self.greeted && self.pending.is_empty() && between && self.server.octets.is_empty()
    }

    /// Tells what a masked payload said that comes next (from a recording).
    pub fn tell(&mut self, step: sasl::Step) {
        self.told = Some(Box::new(step));
    }

    /// Takes the next octets of a side, which arrived at `at`.
    pub fn feed(&mut self, side: Side, at: Micros, chunk: Bytes, out: &mut impl FnMut(Event)) {
        self.feed_run(side, Run { bytes: chunk, arrivals: smallvec::smallvec![(0, at)] }, out);
    }

    /// The same with arrivals of its own (from a recording). No two arrivals of a side have the same
    /// time: one that would is taken to be a microsecond later than the one before it.
    pub fn feed_run(&mut self, side: Side, run: Run, out: &mut impl FnMut(Event)) {
        let held = match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        };
        let cursor = held.cursor(run);
        if cursor.data.is_empty() {
            // In a recording: an arrival that brought nothing but part of a masked secret.
            let offset = held.octets.len() as u32;
            held.arrivals.extend(cursor.arrivals.into_iter().map(|(_, at)| (offset, at)));
            return;
        }
        match side {
            Side::Client => self.client_octets(cursor, out),
            Side::Server => self.server_octets(cursor, out),
        }
    }

    /// TLS stands: the next octets of both sides are its plaintext, or can be read by nobody here. The protocol begins
    /// anew inside of it (RFC 2595 section 4): what was sent in clear and has no answer gets none.
    pub fn tls_started(&mut self, readable: bool, out: &mut impl FnMut(Event)) {
        self.close(Side::Client, out);
        self.close(Side::Server, out);
        self.end_unanswered(out);
        (self.state, self.expect, self.sasl, self.told) = (State::Authorization, Expect::Command, None, None);
        if readable {
            (self.client_mode, self.server_mode) = (ClientMode::Lines, ServerMode::Lines);
        } else {
            self.go_opaque();
        }
    }

    /// Takes note that a side sends no more: what was held back of it is cut off there.
    pub fn close(&mut self, side: Side, out: &mut impl FnMut(Event)) {
        match side {
            Side::Client => self.client_closed(out),
            Side::Server => self.server_closed(out),
        }
    }

    /// Ends the session: both sides are closed, and what still waits for an answer got none.
    pub fn finish(&mut self, out: &mut impl FnMut(Event)) {
        self.close(Side::Client, out);
        self.close(Side::Server, out);
        self.end_unanswered(out);
    }

    /// Ends whatever waits for an answer.
    fn end_unanswered(&mut self, out: &mut impl FnMut(Event)) {
        self.greeting_not_seen(out);
        self.give_up_unseen(u32::MAX, out);
        while let Some(pending) = self.next_answered() {
            let missing = self.gaps.due == Some(pending.n);
            out(self.unanswered(pending, missing));
        }
        self.gaps.due = None;
    }

    /// `missing`: it may have been answered by what nobody saw.
    fn unanswered(&self, pending: Pending, missing: bool) -> Event {
        Event::End(Box::new(Outcome {
            n: pending.n,
            request: pending.request,
            status: None,
            state: self.state,
            after: self.state,
            at: pending.sent,
            took: None,
            lines: None,
            octets: None,
            wire: 0,
            complete: !missing,
        }))
    }

    /// Queues a request for its answer. A peer that never answers must not cost memory without end.
    #[inline]
    fn wait_for_answer(&mut self, pending: Pending, out: &mut impl FnMut(Event)) {
        let cost = pending.octets as usize + PENDING_COST;
        if self.outstanding + cost > MAX_OUTSTANDING {
            out(self.unanswered(pending, false));
        } else {
            self.outstanding += cost;
            self.pending.push_back(pending);
        }
    }

    fn next_answered(&mut self) -> Option<Pending> {
        let pending = self.pending.pop_front()?;
        self.outstanding -= pending.octets as usize + PENDING_COST;
        Some(pending)
    }

    fn new_n(&mut self) -> u32 {
        let n = self.next_n;
        self.next_n = n.saturating_add(1);
        n
    }
}
