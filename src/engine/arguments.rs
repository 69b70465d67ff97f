//! The arguments of a command: how many there are, and what their numbers are.

use smallvec::SmallVec;

use super::leniency::{Misread, Wrong, judge};
use super::quirks::Numbers;
use super::reply::Refusal;
use super::wording::Say;
use crate::pop3::Keyword;
use crate::pop3::command::Row;

/// Words of a line, as many as commands have without a heap.
pub(super) type Words<'a> = SmallVec<[&'a str; 4]>;

/// The arguments of a command.
#[derive(Debug)]
pub(super) struct Arguments<'a> {
    row: &'static Row,
    words: Words<'a>,
    /// All that follows the keyword, separator included.
    rest: &'a [u8],
    numbers: Numbers,
}

impl<'a> Arguments<'a> {
    /// Of a command: its words, and all that follows the keyword as it came.
    pub(super) fn new(row: &'static Row, words: Words<'a>, rest: &'a [u8], numbers: Numbers) -> Self {
        Self { row, words, rest, numbers }
    }

    /// Whether there are as many as the command's row allows.
    pub(super) fn check_number(&self) -> Result<(), Refusal> {
        let (least, most) = self.row.arity;
        if self.words.len() < usize::from(least) {
            let number = matches!(self.row.keyword, Keyword::Retr | Keyword::Dele | Keyword::Top);
            let missing = if number && self.words.is_empty() { Say::NumberMissing } else { Say::NoArgument };
            Err(Refusal::of(missing, self.row))
        } else if self.words.len() > usize::from(most) {
            Err(Refusal::of(Say::ExtraArgument, self.row))
        } else {
            Ok(())
        }
    }

    /// The argument at a place, if it is there.
    pub(super) fn get(&self, at: usize) -> Option<&'a str> {
        self.words.get(at).copied()
    }

    /// The argument at a place.
    pub(super) fn text(&self, at: usize) -> Result<&'a str, Refusal> {
        self.get(at).ok_or_else(|| Refusal::of(Say::NoArgument, self.row))
    }

    /// The number of the message that is asked for; None without an argument.
    pub(super) fn message(&self) -> Result<Option<u64>, Refusal> {
        let needed = self.row.arity.0 > 0 && self.numbers == Numbers::DigitsThenNoise;
        if self.words.is_empty() && !needed {
            return Ok(None);
        }
        self.number(0, Say::BadNumber).map(Some)
    }

    /// How many lines of the body are asked for.
    pub(super) fn lines(&self) -> Result<u64, Refusal> {
        self.number(1, Say::BadLines)
    }

    /// The argument at a place as a number: digits only (RFC 1939 section 4) or as the quirks have it, the
    /// largest there is where they say more. `bad` is what is said of anything else.
    pub(super) fn number(&self, at: usize, bad: Say) -> Result<u64, Refusal> {
        if self.numbers == Numbers::DigitsThenNoise {
            return self.number_without_noise(at);
        }
        let word = self.text(at)?;
        self.numbers.read(word).ok_or_else(|| Refusal::of_rest(bad, self.row, word.as_bytes()))
    }

    fn number_without_noise(&self, at: usize) -> Result<u64, Refusal> {
        let refuse = |place: usize, misread: Misread<'_>| {
            let say = match (misread.wrong, place) {
                (Wrong::NoNumber, 0) => Say::BadNumber,
                (Wrong::TooLarge, 0) => Say::NumberTooLarge,
                (Wrong::Noise, 0) => Say::NoiseAfterNumber,
                (Wrong::NoNumber, _) => Say::BadLines,
                (Wrong::TooLarge, _) => Say::LinesTooLarge,
                (Wrong::Noise, _) => Say::NoiseAfterLines,
            };
            Refusal::of_rest(say, self.row, misread.rest)
        };
        let more = self.row.keyword == Keyword::Top;
        let (message, rest) =
            judge(self.rest, more, u64::from(u32::MAX)).map_err(|misread| refuse(0, misread))?;
        if at == 0 {
            return Ok(message);
        }
        Ok(judge(rest, false, u64::MAX).map_err(|misread| refuse(1, misread))?.0)
    }
}
