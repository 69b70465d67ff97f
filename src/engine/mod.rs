//! The built-in POP3 server: one session of it, as a state machine without sockets, files or clock (RFC 1939,
//! 2449, 2595, 3206, 5034, 6856).
//!
//! ```text
//!   greeting
//!      |
//!   Authorization { user named } <--> Exchange { SASL }    --- QUIT, the client goes, silence, Input::Stop --.
//!      |    | STLS: +OK                                                                                      |
//!      |  Securing -- TLS stands: Authorization anew                                                         |
//!      | PASS, APOP, AUTH                                                                                    |
//!   Opening -- the maildrop is locked: -ERR, Authorization                                                   |
//!      | +OK                                                                                                 |
//!   Transaction { listing, marks } <--> Sending { a message } --- the client goes, silence, Input::Stop: ----+-> Over
//!      | QUIT                                                     nothing is removed                         |
//!   Update -- Ask::Commit: +OK or -ERR ----------------------------------------------------------------------'
//! ```
//!
//! Each state is a struct with what exists only in it, so no mark survives a session that does not reach
//! UPDATE. Messages are not here: the engine asks for them ([`Ask`](crate::wire::Ask)) and is told.
//!
//! What a session holds in memory is bounded, whatever the client sends: of input, one line and what came behind
//! it in the same read; of output, [`YIELD_AFTER`] octets and one response, and of a message one piece. A batch
//! that asks for more is answered in turns: the engine asks for [`Input::Woke`] at once and goes on then. The
//! bound holds with a driver that sends all it was given and then gives a wake-up that is due before it reads
//! on; one that reads first gets the same answers.

mod accounts;
mod arguments;
mod authorization;
mod capabilities;
mod facts;
mod leniency;
mod output;
mod patience;
mod policy;
mod profile;
mod quirks;
mod reply;
mod request;
mod responder;
mod sasl;
mod service;
#[cfg(test)]
mod tests;
mod transaction;
mod transfer;
mod turn;
mod update;
mod wording;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

pub use accounts::{Accounts, Password};
use authorization::Authorization;
use facts::Facts;
use output::Output;
pub use output::YIELD_AFTER;
use patience::{Lost, Patience};
pub use policy::{Capabilities, Expire, Host, Policy};
pub use profile::{PERSONALITIES, Personality, Profile, ProfileError, Rest};
pub use quirks::{Blanks, Limits, NameLasts, Numbers, Quirks};
use reply::{Refusal, Reply};
pub use request::MAX_COMMAND;
use request::{CommandLines, MAX_RESPONSE, Request, TooLong};
pub use responder::{Asked, Canned, Responder, Scene};
pub use service::{Birth, Server};
use service::{Service, apop_digest, hex};
use turn::{Saying, Stage, Turn};
pub use wording::{Say, Text, WORDING, Wording};

use crate::pop3::{Command, State, Status};
use crate::wire::{Action, Close, Input, Machine, Micros, Side, Told};

/// One session of the built-in server. It has a client and no other side.
#[derive(Debug)]
pub struct Engine {
    service: Service,
    script: Option<Box<dyn Responder>>,
    /// The script was asked for an answer and had none, and the engine's has not been given yet.
    left_to_us: bool,
    lines: CommandLines,
    patience: Patience,
    stage: Stage,
    output: Output,
    /// Pieces of a recorded answer that are not due yet, each with its time.
    later: VecDeque<(Micros, Bytes)>,
    /// How the session ends once everything is sent.
    end: Option<Close>,
    /// The client has said that nothing more comes from it.
    leaving: bool,
    /// When the client did something last.
    active: Micros,
    /// For when a wake-up is set.
    alarm: Option<Micros>,
    closed: bool,
}

impl Engine {
    /// A session of a server.
    pub fn new(server: Arc<Server>, birth: Birth) -> Self {
        Self {
            service: Service::new(server, birth),
            script: None,
            left_to_us: false,
            lines: CommandLines::default(),
            patience: Patience::default(),
            stage: Stage::Authorization(Authorization::default()),
            output: Output::default(),
            later: VecDeque::new(),
            end: None,
            leaving: false,
            active: 0,
            alarm: None,
            closed: false,
        }
    }

