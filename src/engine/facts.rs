//! What a text can tell: the placeholders, and what each stands for.

use std::borrow::Cow;

use crate::pop3::State;
use crate::pop3::command::Row as Command;

/// What placeholders may stand in a text.
pub(super) const PLACEHOLDERS: &[&str] = &[
    "n",
    "count",
    "size",
    "messages",
    "octets",
    "id",
    "user",
    "name",
    "host",
    "timestamp",
    "command",
    "usage",
    "state",
    "limit",
    "language",
    "word",
    "WORD",
    "arguments",
    "rest",
];

/// Those that give back what the client sent: blanks at their end are the client's own.
pub(super) const ECHOES: &[&str] = &["word", "WORD", "arguments", "rest"];

/// What a situation knows.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub(super) n: Option<u64>,
    pub(super) count: usize,
    pub(super) size: u64,
    pub(super) id: Option<String>,
    pub(super) user: Option<String>,
    pub(super) command: Option<&'static Command>,
    pub(super) state: State,
    pub(super) language: &'static str,
    /// The longest line, where one is too long.
    pub(super) limit: Option<usize>,
    /// What of the arguments cannot be read, fit to be sent back.
    pub(super) rest: String,
}

/// What a text can be about: the situation's facts, the server's, and the client's line.
pub(super) struct About<'a> {
    pub(super) facts: &'a Facts,
    pub(super) host: &'a str,
    pub(super) timestamp: &'a str,
    pub(super) line: &'a [u8],
}

impl About<'_> {
    /// What stands in the place of a placeholder.
    pub(super) fn value(&self, name: &str) -> Cow<'_, str> {
        let facts = self.facts;
        let number = |n: u64| Cow::Owned(n.to_string());
        match name {
            "n" => facts.n.map_or(Cow::Borrowed(""), number),
            "count" => number(facts.count as u64),
            "size" => number(facts.size),
            "messages" => messages(facts.count).into(),
            "octets" => octets(facts.size).into(),
            "id" => facts.id.as_deref().unwrap_or_default().into(),
            "user" => facts.user.as_deref().unwrap_or_default().into(),
            "name" => {
                let user = facts.user.as_deref().unwrap_or_default();
                user.split_once('@').map_or(user, |(name, _)| name).into()
            }
            "host" => self.host.into(),
            "timestamp" => self.timestamp.into(),
            "command" => facts.command.map_or("", |row| row.name).into(),
            "usage" => facts.command.map_or(Cow::Borrowed(""), |row| {
                let space = if row.syntax.is_empty() { "" } else { " " };
                format!("{}{space}{}", row.name, row.syntax).into()
            }),
            "state" => facts.state.name().into(),
            "limit" => number(facts.limit.unwrap_or(super::MAX_COMMAND) as u64),
            "language" => facts.language.into(),
            "word" => self.word(),
            "WORD" => self.word().to_ascii_uppercase().into(),
            "rest" => facts.rest.as_str().into(),
            "arguments" => {
                let from = memchr::memchr(b' ', self.line).map_or(self.line.len(), |at| at + 1);
                echo(&self.line[from..])
            }
            _ => Cow::Borrowed(""),
        }
    }

    fn word(&self) -> Cow<'static, str> {
        echo(self.line.split(|&octet| octet == b' ').next().unwrap_or_default())
    }
}

/// What the client sent, fit to be sent back: printable, and short enough for a status line.
pub(super) fn echo(octets: &[u8]) -> Cow<'static, str> {
    let printable = octets.iter().filter(|&&octet| octet == b' ' || octet.is_ascii_graphic());
    printable.take(100).map(|&octet| char::from(octet)).collect::<String>().into()
}

/// `1 message`, `2 messages`.
fn messages(count: usize) -> String {
    format!("{count} message{}", if count == 1 { "" } else { "s" })
}

/// `1 octet`, `2 octets`.
fn octets(count: u64) -> String {
    format!("{count} octet{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular() {
        assert_eq!([0, 1, 2].map(messages), ["0 messages", "1 message", "2 messages"]);
        assert_eq!([0, 1, 2].map(octets), ["0 octets", "1 octet", "2 octets"]);
    }
}
