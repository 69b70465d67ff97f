//! UPDATE: what was marked is removed, and the maildrop let go (RFC 1939 section 6).

use super::reply::Reply;
use super::responder::Canned;
use super::turn::{Stage, Turn};
use super::wording::{Facts, Say};
use crate::pop3::Status;
use crate::wire::NotRemoved;

/// The state that QUIT leads to from TRANSACTION. It ends with the session.
#[derive(Debug)]
pub(super) struct Update {
    /// What is left.
    facts: Facts,
    canned: Option<Canned>,
}

impl Update {
    /// Begins with what TRANSACTION leaves.
    pub(super) fn new(facts: Facts, canned: Option<Canned>) -> Self {
        Self { facts, canned }
    }

    /// Takes leave once the maildrop is closed.
    pub(super) fn committed(self, result: Result<(), NotRemoved>) -> Turn {
        let say = if self.facts.count == 0 { Say::QuitEmpty } else { Say::Quit };
        match (result, self.canned) {
            (Err(NotRemoved), canned)
                if canned.as_ref().is_none_or(|canned| canned.status == Some(Status::Ok)) =>
            {
                Turn::answer(Stage::Over, Err(Say::NotRemoved.into()))
            }
            (_, Some(canned)) => Turn::canned(Stage::Over, canned),
            (_, None) => Turn::answer(Stage::Over, Ok(Reply::about(say, self.facts))),
        }
    }
}