    /// The same with somebody who answers in the engine's place where they can.
    pub fn with_script(self, script: Box<dyn Responder>) -> Self {
        Self { script: Some(script), ..self }
    }

    /// The session's state (RFC 1939 section 3).
    pub fn state(&self) -> State {
        self.stage.state()
    }

    /// The greeting (RFC 1939 section 4).
    fn greet(&mut self) {
        match self.script.as_mut().and_then(|script| script.greeting()) {
            Some(canned) => {
                // APOP is judged by the timestamp that the client sees.
                let octets: Vec<u8> = canned.pieces.iter().flat_map(|(_, piece)| piece.to_vec()).collect();
                self.service.greeted_with(&octets);
                self.speak(canned);
            }
            None => self.service.say(&mut self.output, b"", Status::Ok, Say::Greeting, &Facts::default()),
        }
    }

    /// Answers the commands that are there, as far as output may grow.
    fn work(&mut self, actions: &mut Vec<Action>) {
        while self.later.is_empty() && self.end.is_none() && self.stage.listens() {
            if self.output.is_full() && self.lines.has_more() {
                self.output.flush(actions);
                actions.push(Action::WakeAt(self.service.now));
                return;
            }
            let policy = self.service.policy();
            let limit = match &self.stage {
                Stage::Exchange(_) => MAX_RESPONSE,
                // A recorded server may have taken more than this one would.
                _ if self.script.is_some() => MAX_RESPONSE,
                other => policy.quirks.longest_command(other.state()),
            };
            let line = match self.lines.next(limit) {
                Some(line) => line,
                None if self.lines.discarded() > 0 && policy.quirks.closes_after_long_line => Err(TooLong),
                None => {
                    if self.lines.discarded() > policy.line_limit {
                        self.stage = Stage::Over;
                    }
                    break;
                }
            };
            let stage = std::mem::replace(&mut self.stage, Stage::Over);
            let line = line.as_deref().ok();
            let turn = self.turn(stage, line);
            self.carry_out(line.unwrap_or_default(), turn, actions);
        }
        self.settle(actions);
    }

    /// What comes of a line; None: of one that is too long.
    fn turn(&mut self, stage: Stage, line: Option<&[u8]>) -> Turn {
        let service = &mut self.service;
        let stage = match stage {
            Stage::Exchange(exchange) => return exchange.respond(service, line),
            other => other,
        };
        let (Some(line), Some(script)) = (line, &mut self.script) else {
            return Self::answer(service, stage, line);
        };
        let marked = match &stage {
            Stage::Transaction(transaction) => transaction.marked(),
            _ => &[],
        };
        let keyword = Command::parse(line).keyword;
        let asked = Asked { line, keyword, state: stage.state(), tls: service.tls, marked };
        match (script.respond(&asked), stage) {
            (Some(canned), Stage::Authorization(authorization)) => {
                authorization.follow(service, line, canned)
            }
            (Some(canned), Stage::Transaction(transaction)) => transaction.follow(line, canned),
            (Some(canned), other) => Turn::canned(other, canned),
            (None, stage) => {
                self.left_to_us = true;
                Self::answer(service, stage, Some(line))
            }
        }
    }

    fn answer(service: &mut Service, stage: Stage, line: Option<&[u8]>) -> Turn {
        let server = Arc::clone(&service.server);
        let longest = server.policy.quirks.longest_command(stage.state());
        let request = match line.filter(|line| line.len() <= longest) {
            Some(line) => Request::parse(line, &server.policy, stage.state()),
            None => Err(Refusal::too_long(&server.policy.quirks, stage.state())),
        };
        match stage {
            Stage::Authorization(authorization) => authorization.handle(service, request),
            Stage::Transaction(transaction) => transaction.handle(service, request),
            other => Turn::nothing(other),
        }
    }

