//! The observer: makes entries of a live session, for whoever takes part in it.

use bytes::Bytes;

use super::{By, End, Entry, Header, How, Note};
use crate::pop3::dissect::Request;
use crate::pop3::{Dissector, Event, Keyword, Secrets};
use crate::wire::{Close, Micros, Run, Side, Tls};

/// Looks on as octets pass. Its entries are drained with [`Observer::entries`].
#[derive(Debug)]
pub struct Observer {
    dissector: Dissector,
    entries: Vec<Entry>,
}

impl Observer {
    /// Of a session from its first octet on.
    pub fn new(secrets: Secrets) -> Self {
        Self { dissector: Dissector::new(secrets), entries: Vec::new() }
    }

    /// What was found since the last call.
    pub fn entries(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.entries)
    }

    /// The session began.
    pub fn opened(&mut self, header: Box<Header>) {
        self.entries.push(Entry::Opened(header));
    }

    /// A side sent octets.
    pub fn feed(&mut self, side: Side, at: Micros, octets: Bytes) {
        let entries = &mut self.entries;
        self.dissector.feed(side, at, octets, &mut |event| entries.push(Entry::Event(event)));
    }

    /// The same with octets that belong to the arrival before them where `at` is None; gives the last command that they
    /// made whole.
    pub fn feed_part(&mut self, side: Side, at: Option<Micros>, bytes: Bytes) -> Option<Keyword> {
        let entries = &mut self.entries;
        let mut last = None;
        let arrivals = at.map(|at| (0, at)).into_iter().collect();
        self.dissector.feed_run(side, Run { bytes, arrivals }, &mut |event| {
            if let Event::Request { request, .. } = &event {
                last = match request {
                    Request::Command(keyword) => Some(*keyword),
                    Request::SaslResponse | Request::Upload => None,
                };
            }
            entries.push(Entry::Event(event));
        });
        last
    }

    /// What was found and not drained yet.
    pub fn found(&self) -> &[Entry] {
        &self.entries
    }

    /// Something happened that is not in the octets.
    pub fn note(&mut self, at: Micros, kind: &str, text: String) {
        self.entries.push(Entry::Note(Note { at, kind: kind.to_owned(), text }));
    }

    /// A handshake came to its end.
    pub fn tls(&mut self, tls: Tls) {
        let entries = &mut self.entries;
        if tls.begins_anew() {
            self.dissector.tls_started(tls.readable, &mut |event| entries.push(Entry::Event(event)));
        }
        self.entries.push(Entry::Tls(Box::new(tls)));
    }

    /// A side ended its direction.
    pub fn closed(&mut self, side: Side, how: Close, at: Micros) {
        let entries = &mut self.entries;
        self.dissector.close(side, &mut |event| entries.push(Entry::Event(event)));
        self.entries.push(Entry::Closed { side, how, at });
    }

    /// The session is over.
    pub fn ended(&mut self, at: Micros, by: By, how: How) {
        let entries = &mut self.entries;
        self.dissector.finish(&mut |event| entries.push(Entry::Event(event)));
        let (unknown, outer) = Default::default();
        self.entries.push(Entry::Ended(Box::new(End { at, by, how, unknown, outer })));
    }
}
