//! UPDATE: what was marked is removed, and the maildrop let go (RFC 1939 section 6).

use super::facts::Facts;
use super::reply::Reply;
use super::responder::Canned;
use super::turn::{Stage, Turn};
use super::wording::Say;
use crate::pop3::Status;
use crate::wire::NotRemoved;

/// The state that QUIT leads to from TRANSACTION. It ends with the session.
#[derive(Debug)]
pub(super) struct Update {
    /// What is left.
    facts: Facts,
    /// Whether anything goes.
    removes: bool,
    canned: Option<Canned>,
}

impl Update {
    /// Begins with what TRANSACTION leaves.
    pub(super) fn new(facts: Facts, removes: bool, canned: Option<Canned>) -> Self {
        Self { facts, removes, canned }
    }

    /// Takes leave once the maildrop is closed.
    pub(super) fn committed(self, result: Result<(), NotRemoved>) -> Turn {
        let say = match (self.removes, self.facts.count) {
            (false, 0) => Say::QuitEmpty,
            (false, _) => Say::Quit,
            (true, 0) => Say::QuitRemovedAll,
            (true, _) => Say::QuitRemoved,
        };
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
