//! A line as a JSON value, exactly. A string is a line in UTF-8 that CR LF ended and that, in a body, had
//! one more dot on the wire where it begins with one. Everything else says what it is:
//! `{"text" | "escaped": "…", "end": "lf" | "", "stuffed": true, "arrivals": [[offset, at_us], …]}`.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Deserialize;

use crate::pop3::lines::{Ending, split_ending};
use crate::pop3::printable::is_printable;
use crate::wire::Micros;

/// A long line is written in pieces of at most this many octets.
pub(super) const PIECE: usize = 64 * 1024;

/// Appends `text` as a JSON string.
pub(super) fn push_string(text: &str, out: &mut Vec<u8>) {
    if push_plain(text.as_bytes(), out) {
        return;
    }
    let start = out.len();
    // Writing to a Vec cannot fail.
    let _ = serde_json::to_writer(&mut *out, text);
    if text.bytes().fold(0, u8::max) >= 0x7f {
        let written = String::from_utf8_lossy(&out[start..]);
        if let Cow::Owned(safe) = harmless(&written) {
            out.truncate(start);
            out.extend_from_slice(safe.as_bytes());
        }
    }
}

/// Appends a text as a JSON string where each of its octets stands for itself in one, as in nearly every line of a
/// message; gives whether they do. They are looked at without a branch, so that the compiler takes many at once.
fn push_plain(text: &[u8], out: &mut Vec<u8>) -> bool {
    let plain = |octet: u8| is_plain(octet) && !matches!(octet, b'"' | b'\\');
    let all = text.iter().fold(true, |all, &octet| all & plain(octet));
    if all {
        out.push(b'"');
        out.extend_from_slice(text);
        out.push(b'"');
    }
    all
}

/// Whether an octet is a printable character of ASCII.
const fn is_plain(octet: u8) -> bool {
    matches!(octet, b' '..=b'~')
}

/// JSON text that says the same with nothing in it that does more on a terminal than to show: what JSON
/// would let pass of control and direction characters is escaped.
pub fn harmless(json: &str) -> Cow<'_, str> {
    let harmful = |character: char| character != '\n' && !is_printable(character);
    let plain = json.bytes().fold(true, |all, octet| all & (is_plain(octet) || octet == b'\n'));
    if plain || !json.contains(harmful) {
        return Cow::Borrowed(json);
    }
    let mut safe = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if harmful(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

/// Octets that are not UTF-8 as `\xNN`, a backslash as two.
fn escape(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() * 2);
    for chunk in octets.utf8_chunks() {
        text.push_str(&chunk.valid().replace('\\', "\\\\"));
        for octet in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(text, "\\x{octet:02x}");
        }
    }
    text
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some(at) = memchr::memchr(b'\\', rest) {
        octets.extend_from_slice(&rest[..at]);
        match &rest[at + 1..] {
            [b'\\', tail @ ..] => {
                octets.push(b'\\');
                rest = tail;
            }
            [b'x', high, low, tail @ ..] => {
                let digit = |digit: u8| char::from(digit).to_digit(16);
                octets.push((digit(*high)? * 16 + digit(*low)?) as u8);
                rest = tail;
            }
            _ => return None,
        }
    }
    octets.extend_from_slice(rest);
    Some(octets)
}

/// Appends a piece of a stream that is one line, or part of one. `first` in a body: the piece begins a line,
/// so that byte-stuffing applies to it. `arrivals` are those that begin after the piece's first octet.
pub(super) fn push(piece: &[u8], in_body: bool, first: bool, arrivals: &[(u32, Micros)], out: &mut Vec<u8>) {
    let (mut text, ending) = split_ending(piece);
    let mut stuffed = false;
    if in_body
        && first
        && let Some(rest) = text.strip_prefix(b".")
    {
        text = rest;
        stuffed = !text.starts_with(b".");
    }
    let bare = ending == Ending::Crlf && !stuffed && arrivals.is_empty();
    if bare && push_plain(text, out) {
        return;
    }
    let utf8 = std::str::from_utf8(text);
    if let (Ok(text), true) = (utf8, bare) {
        return push_string(text, out);
    }
    if let Ok(text) = utf8 {
        out.extend_from_slice(b"{\"text\": ");
        push_string(text, out);
    } else {
        out.extend_from_slice(b"{\"escaped\": ");
        push_string(&escape(text), out);
    }
    match ending {
        Ending::Crlf => {}
        Ending::Lf => out.extend_from_slice(b", \"end\": \"lf\""),
        Ending::None => out.extend_from_slice(b", \"end\": \"\""),
    }
    if stuffed {
        out.extend_from_slice(b", \"stuffed\": true");
    }
    if !arrivals.is_empty() {
        out.extend_from_slice(b", \"arrivals\": [");
        for (place, (offset, at)) in arrivals.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            out.extend_from_slice(format!("{comma}[{offset}, {at}]").as_bytes());
        }
        out.push(b']');
    }
    out.push(b'}');
}

