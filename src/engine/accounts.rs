//! Who may log in. Shared by the sessions of a server; users may be added while it runs.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::pop3::secret::Secret;
use crate::wire::Micros;

/// The users of a server.
#[derive(Debug, Default)]
pub struct Accounts(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    listed: BTreeMap<String, Password>,
    /// Whoever is not listed is let in too.
    others: bool,
    /// When users logged in last, since the server began.
    logins: HashMap<String, Micros>,
}

/// What a user has to prove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Password {
    /// Nothing: every password, digest and token is right.
    Any,
    /// To know this one. It is compared octet for octet.
    Is(Secret),
}

impl From<&str> for Password {
    fn from(password: &str) -> Self {
        Self::Is(Secret::new(password))
    }
}

impl Accounts {
    /// Everyone, with any password.
    pub fn any() -> Self {
        let accounts = Self::default();
        accounts.admit_others();
        accounts
    }

    /// Adds a user, or gives one another password.
    pub fn add(&self, user: impl Into<String>, password: impl Into<Password>) {
        self.book().listed.insert(user.into(), password.into());
    }

    /// Lets in whoever is not listed, with any password.
    pub fn admit_others(&self) {
        self.book().others = true;
    }

    /// Whether a user is let in who has proven what `proves` says of the password.
    pub(super) fn admits(&self, user: &str, proves: impl FnOnce(&[u8]) -> bool) -> bool {
        // Computing a digest can take a while: not with the book in hand.
        let password = self.password(user);
        match password {
            Some(Password::Any) => true,
            Some(Password::Is(secret)) => proves(secret.reveal()),
            None => false,
        }
    }

    /// What a user has to prove; None for one who is not let in.
    pub(super) fn password(&self, user: &str) -> Option<Password> {
        let book = self.book();
        book.listed.get(user).cloned().or(book.others.then_some(Password::Any))
    }

    /// Whether there is a user whose password is known, as SCRAM needs it.
    pub(super) fn know_a_password(&self) -> bool {
        self.book().listed.values().any(|password| matches!(password, Password::Is(_)))
    }

    /// When a user's last login was noted.
    pub(super) fn last_login(&self, user: &str) -> Option<Micros> {
        self.book().logins.get(user).copied()
    }

    /// Notes a login.
    pub(super) fn log_in(&self, user: &str, now: Micros) {
        self.book().logins.insert(user.to_owned(), now);
    }

    /// The book is whole between any two statements, so a panic elsewhere has left it sound.
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<U: Into<String>, P: Into<Password>> FromIterator<(U, P)> for Accounts {
    fn from_iter<I: IntoIterator<Item = (U, P)>>(users: I) -> Self {
        let accounts = Self::default();
        users.into_iter().for_each(|(user, password)| accounts.add(user, password));
        accounts
    }
}
