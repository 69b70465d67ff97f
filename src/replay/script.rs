//! The script: answers one session's commands from a recorded one, and keeps the report.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::matching::{
    Cover, Depends, Now, Obstacle, argument, is_same, obstacle, repeatable, secrets_agree,
};
use super::report::{Candidate, Divergence, Exchange, Filler, Ledger, Page};
use super::revealed::number;
use super::tape::{Taken, shown};
use super::theatre::{Mode, Prepared, Timing};
use crate::engine::{Asked, Canned, Responder};
use crate::maildrop::Maildrops;
use crate::pop3::lines::split_ending;
use crate::pop3::{Command, Keyword, State, Status};
use crate::wire::{Close, Listing, Security};

/// How many near exchanges a divergence names.
const CANDIDATES: usize = 3;

/// How many exchanges with the same command are looked at in each direction, so that a command costs the same however
/// long the recording is.
const REACH: usize = 64;

/// A [`Responder`] made from a recorded session.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) prepared: Arc<Prepared>,
    pub(super) mode: Mode,
    pub(super) timing: Timing,
    pub(super) maildrops: Maildrops,
    pub(super) ledger: Arc<Mutex<Ledger>>,
    /// The session's page there.
    pub(super) page: usize,
    pub(super) used: Used,
    /// How TLS comes to the connection.
    pub(super) security: Security,
    /// TLS stands.
    pub(super) tls: bool,
    /// Whom USER named last.
    pub(super) user: Option<String>,
    /// Nothing was deleted from the recorded maildrop since.
    pub(super) untouched: bool,
    /// What the engine is about to answer.
    pub(super) left: Option<Left>,
    /// The exchange whose answer was given last.
    pub(super) played: Option<usize>,
    pub(super) fillers: BTreeSet<usize>,
}

/// Which exchanges were used.
#[derive(Debug, Default)]
pub(super) struct Used {
    each: Vec<bool>,
    /// No exchange before this one is unused.
    first_unused: usize,
    /// Behind the one that was used last.
    next: usize,
}

/// A command that was left to the engine.
#[derive(Debug)]
pub(super) struct Left {
    /// None where the client is on the recording, which says not what was answered.
    divergence: Option<Divergence>,
    /// The message that RETR or TOP asks for.
    message: Option<usize>,
}

impl Used {
    pub(super) fn new(prepared: &Prepared) -> Self {
        let mut used = Self { each: prepared.index.waived(), ..Self::default() };
        used.advance();
        used
    }

    fn advance(&mut self) {
        while self.each.get(self.first_unused) == Some(&true) {
            self.first_unused += 1;
        }
    }

    /// It was not used after all.
    fn give_back(&mut self, at: usize) {
        self.each[at] = false;
        self.first_unused = self.first_unused.min(at);
        self.next = self.next.min(at);
    }

    /// Takes note; says whether it was used before.
    fn take(&mut self, at: usize) -> bool {
        let before = std::mem::replace(&mut self.each[at], true);
        self.next = at + 1;
        self.advance();
        before
    }
}

impl Script {
    fn note(&self, change: impl FnOnce(&mut Page)) {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        // It was opened when the session began.
        if let Some(page) = ledger.page(self.page) {
            change(page);
        }
    }

    fn expected(&self) -> Option<Exchange> {
        self.prepared.taped.exchanges.get(self.used.first_unused).map(Exchange::of)
    }

    /// The recorded exchange that answers a command now, or why those that come near do not: the next one that was
    /// not used, else an earlier one, else one that may be given again.
    fn find(&self, line: &[u8], now: &Now<'_>) -> Result<usize, Vec<Candidate>> {
        let same = self.prepared.index.same(line);
        let next = same.partition_point(|&at| at < self.used.next);
        let (mut again, mut near) = (None, Vec::new());
        // From here on forwards, then backwards: what is further away comes not near.
        let nearest = same[next..].iter().take(REACH).chain(same[..next].iter().rev().take(REACH));
        for &at in nearest {
            let used = self.used.each[at];
            match self.obstacle(at, line, now) {
                None if !used => return Ok(at),
                None if repeatable(&self.prepared.taped.exchanges[at], self.prepared.index.place(at)) => {
                    again = again.or(Some(at));
                }
                None => near.push((used, at, Obstacle::Used)),
                Some(why) => near.push((used, at, why)),
            }
        }
        if let Some(at) = again {
            return Ok(at);
        }
        if near.is_empty() {
            let akin = self.prepared.index.akin(line).iter().take(CANDIDATES);
            near.extend(akin.map(|&at| (false, at, Obstacle::Arguments)));
        }
        // Those that are still to come are nearer.
        near.sort_by_key(|&(used, ..)| used);
        Err(near.into_iter().take(CANDIDATES).map(|(_, at, why)| self.candidate(at, why, now)).collect())
    }

