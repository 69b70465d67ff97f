//! What the server says: a row for each situation with its default text, RFC 1939's own where it has one. A
//! text is a template: `{n}` and the like stand for what the situation knows.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

use super::facts::{About, ECHOES, PLACEHOLDERS};

/// A situation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each has its row in WORDING")]
pub enum Say {
    Greeting,
    User,
    LoggedIn,
    Stat,
    List,
    ListOne,
    Uidl,
    UidlOne,
    Retr,
    Top,
    Dele,
    Noop,
    Rset,
    Last,
    Capa,
    Utf8,
    Lang,
    Languages,
    Stls,
    Mechanisms,
    QuitEarly,
    Quit,
    QuitEmpty,
    QuitRemoved,
    QuitRemovedAll,
    Unknown,
    UnknownLater,
    NoCommandLater,
    NotImplemented,
    NotImplementedLater,
    NoTls,
    TooLong,
    TooLongLater,
    TooMany,
    TooManyLater,
    WrongState,
    WrongStateLater,
    NotAfterUser,
    UserAgain,
    Usage,
    NoArgument,
    NumberMissing,
    PasswordMissing,
    MechanismMissing,
    ExtraArgument,
    BadNumber,
    BadLines,
    NumberTooLarge,
    LinesTooLarge,
    NoiseAfterNumber,
    NoiseAfterLines,
    LineCountMissing,
    NoUser,
    NoTimestamp,
    BadCredentials,
    BadAuth,
    EmptyResponse,
    InUse,
    Unreadable,
    LoginDelay,
    NeedsTls,
    NoSuchMessage,
    NoSuchMessageToList,
    Zero,
    Deleted,
    NotRead,
    NotRemoved,
    NeedsUtf8,
    NoSuchLanguage,
    NoMechanism,
    NoInitialResponse,
    NotBase64,
    ResponseTooLong,
    Cancelled,
    BehindStls,
}

/// A situation and what is said in it.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The situation.
    pub say: Say,
    /// Its name in a profile.
    pub name: &'static str,
    /// What is said where nothing else was set.
    pub text: Text,
}

