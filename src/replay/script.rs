//! The script: answers one session's commands from a recorded one, and keeps the report.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::matching::{Depends, Now, argument, is_same, obstacle, repeatable, secrets_agree};
use super::report::{Candidate, Divergence, Exchange, Filler, Ledger, Page};
use super::revealed::number;
use super::tape::Taken;
use super::theatre::{Mode, Prepared, Timing};
use crate::engine::{Asked, Canned, Responder};
use crate::maildrop::Maildrops;
use crate::pop3::lines::split_ending;
use crate::pop3::secret::{MASK, Secret};
use crate::pop3::{Command, Keyword, State, Status};
use crate::wire::{Close, Listing};

/// How many near exchanges a divergence names.
const CANDIDATES: usize = 3;

/// Passwords that the user gave: a recorded success is for who knows them.
pub(super) type Passwords = Arc<std::collections::BTreeMap<String, Secret>>;

/// A [`Responder`] made from a recorded session.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) prepared: Arc<Prepared>,
    pub(super) mode: Mode,
    pub(super) timing: Timing,
    pub(super) maildrops: Maildrops,
    pub(super) passwords: Passwords,
    pub(super) ledger: Arc<Mutex<Ledger>>,
    /// The session's page there.
    pub(super) page: usize,
    pub(super) used: Used,
    /// Whom USER named last.
    pub(super) user: Option<String>,
    /// Nothing was deleted from the recorded maildrop since.
    pub(super) untouched: bool,
    /// What the engine is about to answer.
    pub(super) left: Option<Left>,
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
    divergence: Divergence,
    /// The message that RETR or TOP asks for.
    message: Option<usize>,
}

impl Used {
    pub(super) fn new(prepared: &Prepared) -> Self {
        let mut used = Self { each: prepared.never_asked(), ..Self::default() };
        used.advance();
        used
    }

    fn advance(&mut self) {
        while self.each.get(self.first_unused) == Some(&true) {
            self.first_unused += 1;
        }
    }

    /// Takes note; says whether it was used before.
    fn take(&mut self, at: usize) -> bool {
        let before = std::mem::replace(&mut self.each[at], true);
        self.next = at + 1;
        self.advance();
        before
    }
}

