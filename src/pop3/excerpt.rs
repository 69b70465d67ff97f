//! The beginning of what a side said, where it is quoted to a person outside of the session that it was said in.

use super::command::{Command, Keyword};
use super::lines::split_ending;
use super::printable::is_printable;
use super::response::{Status, StatusLine};
use super::secret::MASK;
use crate::wire::Side;

/// So much of a line is quoted.
const LIMIT: usize = 80;

/// The first line of `octets`, on one line, printable, and without what may be a secret: of a client's line what is no
/// command is not shown at all.
pub fn excerpt(side: Side, octets: &[u8]) -> String {
    let end = memchr::memchr(b'\n', octets).map_or(octets.len(), |end| end + 1);
    let line = &octets[..end];
    let text = split_ending(line).0;
    let hidden = match side {
        Side::Client => {
            let command = Command::parse(line);
            match command.keyword {
                Keyword::Unknown => Some(0..text.len()),
                _ => command.hidden(line),
            }
        }
        Side::Server if Status::of(line) == Some(Status::Continue) => {
            Some(text.len() - StatusLine::parse(text).text.len()..text.len())
        }
        Side::Server => None,
    };
    let masked = match hidden.filter(|hidden| !hidden.is_empty() && hidden.end <= text.len()) {
        Some(hidden) => [&text[..hidden.start], MASK, &text[hidden.end..]].concat(),
        None => text.to_vec(),
    };
    let shown = String::from_utf8_lossy(&masked[..masked.len().min(LIMIT)]);
    let mut shown: String = shown.chars().map(|c| if is_printable(c) { c } else { '?' }).collect();
    if masked.len() > LIMIT || end < octets.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_no_secret_and_nothing_that_acts() {
        let client = |octets: &[u8]| excerpt(Side::Client, octets);
        assert_eq!(client(b"CAPA\r\n"), "CAPA");
        assert_eq!(client(b"USER kcope\r\nPASS secret\r\n"), "USER kcope…");
        assert_eq!(client(b"PASS secret\r\n"), "PASS ********");
        assert_eq!(client(b"AGtjb3BlAHNlY3JldA==\r\n"), "********");
        let server = |octets: &[u8]| excerpt(Side::Server, octets);
        assert_eq!(server(b"-ERR STARTTLS failed\x1b[2J\r\n"), "-ERR STARTTLS failed?[2J");
        assert_eq!(server(b"+ c2VjcmV0\r\n"), "+ ********");
        assert_eq!(server(&[b'x'; 200]).chars().count(), LIMIT + 1);
    }
}
