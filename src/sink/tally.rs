//! The tally: counts for the summary at the end of a run.

use std::sync::{Arc, Mutex, PoisonError};

use crate::pop3::{Event, Status};
use crate::recording::{By, Entry, How};
use crate::wire::Side;

/// What was counted. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    counts: Arc<Mutex<Counts>>,
    flaws_alone: bool,
}

/// The counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sessions that began.
    pub sessions: u64,
    /// Those whose upstream could not be connected, or had no TLS to be trusted.
    pub unconnected: u64,
    /// Those whose client took what it must not take: a certificate, or a connection in clear.
    pub flaws_taken: u64,
    /// Exchanges with a command.
    pub exchanges: u64,
    /// Those answered with `-ERR`.
    pub errors: u64,
    /// Octets from clients.
    pub up: u64,
    /// Octets to clients.
    pub down: u64,
}

impl Tally {
    /// The counts so far.
    pub fn counts(&self) -> Counts {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, for sessions of which nothing counts but what clients took and must not take.
    pub fn of_flaws(&self) -> Self {
        Self { flaws_alone: true, ..self.clone() }
    }

    /// Counts what was found of sessions. It blocks on nothing, so that it needs no thread.
    pub fn count(&self, entries: &[Entry]) {
        if entries.is_empty() {
            return;
        }
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = |entry: &&Entry| !self.flaws_alone || matches!(entry, Entry::Note(_));
        for entry in entries.iter().filter(counted) {
            counts.count(entry);
        }
    }
}

impl Counts {
    fn count(&mut self, entry: &Entry) {
        match entry {
            Entry::Opened(_) => self.sessions += 1,
            Entry::Ended(end) => {
                let lost =
                    matches!((end.how, end.by), (How::ConnectFailed, _) | (How::TlsFailed, By::Server));
                self.unconnected += u64::from(lost);
            }
            Entry::Note(note) => self.flaws_taken += u64::from(note.is_flaw_taken()),
            Entry::Event(Event::End(outcome)) if outcome.request.is_some() => {
                self.exchanges += 1;
                self.errors += u64::from(outcome.status == Some(Status::Err));
            }
            Entry::Event(event) => match event.octets() {
                Some((Side::Client, run)) => self.up += run.bytes.len() as u64,
                Some((Side::Server, run)) => self.down += run.bytes.len() as u64,
                None => {}
            },
            Entry::Tls(_) | Entry::Sealed(_) | Entry::Closed { .. } | Entry::Unknown { .. } => {}
        }
    }
}
