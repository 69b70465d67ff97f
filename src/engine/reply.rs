//! The answer to a command: [`Reply`] where the server does what it was asked, [`Refusal`] where it does not.
//! Both name the situation; its text is the wording's.

use bytes::Bytes;

use super::facts::{Facts, echo};
use super::quirks::Quirks;
use super::wording::Say;
use crate::pop3::State;
use crate::pop3::command::Row;

/// The answer to a command.
pub(super) type Answer = Result<Reply, Refusal>;

/// A positive response (RFC 1939 section 3).
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) say: Say,
    pub(super) facts: Facts,
    /// Whole lines, byte-stuffed, without the terminator; None where the response is one line.
    pub(super) body: Option<Bytes>,
}

impl Reply {
    /// A response of one line.
    pub(super) fn ok(say: Say) -> Self {
        Self { say, facts: Facts::default(), body: None }
    }

    /// The same with what it knows.
    pub(super) fn about(say: Say, facts: Facts) -> Self {
        Self { facts, ..Self::ok(say) }
    }

    /// The same with a body.
    pub(super) fn with_body(self, body: impl Into<Bytes>) -> Self {
        Self { body: Some(body.into()), ..self }
    }
}

/// Why a command gets a negative response (RFC 1939 section 3).
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) say: Say,
    pub(super) facts: Box<Facts>,
}

impl From<Say> for Refusal {
    fn from(say: Say) -> Self {
        Self::about(say, Facts::default())
    }
}

impl Refusal {
    pub(super) fn about(say: Say, facts: Facts) -> Self {
        Self { say, facts: Box::new(facts) }
    }

    /// Of a command as such.
    pub(super) fn of(say: Say, row: &'static Row) -> Self {
        Self::about(say, Facts { command: Some(row), ..Facts::default() })
    }

    /// Of a command that has no place in a state.
    pub(super) fn in_state(row: &'static Row, state: State) -> Self {
        let say = if state == State::Authorization { Say::WrongState } else { Say::WrongStateLater };
        Self::about(say, Facts { command: Some(row), state, ..Facts::default() })
    }

    /// Of a command that is not known in a state.
    pub(super) fn unknown(state: State) -> Self {
        Self::from(if state == State::Authorization { Say::Unknown } else { Say::UnknownLater })
    }

    /// Of a command that this server does not have.
    pub(super) fn not_implemented(row: &'static Row, state: State) -> Self {
        let before = state == State::Authorization;
        Self::of(if before { Say::NotImplemented } else { Say::NotImplementedLater }, row)
    }

    /// Of a line that is longer than a command may be.
    pub(super) fn too_long(quirks: &Quirks, state: State) -> Self {
        let say = if state == State::Authorization { Say::TooLong } else { Say::TooLongLater };
        Self::about(say, Facts { limit: Some(quirks.longest_command(state)), ..Facts::default() })
    }

    /// Of what cannot be read as it should.
    pub(super) fn of_rest(say: Say, row: &'static Row, rest: &[u8]) -> Self {
        Self::about(say, Facts { command: Some(row), rest: echo(rest).into_owned(), ..Facts::default() })
    }

    /// Of a message.
    pub(super) fn of_message(say: Say, number: u64) -> Self {
        Self::about(say, Facts { n: Some(number), ..Facts::default() })
    }
}
