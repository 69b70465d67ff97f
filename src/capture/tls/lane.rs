//! One direction of a session that can be opened: its octets in, what its records protect out.
//!
//! ```text
//!   TLS 1.2   in clear --ChangeCipherSpec--> under its key
//!   TLS 1.3   under the handshake's key --Finished--> under the application's
//!             (where the log lacks the former, until one opens under the latter)
//! ```

use bytes::{Buf, Bytes, BytesMut};

use super::opener::{Opened, Opener};
use super::record::{self, APPLICATION_DATA, CHANGE_CIPHER_SPEC, Cut, Record};
use super::search::{Found, Search, WORK, WORK_AN_OCTET};

/// The most records that are passed over without being opened: a handshake's, or early data.
const PASSED: usize = 256;

/// What the next octets of a lane bring.
pub(super) enum Step {
    /// Nothing before there are more.
    More,
    /// A record that needs no attention.
    Passed,
    /// Early data, which nobody can open here.
    Early,
    /// What a record protected.
    Opened(Opened),
    /// The same, after so many octets that could not be opened.
    Found(u64, Opened),
    /// A record does not open, or is none. From here on one is looked for.
    Lost,
    /// None was found.
    Hopeless,
    /// Octets that nobody opens.
    Opaque(Bytes),
}

/// A direction.
pub(super) struct Lane {
    octets: BytesMut,
    /// What opens the records now; None where they are in clear, or a handshake's without a key.
    now: Option<Opener>,
    /// What opens them next.
    next: Option<Opener>,
    tls13: bool,
    /// The client may have sent early data.
    early: bool,
    passed: usize,
    /// It is not known where a record begins; so many octets are missing.
    search: Option<(Search, u64)>,
    /// Octets that searches may try to open.
    work: usize,
    opaque: bool,
}

impl Lane {
    /// A TLS 1.2 direction.
    pub(super) fn tls12(opener: Opener) -> Self {
        Self::new(None, opener, false, false)
    }

    /// A TLS 1.3 direction.
    pub(super) fn tls13(handshake: Option<Opener>, application: Opener, early: bool) -> Self {
        Self::new(handshake, application, true, early)
    }

    fn new(now: Option<Opener>, next: Opener, tls13: bool, early: bool) -> Self {
        let octets = BytesMut::new();
        Self {
            octets,
            now,
            next: Some(next),
            tls13,
            early,
            passed: 0,
            search: None,
            work: WORK,
            opaque: false,
        }
    }

    /// Takes the next octets; [`Lane::step`] says what they bring.
    pub(super) fn add(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
        self.work = WORK.min(self.work + WORK_AN_OCTET * octets.len());
    }

    /// What waits, in octets.
    pub(super) fn weight(&self) -> usize {
        self.octets.len()
    }

    /// So many octets are missing.
    pub(super) fn missing(&mut self, octets: u64) {
        let from = self.octets.len();
        if let Some((search, missing)) = &mut self.search {
            search.widen(from, octets);
            *missing = missing.saturating_add(octets);
        } else {
            self.search = Some((Search::new(from, octets.saturating_add(from as u64)), octets));
        }
    }

    /// Nothing more comes: the octets that are left.
    pub(super) fn close(&mut self) -> Bytes {
        self.octets.split().freeze()
    }

    /// Whatever comes, nobody opens it.
    pub(super) fn give_up(&mut self) {
        self.opaque = true;
    }

    /// The last key but for updates is in force, or none will be.
    pub(super) const fn is_last(&self) -> bool {
        self.next.is_none() || self.opaque
    }

    /// The side sent its `Finished`: the next key is in force.
    pub(super) fn finished(&mut self) {
        if self.next.is_some() {
            self.now = self.next.take();
        }
    }

    /// The side changes its key.
    pub(super) fn update(&mut self) {
        if let Some(opener) = &mut self.now {
            opener.update();
        }
    }

    /// The next thing that the octets say.
    pub(super) fn step(&mut self) -> Step {
        if self.opaque {
            return if self.octets.is_empty() { Step::More } else { Step::Opaque(self.close()) };
        }
        if self.search.is_some() {
            return self.look();
        }
        let length = match record::first(&self.octets) {
            Cut::More => return Step::More,
            Cut::Malformed => return self.lose(0),
            Cut::Whole(record) => record.octets.len(),
        };
        let octets = self.octets.split_to(length);
        let step = octets.first().map(|&kind| self.record(&Record { kind, octets: &octets }));
        match step.unwrap_or(Step::Lost) {
            Step::Lost => {
                let rest = std::mem::replace(&mut self.octets, octets);
                self.octets.unsplit(rest);
                self.lose(length)
            }
            step => step,
        }
    }

    fn record(&mut self, record: &Record<'_>) -> Step {
        let protected = if self.tls13 { record.kind == APPLICATION_DATA } else { self.now.is_some() };
        if !protected {
            if record.kind == CHANGE_CIPHER_SPEC && !self.tls13 {
                self.finished();
            }
            return if record.kind == APPLICATION_DATA { Step::Lost } else { Step::Passed };
        }
        if let Some(opened) = self.now.as_mut().and_then(|opener| opener.open(record)) {
            self.early = false;
            return Step::Opened(opened);
        }
        if self.now.is_none()
            && let Some(opened) = self.next.as_mut().and_then(|opener| opener.open(record))
        {
            self.finished();
            return Step::Opened(opened);
        }
        self.passed += 1;
        match (self.now.is_none() || self.early) && self.passed <= PASSED {
            true if self.early => Step::Early,
            true => Step::Passed,
            false => Step::Lost,
        }
    }

    fn lose(&mut self, length: usize) -> Step {
        self.search = Some((Search::new(1, length as u64), 0));
        Step::Lost
    }

    /// Whatever is missing, the handshake is what came before: the last key is the one that opens what follows.
    fn look(&mut self) -> Step {
        let Some(((search, missing), opener)) =
            self.search.as_mut().zip(self.next.as_mut().or(self.now.as_mut()))
        else {
            return Step::More;
        };
        match search.look(&self.octets, opener, &mut self.work) {
            Found::More => Step::More,
            Found::Nothing => {
                self.opaque = true;
                Step::Hopeless
            }
            Found::Record { after, length, opened } => {
                let lost = missing.saturating_add(after as u64);
                self.octets.advance(after + length);
                self.search = None;
                self.finished();
                Step::Found(lost, opened)
            }
        }
    }
}
