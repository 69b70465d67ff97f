//! The report: what of a recording was used, what was not, and where clients went off script.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::tape::Taken;
use super::theatre::{Mode, Prepared};
use crate::wire::Security;

/// How many divergences of a session are kept; the rest is counted.
const KEPT: usize = 100;

/// How many sessions are reported one by one; of those before them there is a sum. A run may go on for weeks.
const SESSIONS: usize = 10_000;

/// What a replay came to.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// `exact`, `match` or `engine`.
    pub mode: &'static str,
    /// The first sessions, where there were too many to report each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub earlier: Option<Earlier>,
    /// Each session that was served, in order; the last ten thousand of them.
    pub sessions: Vec<SessionReport>,
    /// Recorded sessions that nobody asked for, by the names of their recordings.
    pub unserved: Vec<String>,
}

/// What sessions came to together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Earlier {
    /// How many they were.
    pub sessions: u64,
    /// How many of them went off script, or came too many.
    pub off_script: u64,
    /// How many of them left something of their recording unused.
    pub incomplete: u64,
}

/// What a served session came to.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SessionReport {
    /// Its number, from 1.
    pub session: u32,
    /// The recording that it was served from; None: it came after the last, and the engine alone answered.
    pub recording: Option<String>,
    /// How many exchanges the recording has, but for those on the way to TLS: STLS, and what was asked in clear before
    /// it and may be asked, but need not be.
    pub recorded: usize,
    /// How many of them were used.
    pub used: usize,
    /// How often one was used again.
    pub repeated: usize,
    /// How many commands the engine answered.
    pub answered_by_engine: usize,
    /// The exchanges that were not used, in order.
    pub unused: Vec<Exchange>,
    /// Where the client went off script.
    pub divergences: Vec<Divergence>,
    /// How many more there were.
    pub more_divergences: usize,
    /// Messages that were filled up to their size, since they were not recorded whole.
    pub fillers: Vec<Filler>,
    /// What a recorded capability list announced and was left out: nothing here could keep it.
    pub left_out: Vec<String>,
    /// The client was sent away: every recorded session was served.
    pub refused: bool,
}

/// An exchange of a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exchange {
    /// Its number there.
    pub n: u32,
    /// Its command, secrets masked.
    pub command: String,
}

/// A command that the recording had no answer to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Divergence {
    /// What came, secrets masked.
    pub came: String,
    /// The first exchange that was not used yet.
    pub expected: Option<Exchange>,
    /// How it was answered: `+OK` or `-ERR`.
    pub answered: &'static str,
    /// Recorded exchanges that come near, and why they are not the answer.
    pub candidates: Vec<Candidate>,
}

/// A recorded exchange that was not used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// Which.
    #[serde(flatten)]
    pub exchange: Exchange,
    /// Why.
    pub why: String,
}

/// A message that was not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Filler {
    /// Its number.
    pub message: usize,
    /// Its size in octets.
    pub octets: u64,
}

impl Report {
    /// Whether each client did what was recorded, and all of it.
    pub fn is_complete(&self) -> bool {
        self.unserved.is_empty()
            && self.sessions.iter().all(|session| session.unused.is_empty())
            && self.earlier.as_ref().is_none_or(|earlier| earlier.incomplete == 0)
            && self.on_script()
    }

    /// Whether each client did only what was recorded, and none came too many.
    pub fn on_script(&self) -> bool {
        self.sessions.iter().all(SessionReport::on_script)
            && self.earlier.as_ref().is_none_or(|earlier| earlier.off_script == 0)
    }
}

/// The report as it grows.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pages: VecDeque<Page>,
    /// Of the pages that were before them.
    earlier: Earlier,
}

/// A session's part of it.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) report: SessionReport,
    /// What the session is served from.
    prepared: Option<Arc<Prepared>>,
    /// Which of its exchanges were used.
    used: Vec<bool>,
}

impl Ledger {
    /// A new page for a session that is served from a recording; None: from none. Gives its place.
    pub(super) fn open(
        &mut self,
        session: u32,
        prepared: Option<&Arc<Prepared>>,
        security: Security,
    ) -> usize {
        let used: Vec<bool> = prepared.map(|prepared| prepared.index.waived()).unwrap_or_default();
        let left_out = prepared.into_iter().flat_map(|prepared| prepared.left_out.iter());
        // Where there is TLS, STLS is announced as long as it can be used.
        let lacks = |name: &&String| security == Security::Plain || !name.eq_ignore_ascii_case("STLS");
        if self.pages.len() == SESSIONS
            && let Some(page) = self.pages.pop_front()
        {
            // One that is so far back and not over yet counts as what it is by now.
            self.earlier.sessions += 1;
            self.earlier.off_script += u64::from(!page.report.on_script());
            self.earlier.incomplete += u64::from(page.used.contains(&false));
        }
        self.pages.push_back(Page {
            report: SessionReport {
                session,
                recording: prepared.map(|prepared| prepared.taped.name.clone()),
                left_out: left_out.filter(lacks).cloned().collect(),
                recorded: used.iter().filter(|&&used| !used).count(),
                ..SessionReport::default()
            },
            prepared: prepared.cloned(),
            used,
        });
        self.earlier.sessions as usize + self.pages.len() - 1
    }

    pub(super) fn page(&mut self, at: usize) -> Option<&mut Page> {
        self.pages.get_mut(at.checked_sub(self.earlier.sessions as usize)?)
    }

