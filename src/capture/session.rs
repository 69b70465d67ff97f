//! A session as it is told: held until it is known to be one, and seen through TLS where keys open it.

use std::io;

use bytes::Bytes;

use super::conversation::Conversation;
use super::keylog::KeyLog;
use super::recognize::{Known, Recognizer, Verdict};
use super::tls::{Out, Tap};
use super::{Saw, See, Tally};
use crate::pop3::{Command, Keyword};
use crate::wire::{Micros, Side};

/// The most that is held of a conversation until it is known what it is: pieces, octets.
const HELD: (usize, usize) = (64, 8 << 10);

/// The same on the port of a POP3 server, where a message may come before the first command.
const HELD_AT_SERVER: (usize, usize) = (256, 64 << 10);

/// What is no octets and stays of what is not held any longer.
const REMARKS: usize = 16;

/// What telling takes.
pub(super) struct Told<'a, 'b> {
    pub(super) keys: &'a KeyLog,
    pub(super) tally: &'a mut Tally,
    pub(super) see: &'a mut See<'b>,
}

/// What became of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It is followed.
    Open,
    /// It is no POP3.
    Other,
    /// It is over, and was told.
    Over,
}

/// A conversation, between its streams and whoever is told of it.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "four facts that have nothing to do with each other")]
pub(super) struct Session {
    /// The number by which it is told, once it is.
    number: Option<u32>,
    /// What the conversation calls the client is the server.
    turned: bool,
    known: Known,
    recognizer: Recognizer,
    held: Vec<Saw>,
    weight: usize,
    /// Octets that were not held any longer.
    passed: u64,
    spoke: bool,
    /// The first octets of the client may go on with a line that began before the capture.
    may_go_on: bool,
    /// The last octets of the client, to see `STLS`.
    tail: Vec<u8>,
    tap: Option<Box<Tap>>,
    /// TLS stands.
    tls: bool,
    latest: Micros,
    closed: [bool; 2],
}

impl Session {
    pub(super) fn new(known: Known) -> Self {
        Self {
            number: None,
            turned: false,
            known,
            recognizer: Recognizer::new(known),
            held: Vec::new(),
            weight: 0,
            passed: 0,
            spoke: false,
            may_go_on: false,
            tail: Vec::new(),
            tap: None,
            tls: false,
            latest: 0,
            closed: [false; 2],
        }
    }

    /// Whether it was found to be POP3.
    pub(super) const fn is_told(&self) -> bool {
        self.number.is_some()
    }

    /// Whether it is in TLS, from its beginning on or since.
    pub(super) const fn is_in_tls(&self) -> bool {
        self.tap.is_some()
    }

    /// Whether it is with the port of a POP3 server.
    pub(super) const fn is_at_server(&self) -> bool {
        self.known.port.is_some()
    }

    /// What is held, in octets.
    pub(super) fn weight(&self) -> usize {
        self.weight + self.tap.as_ref().map_or(0, |tap| tap.weight())
    }

    /// What the handshake says. It is there before any octets.
    pub(super) fn know(&mut self, known: Known) {
        if !self.spoke {
            self.known = known;
            self.recognizer = Recognizer::new(known);
        }
    }

    /// Does not hold any longer what it holds, nor what TLS does.
    pub(super) fn let_go(&mut self, of: &Conversation, told: &mut Told<'_, '_>) -> io::Result<State> {
        let mut seen = Vec::new();
        if let Some(tap) = &mut self.tap {
            tap.let_go(self.latest, &mut |out| seen.push(of_tls(out)));
        }
        let state = self.clear_all(of, seen, told)?;
        self.let_pass();
        Ok(state)
    }

    fn let_pass(&mut self) {
        let mut passed = [0; 2];
        self.held.retain(|saw| match saw {
            Saw::Octets(side, _, octets) => {
                passed[*side as usize] += octets.len() as u64;
                self.passed += octets.len() as u64;
                false
            }
            Saw::Missing(side, octets) => {
                passed[*side as usize] += octets;
                false
            }
            _ => true,
        });
        self.held.truncate(REMARKS);
        // For whoever is told, they are missing.
        let missing = [Side::Client, Side::Server].map(|side| Saw::Missing(side, passed[side as usize]));
        self.held.extend(missing.into_iter().filter(|saw| !matches!(saw, Saw::Missing(_, 0))));
        self.weight = 0;
    }

