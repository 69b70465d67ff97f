//! Maildrops in memory: every user has one of their own, made from the same messages.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Hold, Maildrop, Message, NotRemoved, OpenError, Source};

/// A source without I/O. What a user deletes stays deleted for that user as long as the source lives.
/// A clone is the same source.
#[derive(Debug, Clone)]
pub struct Memory(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    messages: Arc<[Message]>,
    users: Mutex<Users>,
}

/// Users appear here by what they do, not by their name alone: where any name is accepted, logging in costs
/// no memory beyond the session.
#[derive(Debug, Default)]
struct Users {
    /// Whose maildrop is open.
    locked: HashSet<String>,
    /// What is left to those who deleted something.
    left: HashMap<String, Arc<[Message]>>,
}

impl Memory {
    /// Gives each user these messages.
    pub fn new(messages: impl Into<Arc<[Message]>>) -> Self {
        Self(Arc::new(Shared { messages: messages.into(), users: Mutex::default() }))
    }
}

impl Shared {
    /// The users are whole between any two statements, so a panic elsewhere has left them sound.
    fn users(&self) -> MutexGuard<'_, Users> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for Memory {
    fn open(&self, user: &str) -> Result<Maildrop, OpenError> {
        let mut users = self.0.users();
        if !users.locked.insert(user.to_owned()) {
            return Err(OpenError::InUse);
        }
        let messages = Arc::clone(users.left.get(user).unwrap_or(&self.0.messages));
        let lock = Lock { shared: Arc::clone(&self.0), user: user.to_owned(), opened: Arc::clone(&messages) };
        Ok(Maildrop::new(messages, Box::new(lock)))
    }
}

#[derive(Debug)]
struct Lock {
    shared: Arc<Shared>,
    user: String,
    opened: Arc<[Message]>,
}

impl Hold for Lock {
    fn commit(self: Box<Self>, marked: &[bool]) -> Result<(), NotRemoved> {
        if marked.contains(&true) {
            let places = self.opened.iter().zip(marked);
            let left = places.filter(|&(_, &marked)| !marked).map(|(message, _)| message.clone()).collect();
            self.shared.users().left.insert(self.user.clone(), left);
        }
        Ok(())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.shared.users().locked.remove(&self.user);
    }
}

#[cfg(test)]
mod tests {
    use super::super::load;
    use super::*;

    fn three() -> Memory {
        Memory::new(load(["a", "b", "c"]))
    }

    fn texts(maildrop: &Maildrop) -> Vec<&[u8]> {
        maildrop.messages().iter().map(|message| &message.octets()[..]).collect()
    }

    #[test]
    fn a_maildrop_is_open_once_at_a_time_for_each_user() {
        let source = three();
        let first = source.open("kcope");
        assert!(first.is_ok());
        assert_eq!(source.clone().open("kcope").err(), Some(OpenError::InUse));
        assert!(source.open("mrose").is_ok());
        drop(first);
        assert!(source.open("kcope").is_ok_and(|maildrop| maildrop.commit(&[false; 3]).is_ok()));
        assert!(source.open("kcope").is_ok());
    }

    #[test]
    fn commit_removes_what_is_marked_and_dropping_nothing() {
        let source = three();
        drop(source.open("kcope"));
        let open = || source.open("kcope").unwrap_or_else(|error| unreachable!("{error}"));
        let ids: Vec<_> = open().messages().iter().map(|message| message.unique_id().clone()).collect();
        assert_eq!(open().commit(&[false, true, false]), Ok(()));
        assert_eq!(texts(&open()), [b"a\r\n", b"c\r\n"]);
        assert_eq!(open().messages()[1].unique_id(), &ids[2]);
        assert_eq!(open().commit(&[true, false]), Ok(()));
        assert_eq!(texts(&open()), [b"c\r\n"]);
        assert!(source.open("mrose").is_ok_and(|maildrop| maildrop.messages().len() == 3));
    }

    #[test]
    fn of_many_threads_one_opens_it() {
        let source = three();
        let opened: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| source.open("kcope"))).collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()?.ok()).collect()
        });
        assert_eq!(opened.len(), 1);
    }
}
