//! What a server's session asks of the maildrops behind it, and what it is told.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

/// A session's wish. It has at most one maildrop open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Open and lock the maildrop of a user (RFC 1939 section 4).
    Open {
        /// Whose.
        user: String,
    },
    /// Read on in a message.
    Read {
        /// Its place in the listing, from 0.
        message: usize,
        /// From which of its octets on.
        from: u64,
    },
    /// Remove what is marked and let the maildrop go (RFC 1939 section 6).
    Commit {
        /// For each message of the listing whether it is marked as deleted.
        marked: Vec<bool>,
    },
}

/// The answer to an [`Ask`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// The maildrop is open, with these messages, or is not.
    Opened(Result<Listing, OpenError>),
    /// The next octets of a message.
    Read(Result<Piece, NotRead>),
    /// The maildrop is closed.
    Committed(Result<(), NotRemoved>),
}

/// Octets of a message: lines that end in CRLF, byte-stuffing not yet done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The octets; of an empty message none.
    pub octets: Bytes,
    /// Nothing comes after them.
    pub last: bool,
}

/// The messages of a maildrop as they were when it was opened: the first one has the number 1. Numbers, sizes
/// and unique-ids stay what they are until it is let go (RFC 1939 section 4).
pub type Listing = Arc<[Scan]>;

/// What is known of a message without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Its exact size in octets (RFC 1939 section 11): what RETR sends, but for byte-stuffing and terminator.
    pub size: u64,
    /// What tells it from all others.
    pub unique_id: UniqueId,
    /// Its header holds UTF-8 that is not ASCII (RFC 6532): it is for sessions in UTF8 mode (RFC 6856 section 2).
    pub utf8: bool,
}

/// A unique-id: 1 to 70 printable ASCII characters without a space (RFC 1939 section 7, UIDL). A clone is cheap.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UniqueId(Arc<str>);

impl UniqueId {
    /// The longest one in octets (RFC 1939 section 7).
    pub const MAX: usize = 70;

    /// Takes the id as given; None where RFC 1939 would not call it one.
    pub fn new(id: impl AsRef<str>) -> Option<Self> {
        let id = id.as_ref();
        let legal = (1..=Self::MAX).contains(&id.len()) && id.bytes().all(|octet| octet.is_ascii_graphic());
        legal.then(|| Self(id.into()))
    }

    /// As it goes over the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a maildrop was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another session holds it.
    #[error("maildrop already locked")]
    InUse,
    /// It cannot be read at the moment.
    #[error("maildrop cannot be read")]
    Unreadable,
}

/// A message, or the rest of one, cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("message cannot be read")]
pub struct NotRead;

/// Some of the marked messages are still there (RFC 1939 section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("some deleted messages not removed")]
pub struct NotRemoved;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rfc_1939_calls_a_unique_id() {
        for good in ["1", "whqtswO00WBw418f9t5JxYwZ", "!~", &"x".repeat(70)] {
            assert!(UniqueId::new(good).is_some(), "{good}");
        }
        for bad in ["", "a b", "a\t", "\u{434}", "\u{7f}", &"x".repeat(71)] {
            assert!(UniqueId::new(bad).is_none(), "{bad}");
        }
    }
}
