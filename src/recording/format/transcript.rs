//! Transcripts: the RFC's `C:`/`S:` lines, written by hand or for reading. A line stands for one of the wire,
//! CR LF included; `C>` and `S>` for octets without an ending. `\r`, `\n`, `\t`, `\\` and `\xNN` stand for
//! octets; `#` begins a comment. Byte-stuffing and terminators are written as they are sent. Each line
//! arrives a millisecond after the one before; a transcript keeps no other times. `C! 16` and `S! 16`: so many octets
//! are missing here, 0 where that is not known; `T! readable`: TLS begins, and what follows is inside of it; `T!`: it
//! begins, and nobody can look into it.

use std::io::{BufRead, Read as _};

use bytes::Bytes;
use chrono::DateTime;

use super::{Feed, Format, Integrity, ReadError, Reading, Record, Summary, Writer, Writing};
use crate::pop3::{Event, Secrets, lines};
use crate::recording::{By, End, Entry, Header, How};
use crate::wire::{Micros, Run, Side, Tls};

/// Microseconds between two lines.
const PACE: Micros = 1000;

/// The only session of a file.
const SESSION: u32 = 1;

/// The longest line that is read.
const LIMIT: u64 = 16 << 20;

/// See the [module](self).
pub struct Transcript;

impl Format for Transcript {
    fn name(&self) -> &'static str {
        "transcript"
    }

    fn extension(&self) -> &'static str {
        "transcript"
    }

    fn recognizes(&self, beginning: &[u8]) -> bool {
        lines::split(beginning)
            .find(|line| !line.trim_ascii().is_empty() && !line.starts_with(b"#"))
            .is_some_and(|line| side_of(line).is_some() || mark(line, 0).is_some())
    }

    fn read(&self, input: &mut dyn BufRead, _: &Reading, feed: &mut Feed<'_>) -> Result<Summary, ReadError> {
        let mut at = 0;
        let mut line = Vec::new();
        let mut number = 0;
        feed(SESSION, Record::Header(Box::new(header())))?;
        loop {
            number += 1;
            line.clear();
            if input.take(LIMIT).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            if line.len() as u64 == LIMIT {
                return Ok(
                    Integrity::Damaged(format!("line {number} is longer than {} MiB", LIMIT >> 20)).into()
                );
            }
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            if text.trim_ascii().is_empty() || text.starts_with(b"#") {
                continue;
            }
            if let Some(record) = mark(text, at + PACE) {
                at += if let Record::Tls(_) = record { PACE } else { 0 };
                feed(SESSION, record)?;
                continue;
            }
            let Some((side, whole, rest)) = side_of(text) else {
                let why = format!("line {number} begins with none of C: S: C> S> C! S! T! #");
                return Ok(Integrity::Damaged(why).into());
            };
            let Some(mut octets) = unescape(rest) else {
                return Ok(Integrity::Damaged(format!(
                    "line {number} has a backslash that is none of \\r \\n \\t \\\\ \\xNN"
                ))
                .into());
            };
            if whole {
                octets.extend_from_slice(b"\r\n");
            }
            at += PACE;
            let arrivals = smallvec::smallvec![(0, at)];
            feed(SESSION, Record::Octets(side, Run { bytes: Bytes::from(octets), arrivals }))?;
        }
        let (unknown, outer) = Default::default();
        feed(SESSION, Record::End(Box::new(End { at, by: By::Client, how: How::Finished, unknown, outer })))?;
        Ok(Integrity::Whole.into())
    }

    fn writer(&self, _: &Writing) -> Box<dyn Writer> {
        Box::new(TranscriptWriter)
    }
}

fn header() -> Header {
    Header {
        generator: "transcript".to_owned(),
        session: 1,
        started: DateTime::UNIX_EPOCH,
        client: "client".to_owned(),
        listener: String::new(),
        upstream: "server".to_owned(),
        server: None,
        secrets: Secrets::Keep,
        origin: None,
        unknown: serde_json::Map::new(),
        outer: serde_json::Map::new(),
    }
}