/// A line's object as it stands in the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spelled {
    text: Option<String>,
    escaped: Option<String>,
    base64: Option<String>,
    end: Option<String>,
    #[serde(default)]
    stuffed: bool,
    #[serde(default)]
    pub(super) arrivals: Vec<(u32, Micros)>,
    /// Alone: an arrival begins with the item that follows.
    pub(super) at_us: Option<Micros>,
}

/// Appends a plain string's octets.
pub(super) fn octets_of_text(text: &[u8], in_body: bool, first: bool, end: &[u8], out: &mut Vec<u8>) {
    if in_body && first && text.starts_with(b".") {
        out.push(b'.');
    }
    out.extend_from_slice(text);
    out.extend_from_slice(end);
}

impl Spelled {
    /// Whether it is nothing but a mark in time.
    pub(super) fn mark(&self) -> Option<Micros> {
        let bare = self.text.is_none() && self.escaped.is_none() && self.base64.is_none();
        self.at_us.filter(|_| bare)
    }

    /// Appends its octets; what is wrong with it where they cannot be told.
    pub(super) fn octets(&self, in_body: bool, first: bool, out: &mut Vec<u8>) -> Result<(), String> {
        use base64::prelude::{BASE64_STANDARD, Engine as _};
        let end: &[u8] = match self.end.as_deref() {
            None if self.base64.is_some() => b"",
            None => b"\r\n",
            Some("lf") => b"\n",
            Some("") => b"",
            Some(other) => return Err(format!("a line cannot have the \"end\" {other:?}")),
        };
        if self.stuffed {
            out.push(b'.');
        }
        match (&self.text, &self.escaped, &self.base64) {
            (Some(text), None, None) => octets_of_text(text.as_bytes(), in_body, first, end, out),
            (None, Some(text), None) => {
                let text =
                    unescape(text).ok_or_else(|| format!("\"escaped\" has a bad escape: {text:.40}"))?;
                octets_of_text(&text, in_body, first, end, out);
            }
            (None, None, Some(text)) => {
                out.extend(BASE64_STANDARD.decode(text).map_err(|error| format!("bad base64: {error}"))?);
                out.extend_from_slice(end);
            }
            _ => return Err("a line has one of \"text\", \"escaped\" and \"base64\"".to_owned()),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(piece: &[u8], in_body: bool, first: bool, json: &str) {
        let mut out = Vec::new();
        push(piece, in_body, first, &[], &mut out);
        assert_eq!(String::from_utf8_lossy(&out), json);
        let mut back = Vec::new();
        if let Ok(text) = serde_json::from_slice::<String>(&out) {
            octets_of_text(text.as_bytes(), in_body, first, b"\r\n", &mut back);
        } else {
            let spelled: Spelled = serde_json::from_slice(&out).unwrap();
            spelled.octets(in_body, first, &mut back).unwrap();
        }
        assert_eq!(back, piece, "{json}");
    }

    #[test]
    fn every_line_has_its_notation_and_comes_back() {
        check(b"STAT\r\n", false, true, r#""STAT""#);
        check(b"stat\n", false, true, r#"{"text": "stat", "end": "lf"}"#);
        check(b"STA", false, true, r#"{"text": "STA", "end": ""}"#);
        check(b"STA\r", false, true, r#"{"text": "STA\r", "end": ""}"#);
        check(b"caf\xe9 \\ \0\r\n", false, true, r#"{"escaped": "caf\\xe9 \\\\ \u0000"}"#);
        check(b"..twice\r\n", true, true, r#"".twice""#);
        check(b".once\r\n", true, true, r#"{"text": "once", "stuffed": true}"#);
        check(b".\r\n", true, true, r#"{"text": "", "stuffed": true}"#);
        check(b".rest of a line\r\n", true, false, r#"".rest of a line""#);
        check(
            "\u{9b}2J \u{202e} \u{7f} \u{e0041} \u{44f}\r\n".as_bytes(),
            false,
            true,
            "\"\\u009b2J \\u202e \\u007f \\udb40\\udc41 \u{44f}\"",
        );
        check(b".\xff\n", true, true, r#"{"escaped": "\\xff", "end": "lf", "stuffed": true}"#);
    }

    #[test]
    fn nonsense_is_refused_in_words() {
        for bad in
            ["{}", r#"{"text": "a", "base64": ""}"#, r#"{"text": "a", "end": "cr"}"#, r#"{"escaped": "\\q"}"#]
        {
            let spelled: Spelled = serde_json::from_str(bad).unwrap();
            assert!(spelled.octets(false, true, &mut Vec::new()).is_err(), "{bad}");
        }
    }
}
