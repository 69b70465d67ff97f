//! Commands: the [`COMMANDS`] table, from which parsing, pairing, redaction, the engine's argument checks
//! and the documentation follow, and [`Command`], a line taken apart.

use std::ops::Range;

use super::lines::split_ending;
use super::state::State;

/// The keyword of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the keyword of its row in COMMANDS")]
pub enum Keyword {
    Retr,
    Dele,
    List,
    Uidl,
    Top,
    Stat,
    Noop,
    Rset,
    Quit,
    User,
    Pass,
    Apop,
    Auth,
    Capa,
    Stls,
    Utf8,
    Lang,
    Last,
    Rpop,
    Xtnd,
    Xauth,
    Xsender,
    Xoip,
    /// Anything else: kept as it came.
    Unknown,
}

/// The shape of a `+OK` response (protocol rule: `-ERR` is one line for every command).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The status line alone.
    SingleLine,
    /// A body up to the terminator.
    MultiLine,
    /// A body only where the command came without an argument.
    MultiLineWithoutArgument,
    /// Challenges, then a status line; a body where the command came without an argument.
    Sasl,
    /// One line, after which the client uploads a body of its own where the argument is `XMIT`.
    Upload,
    /// Not known: one line, and what follows unasked belongs to it.
    Unknown,
}

/// What of the arguments is secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hidden {
    /// Nothing.
    Nothing,
    /// All that follows the keyword.
    All,
    /// All that follows the first argument.
    AfterFirst,
}

/// A command and its facts.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The keyword.
    pub keyword: Keyword,
    /// As it goes over the wire.
    pub name: &'static str,
    /// The arguments, for people: `msg [n]`.
    pub syntax: &'static str,
    /// The least and the greatest number of arguments.
    pub arity: (u8, u8),
    /// Where it is legal.
    pub states: &'static [State],
    /// What `+OK` looks like.
    pub shape: Shape,
    /// What must not be shown.
    pub hidden: Hidden,
    /// Where it is defined.
    pub reference: &'static str,
}

const LOGIN: &[State] = &[State::Authorization];
const MAIL: &[State] = &[State::Transaction];
const BOTH: &[State] = &[State::Authorization, State::Transaction];