/// What is said of the octets rather than being some.
fn mark(line: &[u8], at: Micros) -> Option<Record> {
    let rest = std::str::from_utf8(line.get(2..)?).ok()?.trim();
    match line.get(..2)? {
        b"C!" => Some(Record::Missing(Side::Client, rest.parse().ok()?)),
        b"S!" => Some(Record::Missing(Side::Server, rest.parse().ok()?)),
        b"T!" => {
            let readable = rest == "readable";
            (readable || rest.is_empty())
                .then(|| Record::Tls(Box::new(Tls { at, readable, ..Tls::default() })))
        }
        _ => None,
    }
}

fn side_of(line: &[u8]) -> Option<(Side, bool, &[u8])> {
    let [side, kind, rest @ ..] = line else { return None };
    let side = match side {
        b'C' => Side::Client,
        b'S' => Side::Server,
        _ => return None,
    };
    let whole = match kind {
        b':' => true,
        b'>' => false,
        _ => return None,
    };
    Some((side, whole, rest.strip_prefix(b" ").unwrap_or(rest)))
}

fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len() + 2);
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'\\' {
            octets.push(*first);
            continue;
        }
        let (octet, tail) = match rest {
            [b'r', tail @ ..] => (b'\r', tail),
            [b'n', tail @ ..] => (b'\n', tail),
            [b't', tail @ ..] => (b'\t', tail),
            [b'\\', tail @ ..] => (b'\\', tail),
            [b'x', high, low, tail @ ..] => {
                let digit = |digit: u8| char::from(digit).to_digit(16);
                ((digit(*high)? * 16 + digit(*low)?) as u8, tail)
            }
            _ => return None,
        };
        octets.push(octet);
        rest = tail;
    }
    Some(octets)
}

/// Every event's octets, a line each.
struct TranscriptWriter;

impl Writer for TranscriptWriter {
    fn take(&mut self, _: u32, entry: &Entry, out: &mut Vec<u8>) {
        match entry {
            Entry::Event(event) => Self::event(event, out),
            Entry::Tls(tls) if tls.begins_anew() => {
                out.extend_from_slice(if tls.readable { b"T! readable\n" } else { b"T!\n" });
            }
            _ => {}
        }
    }

    fn tail(&self, _: &mut Vec<u8>) {}
}

impl TranscriptWriter {
    fn event(event: &Event, out: &mut Vec<u8>) {
        if let Event::Missing { side, octets, .. } = event {
            let side = if *side == Side::Client { 'C' } else { 'S' };
            out.extend_from_slice(format!("{side}! {octets}\n").as_bytes());
        }
        let Some((side, run)) = event.octets() else { return };
        for line in lines::split(&run.bytes) {
            let (text, ending) = lines::split_ending(line);
            out.push(if side == Side::Client { b'C' } else { b'S' });
            if ending == lines::Ending::Crlf {
                out.extend_from_slice(b": ");
                escape(text, out);
            } else {
                out.extend_from_slice(b"> ");
                escape(line, out);
            }
            out.push(b'\n');
        }
    }
}

fn escape(octets: &[u8], out: &mut Vec<u8>) {
    for chunk in octets.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\r' => out.extend_from_slice(b"\\r"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\t' => out.extend_from_slice(b"\\t"),
                '\\' => out.extend_from_slice(b"\\\\"),
                character if character.is_ascii_control() => {
                    out.extend_from_slice(format!("\\x{:02x}", u32::from(character)).as_bytes());
                }
                character => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        for octet in chunk.invalid() {
            out.extend_from_slice(format!("\\x{octet:02x}").as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_octets_have_a_notation_that_comes_back() {
        let octets: Vec<u8> = (0..=255).collect();
        let mut text = Vec::new();
        escape(&octets, &mut text);
        assert_eq!(unescape(&text).as_deref(), Some(&octets[..]));
        assert_eq!(unescape(b"\\q"), None);
    }
}
