//! Messages in memory.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Listing, Message, Snapshot, Store, Text};

/// A store without I/O. A clone is the same store.
#[derive(Debug, Clone)]
pub struct Memory(Arc<Mutex<Held>>);

/// The messages at one time.
#[derive(Debug, Clone)]
struct Held {
    /// Each in an [`Arc`], by which it is known again: two may have the same id.
    messages: Arc<[Arc<Message>]>,
    listing: Listing,
}

impl From<Vec<Arc<Message>>> for Held {
    fn from(messages: Vec<Arc<Message>>) -> Self {
        let listing = messages.iter().map(|message| message.scan().clone()).collect();
        Self { messages: messages.into(), listing }
    }
}

impl Memory {
    /// A store of these messages.
    pub fn new(messages: impl Into<Vec<Message>>) -> Self {
        let messages: Vec<_> = messages.into().into_iter().map(Arc::new).collect();
        Self(Arc::new(Mutex::new(messages.into())))
    }

    /// Adds a message: sessions that log in from now on see it.
    pub fn push(&self, message: Message) {
        self.change(|messages| messages.push(Arc::new(message)));
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Arc<Message>>)) {
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
        let gone: HashSet<_> = places.map(|(message, _)| Arc::as_ptr(message)).collect();
        self.store.change(|messages| messages.retain(|message| !gone.contains(&Arc::as_ptr(message))));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::UniqueId;
    use super::*;

    #[test]
    fn messages_with_one_id_are_told_apart() {
        let message = |text: &'static str| Message::new(text, UniqueId::new("x").unwrap());
        let store = Memory::new(vec![message("a"), message("b"), message("c")]);
        let seen = store.snapshot().unwrap();
        // What came and what went meanwhile moves no place.
        store.snapshot().unwrap().remove(&[true, false, false]).unwrap();
        store.push(message("d"));
        seen.remove(&[true, true, false]).unwrap();
        let left = store.snapshot().unwrap();
        let left: Vec<_> = (0..left.scans().len()).map(|place| left.text(place).unwrap()).collect();
        assert!(matches!(&left[..], [Text::Whole(c), Text::Whole(d)] if c == "c\r\n" && d == "d\r\n"));
    }
}