const fn row(
    keyword: Keyword,
    name: &'static str,
    (syntax, arity): (&'static str, (u8, u8)),
    states: &'static [State],
    shape: Shape,
    hidden: Hidden,
    reference: &'static str,
) -> Row {
    Row { keyword, name, syntax, arity, states, shape, hidden, reference }
}

/// Every command with a name of its own. The most frequent stand first: look-up goes in order.
#[rustfmt::skip]
pub const COMMANDS: &[Row] = {
    use Hidden::{All, AfterFirst, Nothing};
    use Keyword as K;
    use Shape::{MultiLine, MultiLineWithoutArgument, Sasl, SingleLine, Upload};
    &[
        row(K::Retr, "RETR", ("msg", (1, 1)),               MAIL,  MultiLine,                Nothing,    "RFC 1939 s5"),
        row(K::Dele, "DELE", ("msg", (1, 1)),               MAIL,  SingleLine,               Nothing,    "RFC 1939 s5"),
        row(K::List, "LIST", ("[msg]", (0, 1)),             MAIL,  MultiLineWithoutArgument, Nothing,    "RFC 1939 s5"),
        row(K::Uidl, "UIDL", ("[msg]", (0, 1)),             MAIL,  MultiLineWithoutArgument, Nothing,    "RFC 1939 s7"),
        row(K::Top,  "TOP",  ("msg n", (2, 2)),             MAIL,  MultiLine,                Nothing,    "RFC 1939 s7"),
        row(K::Stat, "STAT", ("", (0, 0)),                  MAIL,  SingleLine,               Nothing,    "RFC 1939 s5"),
        row(K::Noop, "NOOP", ("", (0, 0)),                  MAIL,  SingleLine,               Nothing,    "RFC 1939 s5"),
        row(K::Rset, "RSET", ("", (0, 0)),                  MAIL,  SingleLine,               Nothing,    "RFC 1939 s5"),
        row(K::Quit, "QUIT", ("", (0, 0)),                  BOTH,  SingleLine,               Nothing,    "RFC 1939 s4, s6"),
        row(K::User, "USER", ("name", (1, 1)),              LOGIN, SingleLine,               Nothing,    "RFC 1939 s7"),
        row(K::Pass, "PASS", ("string", (1, 1)),            LOGIN, SingleLine,               All,        "RFC 1939 s7"),
        row(K::Apop, "APOP", ("name digest", (2, 2)),       LOGIN, SingleLine,               AfterFirst, "RFC 1939 s7"),
        row(K::Auth, "AUTH", ("[mechanism [initial-response]]", (0, 2)), LOGIN, Sasl,        AfterFirst, "RFC 5034 s4"),
        row(K::Capa, "CAPA", ("", (0, 0)),                  BOTH,  MultiLine,                Nothing,    "RFC 2449 s5"),
        row(K::Stls, "STLS", ("", (0, 0)),                  LOGIN, SingleLine,               Nothing,    "RFC 2595 s4"),
        row(K::Utf8, "UTF8", ("", (0, 0)),                  LOGIN, SingleLine,               Nothing,    "RFC 6856 s2"),
        row(K::Lang, "LANG", ("[tag]", (0, 1)),             BOTH,  MultiLineWithoutArgument, Nothing,    "RFC 6856 s3"),
        row(K::Last, "LAST", ("", (0, 0)),                  MAIL,  SingleLine,               Nothing,    "RFC 1460 s5, obsolete"),
        row(K::Rpop, "RPOP", ("name", (1, 1)),              LOGIN, SingleLine,               Nothing,    "RFC 1081, obsolete"),
        row(K::Xtnd, "XTND", ("XMIT | XLST [header]", (1, 2)), MAIL, Upload,                 Nothing,    "RFC 1082, Qpopper"),
        row(K::Xauth, "XAUTH", ("string", (1, 9)),          LOGIN, SingleLine,               All,        "private"),
        row(K::Xsender, "XSENDER", ("msg", (1, 1)),         MAIL,  SingleLine,               Nothing,    "private, Netscape"),
        row(K::Xoip, "XOIP", ("address", (1, 1)),           LOGIN, SingleLine,               Nothing,    "private, Zimbra"),
    ]
};

/// A keyword is the place of its row.
const _: () = {
    let mut at = 0;
    while at < COMMANDS.len() {
        assert!(COMMANDS[at].keyword as usize == at, "the keywords are in the order of the rows");
        at += 1;
    }
};

/// The longest keyword that [`first_word`] has a code for.
const LONGEST: usize = 7;

const fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

/// Where the word ends that a line begins with, and its code: its octets in upper case in one number behind a
/// marker, so that a look-up compares integers; 0 where it is too long to be a keyword.
const fn first_word(line: &[u8]) -> (usize, u64) {
    let (mut code, mut end) = (1, 0);
    while end < line.len() && !is_blank(line[end]) {
        code = code << 8 | line[end].to_ascii_uppercase() as u64;
        end += 1;
    }
    (end, if end > LONGEST { 0 } else { code })
}

const CODES: [u64; COMMANDS.len()] = {
    let (mut codes, mut at) = ([0; COMMANDS.len()], 0);
    while at < codes.len() {
        codes[at] = first_word(COMMANDS[at].name.as_bytes()).1;
        at += 1;
    }
    codes
};

impl Keyword {
    /// The keyword that a word names, in any case (RFC 1939 section 3).
    pub fn of(word: &[u8]) -> Self {
        let (end, code) = first_word(word);
        if end == word.len() { Self::with(code) } else { Self::Unknown }
    }

    fn with(wanted: u64) -> Self {
        CODES.iter().position(|&code| code == wanted).map_or(Self::Unknown, |at| COMMANDS[at].keyword)
    }

    /// Its row; none for an unknown command.
    #[inline]
    pub fn row(self) -> Option<&'static Row> {
        COMMANDS.get(self as usize)
    }
}

