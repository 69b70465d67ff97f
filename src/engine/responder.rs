//! Who may answer in the engine's place: a script made from a recording. The engine keeps the session's state
//! and does what an answer means, whoever gave it; where nobody answers, it does.

use std::fmt::{self, Debug};
use std::sync::Arc;

use bytes::Bytes;

use super::Server;
use crate::maildrop::Source;
use crate::pop3::{Keyword, State, Status};
use crate::wire::{Close, Listing, Micros};

/// Answers in the engine's place.
pub trait Responder: Debug + Send {
    /// The greeting; None: the engine's own.
    fn greeting(&mut self) -> Option<Canned>;

    /// The answer to a command; None: the engine's own.
    fn respond(&mut self, asked: &Asked<'_>) -> Option<Canned>;

    /// The engine has answered the command that [`Self::respond`] was asked for last.
    fn answered(&mut self, status: Status);

    /// The answer that was given last was not: the login that it tells of did not come to its end, and the engine
    /// answered so instead.
    fn overruled(&mut self, status: Status);

    /// A maildrop was opened, with these messages.
    fn opened(&mut self, listing: &Listing);
}

/// A command as it stands before it is answered. Its line may hold a password and is not shown.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The line with its ending.
    pub line: &'a [u8],
    /// What it asks.
    pub keyword: Keyword,
    /// The session's state.
    pub state: State,
    /// It came under TLS.
    pub tls: bool,
    /// For each message whether it is marked as deleted; empty before login.
    pub marked: &'a [bool],
}

impl Debug for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked").field("keyword", &self.keyword).finish_non_exhaustive()
    }
}

/// An answer as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canned {
    /// Whether it is a positive one: then the engine's state follows it.
    pub status: Option<Status>,
    /// Whether it came behind challenges: these are the engine's own then (RFC 5034 section 4).
    pub challenged: bool,
    /// Its octets in pieces, each with the time from the command on until it is sent.
    pub pieces: Vec<(Micros, Bytes)>,
    /// How the server ends the session after it.
    pub then: Option<Close>,
}

/// What a session is made from.
#[derive(Debug)]
pub struct Scene {
    /// The server whose session it is.
    pub server: Arc<Server>,
    /// Where its maildrop comes from.
    pub source: Arc<dyn Source>,
    /// Who answers in the engine's place.
    pub script: Option<Box<dyn Responder>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        let asked = Asked {
            line: b"PASS hunter2\r\n",
            keyword: Keyword::Pass,
            state: State::Authorization,
            tls: false,
            marked: &[],
        };
        assert_eq!(format!("{asked:?}"), "Asked { keyword: Pass, .. }");
    }
}