    /// Takes what the conversation gives.
    pub(super) fn take(&mut self, of: &Conversation, saw: Saw, told: &mut Told<'_, '_>) -> io::Result<State> {
        let saw = if self.turned { turned(saw) } else { saw };
        if let Saw::Octets(_, at, _) | Saw::Closed(_, _, at) | Saw::Ended { at, .. } = &saw {
            self.latest = *at;
        }
        let saw = match saw {
            Saw::Octets(side, at, octets) => {
                let (side, begins) = self.begins_tls(side, &octets);
                self.spoke = true;
                if begins {
                    self.tap = Some(Box::default());
                    self.recognizer = Recognizer::new(Known { connected: Some(Side::Client), ..self.known });
                }
                Saw::Octets(side, at, octets)
            }
            other => other,
        };
        if self.tap.is_none() {
            return self.clear(of, saw, told);
        }
        let seen = self.through_tap(saw, told.keys);
        self.clear_all(of, seen, told)
    }

    fn clear_all(&mut self, of: &Conversation, seen: Vec<Saw>, told: &mut Told<'_, '_>) -> io::Result<State> {
        self.tls |= self.tap.is_some() && seen.iter().any(|saw| matches!(saw, Saw::Tls(_)));
        for saw in seen {
            let state = self.clear(of, saw, told)?;
            if state != State::Open {
                return Ok(state);
            }
        }
        Ok(State::Open)
    }

    /// What TLS makes of it.
    fn through_tap(&mut self, saw: Saw, keys: &KeyLog) -> Vec<Saw> {
        let mut seen = Vec::new();
        let Some(tap) = &mut self.tap else { return vec![saw] };
        let mut out = |out| seen.push(of_tls(out));
        match &saw {
            Saw::Octets(side, at, octets) => tap.octets(keys, *side, *at, octets, &mut out),
            Saw::Missing(side, octets) => tap.missing(*side, *octets, self.latest, &mut out),
            Saw::Closed(side, _, at) => {
                tap.close(*side, *at, &mut out);
                self.closed[*side as usize] = true;
            }
            Saw::Ended { at, .. } => {
                for side in [Side::Client, Side::Server] {
                    if !std::mem::replace(&mut self.closed[side as usize], true) {
                        tap.close(side, *at, &mut out);
                    }
                }
            }
            _ => {}
        }
        let started = self.tls || seen.iter().any(|saw| matches!(saw, Saw::Tls(_)));
        match saw {
            Saw::Octets(..) => {}
            // The handshake is not told, so neither is what is not there of it.
            Saw::Missing(..) if !started => {}
            other => seen.push(other),
        }
        seen
    }

    /// Tells it, or holds it until it is known whether to.
    fn clear(&mut self, of: &Conversation, saw: Saw, told: &mut Told<'_, '_>) -> io::Result<State> {
        let over = matches!(saw, Saw::Ended { .. });
        if let Some(number) = self.number {
            self.tell(number, saw, told)?;
            return Ok(if over { State::Over } else { State::Open });
        }
        let verdict = self.judge(&saw);
        self.hold(saw);
        match verdict {
            Verdict::Other => return Ok(State::Other),
            Verdict::Pop3(client) => {
                if client == Side::Server {
                    self.turn();
                }
                self.open(of, told)?;
                return Ok(if over { State::Over } else { State::Open });
            }
            Verdict::Wait => {}
        }
        let limit = if self.known.port.is_some() { HELD_AT_SERVER } else { HELD };
        if self.held.len() > limit.0 || self.weight > limit.1 {
            if self.known.port.is_none() {
                return Ok(State::Other);
            }
            self.let_pass();
        }
        Ok(State::Open)
    }

    fn tell(&mut self, number: u32, saw: Saw, told: &mut Told<'_, '_>) -> io::Result<()> {
        if let Saw::Octets(Side::Client, _, octets) = &saw
            && std::mem::take(&mut self.may_go_on)
            && Command::parse(octets).keyword == Keyword::Unknown
        {
            (told.see)(number, Saw::Missing(Side::Client, 0))?;
        }
        (told.see)(number, saw)
    }

    fn judge(&mut self, saw: &Saw) -> Verdict {
        match saw {
            Saw::Octets(side, _, octets) => self.recognizer.octets(*side, octets),
            Saw::Missing(side, _) => {
                self.recognizer.missing(*side);
                Verdict::Wait
            }
            Saw::Tls(tls) => match self.known.port {
                Some(server) => Verdict::Pop3(server.other()),
                None if tls.readable => Verdict::Wait,
                None => Verdict::Other,
            },
            Saw::Ended { .. } => self.recognizer.end(),
            _ => Verdict::Wait,
        }
    }