    fn candidate(&self, at: usize, why: Obstacle, now: &Now<'_>) -> Candidate {
        let (taped, place) = (&self.prepared.taped, self.prepared.index.place(at));
        Candidate { exchange: Exchange::of(&taped.exchanges[at]), why: why.words(taped, at, place, now) }
    }

    fn obstacle(&self, at: usize, line: &[u8], now: &Now<'_>) -> Option<Obstacle> {
        let (taped, place) = (&self.prepared.taped, self.prepared.index.place(at));
        let taken = &taped.exchanges[at];
        // What was cut off or never came is for nobody, but where the server itself broke off.
        let broken_off = at + 1 == taped.exchanges.len() && taped.end.is_some();
        let in_part = taken.gap.is_some() || (!taken.complete || taken.pieces.is_empty()) && !broken_off;
        let early = place.depends == Depends::History && at != self.used.first_unused && !self.used.each[at];
        obstacle(taped, at, place, now)
            .or_else(|| (!secrets_agree(taken, line)).then_some(Obstacle::Secret))
            .or(in_part.then_some(Obstacle::InPart))
            .or(early.then_some(Obstacle::Later))
    }

    /// How the connection stands to TLS.
    fn cover(&self) -> Cover {
        match self.security {
            _ if self.tls => Cover::Stands,
            Security::Stls => Cover::Offered,
            _ => Cover::Never,
        }
    }

    /// Whether a command is on the way to TLS: a client asks for the capabilities to find STLS, and again once TLS
    /// stands (RFC 2595 section 4), whether or not the recorded one did.
    fn is_on_the_way(&self, keyword: Keyword, state: State) -> bool {
        self.security == Security::Stls && keyword == Keyword::Capa && state == State::Authorization
    }

    /// A recorded answer as it is given now.
    fn canned(&self, taken: &Taken, last: bool) -> Canned {
        let delay = |at| self.timing.delay(at, taken.at);
        let mut pieces: Vec<_> =
            taken.pieces.iter().map(|(at, octets)| (delay(*at), octets.clone())).collect();
        let mut then = None;
        if last && let Some((at, how)) = self.prepared.taped.end {
            // Nothing to send, but a time to wait.
            pieces.push((delay(at), Bytes::new()));
            then = Some(how);
        }
        Canned { status: taken.status, challenged: taken.challenged, pieces, then }
    }

    fn exact(&mut self, line: &[u8], now: &Now<'_>) -> Option<Canned> {
        let at = self.used.first_unused;
        let covered = |at| {
            let obstacle = obstacle(&self.prepared.taped, at, self.prepared.index.place(at), now);
            !matches!(obstacle, Some(Obstacle::BeforeTls | Obstacle::UnderTls))
        };
        let expected = self.prepared.taped.exchanges.get(at);
        if let Some(taken) = expected.filter(|taken| covered(at) && is_same(taken, line)) {
            if taken.gap.is_some() {
                // It is as recorded that it was asked, and what was answered nobody knows.
                self.note(|page| page.used(at));
                self.used.take(at);
                self.left = Some(Left { divergence: None, message: message_asked(line) });
                return None;
            }
            if taken.pieces.is_empty() {
                // No answer came when it was recorded, and none comes now: but the client is not left waiting.
                self.note(|page| page.used(at));
                self.used.take(at);
                return Some(Canned {
                    status: None,
                    challenged: false,
                    pieces: Vec::new(),
                    then: Some(Close::Finished),
                });
            }
            return Some(self.play(at));
        }
        // What need not be asked may be, and more than once.
        let on_the_way = self.is_on_the_way(Command::parse(line).keyword, now.state);
        let mut same = self.prepared.index.same(line).iter().take(REACH).copied();
        let again = same.find(|&at| {
            let free = on_the_way || self.prepared.index.place(at).waived;
            free && self.used.each[at] && self.obstacle(at, line, now).is_none()
        });
        if let Some(at) = again {
            return Some(self.play(at));
        }
        if on_the_way {
            self.left = Some(Left { divergence: None, message: None });
            return None;
        }
        let words = match expected {
            None => "nothing more".to_owned(),
            Some(_) if !covered(at) => "STLS".to_owned(),
            Some(taken) => taken.shown(),
        };
        let expected = expected.map(Exchange::of);
        let words: String = words.chars().take(200).collect();
        let refusal = format!("-ERR off the recording: expected {words}\r\n");
        let candidates = self.find(line, now).err().unwrap_or_default();
        let divergence = Divergence { came: shown(line), expected, answered: "-ERR", candidates };
        self.note(|page| page.report.diverged(divergence));
        Some(Canned {
            status: Some(Status::Err),
            challenged: false,
            pieces: vec![(0, refusal.into())],
            then: Some(Close::Finished),
        })
    }

