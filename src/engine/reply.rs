//! What the server says: [`Reply`] where it does what it was asked, [`Refusal`] where it does not. The
//! wording is that of RFC 1939's examples.

use bytes::Bytes;

use crate::maildrop::{NotRemoved, OpenError};
use crate::pop3::State;
use crate::pop3::command::Row;

/// The answer to a command.
pub(super) type Answer = Result<Reply, Refusal>;

/// A positive response (RFC 1939 section 3).
#[derive(Debug)]
pub(super) struct Reply {
    /// What follows `+OK`; may be empty.
    pub(super) text: String,
    /// Whole lines, byte-stuffed, without the terminator; None where the response is one line.
    pub(super) body: Option<Bytes>,
}

impl Reply {
    /// A response of one line.
    pub(super) fn ok(text: impl Into<String>) -> Self {
        Self { text: text.into(), body: None }
    }

    /// The same with a body.
    pub(super) fn with_body(self, body: impl Into<Bytes>) -> Self {
        Self { body: Some(body.into()), ..self }
    }
}

/// Why a command gets a negative response (RFC 1939 section 3), in the words that follow `-ERR`. Nothing that
/// the client sent is ever repeated in them.
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub(super) enum Refusal {
    #[error("unknown command")]
    Unknown,
    #[error("{} is not implemented", .0.name)]
    NotImplemented(&'static Row),
    #[error("command line is longer than {} octets", super::MAX_COMMAND)]
    TooLong,
    #[error("{} is not a command of the {} state", .0.name, .1.name())]
    WrongState(&'static Row, State),
    #[error("usage: {}{}{}", .0.name, if .0.syntax.is_empty() { "" } else { " " }, .0.syntax)]
    Usage(&'static Row),
    #[error("line count missing, usage: {} {}", .0.name, .0.syntax)]
    LineCountMissing(&'static Row),

    #[error("USER comes first")]
    NoUser,
    #[error("no timestamp in the greeting to make a digest of")]
    NoTimestamp,
    /// RFC 3206 section 4. One text for both, so that nobody learns which names exist (RFC 1939 section 13).
    #[error("[AUTH] invalid user name or password")]
    BadCredentials,
    /// RFC 2449 section 8.1.2.
    #[error("[IN-USE] {0}")]
    NotOpened(OpenError),

    #[error("no such message")]
    NoSuchMessage,
    #[error("no such message, only {} in maildrop", messages(*.0))]
    OnlySoMany(usize),
    #[error("message {0} already deleted")]
    Deleted(usize),
    #[error(transparent)]
    NotRemoved(#[from] NotRemoved),
}

impl From<OpenError> for Refusal {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::InUse => Self::NotOpened(error),
        }
    }
}

/// `1 message`, `2 messages`.
pub(super) fn messages(count: usize) -> String {
    format!("{count} message{}", if count == 1 { "" } else { "s" })
}

/// `1 octet`, `2 octets`.
pub(super) fn octets(count: u64) -> String {
    format!("{count} octet{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pop3::command::COMMANDS;

    /// P3-010, P3-012: every text fits into a status line and is printable ASCII.
    #[test]
    fn refusals_are_status_lines() {
        let of_rows = COMMANDS.iter().flat_map(|row| {
            [
                Refusal::Usage(row),
                Refusal::NotImplemented(row),
                Refusal::WrongState(row, State::Authorization),
            ]
        });
        let others =
            [Refusal::TooLong, Refusal::OnlySoMany(usize::MAX), Refusal::NotOpened(OpenError::InUse)];
        for text in of_rows.chain(others).map(|refusal| refusal.to_string()) {
            assert!(text.len() < 500 && text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()), "{text}");
            assert_eq!(text.trim(), text);
        }
    }

    #[test]
    fn one_is_singular() {
        assert_eq!([0, 1, 2].map(messages), ["0 messages", "1 message", "2 messages"]);
        assert_eq!([0, 1, 2].map(octets), ["0 octets", "1 octet", "2 octets"]);
    }
}
