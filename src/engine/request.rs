//! Command lines out of the client's octets, and a command taken apart as strictly as RFC 1939 section 3 has
//! it.

use std::fmt;

use bytes::BytesMut;
use memchr::memchr;
use smallvec::SmallVec;

use super::reply::Refusal;
use crate::pop3::command::Row;
use crate::pop3::lines::split_ending;
use crate::pop3::{Command, Keyword, State};

/// The longest command line in octets, its ending included (RFC 2449 section 4).
pub const MAX_COMMAND: usize = 255;

/// The client's octets as lines. LF alone ends a line too. A line that is too long is never held: it counts
/// as one refused command, once its end has come.
#[derive(Default)]
pub(super) struct CommandLines {
    input: BytesMut,
    discarding: bool,
}

/// Half a PASS may be in there.
impl fmt::Debug for CommandLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandLines").field("octets", &self.input.len()).finish_non_exhaustive()
    }
}

impl CommandLines {
    /// Takes the octets of a read.
    pub(super) fn push(&mut self, octets: &[u8]) {
        self.input.extend_from_slice(octets);
    }

    /// Whether there is anything to call [`Self::next`] for.
    pub(super) fn has_more(&self) -> bool {
        !self.input.is_empty()
    }

    /// The next whole line. Call until there is none: only then is what remains within bounds.
    pub(super) fn next(&mut self) -> Option<Result<BytesMut, Refusal>> {
        if let Some(end) = memchr(b'\n', &self.input) {
            let line = self.input.split_to(end + 1);
            let too_long = std::mem::take(&mut self.discarding) || line.len() > MAX_COMMAND;
            return Some(if too_long { Err(Refusal::TooLong) } else { Ok(line) });
        }
        if self.input.len() >= MAX_COMMAND {
            self.discarding = true;
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
}

impl<'a> Request<'a> {
    /// Takes a line apart.
    pub(super) fn parse(line: &'a [u8]) -> Result<Self, Refusal> {
        let command = Command::parse(line);
        let row = command.keyword.row().ok_or(Refusal::Unknown)?;
        // The dissector forgives blanks before a keyword, the RFC does not.
        let rest = split_ending(line).0.strip_prefix(command.name).ok_or(Refusal::Unknown)?;
        Ok(Self { row, rest })
    }

    pub(super) fn keyword(&self) -> Keyword {
        self.row.keyword
    }

    /// Whether the command is legal in a state (RFC 1939 section 3).
    pub(super) fn legal_in(&self, state: State) -> Result<(), Refusal> {
        if self.row.states.contains(&state) { Ok(()) } else { Err(Refusal::WrongState(self.row, state)) }
    }

    /// The arguments: printable ASCII, each after a single space (RFC 1939 section 3).
    pub(super) fn arguments(&self) -> Result<Arguments<'a>, Refusal> {
        let mut words = SmallVec::new();
        if !self.rest.is_empty() {
            let list = self.rest.strip_prefix(b" ").ok_or(self.usage())?;
            for word in list.split(|&octet| octet == b' ') {
                let legal = !word.is_empty() && word.iter().all(u8::is_ascii_graphic);
                words.push(std::str::from_utf8(word).ok().filter(|_| legal).ok_or(self.usage())?);
            }
        }
        Ok(Arguments { row: self.row, words })
    }

    /// The arguments where their number is right.
    pub(super) fn counted(&self) -> Result<Arguments<'a>, Refusal> {
        let arguments = self.arguments()?;
        arguments.check_number()?;
        Ok(arguments)
    }

    /// The one argument that may hold anything, spaces too (RFC 1939 section 7, PASS).
    pub(super) fn password(&self) -> Result<&'a [u8], Refusal> {
        self.rest.strip_prefix(b" ").filter(|password| !password.is_empty()).ok_or(self.usage())
    }

    pub(super) fn not_implemented(&self) -> Refusal {
        Refusal::NotImplemented(self.row)
    }

    pub(super) fn line_count_missing(&self) -> Refusal {
        Refusal::LineCountMissing(self.row)
    }

    fn usage(&self) -> Refusal {
        Refusal::Usage(self.row)
    }
}

/// The arguments of a command.
#[derive(Debug)]
pub(super) struct Arguments<'a> {
    row: &'static Row,
    words: SmallVec<[&'a str; 4]>,
}

impl<'a> Arguments<'a> {
    /// Whether there are as many as the command's row allows.
    pub(super) fn check_number(&self) -> Result<(), Refusal> {
        let (least, most) = self.row.arity;
        let right = (usize::from(least)..=usize::from(most)).contains(&self.words.len());
        if right { Ok(()) } else { Err(Refusal::Usage(self.row)) }
    }

    /// The argument at a place, if it is there.
    pub(super) fn get(&self, at: usize) -> Option<&'a str> {
        self.words.get(at).copied()
    }

    /// The argument at a place.
    pub(super) fn text(&self, at: usize) -> Result<&'a str, Refusal> {
        self.get(at).ok_or(Refusal::Usage(self.row))
    }

    /// The argument at a place as a number: digits only (RFC 1939 section 4), the largest there is where they
    /// say more.
    pub(super) fn number(&self, at: usize) -> Result<u64, Refusal> {
        let word = self.text(at)?;
        if word.bytes().all(|octet| octet.is_ascii_digit()) {
            Ok(word.parse().unwrap_or(u64::MAX))
        } else {
            Err(Refusal::Usage(self.row))
        }
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
            let next = lines.next().map(|line| line.ok().map(|line| line.to_vec()));
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
            Request::parse(line.as_bytes()).and_then(|request| request.counted()?.number(0)).ok()
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
