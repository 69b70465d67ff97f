//! Maildrops: the messages that a session of the built-in server serves, and where they come from.
//!
//! ```text
//!   Source --open(user)--> Maildrop { messages, hold }     the lock is taken     (RFC 1939 section 4)
//!                             |-- commit(marked) -->  messages removed, lock released      (section 6)
//!                             '-- drop           -->  nothing removed, lock released       (section 6)
//! ```

pub mod memory;
pub mod message;
pub mod seed;
pub mod unique_id;

use std::fmt::Debug;
use std::sync::Arc;

pub use memory::Memory;
pub use message::{Message, load};
pub use unique_id::UniqueId;

/// Where maildrops come from. Shared by all sessions of a server.
pub trait Source: Debug + Send + Sync {
    /// Opens the maildrop of a user and locks it, so that no second session opens it before this one
    /// has let it go (RFC 1939 section 4).
    fn open(&self, user: &str) -> Result<Maildrop, OpenError>;
}

/// Why a maildrop was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another session holds it.
    #[error("maildrop already locked")]
    InUse,
}

/// Some of the marked messages are still there (RFC 1939 section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("some deleted messages not removed")]
pub struct NotRemoved;

/// A source's side of an open maildrop. Dropping it releases the lock and removes nothing.
pub trait Hold: Debug + Send {
    /// Removes the marked messages, all or as many as can be, and releases the lock. `marked` has a
    /// place for each message, in the order in which they were opened.
    fn commit(self: Box<Self>, marked: &[bool]) -> Result<(), NotRemoved>;
}

/// The messages of one user as they were when the maildrop was opened. Their numbers, sizes and unique-ids
/// stay what they are until it is let go, whatever becomes of the source meanwhile (RFC 1939 section 4).
#[derive(Debug)]
pub struct Maildrop {
    messages: Arc<[Message]>,
    hold: Box<dyn Hold>,
}

impl Maildrop {
    /// What a source opened and locked.
    pub fn new(messages: Arc<[Message]>, hold: Box<dyn Hold>) -> Self {
        Self { messages, hold }
    }

    /// The messages: the first one has the number 1.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Removes the marked messages and lets the maildrop go. `marked` has a place for each message.
    pub fn commit(self, marked: &[bool]) -> Result<(), NotRemoved> {
        self.hold.commit(marked)
    }
}
