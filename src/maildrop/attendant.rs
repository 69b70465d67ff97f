//! The attendant: does for one session what it asks of the maildrops.

use std::sync::Arc;

use super::{Maildrop, NotRead, NotRemoved, OpenError, Source};
use crate::wire::{Ask, Told};

/// Holds the maildrop that its session has open. Dropping it lets the maildrop go.
#[derive(Debug)]
pub struct Attendant {
    source: Arc<dyn Source>,
    open: Option<Box<dyn Maildrop>>,
}

impl Attendant {
    /// For a session that has nothing open yet.
    pub fn new(source: Arc<dyn Source>) -> Self {
        Self { source, open: None }
    }

    /// Whether [`Self::perform`] touches a disk.
    pub fn blocks(&self) -> bool {
        self.source.blocks()
    }

    /// Does what is asked. A session that reads or commits without having opened is told that it cannot be.
    pub fn perform(&mut self, ask: Ask) -> Told {
        match ask {
            Ask::Open { user } => Told::Opened(self.open(&user)),
            Ask::Read { message, from } => {
                Told::Read(self.open.as_mut().ok_or(NotRead).and_then(|open| open.read(message, from)))
            }
            Ask::Commit { marked } => {
                Told::Committed(self.open.take().ok_or(NotRemoved).and_then(|open| open.commit(&marked)))
            }
        }
    }

    fn open(&mut self, user: &str) -> Result<super::Listing, OpenError> {
        // What was open goes first: it may be the same user's.
        self.open = None;
        let maildrop = self.source.open(user)?;
        let listing = maildrop.listing();
        self.open = Some(maildrop);
        Ok(listing)
    }
}
