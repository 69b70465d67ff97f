//! What is worked on: the same in every run.

use bytes::Bytes;
use poptape::pop3::{Dissector, Event, Secrets};
use poptape::recording::{By, End, Entry, Header, How};
use poptape::wire::Side::{self, Client, Server};

/// What a read brings of a bulk transfer.
pub const CHUNK: usize = 256 * 1024;

/// A message of about so many octets, as it goes over the wire: as large ones are, mostly lines of 76, some
/// of text, of which a few begin with a dot.
pub fn body(octets: usize) -> Vec<u8> {
    let mut body = b"From: kcope@example.org\r\nSubject: pictures\r\n\r\n".to_vec();
    let mut dice = 1u32;
    while body.len() < octets {
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let high = dice >> 16;
        let len = if high.is_multiple_of(10) { (high / 10) as usize % 71 } else { 76 };
        if high.is_multiple_of(100) {
            body.extend_from_slice(b"..");
        }
        body.extend((0..len).map(|at| b'A' + ((high as usize + at * 7) % 26) as u8));
        body.extend_from_slice(b"\r\n");
    }
    body
}

/// What comes before the mail is read.
pub const LOGIN: &[(Side, &[u8])] = &[
    (Server, b"+OK ready\r\n"),
    (Client, b"USER kcope\r\n"),
    (Server, b"+OK\r\n"),
    (Client, b"PASS secret\r\n"),
    (Server, b"+OK\r\n"),
];

/// A dissector of a session that has come so far.
pub fn logged_in() -> Dissector {
    let mut dissector = Dissector::new(Secrets::Redact);
    for (at, &(side, line)) in (0u64..).zip(LOGIN) {
        dissector.feed(side, at, Bytes::from_static(line), &mut |_| {});
    }
    dissector
}

/// Commands as a client sends them, that many, each on its line.
pub fn commands(count: usize) -> Vec<String> {
    let command = |at: usize| {
        let message = at / 8 + 1;
        match at % 8 {
            0 => "STAT\r\n".to_owned(),
            1 => format!("LIST {message}\r\n"),
            2 => format!("UIDL {message}\r\n"),
            3 => format!("TOP {message} 0\r\n"),
            5 => format!("DELE {message}\r\n"),
            6 => "NOOP\r\n".to_owned(),
            _ => format!("RETR {message}\r\n"),
        }
    };
    (0..count).map(command).collect()
}

/// What a session is recorded as in which a message of so many octets is read.
pub fn entries(octets: usize) -> Vec<Entry> {
    let mut script: Vec<_> = LOGIN.iter().map(|&(side, line)| (side, Bytes::from_static(line))).collect();
    script.push((Client, Bytes::from_static(b"RETR 1\r\n")));
    script.push((Server, Bytes::from_static(b"+OK\r\n")));
    script.extend(chunks(&Bytes::from(body(octets)), CHUNK).map(|chunk| (Server, chunk)));
    script.push((Server, Bytes::from_static(b".\r\n")));
    recorded(script)
}

/// The entries of a session in which this is said, an arrival a piece.
pub fn recorded(script: impl IntoIterator<Item = (Side, Bytes)>) -> Vec<Entry> {
    let mut entries = vec![Entry::Opened(Box::new(header()))];
    let mut dissector = Dissector::new(Secrets::Redact);
    for (at, (side, octets)) in (0u64..).zip(script) {
        dissector.feed(side, at * 100, octets, &mut |event: Event| entries.push(Entry::Event(event)));
    }
    dissector.finish(&mut |event| entries.push(Entry::Event(event)));
    let (unknown, outer) = Default::default();
    let (at, by, how) = (1_000_000_000, By::Client, How::Finished);
    entries.push(Entry::Ended(Box::new(End { at, by, how, unknown, outer })));
    entries
}

fn header() -> Header {
    Header {
        generator: "poptape".to_owned(),
        session: 1,
        started: chrono::DateTime::UNIX_EPOCH,
        client: "127.0.0.1:51034".to_owned(),
        listener: "127.0.0.1:1110".to_owned(),
        upstream: "pop3://pop.example.org:110".to_owned(),
        server: Some("192.0.2.1:110".to_owned()),
        secrets: Secrets::Redact,
        origin: None,
        unknown: serde_json::Map::new(),
        outer: serde_json::Map::new(),
    }
}

/// The same octets in pieces.
pub fn chunks(octets: &Bytes, len: usize) -> impl Iterator<Item = Bytes> {
    (0..octets.len()).step_by(len).map(move |at| octets.slice(at..octets.len().min(at + len)))
}
