//! What a sniffer on the client's wire sees of TLS, and the secrets that open it: for captures that hold both.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rustls::{KeyLog, ServerConfig};

use super::keylog;
use crate::net::clock::Clock;
use crate::recording::{Entry, Sealed};
use crate::wire::Side;

/// See the [module](self). One a session.
#[derive(Debug)]
pub struct Sniffer {
    clock: Clock,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// The session has begun to be told.
    opened: bool,
    entries: Vec<Entry>,
    /// The last that the client sent: the secrets that are made of it come before it, since whoever reads the capture in
    /// one pass needs them there.
    last: Option<Entry>,
}

impl Seen {
    fn settle(&mut self) {
        self.entries.extend(self.last.take());
    }
}

impl Sniffer {
    /// Looks from now on.
    pub fn new(clock: Clock) -> Self {
        Self { clock, seen: Mutex::default() }
    }

    /// Puts what was seen since the last time among the session's next entries: it passed before the session was told of
    /// it. Until the session is opened it is held back.
    pub fn join(&self, mut entries: Vec<Entry>) -> Vec<Entry> {
        self.see(|seen| {
            let opening = usize::from(matches!(entries.first(), Some(Entry::Opened(_))));
            seen.opened |= opening == 1;
            if seen.opened {
                seen.settle();
                entries.splice(opening..opening, seen.entries.drain(..));
            }
            entries
        })
    }

    /// The client sent octets.
    pub(in crate::net) fn received(&self, octets: &[u8]) {
        let entry = self.octets(Side::Client, octets);
        self.see(|seen| {
            seen.settle();
            seen.last = entry;
        });
    }

    /// The client was sent octets.
    pub(in crate::net) fn sent(&self, octets: &[u8]) {
        let entry = self.octets(Side::Server, octets);
        self.see(|seen| {
            seen.settle();
            seen.entries.extend(entry);
        });
    }

    /// The same configuration, whose secrets come here as well.
    pub(super) fn overhearing(self: &Arc<Self>, config: &ServerConfig) -> ServerConfig {
        let mut config = config.clone();
        config.key_log = Arc::new(Both(Arc::clone(&config.key_log), Arc::clone(self)));
        config
    }

    fn octets(&self, side: Side, octets: &[u8]) -> Option<Entry> {
        let (at, octets) = (self.clock.now(), Bytes::copy_from_slice(octets));
        (!octets.is_empty()).then_some(Entry::Sealed(Sealed::Octets { side, at, octets }))
    }

    fn see<T>(&self, act: impl FnOnce(&mut Seen) -> T) -> T {
        act(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Two key logs, the second a sniffer's.
#[derive(Debug)]
struct Both(Arc<dyn KeyLog>, Arc<Sniffer>);

impl KeyLog for Both {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        self.0.log(label, client_random, secret);
        let line = keylog::line(label, client_random, secret);
        self.1.see(|seen| match seen.entries.last_mut() {
            Some(Entry::Sealed(Sealed::Keys(lines))) => lines.push_str(&line),
            _ => seen.entries.push(Entry::Sealed(Sealed::Keys(line))),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::{Header, Note};

    #[test]
    fn secrets_come_before_what_they_were_made_of_and_all_else_in_order() {
        let sniffer = Arc::new(Sniffer::new(Clock::start().0));
        let keys = Both(Arc::new(rustls::NoKeyLog {}), Arc::clone(&sniffer));
        sniffer.received(b"hello");
        keys.log("A", &[1], &[2]);
        keys.log("B", &[1], &[3]);
        sniffer.sent(b"answer");
        sniffer.received(b"");
        sniffer.received(b"finished");
        assert_eq!(sniffer.join(Vec::new()), []);
        let note = Entry::Note(Note { at: 0, kind: String::new(), text: String::new() });
        let opened = Entry::Opened(Box::new(Header::blank()));
        let told = sniffer.join(vec![opened.clone(), note.clone()]);
        assert_eq!((&told[0], &told[5]), (&opened, &note));
        let seen: Vec<_> = told[1..5].iter().map(shown).collect();
        assert_eq!(seen, ["keys A 01 02\nB 01 03\n", "client hello", "server answer", "client finished"]);
        assert_eq!(sniffer.join(Vec::new()), []);
    }

    fn shown(entry: &Entry) -> String {
        match entry {
            Entry::Sealed(Sealed::Keys(lines)) => format!("keys {lines}"),
            Entry::Sealed(Sealed::Octets { side, octets, .. }) => {
                format!("{} {}", side.name(), String::from_utf8_lossy(octets))
            }
            other => format!("{other:?}"),
        }
    }
}
