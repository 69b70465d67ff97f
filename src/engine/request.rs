//! Command lines out of the client's octets, and a command taken apart as strictly as RFC 1939 section 3 has
//! it, or as the quirks do.

use std::fmt;

use bytes::BytesMut;
use memchr::memchr;

use super::arguments::{Arguments, Words};
use super::policy::Policy;
use super::quirks::Quirks;
use super::reply::Refusal;
use super::wording::Say;
use crate::pop3::command::Row;
use crate::pop3::lines::split_ending;
use crate::pop3::{Command, Keyword, State};

/// The longest command line in octets, its ending included (RFC 2449 section 4).
pub const MAX_COMMAND: usize = 255;

/// The longest line of a SASL exchange (RFC 5034 section 4 sets none).
pub(super) const MAX_RESPONSE: usize = 64 * 1024;

/// The client's octets as lines. LF alone ends a line too. A line that is too long is never held: it counts
/// as one refused line, once its end has come.
#[derive(Default)]
pub(super) struct CommandLines {
    input: BytesMut,
    /// How much of a line that is too long was thrown away.
    discarded: usize,
}

/// Half a PASS may be in there.
impl fmt::Debug for CommandLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandLines").field("octets", &self.input.len()).finish_non_exhaustive()
    }
}

/// A line was thrown away.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl CommandLines {
    /// Takes the octets of a read.
    pub(super) fn push(&mut self, octets: &[u8]) {
        self.input.extend_from_slice(octets);
    }

    /// Whether there is anything to call [`Self::next`] for.
    pub(super) fn has_more(&self) -> bool {
        !self.input.is_empty()
    }

    /// How many octets were not looked at.
    pub(super) fn len(&self) -> usize {
        self.input.len()
    }

    /// Throws away what was not looked at.
    pub(super) fn clear(&mut self) {
        self.input.clear();
    }

    /// How many octets the line has that is being thrown away.
    pub(super) fn discarded(&self) -> usize {
        self.discarded
    }

    /// The next whole line; an error in its place where it is longer than `limit`. Call until there is none:
    /// only then is what remains within bounds.
    pub(super) fn next(&mut self, limit: usize) -> Option<Result<BytesMut, TooLong>> {
        if let Some(end) = memchr(b'\n', &self.input) {
            let line = self.input.split_to(end + 1);
            let too_long = std::mem::take(&mut self.discarded) > 0 || line.len() > limit;
            return Some(if too_long { Err(TooLong) } else { Ok(line) });
        }
        if self.discarded > 0 || self.input.len() >= limit {
            self.discarded += self.input.len();
            self.input.clear();
        }
        None
    }
}

/// A command that has a row of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    row: &'static Row,
    /// All that follows the keyword, separator included.
    rest: &'a [u8],
    policy: &'a Policy,
}

impl<'a> Request<'a> {
    /// Takes a line apart.
    pub(super) fn parse(line: &'a [u8], policy: &'a Policy, state: State) -> Result<Self, Refusal> {
        let quirks = &policy.quirks;
        let command = Command::parse(line);
        let line = quirks.blanks.skip(split_ending(line).0);
        let unknown = || match line.first() {
            None | Some(b' ') if state != State::Authorization => Say::NoCommandLater.into(),
            _ => Refusal::unknown(state),
        };
        let row = command.keyword.row().ok_or_else(unknown)?;
        // The dissector forgives blanks before a keyword, the RFC does not.
        let rest = line.strip_prefix(command.name).ok_or_else(unknown)?;
        let legal = row.states.contains(&state) || (quirks.utf8_after_login && row.keyword == Keyword::Utf8);
        if !legal && quirks.unknown_in_wrong_state.contains(&row.keyword) {
            return Err(unknown());
        }
        if !legal {
            return Err(Refusal::in_state(row, state));
        }
        if !policy.has(row.keyword) {
            return Err(Refusal::not_implemented(row, state));
        }
        Ok(Self { row, rest, policy })
    }

    pub(super) fn keyword(&self) -> Keyword {
        self.row.keyword
    }