/// A command as it may be shown.
fn shown(line: &[u8]) -> String {
    let hidden = Command::parse(line).hidden(line);
    match hidden {
        Some(range) => [&line[..range.start], MASK].concat().escape_ascii().to_string(),
        None => line.escape_ascii().to_string(),
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

    /// The recorded exchange that answers a command now, or why those that come near do not.
    fn find(&self, line: &[u8], now: Now<'_>) -> Result<usize, Vec<Candidate>> {
        let (taped, index) = (&self.prepared.taped, &self.prepared.index);
        let mut candidates = Vec::new();
        let mut again = None;
        let mut earlier = None;
        for &at in index.same(line) {
            let (taken, place) = (&taped.exchanges[at], index.place(at));
            let used = self.used.each[at];
            // What was cut off is for nobody, but where the server itself broke off.
            let cut = !taken.complete && (at + 1 < taped.exchanges.len() || taped.end.is_none());
            let turn = place.depends == Depends::History && at != self.used.first_unused && !used;
            let why = obstacle(taped, at, place, now)
                .or_else(|| self.wrong_secret(taken, line))
                .or_else(|| cut.then(|| "recorded, but only in part".to_owned()))
                .or_else(|| turn.then(|| "recorded, but later".to_owned()));
            match why {
                Some(why) => candidates.push((used, taken, why)),
                None if !used && at >= self.used.next => return Ok(at),
                None if !used => earlier = earlier.or(Some(at)),
                None if repeatable(taken, place) => again = Some(at),
                None => candidates.push((used, taken, "used already".to_owned())),
            }
        }
        if let Some(at) = earlier.or(again) {
            return Ok(at);
        }
        if candidates.is_empty() {
            let akin = index.akin(line).iter().take(CANDIDATES);
            candidates.extend(
                akin.map(|&at| {
                    (false, &taped.exchanges[at], "recorded, but with other arguments".to_owned())
                }),
            );
        }
        // Those that are still to come are nearer.
        candidates.sort_by_key(|&(used, ..)| used);
        let candidates = candidates.into_iter().take(CANDIDATES);
        Err(candidates.map(|(_, taken, why)| Candidate { exchange: Exchange::of(taken), why }).collect())
    }

    /// Where a password is known, recorded or given by the user, a recorded success is for it alone.
    fn wrong_secret(&self, taken: &Taken, line: &[u8]) -> Option<String> {
        if !secrets_agree(taken, line) {
            return Some("recorded, but with another secret".to_owned());
        }
        let given = self.user.as_ref().and_then(|user| self.passwords.get(user))?;
        let pass = taken.keyword() == Keyword::Pass && taken.status == Some(Status::Ok);
        let wrong = Command::parse(line).arguments != given.reveal();
        (pass && wrong).then(|| "recorded, but with another secret".to_owned())
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
        Canned { status: taken.status, pieces, then }
    }

    fn exact(&mut self, line: &[u8], now: Now<'_>) -> Option<Canned> {
        if Command::parse(line).keyword == Keyword::Stls {
            return None;
        }
        let at = self.used.first_unused;
        match self.prepared.taped.exchanges.get(at) {
            Some(taken) if is_same(taken, line) && self.wrong_secret(taken, line).is_none() => {
                Some(self.play(at))
            }
            expected => {
                let expected = expected.map(Exchange::of);
                let words =
                    expected.as_ref().map_or("nothing more".to_owned(), |exchange| exchange.command.clone());
                let words: String = words.chars().take(200).collect();
                let refusal = format!("-ERR off the recording: expected {words}\r\n");
                let candidates = self.find(line, now).err().unwrap_or_default();
                let divergence = Divergence { came: shown(line), expected, answered: "-ERR", candidates };
                self.note(|page| page.report.diverged(divergence));
                Some(Canned {
                    status: Some(Status::Err),
                    pieces: vec![(0, refusal.into())],
                    then: Some(Close::Finished),
                })
            }
        }
    }

    fn play(&mut self, at: usize) -> Canned {
        let before = self.used.take(at);
        self.note(|page| page.used(at));
        let last = self.used.first_unused == self.prepared.taped.exchanges.len();
        self.canned(&self.prepared.taped.exchanges[at], last && !before)
    }
}

impl Responder for Script {
    fn greeting(&mut self) -> Option<Canned> {
        if self.mode == Mode::Engine {
            return None;
        }
        let greeting = self.prepared.taped.greeting.as_ref()?;
        Some(self.canned(greeting, self.prepared.taped.exchanges.is_empty()))
    }

    fn respond(&mut self, asked: &Asked<'_>) -> Option<Canned> {
        let line = split_ending(asked.line).0;
        if asked.keyword == Keyword::User {
            self.user = argument(line);
        }
        let message = matches!(asked.keyword, Keyword::Retr | Keyword::Top);
        let message = message.then(|| number(&Taken::asked(line), 0)).flatten();
        let Asked { state, marked, .. } = *asked;
        let user = self.user.clone();
        let mut now = Now { state, user: user.as_deref(), marked, untouched: self.untouched };
        let candidates = match self.mode {
            Mode::Exact => return self.exact(line, now),
            Mode::Engine => Vec::new(),
            Mode::Match if asked.keyword == Keyword::Stls => Vec::new(),
            Mode::Match => {
                if asked.keyword == Keyword::Pass && asked.state == State::Authorization {
                    let deleted = self.maildrops.deleted(self.user.as_deref().unwrap_or_default());
                    let listing = &self.prepared.revealed.listing;
                    self.untouched = !listing.iter().any(|scan| deleted.contains(&scan.unique_id));
                }
                now.untouched = self.untouched;
                match self.find(line, now) {
                    // The text of a recorded login tells of the maildrop as it was.
                    Ok(at) if self.untouched || asked.keyword != Keyword::Pass => return Some(self.play(at)),
                    Ok(at) => vec![Candidate {
                        exchange: Exchange::of(&self.prepared.taped.exchanges[at]),
                        why: "recorded, but over a maildrop from which less was deleted".to_owned(),
                    }],
                    Err(candidates) => candidates,
                }
            }
        };
        let divergence =
            Divergence { came: shown(line), expected: self.expected(), answered: "", candidates };
        self.left = Some(Left { divergence, message });
        None
    }

    fn answered(&mut self, status: Status) {
        let Some(Left { mut divergence, message }) = self.left.take() else { return };
        divergence.answered = status.name();
        let filler =
            message.filter(|_| status == Status::Ok).filter(|n| self.fillers.insert(*n)).and_then(|n| {
                let (message, octets) =
                    *self.prepared.revealed.fillers.iter().find(|filler| filler.0 == n)?;
                Some(Filler { message, octets })
            });
        let engine = self.mode == Mode::Engine;
        self.note(|page| {
            let session = &mut page.report;
            session.answered_by_engine += 1;
            session.fillers.extend(filler);
            // In this mode nothing else is expected.
            if !engine {
                session.diverged(divergence);
            }
        });
    }

    fn opened(&mut self, listing: &Listing) {
        self.untouched = listing.len() == self.prepared.revealed.listing.len();
    }
}