/// A default text.
#[derive(Debug, Clone, Copy)]
pub enum Text {
    /// This one.
    Is(&'static str),
    /// That of another situation, also where that one was set.
    As(Say),
}

const fn row(say: Say, name: &'static str, text: &'static str) -> Row {
    Row { say, name, text: Text::Is(text) }
}

const fn like(say: Say, name: &'static str, other: Say) -> Row {
    Row { say, name, text: Text::As(other) }
}

/// Every situation, in the order of [`Say`].
pub const WORDING: &[Row] = &[
    row(Say::Greeting, "greeting", "POP3 server ready {timestamp}"),
    row(Say::User, "user", ""),
    row(Say::LoggedIn, "logged-in", "{user}'s maildrop has {messages} ({octets})"),
    row(Say::Stat, "stat", "{count} {size}"),
    row(Say::List, "list", "{messages} ({octets})"),
    row(Say::ListOne, "list-one", "{n} {size}"),
    row(Say::Uidl, "uidl", ""),
    row(Say::UidlOne, "uidl-one", "{n} {id}"),
    row(Say::Retr, "retr", "{octets}"),
    row(Say::Top, "top", ""),
    row(Say::Dele, "dele", "message {n} deleted"),
    row(Say::Noop, "noop", ""),
    row(Say::Rset, "rset", "maildrop has {messages} ({octets})"),
    row(Say::Last, "last", "{n}"),
    row(Say::Capa, "capa", "capability list follows"),
    row(Say::Utf8, "utf8", ""),
    row(Say::Lang, "lang", "{language} is spoken here"),
    row(Say::Languages, "languages", "language listing follows"),
    row(Say::Stls, "stls", "begin TLS negotiation"),
    row(Say::Mechanisms, "mechanisms", "mechanisms follow"),
    row(Say::QuitEarly, "quit-early", "{host} POP3 server signing off"),
    row(Say::Quit, "quit", "{host} POP3 server signing off ({messages} left)"),
    row(Say::QuitEmpty, "quit-empty", "{host} POP3 server signing off (maildrop empty)"),
    like(Say::QuitRemoved, "quit-removed", Say::Quit),
    like(Say::QuitRemovedAll, "quit-removed-all", Say::QuitEmpty),
    row(Say::Unknown, "unknown", "unknown command"),
    like(Say::UnknownLater, "unknown-later", Say::Unknown),
    like(Say::NoCommandLater, "no-command-later", Say::UnknownLater),
    row(Say::NotImplemented, "not-implemented", "{command} is not implemented"),
    like(Say::NotImplementedLater, "not-implemented-later", Say::NotImplemented),
    like(Say::NoTls, "no-tls", Say::NotImplemented),
    row(Say::TooLong, "too-long", "command line is longer than {limit} octets"),
    like(Say::TooLongLater, "too-long-later", Say::TooLong),
    row(Say::TooMany, "too-many", "too many bad commands"),
    like(Say::TooManyLater, "too-many-later", Say::TooMany),
    row(Say::WrongState, "wrong-state", "{command} is not a command of the {state} state"),
    like(Say::WrongStateLater, "wrong-state-later", Say::WrongState),
    row(Say::NotAfterUser, "not-after-user", "only PASS and QUIT follow USER"),
    row(Say::UserAgain, "user-again", "USER was sent before"),
    row(Say::Usage, "usage", "usage: {usage}"),
    like(Say::NoArgument, "no-argument", Say::Usage),
    like(Say::NumberMissing, "number-missing", Say::NoArgument),
    like(Say::PasswordMissing, "password-missing", Say::NoArgument),
    like(Say::MechanismMissing, "mechanism-missing", Say::NoArgument),
    like(Say::ExtraArgument, "extra-argument", Say::Usage),
    like(Say::BadNumber, "bad-number", Say::Usage),
    like(Say::BadLines, "bad-lines", Say::BadNumber),
    like(Say::NumberTooLarge, "number-too-large", Say::BadNumber),
    like(Say::LinesTooLarge, "lines-too-large", Say::BadLines),
    like(Say::NoiseAfterNumber, "noise-after-number", Say::BadNumber),
    like(Say::NoiseAfterLines, "noise-after-lines", Say::BadLines),
    row(Say::LineCountMissing, "line-count-missing", "line count missing, usage: {usage}"),
    row(Say::NoUser, "no-user", "USER comes first"),
    row(Say::NoTimestamp, "no-timestamp", "no timestamp in the greeting to make a digest of"),
    // RFC 3206 section 4. One text for both, so that nobody learns which names exist (RFC 1939 section 13).
    row(Say::BadCredentials, "bad-credentials", "[AUTH] invalid user name or password"),
    like(Say::BadAuth, "bad-auth", Say::BadCredentials),
    like(Say::EmptyResponse, "empty-response", Say::BadAuth),
    // RFC 2449 section 8.1.2.
    row(Say::InUse, "in-use", "[IN-USE] maildrop already locked"),
    row(Say::Unreadable, "unreadable", "[SYS/TEMP] maildrop cannot be read"),
    row(Say::LoginDelay, "login-delay", "[LOGIN-DELAY] logged in too recently"),
    row(Say::NeedsTls, "needs-tls", "STLS comes first: the password would be readable on the way"),
    row(Say::NoSuchMessage, "no-such-message", "no such message"),
    row(Say::NoSuchMessageToList, "no-such-message-to-list", "no such message, only {messages} in maildrop"),
    like(Say::Zero, "zero", Say::NoSuchMessage),
    row(Say::Deleted, "deleted", "message {n} already deleted"),
    row(Say::NotRead, "not-read", "[SYS/TEMP] message cannot be read"),
    row(Say::NotRemoved, "not-removed", "some deleted messages not removed"),
    row(Say::NeedsUtf8, "needs-utf8", "[UTF8] message {n} is for UTF8 mode only"),
    row(Say::NoSuchLanguage, "no-such-language", "no such language"),
    row(Say::NoMechanism, "no-mechanism", "unsupported authentication mechanism"),
    row(Say::NoInitialResponse, "no-initial-response", "the mechanism takes no initial response"),
    row(Say::NotBase64, "not-base64", "response is not base64"),
    row(Say::ResponseTooLong, "response-too-long", "response is too long"),
    row(Say::Cancelled, "cancelled", "authentication cancelled"),
    row(Say::BehindStls, "behind-stls", "octets in clear follow STLS"),
];

/// The name of all situations that have no text of their own.
const OTHERS: &str = "others";

/// The texts of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wording {
    set: Vec<Option<Box<str>>>,
    /// What is said where nothing was set, in the place of the default texts.
    others: Option<Box<str>>,
}

impl Default for Wording {
    fn default() -> Self {
        Self { set: vec![None; WORDING.len()], others: None }
    }
}

impl Wording {
    /// Sets the text of a situation; refused, with a reason, where it has a placeholder that does not exist or
    /// would not fit into a status line (RFC 2449 section 4).
    pub fn set(&mut self, say: Say, text: &str) -> Result<(), String> {
        self.set[say as usize] = Some(checked(text)?);
        Ok(())
    }

    /// Sets the text of every situation that has none of its own, of the positive ones too.
    pub fn set_others(&mut self, text: &str) -> Result<(), String> {
        self.others = Some(checked(text)?);
        Ok(())
    }