/// A command line taken apart. Lenient: blanks before the keyword and tabs are skipped as real servers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command<'a> {
    /// The keyword.
    pub keyword: Keyword,
    /// The keyword as it was written.
    pub name: &'a [u8],
    /// All that follows the first blank after the keyword, as it came.
    pub arguments: &'a [u8],
}

impl<'a> Command<'a> {
    /// Takes a line apart, with or without its ending.
    #[inline]
    pub fn parse(line: &'a [u8]) -> Self {
        let (line, _) = split_ending(line);
        let start = line.iter().position(|&b| !is_blank(b)).unwrap_or(line.len());
        let line = &line[start..];
        let (end, code) = first_word(line);
        Self {
            keyword: Keyword::with(code),
            name: &line[..end],
            arguments: line.get(end + 1..).unwrap_or_default(),
        }
    }

    /// The arguments, split at blanks.
    pub fn words(&self) -> impl Iterator<Item = &'a [u8]> {
        self.arguments.split(|&b| is_blank(b)).filter(|word| !word.is_empty())
    }

    /// Whether there is an argument at all.
    pub fn has_argument(&self) -> bool {
        self.words().next().is_some()
    }

    /// Where in `line`, which this was parsed from, the secret stands.
    #[inline]
    pub fn hidden(&self, line: &[u8]) -> Option<Range<usize>> {
        match self.keyword.row()?.hidden {
            Hidden::Nothing => None,
            Hidden::All => self.hidden_behind(0, line),
            Hidden::AfterFirst => self.hidden_behind(self.second_word()?, line),
        }
    }

    /// Where the second argument begins, in the arguments.
    fn second_word(&self) -> Option<usize> {
        let first = self.arguments.iter().position(|&b| !is_blank(b))?;
        let blank = first + self.arguments[first..].iter().position(|&b| is_blank(b))?;
        Some(blank + self.arguments[blank..].iter().position(|&b| !is_blank(b))?)
    }

    /// What stands behind so many octets of the arguments, in `line`.
    fn hidden_behind(&self, skip: usize, line: &[u8]) -> Option<Range<usize>> {
        let end = split_ending(line).0.len();
        let secret = end - self.arguments.len() + skip..end;
        // `AUTH PLAIN =` says that the initial response is empty: there is nothing to hide.
        let empty = self.keyword == Keyword::Auth && &line[secret.clone()] == b"=";
        (!secret.is_empty() && !empty).then_some(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_name_in_any_case() {
        for row in COMMANDS {
            assert_eq!(Keyword::of(row.name.to_ascii_lowercase().as_bytes()), row.keyword, "{}", row.name);
            assert_eq!(row.keyword.row().map(|r| r.name), Some(row.name));
        }
        assert_eq!(Keyword::of(b"XYZZY"), Keyword::Unknown);
        assert_eq!(Keyword::of(b""), Keyword::Unknown);
        assert_eq!(Keyword::of(b"\0RETR"), Keyword::Unknown);
    }

    #[test]
    fn a_password_is_all_that_follows_the_first_space() {
        let command = Command::parse(b"pass  two words \r\n");
        assert_eq!((command.keyword, command.arguments), (Keyword::Pass, &b" two words "[..]));
    }

    #[test]
    fn what_is_hidden_is_the_secret_and_no_more() {
        let hidden = |line: &'static str| {
            let command = Command::parse(line.as_bytes());
            command.hidden(line.as_bytes()).map(|range| &line[range])
        };
        assert_eq!(hidden("PASS se cret \r\n"), Some("se cret "));
        assert_eq!(hidden(" pass\tsecret\n"), Some("secret"));
        assert_eq!(hidden("PASS\r\n"), None);
        assert_eq!(
            hidden("APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n"),
            Some("c4c9334bac560ecc979e58001b3e22fb")
        );
        assert_eq!(hidden("APOP mrose\r\n"), None);
        assert_eq!(hidden("AUTH PLAIN AGtjb3Bl\r\n"), Some("AGtjb3Bl"));
        assert_eq!(hidden("AUTH EXTERNAL =\r\n"), None);
        assert_eq!(hidden("USER kcope\r\n"), None);
    }
}