    /// What the sessions before those that are listed came to.
    pub(super) fn earlier(&self, mode: Mode) -> Option<Earlier> {
        let incomplete = if mode == Mode::Engine { 0 } else { self.earlier.incomplete };
        (self.earlier.sessions > 0).then(|| Earlier { incomplete, ..self.earlier.clone() })
    }

    /// What it comes to so far.
    pub(super) fn sessions(&self, mode: Mode) -> Vec<SessionReport> {
        let finished = self.pages.iter().map(|page| {
            let mut report = page.report.clone();
            if let (Some(prepared), true) = (&page.prepared, mode != Mode::Engine) {
                let exchanges = prepared.taped.exchanges.iter().zip(&page.used);
                let unused = exchanges.filter(|&(_, &used)| !used);
                report.unused = unused.map(|(taken, _)| Exchange::of(taken)).collect();
            }
            report
        });
        finished.collect()
    }
}

impl Page {
    /// An exchange was used, for the first time or again.
    pub(super) fn used(&mut self, at: usize) {
        if self.is_waived(at) {
            return;
        }
        match self.used.get_mut(at) {
            Some(used) if !*used => {
                *used = true;
                self.report.used += 1;
            }
            _ => self.report.repeated += 1,
        }
    }

    /// An exchange was not used after all.
    pub(super) fn overruled(&mut self, at: usize, divergence: Divergence) {
        if !self.is_waived(at)
            && let Some(used) = self.used.get_mut(at)
        {
            self.report.used -= usize::from(std::mem::replace(used, false));
        }
        self.report.answered_by_engine += 1;
        self.report.diverged(divergence);
    }

    /// Whether nobody waits for an exchange, so that it does not count.
    fn is_waived(&self, at: usize) -> bool {
        self.prepared.as_ref().is_some_and(|prepared| prepared.index.place(at).waived)
    }
}

impl Exchange {
    pub(super) fn of(taken: &Taken) -> Self {
        Self { n: taken.n, command: taken.shown() }
    }
}

impl SessionReport {
    /// Whether its client did only what was recorded, and it did not come too many.
    fn on_script(&self) -> bool {
        self.divergences.is_empty() && self.recording.is_some()
    }

    pub(super) fn diverged(&mut self, divergence: Divergence) {
        if self.divergences.len() < KEPT {
            self.divergences.push(divergence);
        } else {
            self.more_divergences += 1;
        }
    }
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (exchange {})", self.command, self.n)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.sessions.is_empty() {
            writeln!(f, "no session came")?;
        }
        if let Some(Earlier { sessions, off_script, incomplete }) = self.earlier {
            writeln!(
                f,
                "the first {sessions} sessions: {off_script} off the recording, {incomplete} without all of it"
            )?;
        }
        for session in &self.sessions {
            write!(f, "{session}")?;
        }
        for name in &self.unserved {
            writeln!(f, "not served: {name}")?;
        }
        Ok(())
    }
}

impl fmt::Display for SessionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {}: ", self.session)?;
        match &self.recording {
            Some(name) => write!(f, "{} of {} exchanges of {name} used", self.used, self.recorded)?,
            None if self.refused => return writeln!(f, "refused, every recorded session was served"),
            None => write!(f, "after the last recording")?,
        }
        if self.repeated > 0 {
            write!(f, ", {} repeated", self.repeated)?;
        }
        writeln!(f, ", {} answered by the engine", self.answered_by_engine)?;
        for divergence in &self.divergences {
            write!(f, "  off the recording: {} -> {}", divergence.came, divergence.answered)?;
            match &divergence.expected {
                Some(expected) => writeln!(f, "; expected {expected}")?,
                None => writeln!(f, "; nothing more was expected")?,
            }
            for candidate in &divergence.candidates {
                writeln!(f, "    {}: {}", candidate.exchange, candidate.why)?;
            }
        }
        if self.more_divergences > 0 {
            writeln!(f, "  and {} more times", self.more_divergences)?;
        }
        for exchange in &self.unused {
            writeln!(f, "  not used: {exchange}")?;
        }
        if !self.left_out.is_empty() {
            let scram = self.left_out.iter().any(|name| name.starts_with("SCRAM-"));
            let hint = if scram { "; SCRAM works with --user NAME:PASSWORD" } else { "" };
            writeln!(f, "  left out of the capabilities: {}{hint}", self.left_out.join(", "))?;
        }
        for filler in &self.fillers {
            let Filler { message, octets } = filler;
            writeln!(f, "  message {message} was not recorded whole and is filled up to its size, {octets}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_without_end_are_summed_up() {
        let mut ledger = Ledger::default();
        for session in 0..SESSIONS + 5 {
            let at = ledger.open(session as u32, None, Security::Plain);
            assert_eq!(at, session);
            let page = ledger.page(at).unwrap();
            assert_eq!(page.report.session as usize, session);
            page.report.recording = (session != 3).then(|| "seed.json".to_owned());
        }
        assert!(ledger.page(4).is_none());
        let sessions = ledger.sessions(Mode::Match);
        assert_eq!((sessions.len(), sessions[0].session), (SESSIONS, 5));
        let earlier = ledger.earlier(Mode::Match);
        assert_eq!(earlier, Some(Earlier { sessions: 5, off_script: 1, incomplete: 0 }));
        let report = Report { mode: "match", earlier, sessions, unserved: Vec::new() };
        assert!(!report.on_script() && report.to_string().starts_with("the first 5 sessions: 1 off"));
    }
}
