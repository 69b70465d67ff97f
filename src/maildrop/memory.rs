//! Messages in memory.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Listing, Message, Snapshot, Store, Text};

/// A store without I/O. A clone is the same store.
#[derive(Debug, Clone)]
pub struct Memory(Arc<Mutex<Held>>);

/// The messages at one time.
#[derive(Debug, Clone)]
struct Held {
    messages: Arc<[Message]>,
    listing: Listing,
}

impl From<Vec<Message>> for Held {
    fn from(messages: Vec<Message>) -> Self {
        let listing = messages.iter().map(|message| message.scan().clone()).collect();
        Self { messages: messages.into(), listing }
    }
}

impl Memory {
    /// A store of these messages.
    pub fn new(messages: impl Into<Vec<Message>>) -> Self {
        Self(Arc::new(Mutex::new(messages.into().into())))
    }

    /// Adds a message: sessions that log in from now on see it.
    pub fn push(&self, message: Message) {
        self.change(|messages| messages.push(message));
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Message>)) {
        // What is held is replaced as a whole, so a panic elsewhere has left it sound.
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut messages = held.messages.to_vec();
        change(&mut messages);
        *held = messages.into();
    }
}

impl Store for Memory {
    fn snapshot(&self) -> io::Result<Box<dyn Snapshot>> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(Box::new(Seen { held, store: self.clone() }))
    }

    fn blocks(&self) -> bool {
        false
    }
}

#[derive(Debug)]
struct Seen {
    held: Held,
    store: Memory,
}

impl Snapshot for Seen {
    fn scans(&self) -> Listing {
        Arc::clone(&self.held.listing)
    }

    fn text(&self, place: usize) -> io::Result<Text> {
        Ok(Text::Whole(self.held.messages[place].octets().clone()))
    }

    fn remove(&self, marked: &[bool]) -> io::Result<()> {
        let places = self.held.messages.iter().zip(marked).filter(|&(_, &marked)| marked);
        let gone: Vec<_> = places.map(|(message, _)| message.unique_id()).collect();
        self.store.change(|messages| messages.retain(|message| !gone.contains(&message.unique_id())));
        Ok(())
    }
}
