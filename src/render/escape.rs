//! Octets from the network to text that cannot do anything: no control characters, no escape sequences,
//! nothing that turns the direction of writing or hides itself.

use std::fmt::Write as _;

use crate::pop3::printable::is_printable;

/// Text for people: what is not printable as `\xNN` (an octet) or `\u{N}` (a character).
pub fn safe(octets: &[u8]) -> String {
    escaped(octets, is_printable)
}

/// The same of the first `limit` octets, with a word about the rest.
pub fn safe_beginning(octets: &[u8], limit: usize) -> String {
    if octets.len() <= limit {
        return safe(octets);
    }
    format!("{}… ({} more octets)", safe(&octets[..limit]), octets.len() - limit)
}

/// Text for programs: only what is not UTF-8 is replaced, by `\xNN`.
pub fn utf8(octets: &[u8]) -> String {
    escaped(octets, |_| true)
}

fn escaped(octets: &[u8], fit: impl Fn(char) -> bool) -> String {
    let mut text = String::with_capacity(octets.len());
    for chunk in octets.utf8_chunks() {
        for character in chunk.valid().chars() {
            // Writing to a String cannot fail.
            let _ = match u32::from(character) {
                _ if fit(character) => text.write_char(character),
                code @ 0..=0x7f => write!(text, "\\x{code:02x}"),
                code => write!(text, "\\u{{{code:x}}}"),
            };
        }
        for octet in chunk.invalid() {
            let _ = write!(text, "\\x{octet:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_but_text() {
        assert_eq!(safe(b"\x1b[2J\x07\x00\x7f\t"), r"\x1b[2J\x07\x00\x7f\x09");
        assert_eq!(
            safe("\u{9b}31m \u{202e}txt.exe \u{200b}".as_bytes()),
            r"\u{9b}31m \u{202e}txt.exe \u{200b}"
        );
        assert_eq!(safe(b"caf\xe9"), r"caf\xe9");
        assert_eq!(safe("Привет, Zoë 🐕".as_bytes()), "Привет, Zoë 🐕");
        assert_eq!(safe_beginning(b"abcdef", 2), "ab… (4 more octets)");
        assert_eq!(utf8(b"\x1b \xff"), "\u{1b} \\xff");
    }
}
