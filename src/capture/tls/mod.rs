//! TLS as whoever looks on sees it: what the handshake says, and with a key log what the records protect.
//!
//! ```text
//!   octets of both sides, held -> Watch: the hellos, up to the first application data
//!     secrets in the key log by then?  no  -> Started, not readable; the octets as they are
//!                                      yes -> Session, proving: does the first protected record open?
//!                                               no  -> as above
//!                                               yes -> Started, readable; what was protected
//! ```
//!
//! Framing, nonces and associated data are here, since no crate reads records that were meant for others; ciphers
//! and hashes are `RustCrypto`'s. Nothing is verified of certificates or `Finished`: this is for looking, not trusting.

mod record;
mod messages;
mod hello;
mod watch;
mod suite;
mod opener;
mod search;
mod lane;
mod session;
mod alert;
#[cfg(test)]
pub(crate) mod talk;
#[cfg(test)]
mod tests;

use std::fmt;

use bytes::Bytes;

use self::record::HANDSHAKE;
use self::session::{Proof, Session};
use self::watch::{Seen, Watch};
use super::keylog::KeyLog;
use crate::wire::{Micros, Side, Tls};

/// The most octets that are held until it is known whether they can be opened, with [`EACH`] for every piece.
const HELD: usize = 128 << 10;

/// What a piece costs beside its octets.
const EACH: usize = 64;

/// What is seen of a TLS connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Out {
    /// What the hellos say; once, before any octets.
    Started(Box<Tls>),
    /// What a record protected, at the time at which the record was whole.
    Plain(Side, Micros, Bytes),
    /// Octets as they are on the wire, which nothing here opens.
    Opaque(Side, Micros, Bytes),
    /// Something worth knowing: when, a word for programs, the same for people.
    Note(Micros, &'static str, String),
}

/// A TLS connection. It takes what both sides send, in the order in which it was seen, from the client's hello on.
#[derive(Debug)]
pub struct Tap {
    stage: Stage,
    held: Vec<Held>,
    /// What `held` costs.
    size: usize,
    /// When the last octets before these came.
    before: Micros,
}

enum Stage {
    /// The handshake goes on.
    Watching(Box<Watch>),
    /// There are secrets; whether they are the right ones shows in what comes. What was opened so far waits.
    Proving(Box<Session>, Box<Tls>, Vec<Out>),
    /// It opens.
    Reading(Box<Session>),
    /// It does not.
    Opaque,
}

/// What came, until it is known what to do with it.
#[derive(Debug)]
enum Held {
    Octets(Side, Micros, Bytes),
    Missing(Side, u64),
}

impl Default for Tap {
    fn default() -> Self {
        Self::new()
    }
}

impl Tap {
    /// A connection from the client's hello on.
    pub fn new() -> Self {
        Self { stage: Stage::Watching(Box::default()), held: Vec::new(), size: 0, before: 0 }
    }

    /// What is held, in octets.
    pub fn weight(&self) -> usize {
        self.size
            + match &self.stage {
                Stage::Watching(watch) => watch.weight(),
                // What was opened so far is less than what is held for it.
                Stage::Proving(session, ..) => session.weight() + self.size,
                Stage::Reading(session) => session.weight(),
                Stage::Opaque => 0,
            }
    }

    /// Holds nothing any longer: what is not decided is given as it is.
    pub fn let_go(&mut self, at: Micros, out: &mut dyn FnMut(Out)) {
        self.conclude(at, out);
        if let Stage::Reading(session) = &mut self.stage {
            session.let_go(at, out);
        }
    }

    /// Takes the next octets of a side. The key log is asked when application data begins.
    pub fn octets(&mut self, keys: &KeyLog, side: Side, at: Micros, octets: &[u8], out: &mut dyn FnMut(Out)) {
        let copy = || Bytes::copy_from_slice(octets);
        match &mut self.stage {
            Stage::Opaque => out(Out::Opaque(side, at, copy())),
            Stage::Reading(session) => session.octets(side, at, octets, out),
            Stage::Proving(session, _, waiting) => {
                session.octets(side, at, octets, &mut |one| waiting.push(one));
                let copy = copy();
                self.hold(Held::Octets(side, at, copy), octets.len());
                self.judge(at, self.size > HELD, out);
            }
            Stage::Watching(watch) => {
                watch.add(side, octets);
                let copy = copy();
                self.hold(Held::Octets(side, at, copy), octets.len());
                self.watch(keys, side, at, out);
            }
        }
        self.before = at;
    }

    /// So many octets of a side are not in the capture. Records after them are looked for.
    pub fn missing(&mut self, side: Side, octets: u64, at: Micros, out: &mut dyn FnMut(Out)) {
        match &mut self.stage {
            Stage::Opaque => {}
            Stage::Reading(session) => session.missing(side, octets),
            Stage::Proving(session, ..) => {
                session.missing(side, octets);
                self.hold(Held::Missing(side, octets), 0);
                self.judge(at, self.size > HELD, out);
            }
            Stage::Watching(watch) => {
                watch.missing(side);
                self.hold(Held::Missing(side, octets), 0);
            }
        }
    }

    /// A side ended its direction: what is left of it is no whole record.
    pub fn close(&mut self, side: Side, at: Micros, out: &mut dyn FnMut(Out)) {
        self.conclude(at, out);
        if let Stage::Reading(session) = &mut self.stage {
            session.close(side, at, out);
        }
    }

