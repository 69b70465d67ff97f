//! Maildrops: the messages that a session of the built-in server serves, where they come from, and who has
//! them open.
//!
//! ```text
//!   Store: a Maildir, an mbox, ...      Maildrops: who may open what            Attendant: one session's hand
//!     snapshot() -> Snapshot      <----   open(user) -> Box<dyn Maildrop>  <----   Ask::Open    (RFC 1939 section 4)
//!       scans, text, remove                 listing, read                   <----   Ask::Read
//!                                           commit: removed, lock released  <----   Ask::Commit          (section 6)
//!                                           drop: nothing removed, lock released                         (section 6)
//! ```
//!
//! A format is a file with a [`Store`]; everything else here works with any of them.

pub mod attendant;
pub mod eml;
mod files;
pub mod maildir;
pub mod maildrops;
pub mod memory;
pub mod mbox;
pub mod message;
pub mod normal;
mod reading;
pub mod seed;
pub mod sources;

use std::fmt::Debug;
use std::io::{self, Read};

use bytes::Bytes;

pub use self::attendant::Attendant;
pub use self::maildrops::{Maildrops, Reset};
pub use self::memory::Memory;
pub use self::message::{Message, load};
pub use crate::wire::mail::{Listing, NotRead, NotRemoved, OpenError, Piece, Scan, UniqueId};

/// Where the maildrops of a server come from. Shared by all its sessions.
pub trait Source: Debug + Send + Sync {
    /// Opens the maildrop of a user and locks it, so that no second session opens it before this one
    /// has let it go (RFC 1939 section 4).
    fn open(&self, user: &str) -> Result<Box<dyn Maildrop>, OpenError>;

    /// Whether opening, reading and committing touch a disk: then they are not for a thread that has other
    /// things to do.
    fn blocks(&self) -> bool;
}

/// A maildrop that a session has open. Dropping it releases the lock and removes nothing.
pub trait Maildrop: Debug + Send {
    /// Its messages as they were when it was opened.
    fn listing(&self) -> Listing;

    /// The octets of a message from one on, as many as are at hand and at least one where there are any. Reading
    /// on where the last read ended is cheap.
    fn read(&mut self, message: usize, from: u64) -> Result<Piece, NotRead>;

    /// Removes the marked messages, all or as many as can be, and releases the lock. `marked` has a place for
    /// each message of the listing.
    fn commit(self: Box<Self>, marked: &[bool]) -> Result<(), NotRemoved>;
}

/// Messages kept in one place: a format of its own.
pub trait Store: Debug + Send + Sync {
    /// The messages that are there now, in an order that stays.
    fn snapshot(&self) -> io::Result<Box<dyn Snapshot>>;

    /// Whether it touches a disk.
    fn blocks(&self) -> bool {
        true
    }
}

/// The messages of a store at one time. What comes later is not among them.
pub trait Snapshot: Debug + Send {
    /// What is known of each message.
    fn scans(&self) -> Listing;

    /// A message's octets; fails where it is gone or cannot be read.
    fn text(&self, place: usize) -> io::Result<Text>;

    /// Removes the marked messages for good and no other. A message that is gone already is no failure. After a
    /// crash each of them is either still there or gone, and the others are whole.
    fn remove(&self, marked: &[bool]) -> io::Result<()>;
}

/// The octets of a message.
pub enum Text {
    /// At hand, and with the line ends as they are sent: see [`normal`].
    Whole(Bytes),
    /// To be read, from the first to the last, with lines that end in CRLF or LF.
    Stored(Box<dyn Read + Send>),
}
