//! A message in memory, as it will be sent.

use bytes::Bytes;

use super::normal::{ContentIds, Measure, normal};
use super::{Scan, UniqueId};

/// One message. Its octets are shared: a clone costs no copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    octets: Bytes,
    scan: Scan,
}

impl Message {
    /// Takes a message with lines that end in CRLF or LF. Every line ends in CRLF from now on, the last one
    /// too; a CR without LF stays as it is (RFC 1939 section 11).
    pub fn new(text: impl Into<Bytes>, unique_id: UniqueId) -> Self {
        let octets = normal(text.into());
        let scan = Measure::of(&octets).scan(unique_id);
        Self { octets, scan }
    }

    /// The message itself: whole lines, byte-stuffing not yet done.
    pub fn octets(&self) -> &Bytes {
        &self.octets
    }

    /// Its exact size in octets (RFC 1939 section 11): what RETR sends, but for byte-stuffing and terminator.
    pub fn size(&self) -> u64 {
        self.scan.size
    }

    /// What tells it from all others.
    pub fn unique_id(&self) -> &UniqueId {
        &self.scan.unique_id
    }

    /// What is known of it without reading it.
    pub fn scan(&self) -> &Scan {
        &self.scan
    }
}

/// Takes messages that have no unique-ids of their own, each as [`Message::new`] does, and gives them ids
/// made from their content.
pub fn load<T: Into<Bytes>>(texts: impl IntoIterator<Item = T>) -> Vec<Message> {
    let mut ids = ContentIds::default();
    let loaded = texts.into_iter().map(|text| {
        let octets = normal(text.into());
        let measure = Measure::of(&octets);
        Message { octets, scan: measure.scan(ids.next(measure.digest)) }
    });
    loaded.collect()
}