    /// Decides by what there is.
    fn conclude(&mut self, at: Micros, out: &mut dyn FnMut(Out)) {
        if let Stage::Watching(watch) = &self.stage {
            let facts = watch.facts(self.before);
            self.give_up(facts, out);
        }
        self.judge(at, true, out);
    }

    fn hold(&mut self, piece: Held, size: usize) {
        self.size += size + EACH;
        self.held.push(piece);
    }

    fn watch(&mut self, keys: &KeyLog, side: Side, at: Micros, out: &mut dyn FnMut(Out)) {
        while let Stage::Watching(watch) = &mut self.stage {
            match watch.step(side) {
                Seen::More if self.size <= HELD => return,
                Seen::Agreed => self.prove(keys, at, out),
                Seen::More | Seen::Data => self.decide(keys, at, out),
                Seen::Alert(octets) => alert::note(side, at, &octets).into_iter().for_each(&mut *out),
                Seen::Malformed => {
                    let text = format!("what the {} sends is no TLS handshake", side.name());
                    out(Out::Note(at, "tls-malformed", text));
                    let facts = watch.facts(self.before);
                    self.give_up(facts, out);
                }
            }
        }
    }

    /// Application data begins: the session is opened now, or never.
    fn decide(&mut self, keys: &KeyLog, at: Micros, out: &mut dyn FnMut(Out)) {
        self.prove(keys, at, out);
        let Stage::Watching(watch) = &self.stage else {
            return;
        };
        let facts = watch.facts(self.before);
        let why = match watch.hellos() {
            None => Some("the hellos of this session are not in the capture, or not whole".to_owned()),
            Some((_, server)) if server.suite().is_none() => {
                let (version, suite) = (server.version_name(), server.suite_name());
                let only = "only TLS 1.2 and 1.3 with AES-GCM or ChaCha20-Poly1305, uncompressed, can";
                Some(format!("{version} with {suite} cannot be decrypted here: {only}"))
            }
            Some(_) if keys.is_empty() => None,
            Some(_) => {
                Some("the key log does not have the secrets of this session, or not all of them".to_owned())
            }
        };
        if let Some(text) = why {
            out(Out::Note(at, "tls-unreadable", text));
        }
        self.give_up(facts, out);
    }

    /// Gives what was held to a session, if the key log has its secrets.
    fn prove(&mut self, keys: &KeyLog, at: Micros, out: &mut dyn FnMut(Out)) {
        let Stage::Watching(watch) = &self.stage else {
            return;
        };
        let Some(mut session) =
            watch.hellos().and_then(|(client, server)| Session::new(client, server, keys))
        else {
            return;
        };
        let facts = watch.facts(self.before);
        let mut waiting = Vec::new();
        for piece in &self.held {
            match piece {
                Held::Octets(side, at, octets) => {
                    session.octets(*side, *at, octets, &mut |one| waiting.push(one));
                }
                Held::Missing(side, octets) => session.missing(*side, *octets),
            }
        }
        self.stage = Stage::Proving(Box::new(session), facts, waiting);
        self.judge(at, self.size > HELD, out);
    }

    /// Acts on what is proven, once the handshake is over. Where it is `late`, what is not proven is as good as refuted.
    fn judge(&mut self, at: Micros, late: bool, out: &mut dyn FnMut(Out)) {
        match std::mem::replace(&mut self.stage, Stage::Opaque) {
            Stage::Proving(session, facts, waiting)
                if session.proof == Proof::Proven && (late || session.is_agreed()) =>
            {
                let alpn = facts.alpn.clone().or_else(|| session.alpn.clone());
                out(Out::Started(Box::new(Tls { at, alpn, readable: true, ..*facts })));
                waiting.into_iter().for_each(out);
                (self.held, self.size) = (Vec::new(), 0);
                self.stage = Stage::Reading(session);
            }
            Stage::Proving(session, facts, _) if late || session.proof == Proof::Refuted => {
                let text = "the secrets that the key log has for this session do not open it";
                out(Out::Note(at, "tls-unreadable", text.to_owned()));
                self.give_up(facts, out);
            }
            other => self.stage = other,
        }
    }

    /// It stays closed: what was held, and all that comes, is given as it is.
    fn give_up(&mut self, facts: Box<Tls>, out: &mut dyn FnMut(Out)) {
        out(Out::Started(facts));
        for piece in std::mem::take(&mut self.held) {
            if let Held::Octets(side, at, octets) = piece {
                out(Out::Opaque(side, at, octets));
            }
        }
        self.size = 0;
        self.stage = Stage::Opaque;
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Watching(_) => "Watching",
            Self::Proving(..) => "Proving",
            Self::Reading(_) => "Reading",
            Self::Opaque => "Opaque",
        })
    }
}

/// Whether a record with a client's hello begins here; None while there are too few octets to tell.
pub fn begins_tls(octets: &[u8]) -> Option<bool> {
    let good = |place: usize, octet: u8| match place {
        0 => octet == HANDSHAKE,
        1 => octet == 3,
        2 => octet <= 4,
        3 => octet <= 1 << 6,
        5 => octet == messages::CLIENT_HELLO,
        _ => true,
    };
    if octets.iter().take(6).enumerate().any(|(place, &octet)| !good(place, octet)) {
        return Some(false);
    }
    (octets.len() >= 6).then_some(true)
}
