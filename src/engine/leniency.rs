//! How arguments are read, by the RFC and by servers that forgive: [`Blanks`] and [`Numbers`] at work.

use smallvec::SmallVec;

use super::quirks::{Blanks, Numbers};

const fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

impl Blanks {
    /// A line from its command on.
    pub(super) fn skip(self, line: &[u8]) -> &[u8] {
        match self {
            Self::Around | Self::Anywhere => trim_start(line),
            Self::One | Self::OneBehind | Self::Behind => line,
        }
    }

    /// The arguments in what follows a keyword, separator included; None where a blank is missing. One too many
    /// makes an empty argument.
    pub(super) fn split(self, rest: &[u8]) -> Option<SmallVec<[&[u8]; 4]>> {
        let rest = match self {
            Self::One => rest,
            Self::OneBehind => rest.strip_suffix(b" ").unwrap_or(rest),
            Self::Around => trim_end(rest),
            Self::Behind | Self::Anywhere => {
                return Some(rest.split(|&octet| is_blank(octet)).filter(|word| !word.is_empty()).collect());
            }
        };
        if rest.is_empty() {
            return Some(SmallVec::new());
        }
        Some(rest.strip_prefix(b" ")?.split(|&octet| octet == b' ').collect())
    }
}

fn trim_start(octets: &[u8]) -> &[u8] {
    &octets[octets.iter().take_while(|&&octet| is_blank(octet)).count()..]
}

fn trim_end(octets: &[u8]) -> &[u8] {
    &octets[..octets.len() - octets.iter().rev().take_while(|&&octet| is_blank(octet)).count()]
}

impl Numbers {
    /// The number that a word is; the largest there is where it says more, None where it is not one.
    pub(super) fn read(self, word: &str) -> Option<u64> {
        let (minus, digits) = match (self, word.as_bytes().first()) {
            (Self::Digits | Self::DigitsThenNoise, _) => (false, word),
            (_, Some(b'+')) => (false, &word[1..]),
            (Self::Signed | Self::Leading | Self::Atoi, Some(b'-')) => (true, &word[1..]),
            _ => (false, word),
        };
        let end = digits.bytes().take_while(u8::is_ascii_digit).count();
        let whole = end > 0 && end == digits.len();
        let value = if end == 0 { 0 } else { digits[..end].parse().unwrap_or(u64::MAX) };
        match self {
            Self::Digits | Self::DigitsThenNoise | Self::Plus => whole.then_some(value),
            Self::Signed if !whole => None,
            Self::Signed | Self::Leading => Some(if minus { value.wrapping_neg() } else { value }),
            Self::Atoi => Some(atoi(minus, value)),
        }
    }
}

/// What C's `atoi` makes of it: a `long`, as large as it can be, of which the lower half is taken. A negative
/// number is a huge one.
#[expect(clippy::cast_sign_loss, reason = "that is the very thing")]
fn atoi(minus: bool, value: u64) -> u64 {
    let long = i64::try_from(value).unwrap_or(i64::MAX);
    let long = if minus && value > i64::MAX as u64 {
        i64::MIN
    } else if minus {
        -long
    } else {
        long
    };
    i64::from(long as i32) as u64
}

/// Why a text does not begin with a number that digits must be and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Misread<'a> {
    pub(super) wrong: Wrong,
    /// The text that shows it.
    pub(super) rest: &'a [u8],
}

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It does not begin with a digit.
    NoNumber,
    /// It is more than it may be.
    TooLarge,
    /// Something comes behind it.
    Noise,
}