    fn text(&self, say: Say) -> &str {
        let row = &WORDING[say as usize];
        match (&self.set[say as usize], row.text) {
            (Some(text), _) => text,
            (None, Text::Is(text)) => self.others.as_deref().unwrap_or(text),
            (None, Text::As(other)) => self.text(other),
        }
    }

    /// What is said: one line's worth of printable ASCII without the status. A blank that would end it goes, as
    /// the one before a timestamp that is not there, unless the client's own words stand behind it: real servers
    /// end a line with `: ` where there were none.
    pub(super) fn fill(&self, say: Say, about: &About<'_>) -> String {
        let text = self.text(say);
        let mut out = String::with_capacity(text.len() + 16);
        let (mut rest, mut kept) = (text, 0);
        while let Some((before, tail)) = rest.split_once('{') {
            out.push_str(before);
            let (name, tail) = tail.split_once('}').unwrap_or((tail, ""));
            out.push_str(&about.value(name));
            if ECHOES.contains(&name) {
                kept = out.len();
            }
            rest = tail;
        }
        out.push_str(rest);
        out.truncate(out.trim_end().len().max(kept));
        out
    }
}

/// A text that may be said.
fn checked(text: &str) -> Result<Box<str>, String> {
    for part in text.split('{').skip(1) {
        let name = part.split_once('}').map_or(part, |(name, _)| name);
        if !PLACEHOLDERS.contains(&name) {
            return Err(format!("there is no {{{name}}}; there are {}", PLACEHOLDERS.join(", ")));
        }
    }
    if text.len() > 400 || !text.bytes().all(|octet| octet == b' ' || octet.is_ascii_graphic()) {
        return Err("a text is at most 400 printable ASCII characters".to_owned());
    }
    Ok(text.into())
}

impl<'de> Deserialize<'de> for Wording {
    /// A map from names of [`WORDING`], or `others` for all that are not in it, to texts.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = Wording;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text for each situation")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Wording, A::Error> {
                let mut wording = Wording::default();
                while let Some((name, text)) = map.next_entry::<String, String>()? {
                    let set = match WORDING.iter().find(|row| row.name == name) {
                        Some(row) => wording.set(row.say, &text),
                        None if name == OTHERS => wording.set_others(&text),
                        None => {
                            let names: Vec<_> = WORDING.iter().map(|row| row.name).collect();
                            return Err(A::Error::custom(format!(
                                "no situation is called {name}; there are {}, and {OTHERS}",
                                names.join(", ")
                            )));
                        }
                    };
                    set.map_err(|why| A::Error::custom(format!("the text of {name}: {why}")))?;
                }
                Ok(wording)
            }
        }
        deserializer.deserialize_map(Texts)
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::Facts;
    use super::*;

    #[test]
    fn the_rows_stand_in_the_order_of_the_situations() {
        for (place, row) in WORDING.iter().enumerate() {
            assert_eq!(row.say as usize, place, "{}", row.name);
            if let Text::Is(text) = row.text {
                assert_eq!(Wording::default().set(row.say, text), Ok(()), "{}", row.name);
            }
        }
    }

    #[test]
    fn texts_are_filled_and_bad_ones_are_refused() {
        let mut wording = Wording::default();
        let facts = Facts { n: Some(7), ..Facts::default() };
        let about = About { facts: &facts, host: "dewey", timestamp: "", line: b"XYZZY a\x1b[2J b" };
        assert_eq!(wording.fill(Say::Greeting, &about), "POP3 server ready");
        assert_eq!(wording.set(Say::Dele, "{n} of {host}: {word}, {arguments}."), Ok(()));
        assert_eq!(wording.fill(Say::Dele, &about), "7 of dewey: XYZZY, a[2J b.");
        assert!(wording.set(Say::Dele, "{nn}").is_err());
        assert!(wording.set(Say::Dele, "a\r\n+OK").is_err());
        assert!(wording.set(Say::Dele, &"x".repeat(401)).is_err());
        // The client's blanks are kept, the server's are not.
        assert_eq!(wording.set(Say::Dele, "{WORD}: {rest}"), Ok(()));
        let about = About { line: b"xyzzy\r\n", ..about };
        assert_eq!(wording.fill(Say::Dele, &about), "XYZZY: ");
        assert_eq!(wording.set(Say::Dele, "{rest} {timestamp} "), Ok(()));
        assert_eq!(wording.fill(Say::Dele, &about), "");
        // A text that stands for another follows it.
        assert_eq!(wording.set(Say::Unknown, "what?"), Ok(()));
        assert_eq!(wording.fill(Say::UnknownLater, &about), "what?");
        // All others are those that were not set.
        assert_eq!(wording.set_others("no"), Ok(()));
        assert_eq!(wording.fill(Say::UnknownLater, &about), "what?");
        assert_eq!(wording.fill(Say::NoUser, &about), "no");
    }
}