    /// Says what is to be said and does what is to be done.
    fn carry_out(&mut self, line: &[u8], turn: Turn, actions: &mut Vec<Action>) {
        let Turn { say, stage, ask, secure, overruled } = turn;
        self.stage = stage;
        let refused = match &say {
            Saying::Answer(Err(refusal)) => Some(refusal.say),
            _ => None,
        };
        if overruled && let Some(script) = &mut self.script {
            script.overruled(Status::Err);
        }
        match say {
            Saying::Nothing => {}
            // Whoever put octets behind STLS wants them to be taken as if they had come under TLS.
            Saying::Answer(Ok(_)) if secure && self.lines.has_more() => {
                self.lines.clear();
                self.stage = Stage::Over;
                self.service.say(&mut self.output, line, Status::Err, Say::BehindStls, &Facts::default());
                return;
            }
            Saying::Answer(Ok(Reply { say, facts, body })) => {
                self.answered(Status::Ok);
                self.service.say(&mut self.output, line, Status::Ok, say, &facts);
                if let Some(body) = body {
                    self.output.body(&body);
                }
            }
            Saying::Answer(Err(refusal)) => {
                self.answered(Status::Err);
                self.service.say(&mut self.output, line, Status::Err, refusal.say, &refusal.facts);
            }
            Saying::Text(status, text) => {
                self.answered(status);
                self.service.text(&mut self.output, status, &text);
            }
            Saying::Challenge(payload) => self.output.challenge(&payload),
            Saying::Canned(canned) => self.speak(canned),
        }
        let quirks = &self.service.policy().quirks;
        if let Some(lost) = self.patience.spend(quirks, refused, self.stage.state()) {
            self.stage = Stage::Over;
            if let Lost::After(say) = lost {
                self.service.say(&mut self.output, line, Status::Err, say, &Facts::default());
            }
        }
        if let Some(ask) = ask {
            self.output.flush(actions);
            actions.push(Action::Ask(ask));
        } else if secure {
            self.output.flush(actions);
            actions.push(Action::StartTls(Side::Client));
        }
    }

    /// Takes a recorded answer: what is due now is sent at once.
    fn speak(&mut self, canned: Canned) {
        for (delay, octets) in canned.pieces {
            if delay == 0 && self.later.is_empty() {
                self.output.octets(octets);
            } else {
                self.later.push_back((self.service.now + delay, octets));
            }
        }
        self.end = self.end.or(canned.then);
    }

    /// Tells the script that the engine has answered in its place.
    fn answered(&mut self, status: Status) {
        if std::mem::take(&mut self.left_to_us)
            && let Some(script) = &mut self.script
        {
            script.answered(status);
        }
    }

    /// Takes what the maildrops told.
    fn told(&mut self, told: Told, actions: &mut Vec<Action>) {
        let stage = std::mem::replace(&mut self.stage, Stage::Over);
        let turn = match (stage, told) {
            (Stage::Opening(opening), Told::Opened(result)) => {
                if let (Ok(listing), Some(script)) = (&result, &mut self.script) {
                    script.opened(listing);
                }
                opening.opened(&self.service, result)
            }
            (Stage::Sending(sending), Told::Read(result)) => {
                if result.is_ok() {
                    self.answered(Status::Ok);
                }
                sending.read(&self.service, result, &mut self.output).unwrap_or_else(|| {
                    // A reset, lest a client takes what it has for the whole message.
                    self.end = Some(Close::Reset);
                    Turn::nothing(Stage::Over)
                })
            }
            (Stage::Update(update), Told::Committed(result)) => update.committed(result),
            (stage, _) => Turn::nothing(stage),
        };
        self.carry_out(b"", turn, actions);
    }

