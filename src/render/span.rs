//! [`Span`]: a piece of text and what it is. How it looks is the painter's affair.

use unicode_width::UnicodeWidthStr as _;

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The session's number.
    Session,
    /// A time.
    Time,
    /// A mark in the margin that makes an exchange stand out without colour.
    Mark,
    /// What the client sent.
    Command,
    /// `+OK` or `+`.
    Ok,
    /// `-ERR`, or no answer.
    Err,
    /// What the server said.
    Text,
    /// How long it took.
    Latency,
    /// The same where it was long.
    Slow,
    /// A change of the state.
    State,
    /// What was made of the octets: tables, summaries, counts.
    Detail,
    /// A line of a body.
    Body,
    /// Something that went wrong.
    Warning,
}

/// A piece of text, escaped, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// What it is.
    pub role: Role,
    /// Safe for any terminal.
    pub text: String,
}

/// A line of output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line(pub Vec<Span>);

impl Line {
    /// The line with one more span.
    #[must_use]
    pub fn with(mut self, role: Role, text: impl Into<String>) -> Self {
        self.0.push(Span { role, text: text.into() });
        self
    }

    /// The text without roles or trailing blanks.
    pub fn plain(&self) -> String {
        let text: String = self.0.iter().map(|span| span.text.as_str()).collect();
        text.trim_end().to_owned()
    }

    /// How many columns it takes.
    pub fn width(&self) -> usize {
        self.0.iter().map(|span| span.text.width()).sum()
    }
}
