//! What must not be seen of a capture: a secret, however much of its session is missing around it.

use std::collections::BTreeMap;
use std::io::Cursor;

use poptape::recording::file::Input;
use poptape::recording::format::{FORMATS, Reading, Writing};
use poptape::render::Page as _;
use poptape::render::terminal::Terminal;
use poptape::render::text::Verbosity;
use poptape::wire::Side::{self, Client as C, Server as S};

use super::files::{Packet, Talk, plain};

/// A password that stands in clear or as base64, and what to look for.
const PASSWORD: &str = "Tulips52";

/// Sessions, each segment by itself.
const SESSIONS: &[&[(Side, &str)]] = &[
    &[
        (S, "+OK ready\r\n"),
        (C, "USER kcope\r\n"),
        (S, "+OK\r\n"),
        (C, "PASS Tulips52\r\n"),
        (S, "+OK\r\n"),
        (C, "STAT\r\n"),
        (S, "+OK 0 0\r\n"),
    ],
    // A line in several segments.
    &[
        (S, "+OK ready\r\n"),
        (C, "USER kcope\r\n"),
        (S, "+OK\r\n"),
        (C, "PA"),
        (C, "SS "),
        (C, "Tulips52"),
        (C, "\r\n"),
        (S, "+OK\r\n"),
        (C, "QUIT\r\n"),
        (S, "+OK\r\n"),
    ],
    &[
        (S, "+OK ready\r\n"),
        (C, "CAPA\r\n"),
        (S, "+OK\r\nSASL LOGIN\r\n"),
        (S, ".\r\n"),
        (C, "AUTH LOGIN\r\n"),
        (S, "+ VXNlcm5hbWU6\r\n"),
        (C, "a2NvcGU=\r\n"),
        (S, "+ UGFzc3dvcmQ6\r\n"),
        (C, "VHVsaXBzNTI=\r\n"),
        (S, "+OK\r\n"),
        (C, "STAT\r\n"),
        (S, "+OK 0 0\r\n"),
    ],
    &[
        (S, "+OK ready\r\n"),
        (C, "AUTH PLAIN\r\n"),
        (S, "+ \r\n"),
        (C, "AGtjb3BlAFR1bGlwczUy\r\n"),
        (S, "+OK\r\n"),
        (C, "QUIT\r\n"),
        (S, "+OK\r\n"),
    ],
    // TLS that does not come.
    &[
        (S, "+OK ready\r\n"),
        (C, "NOOP\r\nSTLS  \r\n"),
        (S, "-ERR\r\n"),
        (S, "+OK begin\r\n"),
        (C, "USER kcope\r\n"),
        (S, "+OK\r\n"),
        (C, "PASS Tulips52\r\n"),
        (S, "+OK\r\n"),
    ],
    // TLS that fails.
    &[
        (S, "+OK ready\r\n"),
        (C, "STLS\r\n"),
        (S, "+OK begin\r\n"),
        (C, "\x15\x03\x01\x00\x02\x02\x28"),
        (C, "USER kcope\r\nPASS Tulips52\r\n"),
        (S, "+OK\r\n+OK\r\n"),
    ],
];

/// What to look for: the password, and both payloads that hold it.
const FORMS: &[&str] = &[PASSWORD, "VHVsaXBzNTI", "AGtjb3BlAFR1bGlwczUy", "FR1bGlwczUy"];

fn packets(session: &[(Side, &str)]) -> Vec<Packet> {
    let begun = Talk::new("192.0.2.2:51034", "192.0.2.1:110").open();
    let said = session.iter().fold(begun, |talk, (side, octets)| talk.says(*side, octets.as_bytes()));
    said.close().packets
}

/// All that poptape makes of a capture, in one.
fn everything(file: Vec<u8>) -> String {
    let mut entries = BTreeMap::<u32, Vec<_>>::new();
    let Ok(input) = Input::recognize(Cursor::new(file)) else { return String::new() };
    let played = input.play(&Reading::default(), &mut |session, entry| {
        entries.entry(session).or_default().push(entry.clone());
        Ok(())
    });
    if played.is_err() {
        return String::new();
    }
    let mut out = Vec::new();
    for format in FORMATS {
        let mut writer = format.writer(&Writing::default());
        for (session, entries) in &entries {
            for entry in entries {
                writer.take(*session, entry, &mut out);
            }
        }
        writer.tail(&mut out);
    }
    for entries in entries.values() {
        let mut page = Terminal::new(Verbosity::of_count(2), false);
        for entry in entries {
            page.take(entry, None, &mut out).unwrap();
        }
        page.finish(None, &mut out).unwrap();
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[track_caller]
fn check(kept: &[Packet], what: &str) {
    let all = everything(plain(kept));
    for form in FORMS {
        assert!(!all.contains(form), "{form} is seen of {what}:\n{all}");
    }
}

#[test]
fn no_secret_is_seen_wherever_a_capture_begins_or_has_gaps() {
    for (number, session) in SESSIONS.iter().enumerate() {
        let whole = packets(session);
        check(&whole, &format!("session {number}"));
        assert!(everything(plain(&whole)).contains("********"), "session {number} has no secret");
        for from in 0..whole.len() {
            let front = &whole[from..];
            check(front, &format!("session {number} from packet {from}"));
            for first in 0..front.len() {
                for gap in 1..=3.min(front.len() - first) {
                    let kept = [&front[..first], &front[first + gap..]].concat();
                    check(&kept, &format!("session {number} from {from} without {gap} at {first}"));
                }
            }
        }
    }
}

#[test]
fn the_forms_are_those_of_the_password() {
    let kept = packets(SESSIONS[2])
        .iter()
        .chain(&packets(SESSIONS[3]))
        .flat_map(|packet| packet.octets.clone())
        .collect::<Vec<_>>();
    for form in &FORMS[1..] {
        assert!(memchr::memmem::find(&kept, form.as_bytes()).is_some(), "{form}");
    }
}