    fn play(&mut self, at: usize) -> Canned {
        self.played = Some(at);
        let before = self.used.take(at);
        self.note(|page| page.used(at));
        let last = self.used.first_unused == self.prepared.taped.exchanges.len();
        let offering = self.prepared.offering.get(&at).filter(|_| self.cover() == Cover::Offered);
        let taken = offering.unwrap_or(&self.prepared.taped.exchanges[at]);
        self.canned(taken, last && !before)
    }
}

/// The message that RETR or TOP asks for.
fn message_asked(line: &[u8]) -> Option<usize> {
    let asked = Taken::asked(line);
    matches!(asked.keyword(), Keyword::Retr | Keyword::Top).then(|| number(&asked, 0)).flatten()
}

impl Responder for Script {
    fn greeting(&mut self) -> Option<Canned> {
        if self.mode == Mode::Engine {
            return None;
        }
        let greeting = self.prepared.taped.greeting.as_ref().filter(|greeting| greeting.gap.is_none())?;
        Some(self.canned(greeting, self.prepared.taped.exchanges.is_empty()))
    }

    fn respond(&mut self, asked: &Asked<'_>) -> Option<Canned> {
        let line = split_ending(asked.line).0;
        self.played = None;
        if asked.tls && !std::mem::replace(&mut self.tls, true) {
            // The session begins anew (RFC 2595 section 4).
            self.user = None;
        }
        if asked.keyword == Keyword::Stls && self.mode != Mode::Engine {
            // TLS is the connection's, not the recording's: the engine answers, and nobody is off script.
            return None;
        }
        if asked.keyword == Keyword::User {
            self.user = argument(line);
        }
        let login = matches!(asked.keyword, Keyword::Pass | Keyword::Apop | Keyword::Auth);
        if login && asked.state == State::Authorization && self.mode == Mode::Match {
            let deleted = self.maildrops.deleted();
            let listing = &self.prepared.revealed.listing;
            self.untouched = !listing.iter().any(|scan| deleted.contains(&scan.unique_id));
        }
        let (user, untouched) = (self.user.clone(), self.untouched);
        let Asked { state, marked, .. } = *asked;
        let cover = self.cover();
        let now = Now { state, cover, user: user.as_deref(), marked, untouched, print: OnceCell::new() };
        let candidates = match self.mode {
            Mode::Exact => return self.exact(line, &now),
            Mode::Engine => Vec::new(),
            Mode::Match => match self.find(line, &now) {
                // The text of a recorded login tells of the maildrop as it was.
                Ok(at) if untouched || !login => return Some(self.play(at)),
                Ok(at) => vec![self.candidate(at, Obstacle::Maildrop, &now)],
                Err(candidates) => candidates,
            },
        };
        let divergence =
            Divergence { came: shown(line), expected: self.expected(), answered: "", candidates };
        let divergence = Some(divergence).filter(|_| !self.is_on_the_way(asked.keyword, state));
        self.left = Some(Left { divergence, message: message_asked(line) });
        None
    }

    fn answered(&mut self, status: Status) {
        let Some(Left { mut divergence, message }) = self.left.take() else { return };
        if let Some(divergence) = &mut divergence {
            divergence.answered = status.name();
        }
        let filled = message.filter(|_| status == Status::Ok).and_then(|message| {
            let octets = self.prepared.revealed.filled_up(message)?;
            self.fillers.insert(message).then_some(Filler { message, octets })
        });
        let engine = self.mode == Mode::Engine;
        self.note(|page| {
            page.report.answered_by_engine += 1;
            page.report.fillers.extend(filled);
            // In this mode nothing else is expected.
            if let Some(divergence) = divergence.filter(|_| !engine) {
                page.report.diverged(divergence);
            }
        });
    }

    fn overruled(&mut self, status: Status) {
        let Some(at) = self.played.take() else { return };
        if !self.prepared.index.place(at).waived {
            self.used.give_back(at);
        }
        let now = Now {
            state: State::Authorization,
            cover: self.cover(),
            user: None,
            marked: &[],
            untouched: self.untouched,
            print: OnceCell::new(),
        };
        let divergence = Divergence {
            came: self.prepared.taped.exchanges[at].shown(),
            expected: self.expected(),
            answered: status.name(),
            candidates: vec![self.candidate(at, Obstacle::Overruled, &now)],
        };
        self.note(|page| page.overruled(at, divergence));
    }

    fn opened(&mut self, listing: &Listing) {
        self.untouched = listing.len() == self.prepared.revealed.listing.len();
    }
}
