//! Status lines: what a response begins with.

use super::lines::split_ending;

/// The status indicator of a response (RFC 1939 section 3; `+` is RFC 5034's challenge).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// `+OK`
    Ok,
    /// `-ERR`
    Err,
    /// `+`, a SASL challenge.
    Continue,
}

impl Status {
    /// As it stands on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "+OK",
            Self::Err => "-ERR",
            Self::Continue => "+",
        }
    }

    /// The status that a line begins with. Lenient where real peers are (`+ok`, `+OKtext`), since it
    /// decides the framing of what follows; how the line really reads stays in its octets.
    pub fn of(line: &[u8]) -> Option<Self> {
        match line {
            [b'+', b'O' | b'o', b'K' | b'k', ..] => Some(Self::Ok),
            [b'-', b'E' | b'e', b'R' | b'r', b'R' | b'r', ..] => Some(Self::Err),
            [b'+'] | [b'+', b' ' | b'\r' | b'\n', ..] => Some(Self::Continue),
            _ => None,
        }
    }
}

/// A status line taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusLine<'a> {
    /// None where a status was due and something else came.
    pub status: Option<Status>,
    /// What follows the status and one space; the whole line where there is no status.
    pub text: &'a [u8],
}

impl<'a> StatusLine<'a> {
    /// Takes a line apart, with or without its ending.
    pub fn parse(line: &'a [u8]) -> Self {
        let (line, _) = split_ending(line);
        let status = Status::of(line);
        let text = status.map_or(line, |status| {
            let rest = line.get(status.name().len()..).unwrap_or_default();
            rest.strip_prefix(b" ").unwrap_or(rest)
        });
        Self { status, text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_lines_of_real_and_odd_servers() {
        let parse = |line: &'static [u8]| {
            let line = StatusLine::parse(line);
            (line.status, std::str::from_utf8(line.text).unwrap_or("8-bit"))
        };
        assert_eq!(parse(b"+OK 2 320\r\n"), (Some(Status::Ok), "2 320"));
        assert_eq!(parse(b"+OK\r\n"), (Some(Status::Ok), ""));
        assert_eq!(parse(b"-ERR no such message\n"), (Some(Status::Err), "no such message"));
        assert_eq!(parse(b"+ \r\n"), (Some(Status::Continue), ""));
        assert_eq!(parse(b"+\r\n"), (Some(Status::Continue), ""));
        assert_eq!(parse(b"+OKready\r\n"), (Some(Status::Ok), "ready"));
        // The seed text prints a status with Cyrillic letters: never a +OK.
        assert_eq!(parse("+\u{41e}\u{41a}\r\n".as_bytes()), (None, "+\u{41e}\u{41a}"));
        assert_eq!(parse(b"OK\r\n"), (None, "OK"));
    }
}