    /// Sends what is written, sees to the timer, and ends the session where it is over.
    fn settle(&mut self, actions: &mut Vec<Action>) {
        self.output.flush(actions);
        if self.closed {
            return;
        }
        if let Some(&(due, _)) = self.later.front() {
            self.alarm = Some(due);
            actions.push(Action::WakeAt(due));
            return;
        }
        let left = self.leaving && self.stage.listens();
        if left || matches!(self.stage, Stage::Over) || self.end.is_some() {
            self.close(actions);
            return;
        }
        // One wake-up at a time: it is set again once it comes and finds that the client was not silent.
        if let Some(deadline) = self.deadline()
            && self.alarm.is_none_or(|alarm| deadline < alarm)
        {
            self.alarm = Some(deadline);
            actions.push(Action::WakeAt(deadline));
        }
    }

    /// When silence ends the session (RFC 1939 section 3).
    fn deadline(&self) -> Option<Micros> {
        let policy = self.service.policy();
        let seconds = match self.stage.state() {
            State::Authorization => policy.login_timeout.unwrap_or(policy.idle_timeout),
            _ => policy.idle_timeout,
        };
        (seconds > 0).then(|| self.active + Micros::from(seconds) * 1_000_000)
    }

    fn woke(&mut self, actions: &mut Vec<Action>) {
        let now = self.service.now;
        if self.alarm.is_some_and(|alarm| alarm <= now) {
            self.alarm = None;
        }
        while let Some((_, octets)) = self.later.pop_front_if(|(due, _)| *due <= now) {
            self.output.octets(octets);
            // Each in a packet of its own, as it was recorded. The client is not silent while it is to wait.
            self.output.flush(actions);
            self.active = now;
        }
        // Without a word (RFC 1939 section 3), and nothing is removed.
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            match self.stage {
                // What was asked for is not given while the client does not take what came before: it does not read,
                // and must not keep the maildrop for ever. A reset, lest it takes what it has for everything.
                Stage::Opening(_) | Stage::Sending(_) | Stage::Update(_) => {
                    self.later.clear();
                    self.end = Some(Close::Reset);
                    self.stage = Stage::Over;
                }
                _ if self.stage.listens() => self.stage = Stage::Over,
                _ => {}
            }
        }
    }

    fn close(&mut self, actions: &mut Vec<Action>) {
        self.closed = true;
        self.stage = Stage::Over;
        match self.end {
            Some(Close::Reset) => actions.push(Action::Reset(Side::Client)),
            Some(Close::Truncated) => actions.push(Action::Truncate(Side::Client)),
            _ => {}
        }
        actions.push(Action::Close);
    }
}

impl Machine for Engine {
    fn handle(&mut self, at: Micros, input: Input, actions: &mut Vec<Action>) {
        self.service.now = at;
        if self.closed {
            return;
        }
        match input {
            Input::Opened => self.greet(),
            // Nothing may follow QUIT, and nothing that does is read (RFC 1939 section 6).
            Input::Received(Side::Client, octets) if !matches!(self.stage, Stage::Over | Stage::Securing) => {
                self.active = at;
                self.lines.push(&octets);
                if self.lines.len() > self.service.policy().line_limit && !self.later.is_empty() {
                    self.later.clear();
                    self.stage = Stage::Over;
                }
            }
            Input::Woke => self.woke(actions),
            Input::Told(told) => {
                self.active = at;
                self.told(told, actions);
            }
            Input::Tls(handshake) if handshake.tls.failure.is_some() => self.stage = Stage::Over,
            Input::Tls(_) => {
                self.service.tls = true;
                self.active = at;
                self.stage = Stage::Authorization(Authorization::default());
            }
            // Without QUIT there is no UPDATE: the lock goes and every message stays (RFC 1939 section 6).
            // What it asked for before it said that nothing more comes is still answered.
            Input::Closed(Side::Client, Close::Finished | Close::Truncated) => self.leaving = true,
            Input::Closed(Side::Client, Close::Reset) | Input::Broke(Side::Client, _) | Input::Stop => {
                self.later.clear();
                self.stage = Stage::Over;
            }
            // There is no other side.
            Input::Connected(_)
            | Input::ConnectFailed(_)
            | Input::Received(..)
            | Input::Closed(..)
            | Input::Broke(..) => {}
        }
        self.work(actions);
    }
}