/// The first number in a text and the text behind it, blanks before each skipped. Where there is `more` to come,
/// it stands behind a blank.
pub(super) fn judge(text: &[u8], more: bool, largest: u64) -> Result<(u64, &[u8]), Misread<'_>> {
    let text = trim_start(text);
    let (digits, behind) = text.split_at(text.iter().take_while(|octet| octet.is_ascii_digit()).count());
    if digits.is_empty() {
        return Err(Misread { wrong: Wrong::NoNumber, rest: text });
    }
    // All of it is shown where not even 64 bits hold it.
    let value = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u64>().ok());
    let value = value.ok_or(Misread { wrong: Wrong::TooLarge, rest: text })?;
    if value > largest {
        return Err(Misread { wrong: Wrong::TooLarge, rest: behind });
    }
    let ended = if more { behind.starts_with(b" ") } else { behind.is_empty() };
    if ended { Ok((value, trim_start(behind))) } else { Err(Misread { wrong: Wrong::Noise, rest: behind }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_are_forgiven_where_they_may_stand() {
        let split = |blanks: Blanks, rest: &'static str| {
            let words = blanks.split(rest.as_bytes())?;
            Some(words.iter().map(|word| String::from_utf8_lossy(word)).collect::<Vec<_>>().join("|"))
        };
        let all = [Blanks::One, Blanks::OneBehind, Blanks::Around, Blanks::Behind, Blanks::Anywhere];
        for (rest, words) in [
            ("", ["", "", "", "", ""]),
            (" ", ["", "", "", "", ""]),
            (" 1 0", ["1|0"; 5]),
            (" 1 ", ["1|", "1", "1", "1", "1"]),
            (" 1  ", ["1||", "1|", "1", "1", "1"]),
            ("  1", ["|1", "|1", "|1", "1", "1"]),
        ] {
            assert_eq!(all.map(|blanks| split(blanks, rest).unwrap()), words, "{rest:?}");
        }
        // An empty argument is one.
        assert_eq!(Blanks::One.split(b" ").unwrap().len(), 1);
        assert_eq!(Blanks::One.split(b"\t1"), None);
        assert_eq!(Blanks::Anywhere.skip(b" \tNOOP"), b"NOOP");
        assert_eq!(Blanks::Behind.skip(b" NOOP"), b" NOOP");
    }

    #[test]
    fn numbers_are_what_the_server_takes_for_them() {
        let huge = Some(u64::MAX);
        for (word, digits, plus, signed, leading, atoi) in [
            ("01", Some(1), Some(1), Some(1), Some(1), Some(1)),
            ("+1", None, Some(1), Some(1), Some(1), Some(1)),
            ("-1", None, None, huge, huge, huge),
            ("1x", None, None, None, Some(1), Some(1)),
            ("x", None, None, None, Some(0), Some(0)),
            ("", None, None, None, Some(0), Some(0)),
            (
                "4294967297",
                Some(0x1_0000_0001),
                Some(0x1_0000_0001),
                Some(0x1_0000_0001),
                Some(0x1_0000_0001),
                Some(1),
            ),
            ("18446744073709551617", huge, huge, huge, huge, huge),
        ] {
            let read = |numbers: Numbers| numbers.read(word);
            assert_eq!(read(Numbers::Digits), digits, "{word}");
            assert_eq!(read(Numbers::Plus), plus, "{word}");
            assert_eq!(read(Numbers::Signed), signed, "{word}");
            assert_eq!(read(Numbers::Leading), leading, "{word}");
            assert_eq!(read(Numbers::Atoi), atoi, "{word}");
        }
    }

    #[test]
    fn noise_is_told_from_numbers() {
        let judge = |text: &'static str, more| {
            let judged = judge(text.as_bytes(), more, u64::from(u32::MAX));
            judged.map_err(|misread| (misread.wrong, misread.rest))
        };
        assert_eq!(judge(" 1", false), Ok((1, &b""[..])));
        assert_eq!(judge(" 1  2", true), Ok((1, &b"2"[..])));
        assert_eq!(judge("1", true), Err((Wrong::Noise, &b""[..])));
        assert_eq!(judge("1 2", false), Err((Wrong::Noise, &b" 2"[..])));
        assert_eq!(judge("+1", false), Err((Wrong::NoNumber, &b"+1"[..])));
        assert_eq!(judge("4294967297x", false), Err((Wrong::TooLarge, &b"x"[..])));
        assert_eq!(
            judge("18446744073709551617x", false),
            Err((Wrong::TooLarge, &b"18446744073709551617x"[..]))
        );
    }
}
