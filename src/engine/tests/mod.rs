//! The engine under transcripts: `C:` is what the client sends, `S:` what the server must answer, `...` at
//! the end of a line stands for any text. `* closed` says that the server has ended the session by then, `*
//! gone` that the client ends it there. The greeting is part of a transcript.

mod capabilities;
mod codes;
mod framing;
mod limits;
mod login;
mod mail;
mod mechanisms;
mod model;
mod properties;
mod quirks;
mod rules;
mod sasl;
mod scram;
mod seed;
mod stls;
mod utf8;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::{Accounts, Birth, Engine, Policy, Server};
use crate::maildrop::{Attendant, Maildrops, Memory, Message, Source, load};
use crate::pop3::lines::split;
use crate::wire::{Action, Close, Handshake, Input, Machine, Micros, Security, Side, Tls};

/// A server with one user, kcope.
struct World {
    security: Security,
    server: Arc<Server>,
    source: Arc<dyn Source>,
    nonce: &'static str,
}

impl World {
    /// Without a timestamp in the greeting.
    fn new(mail: &[&'static str]) -> Self {
        Self::with(mail, Policy { apop: false, ..Policy::default() })
    }

    fn with(mail: &[&'static str], setting: impl Into<Setting>) -> Self {
        let accounts: Accounts = [("kcope", "secret")].into_iter().collect();
        let Setting { policy, security } = setting.into();
        Self {
            security,
            server: Arc::new(Server { policy, accounts }),
            source: Arc::new(Maildrops::new(vec![Arc::new(Memory::new(load(mail.iter().copied())))])),
            nonce: "1896.697170952",
        }
    }

    /// The same server with these users.
    fn of(self, accounts: Accounts) -> Self {
        let policy = self.server.policy.clone();
        Self { server: Arc::new(Server { policy, accounts }), ..self }
    }

    /// The same server with these messages.
    fn holding(self, messages: Vec<Message>) -> Self {
        Self { source: Arc::new(Maildrops::new(vec![Arc::new(Memory::new(messages))])), ..self }
    }

    fn connect(&self) -> Session {
        self.connect_at(0)
    }

    /// A session that begins at a time since the server did.
    fn connect_at(&self, at: Micros) -> Session {
        self.connect_as(Birth { nonce: self.nonce.to_owned(), at, security: self.security })
    }

    /// A session that is under TLS from its first octet on.
    fn connect_tls(&self) -> Session {
        self.connect_as(Birth { nonce: self.nonce.to_owned(), at: 0, security: Security::Implicit })
    }

    fn connect_as(&self, birth: Birth) -> Session {
        let engine = Engine::new(Arc::clone(&self.server), birth);
        let attendant = Some(Attendant::new(Arc::clone(&self.source)));
        let said = Vec::new();
        let mut session =
            Session { engine, attendant, now: 0, alarm: None, said, most: 0, closed: false, reset: false };
        session.input(Input::Opened);
        session
    }
}

/// A session and a driver that keeps to the engine's terms.
struct Session {
    engine: Engine,
    attendant: Option<Attendant>,
    now: Micros,
    /// When the engine wants to be woken.
    alarm: Option<Micros>,
    /// What the server said and nobody looked at yet.
    said: Vec<u8>,
    /// The most octets that came between two inputs.
    most: usize,
    closed: bool,
    /// The connection was broken off.
    reset: bool,
}

impl Session {
    fn input(&mut self, input: Input) {
        let mut next = VecDeque::from([input]);
        while let Some(input) = next.pop_front() {
            let mut actions = Vec::new();
            let before = self.said.len();
            self.engine.handle(self.now, input, &mut actions);
            for action in actions {
                assert!(!self.closed, "{action:?} after the end");
                match action {
                    Action::Send(Side::Client, octets) => self.said.extend_from_slice(&octets),
                    Action::Close => {
                        self.closed = true;
                        self.attendant = None;
                    }
                    Action::Reset(Side::Client) => self.reset = true,
                    Action::WakeAt(at) if at <= self.now => next.push_back(Input::Woke),
                    Action::WakeAt(at) => self.alarm = Some(at),
                    Action::Ask(ask) => {
                        let attendant = self.attendant.as_mut().unwrap();
                        next.push_back(Input::Told(attendant.perform(ask)));
                    }
                    Action::StartTls(side) => next.push_back(secured(side)),
                    other => unreachable!("{other:?}"),
                }
            }
            self.most = self.most.max(self.said.len() - before);
        }
    }

    /// Lets time pass, waking the engine when it wants to be woken.
    fn pass(&mut self, now: Micros) {
        while let Some(at) = self.alarm.take_if(|at| *at <= now) {
            self.now = at;
            self.input(Input::Woke);
        }
        self.now = now;
    }

    fn send(&mut self, octets: &[u8]) {
        self.input(Input::Received(Side::Client, Bytes::copy_from_slice(octets)));
    }

    /// All that the server answers to these octets.
    fn ask(&mut self, octets: &[u8]) -> String {
        self.said.clear();
        self.send(octets);
        String::from_utf8_lossy(&std::mem::take(&mut self.said)).into_owned()
    }

    /// Plays a transcript and checks that the server says what it has, no less and no more.
    fn play(&mut self, transcript: &str, way: Way) {
        let mut expected = Vec::new();
        let mut batch = Vec::new();
        for line in transcript.lines().map(str::trim_start).filter(|line| !line.is_empty()) {
            let (who, text) = line.split_at(2);
            let text = text.strip_prefix(' ').unwrap_or(text);
            match who {
                "C:" if way == Way::InTurn => {
                    self.expect(&mut expected, transcript);
                    self.send(format!("{text}\r\n").as_bytes());
                }
                "C:" => batch.extend_from_slice(format!("{text}\r\n").as_bytes()),
                "S:" => expected.push(text),
                _ => {
                    self.send_batch(&mut batch, way);
                    if text == "gone" {
                        self.input(Input::Closed(Side::Client, Close::Finished));
                    }
                    assert!(self.closed, "still open\n{transcript}");
                }
            }
        }
        self.send_batch(&mut batch, way);
        self.expect(&mut expected, transcript);
        assert_eq!(self.closed, transcript.contains("* "), "{transcript}");
    }

    fn send_batch(&mut self, batch: &mut Vec<u8>, way: Way) {
        match way {
            Way::Octets => batch.iter().for_each(|&octet| self.send(&[octet])),
            Way::InTurn | Way::AtOnce => self.send(batch),
        }
        batch.clear();
    }

    fn expect(&mut self, expected: &mut Vec<&str>, transcript: &str) {
        let said = std::mem::take(&mut self.said);
        let said: Vec<_> = split(&said).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        let wanted = std::mem::take(expected);
        let agree = |(said, wanted): (&String, &&str)| match wanted.strip_suffix("...") {
            Some(beginning) => said.starts_with(beginning) && said.ends_with("\r\n"),
            None => said.strip_suffix("\r\n") == Some(wanted),
        };
        let all = said.len() == wanted.len() && said.iter().zip(&wanted).all(agree);
        assert!(all, "said:   {said:#?}\nwanted: {wanted:#?}\nin\n{transcript}");
    }
}

/// How the client's lines reach the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Each when the one before is answered.
    InTurn,
    /// All in one read.
    AtOnce,
    /// One octet a read.
    Octets,
}

/// Plays sessions, one after the other, with a server that has these messages; all of it in each way.
fn check(mail: &[&'static str], transcripts: &[&str]) {
    for way in [Way::InTurn, Way::AtOnce, Way::Octets] {
        let world = World::new(mail);
        for transcript in transcripts {
            world.connect().play(transcript, way);
        }
    }
}

/// TLS stands towards a side.
fn secured(leg: Side) -> Input {
    let tls = Tls { readable: true, ..Tls::of(leg) };
    Input::Tls(Box::new(Handshake::new(tls)))
}

/// What a server is, and how TLS comes to it.
#[derive(Debug, Clone)]
struct Setting {
    policy: Policy,
    security: Security,
}

impl From<Policy> for Setting {
    fn from(policy: Policy) -> Self {
        Self { policy, security: Security::Plain }
    }
}

impl From<&Policy> for Setting {
    fn from(policy: &Policy) -> Self {
        policy.clone().into()
    }
}

/// A server that offers STLS.
fn with_stls(policy: Policy) -> Setting {
    Setting { policy, security: Security::Stls }
}

/// A server without a timestamp in the greeting.
fn quiet() -> Policy {
    Policy { apop: false, ..Policy::default() }
}

const GREETING: &str = "S: +OK POP3 server ready\n";

const LOGIN: &str = "C: USER kcope\nS: +OK\nC: PASS secret\nS: +OK ...\n";

/// Plays what follows the greeting, in each way, with a server of this policy that has one message of three
/// octets; the client is gone then.
fn check_policy(setting: impl Into<Setting>, transcript: &str) {
    let setting = setting.into();
    for way in [Way::InTurn, Way::AtOnce, Way::Octets] {
        let world = World::with(&["a"], setting.clone());
        world.connect().play(&format!("{GREETING}{transcript}\n* gone"), way);
    }
}

/// Plays what follows login.
fn check_mail(mail: &[&'static str], transcript: &str) {
    check(mail, &[&format!("{GREETING}{LOGIN}{transcript}")]);
}