    /// The arguments: printable ASCII, each after a single space (RFC 1939 section 3), or as the quirks have it.
    pub(super) fn arguments(&self) -> Result<Arguments<'a>, Refusal> {
        let (quirks, keyword) = (&self.policy.quirks, self.row.keyword);
        let list = quirks.blanks.split(self.rest).ok_or_else(|| self.usage())?;
        let mut words = list.into_iter().map(|word| self.word(word)).collect::<Result<Words<'_>, _>>()?;
        let (least, most) = self.row.arity;
        if quirks.extra_arguments.contains(&keyword) {
            words.truncate(usize::from(most));
        }
        if words.len() + 1 == usize::from(least) && quirks.empty_arguments.contains(&keyword) {
            words.push("");
        }
        let numbers = match keyword {
            Keyword::Top => quirks.top_numbers.unwrap_or(quirks.numbers),
            _ => quirks.numbers,
        };
        Ok(Arguments::new(self.row, words, self.rest, numbers))
    }

    fn word(&self, word: &'a [u8]) -> Result<&'a str, Refusal> {
        // A user's name may be UTF-8, which CAPA says (RFC 6856 section 2.2).
        let wide =
            matches!(self.row.keyword, Keyword::User | Keyword::Apop) && self.policy.has(Keyword::Utf8);
        let legal = |&octet: &u8| octet.is_ascii_graphic() || (wide && octet >= 0x80);
        if word.is_empty() || !word.iter().all(legal) {
            return Err(self.usage());
        }
        std::str::from_utf8(word).map_err(|_| self.usage())
    }

    /// The arguments where their number is right.
    pub(super) fn counted(&self) -> Result<Arguments<'a>, Refusal> {
        let arguments = self.arguments()?;
        arguments.check_number()?;
        Ok(arguments)
    }

    /// The one argument that may hold anything, spaces too (RFC 1939 section 7, PASS); `missing` is what is said
    /// where there is none.
    pub(super) fn whole(&self, missing: Say) -> Result<&'a [u8], Refusal> {
        let whole = self.rest.strip_prefix(b" ").unwrap_or_default();
        if whole.is_empty() && !self.policy.quirks.empty_arguments.contains(&self.row.keyword) {
            return Err(self.refuse(missing));
        }
        Ok(whole)
    }

    /// The name that USER gives.
    pub(super) fn user(&self) -> Result<String, Refusal> {
        if self.policy.quirks.name_is_rest_of_line {
            Ok(String::from_utf8_lossy(self.whole(Say::NoArgument)?).into_owned())
        } else {
            Ok(self.counted()?.text(0)?.to_owned())
        }
    }

    /// What the server forgives and does in its own way.
    pub(super) fn quirks(&self) -> &'a Quirks {
        &self.policy.quirks
    }

    pub(super) fn refuse(&self, say: Say) -> Refusal {
        Refusal::of(say, self.row)
    }

    fn usage(&self) -> Refusal {
        self.refuse(Say::Usage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_and_too_long_ones_are_not_held() {
        let mut lines = CommandLines::default();
        // What comes next, None for a line that was too long, and how much is held then.
        let mut next = |octets: &[u8]| {
            lines.push(octets);
            let next = lines.next(MAX_COMMAND).map(|line| line.ok().map(|line| line.to_vec()));
            (next, lines.input.len())
        };
        let line = |octets: &[u8]| Some(Some(octets.to_vec()));
        let longest = [&[b'x'; 254][..], b"\n"].concat();
        assert_eq!(next(b"NO"), (None, 2));
        assert_eq!(next(b"OP\r\nST"), (line(b"NOOP\r\n"), 2));
        assert_eq!(next(b"AT\n"), (line(b"STAT\n"), 0));
        assert_eq!(next(&longest[..254]), (None, 254));
        assert_eq!(next(b"\n"), (line(&longest), 0));
        assert_eq!(next(&vec![b'x'; 70_000]), (None, 0));
        assert_eq!(next(&vec![b'x'; 70_000]), (None, 0));
        assert_eq!(next(b"\r\nNOOP\r\n"), (Some(None), 6));
        assert_eq!(next(b""), (line(b"NOOP\r\n"), 0));
        assert_eq!(next(&[b"x", &longest[..]].concat()), (Some(None), 0));
    }

    #[test]
    fn numbers_are_digits_and_wide() {
        let number = |line: &'static str| {
            let policy = Policy::default();
            let request = Request::parse(line.as_bytes(), &policy, State::Transaction).ok()?;
            request.counted().ok()?.number(0, Say::BadNumber).ok()
        };
        assert_eq!(number("RETR 001\r\n"), Some(1));
        assert_eq!(number("retr 4294967297\n"), Some(4_294_967_297));
        assert_eq!(number("RETR 99999999999999999999999\r\n"), Some(u64::MAX));
        for bad in
            ["RETR -1", "RETR +1", "RETR 1x", "RETR  1", "RETR 1 ", "RETR\t1", " RETR 1", "RETR", "RETR "]
        {
            assert_eq!(number(bad), None, "{bad:?}");
        }
    }
}