    fn hold(&mut self, saw: Saw) {
        if let Saw::Octets(_, _, octets) = &saw {
            self.weight += octets.len();
        }
        self.held.push(saw);
    }

    /// It is a session: tells what was held.
    fn open(&mut self, of: &Conversation, told: &mut Told<'_, '_>) -> io::Result<()> {
        told.tally.sessions += 1;
        let number = told.tally.sessions;
        self.number = Some(number);
        self.weight = 0;
        let (client, server) = if self.turned { (of.server, of.client) } else { (of.client, of.server) };
        (told.see)(number, Saw::Opened { at: of.start(), client, server })?;
        let mut held = std::mem::take(&mut self.held);
        if of.connected.is_none() {
            let greets = held.iter().find_map(|saw| match saw {
                Saw::Octets(side, _, octets) => Some(*side == Side::Server && octets.starts_with(b"+OK")),
                _ => None,
            });
            // What the client says first may be the end of a line; what the server says first may be no greeting.
            if greets == Some(true) {
                self.may_go_on = true;
            } else {
                (told.see)(number, Saw::Missing(Side::Client, 0))?;
                (told.see)(number, Saw::Missing(Side::Server, 0))?;
            }
        }
        // What was seen of TLS comes before remarks on it.
        let remarks = held.iter().take_while(|saw| matches!(saw, Saw::Note(..))).count();
        if let Some(Saw::Tls(_)) = held.get(remarks) {
            held[..=remarks].rotate_right(1);
        }
        if self.passed > 0 {
            let text = format!("{} octets before the first command are passed over", self.passed);
            (told.see)(number, Saw::Note(self.latest, "passed-over", text))?;
        }
        held.into_iter().try_for_each(|saw| self.tell(number, saw, told))
    }

    /// The other side is the client.
    fn turn(&mut self) {
        self.turned = !self.turned;
        self.known = Known {
            port: self.known.port.map(Side::other),
            connected: self.known.connected.map(Side::other),
        };
        self.closed.swap(0, 1);
        for saw in &mut self.held {
            let it = std::mem::replace(saw, Saw::Missing(Side::Client, 0));
            *saw = turned(it);
        }
    }

    /// Whether octets that a side sends in clear are the first of TLS: of a conversation, or where the client asked
    /// for it (RFC 2595 section 4). The client's hello shows who that is.
    fn begins_tls(&mut self, side: Side, octets: &Bytes) -> (Side, bool) {
        if self.tap.is_some() {
            return (side, false);
        }
        let asked = !self.spoke || ends_in_stls(&self.tail);
        let record = asked && matches!(octets[..], [20..=23, 3, 0..=4, ..]);
        let hello = record && matches!(octets[..], [22, _, _, _, _, 1, ..]);
        if side == Side::Client && !record {
            let kept = octets.len().saturating_sub(TAIL);
            self.tail.extend_from_slice(&octets[kept..]);
            self.tail.drain(..self.tail.len().saturating_sub(TAIL));
        }
        if hello && side == Side::Server && self.known.connected.is_none() && !self.spoke {
            self.turn();
            return (Side::Client, true);
        }
        // Without the hello it is TLS from the middle, which says nothing where it is not expected.
        (side, hello || record && (self.spoke || self.known.port.is_some()))
    }
}

/// Octets of a line that asks for TLS, with more blanks than anybody sends.
const TAIL: usize = 64;

fn ends_in_stls(tail: &[u8]) -> bool {
    let Some(lines) = tail.strip_suffix(b"\n") else { return false };
    let last = memchr::memrchr(b'\n', lines).map_or(0, |before| before + 1);
    Command::parse(lines[last..].trim_ascii_end()).keyword == Keyword::Stls
}

fn of_tls(out: Out) -> Saw {
    match out {
        Out::Started(tls) => Saw::Tls(tls),
        Out::Plain(side, at, octets) | Out::Opaque(side, at, octets) => Saw::Octets(side, at, octets),
        Out::Note(at, kind, text) => Saw::Note(at, kind, text),
    }
}

fn turned(saw: Saw) -> Saw {
    match saw {
        Saw::Octets(side, at, octets) => Saw::Octets(side.other(), at, octets),
        Saw::Missing(side, octets) => Saw::Missing(side.other(), octets),
        Saw::Closed(side, how, at) => Saw::Closed(side.other(), how, at),
        Saw::Ended { at, by } => Saw::Ended { at, by: by.map(|(side, how)| (side.other(), how)) },
        other => other,
    }
}
