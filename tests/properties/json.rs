use poptape::pop3::{Event, Secrets};
use poptape::recording::format::{Integrity, ReadError, Reading, Writing, named};
use poptape::recording::playback::play;
use poptape::recording::{By, End, Entry, Header, How, Note};
use poptape::wire::{Close, Side};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::dissect::{dissect, dissect_marked, events, exchanges, gaps, stream};
use super::session::{cut, cuts, lines, marks, stretches};

pub fn header(secrets: Secrets) -> Header {
    Header {
        generator: "poptape test".to_owned(),
        session: 3,
        started: chrono::DateTime::UNIX_EPOCH,
        client: "127.0.0.1:51034".to_owned(),
        listener: "127.0.0.1:1110".to_owned(),
        upstream: "pop3://pop.example.org:110".to_owned(),
        server: Some("192.0.2.1:110".to_owned()),
        secrets,
        origin: None,
        unknown: Map::new(),
        outer: Map::new(),
    }
}

fn end() -> Entry {
    let (unknown, outer) = Default::default();
    Entry::Ended(Box::new(End { at: 1_000_000_000, by: By::Client, how: How::Finished, unknown, outer }))
}

/// A session's entries as one file.
pub fn write(entries: &[Entry]) -> Vec<u8> {
    let mut writer = named("json").unwrap().writer(&Writing::default());
    let mut out = Vec::new();
    for entry in entries {
        writer.take(1, entry, &mut out);
    }
    out
}

pub fn read(file: &[u8]) -> Result<(Vec<Entry>, Integrity), ReadError> {
    let mut entries = Vec::new();
    let summary = play(named("json").unwrap(), &mut &file[..], &Reading::default(), &mut |_, entry| {
        entries.push(entry.clone());
        Ok(())
    })?;
    Ok((entries, summary.integrity))
}

pub fn entries(events: &[Event], secrets: Secrets) -> Vec<Entry> {
    let mut entries = vec![Entry::Opened(Box::new(header(secrets)))];
    entries.extend(events.iter().cloned().map(Entry::Event));
    entries.push(end());
    entries
}

proptest! {
    #![proptest_config(super::config())]

    /// A recording gives back every octet, every arrival and, through the same dissector, every exchange.
    #[test]
    fn a_recording_comes_back_as_it_was(lines in lines(), cuts in cuts(), redact in any::<bool>()) {
        let secrets = if redact { Secrets::Redact } else { Secrets::Keep };
        let live = dissect(&cut(&lines, &cuts), secrets);
        let file = write(&entries(&live, secrets));
        let parsed: Value = serde_json::from_slice(&file).unwrap();
        prop_assert!(valid(&parsed), "{}", String::from_utf8_lossy(&file));
        let (back, integrity) = read(&file).unwrap();
        prop_assert_eq!(integrity, Integrity::Whole);
        let offline = events(&back);
        for side in [Side::Client, Side::Server] {
            let (octets, arrivals) = stream(&live, side);
            let (octets_back, arrivals_back) = stream(&offline, side);
            prop_assert!(octets == octets_back, "{side:?} in {}", String::from_utf8_lossy(&file));
            prop_assert!(arrivals == arrivals_back, "{side:?} {arrivals:?} {arrivals_back:?} in {}", String::from_utf8_lossy(&file));
        }
    }

    /// So does one with octets missing and TLS beginning: each at its place among the octets of its side.
    #[test]
    fn gaps_and_tls_come_back_as_they_were(lines in lines(), marks in marks(), cuts in cuts()) {
        let (live, _) = dissect_marked(&stretches(&lines, &marks), &cuts, Secrets::Keep);
        let mut all = vec![Entry::Opened(Box::new(Header { origin: Some("x.pcapng".to_owned()), ..header(Secrets::Keep) }))];
        all.extend(live.iter().cloned());
        all.push(end());
        let file = write(&all);
        let shown = String::from_utf8_lossy(&file);
        prop_assert!(valid(&serde_json::from_slice(&file).unwrap()), "{}", shown);
        let (back, integrity) = read(&file).unwrap();
        prop_assert_eq!(integrity, Integrity::Whole);
        prop_assert_eq!(&back[0], &all[0]);
        // Between two beginnings of TLS, and around them.
        let is_tls = |entry: &Entry| matches!(entry, Entry::Tls(_));
        let tls = |entries: &[Entry]| -> Vec<Entry> { entries.iter().filter(|entry| is_tls(entry)).cloned().collect() };
        prop_assert_eq!(tls(&live), tls(&back));
        for (live, back) in live.split(is_tls).zip(back.split(is_tls)) {
            let (live, back) = (events(live), events(back));
            for side in [Side::Client, Side::Server] {
                prop_assert!(stream(&live, side) == stream(&back, side), "{side:?} in {}", shown);
                prop_assert_eq!(gaps(&live, side), gaps(&back, side), "{:?} in {}", side, shown);
            }
        }
    }

    /// A session in lock-step that lacks octets of answers has the same exchanges offline as live.
    #[test]
    fn gaps_leave_the_same_exchanges_offline(cuts in cuts(), order in prop::collection::vec(0usize..SCENES.len(), 0..12), marks in marks()) {
        let mut lines = vec![(Side::Server, b"+OK ready\r\n".to_vec())];
        for scene in order {
            // Not those that overlap: when a request was sent is not in the order of a recording.
            if scene != 3 && scene != 6 {
                lines.extend(SCENES[scene].iter().map(|(side, line)| (*side, line.as_bytes().to_vec())));
            }
        }
        let (live, _) = dissect_marked(&stretches(&lines, &marks), &cuts, Secrets::Redact);
        // Nor those that overlap only since a gap hides an answer.
        prop_assume!(in_lock_step(&events(&live)));
        let mut all = vec![Entry::Opened(Box::new(header(Secrets::Redact)))];
        all.extend(live.iter().cloned());
        all.push(end());
        let file = write(&all);
        let (back, _) = read(&file).unwrap();
        prop_assert_eq!(exchanges(&events(&live)), exchanges(&events(&back)), "{}", String::from_utf8_lossy(&file));
    }

    /// A session in lock-step has the same exchanges offline as live.
    #[test]
    fn exchanges_are_the_same_offline(cuts in cuts(), order in prop::collection::vec(0usize..SCENES.len(), 0..12)) {
        let mut lines = vec![(Side::Server, b"+OK ready\r\n".to_vec())];
        for scene in order {
            lines.extend(SCENES[scene].iter().map(|(side, line)| (*side, line.as_bytes().to_vec())));
        }
        let live = dissect(&cut(&lines, &cuts), Secrets::Redact);
        let (back, _) = read(&write(&entries(&live, Secrets::Redact))).unwrap();
        prop_assert_eq!(exchanges(&live), exchanges(&events(&back)));
    }

    /// After any flush the file is whole JSON and holds all that was taken.
    #[test]
    fn every_flush_leaves_a_whole_file(lines in lines(), cuts in cuts(), stop in any::<prop::sample::Index>()) {
        let live = dissect(&cut(&lines, &cuts), Secrets::Keep);
        let all = entries(&live, Secrets::Keep);
        let taken = &all[..=stop.index(all.len() - 1)];
        let mut writer = named("json").unwrap().writer(&Writing::default());
        let mut file = Vec::new();
        for entry in taken {
            writer.take(1, entry, &mut file);
        }
        writer.tail(&mut file);
        let parsed: Value = serde_json::from_slice(&file).unwrap();
        prop_assert!(valid(&parsed), "{}", String::from_utf8_lossy(&file));
        let (back, integrity) = read(&file).unwrap();
        prop_assert_eq!(integrity, Integrity::Unfinished);
        for side in [Side::Client, Side::Server] {
            let there = stream(&events(taken), side);
            prop_assert!(there == stream(&events(&back), side), "{}", String::from_utf8_lossy(&file));
        }
    }

    /// A file cut anywhere is read up to there, or refused; octets are never made up.
    #[test]
    fn a_cut_file_gives_a_beginning(lines in lines(), cut_at in any::<prop::sample::Index>()) {
        let live = dissect(&cut(&lines, &[usize::MAX]), Secrets::Keep);
        let file = write(&entries(&live, Secrets::Keep));
        match read(&file[..cut_at.index(file.len())]) {
            Ok((back, _)) => for side in [Side::Client, Side::Server] {
                prop_assert!(stream(&live, side).0.starts_with(&stream(&events(&back), side).0));
            },
            Err(error) => prop_assert!(matches!(error, ReadError::Foreign(_)), "{error}"),
        }
    }

    /// Any octets as a file give a recording or an error.
    #[test]
    fn any_file_is_survived(lines in lines(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20)) {
        let live = dissect(&cut(&lines, &[usize::MAX]), Secrets::Keep);
        let mut file = write(&entries(&live, Secrets::Keep));
        for (at, octet) in changes {
            let at = at.index(file.len());
            file[at] = octet;
        }
        let _ = read(&file);
    }
}

/// Whether no request came while another waited for its answer.
pub fn in_lock_step(events: &[Event]) -> bool {
    let mut waiting = 0;
    events.iter().all(|event| {
        match event {
            Event::Request { .. } => waiting += 1,
            Event::End(outcome) if outcome.request.is_some() => waiting -= 1,
            // Lines came while a request waited.
            Event::Ambiguous { .. } => return false,
            _ => {}
        }
        waiting < 2
    })
}

use poptape::wire::Side::{Client as C, Server as S};

/// Pieces of sessions whose pairing does not depend on timing.
pub const SCENES: &[&[(Side, &str)]] = &[
    &[(C, "USER kcope\r\n"), (S, "+OK\r\n"), (C, "PASS secret\r\n"), (S, "+OK 2 messages\r\n")],
    &[(C, "LIST\r\n"), (S, "+OK\r\n1 120\r\n2 200\r\n.\r\n"), (C, "LIST 2\r\n"), (S, "+OK 2 200\r\n")],
    &[(C, "RETR 1\r\n"), (S, "+OK 12 octets\r\n..a\r\n+OK b\r\n.\r\n")],
    &[(C, "RETR 1\r\nRETR 2\r\nNOOP\r\n"), (S, "+OK\r\na\r\n.\r\n-ERR no\r\n"), (S, "+OK\r\n")],
    &[
        (C, "AUTH LOGIN\r\n"),
        (S, "+ VXNlcm5hbWU6\r\n"),
        (C, "a2NvcGU=\r\n"),
        (S, "+ UGFzc3dvcmQ6\r\n"),
        (C, "*\r\n"),
        (S, "-ERR\r\n"),
    ],
    &[(C, "XFOO\r\n"), (S, "+OK\r\nline\r\n.\r\n")],
    &[(S, "-ERR unasked\r\n"), (C, "noop\n"), (S, "+OK\n")],
    &[(C, "TOP 1 10\r\n"), (S, "+OK\nbare\n.\n")],
    &[(C, "UIDL\r\n"), (S, "+OK\r\nbare\n.\n"), (C, "NOOP\r\n"), (S, "+OK\r\n")],
];

pub fn valid(recording: &Value) -> bool {
    use std::sync::LazyLock;
    static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
        let schema = serde_json::from_str(poptape::recording::format::json::SCHEMA).unwrap();
        jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap()
    });
    SCHEMA.is_valid(recording)
}

#[test]
fn the_schema_refuses_what_is_none() {
    assert!(!valid(&json!({"format": "poptape-recording", "version": 1})));
    let good: Value = serde_json::from_slice(&write(&entries(&[], Secrets::Redact))).unwrap();
    assert!(valid(&good));
    for bad in [
        json!({"n": -1}),
        json!({"n": 1, "body": [{"text": "a", "base64": ""}]}),
        json!({"n": 1, "reply": 7}),
    ] {
        let mut file = good.clone();
        file["exchanges"] = json!([bad]);
        assert!(!valid(&file), "{file}");
    }
}

#[test]
fn what_is_not_known_survives_a_rewrite() {
    let file = json!({
        "format": "poptape-recording", "version": 1, "generator": "x", "mood": "good",
        "session": {"number": 1, "started": "2026-11-24T06:13:02.000001Z", "client": "c", "listener": "l",
                    "upstream": "u", "server": null, "secrets": "kept", "ticket": [1, 2]},
        "exchanges": [
            {"n": 0, "reply_at_us": 5, "reply": "+OK", "finding": {"rule": "P3-001"}},
            {"n": 1, "at_us": 6, "command": "CAPA", "reply_at_us": 7, "reply": "+OK", "body": ["UIDL"], "odd": true},
            {"at_us": 9, "note": "fault", "text": "slow"},
            {"at_us": 10, "closed": "client", "how": "finished"},
        ],
        "end": {"at_us": 11, "by": "client", "how": "finished", "verdict": "ok"}, "last": 1,
    });
    let (entries, _) = read(file.to_string().as_bytes()).unwrap();
    let again: Value = serde_json::from_slice(&write(&entries)).unwrap();
    assert_eq!(again, file);
}

#[test]
fn a_later_version_and_a_foreign_file_are_named_as_such() {
    let newer = br#"{"format": "poptape-recording", "version": 2, "session": {"shape": "unheard of"}}"#;
    assert!(matches!(read(newer), Err(ReadError::TooNew { found: 2, known: 1 })));
    for foreign in
        [&b"{}"[..], b"", b"[]", b"{\"log\": {\"version\": \"1.2\"}}", b"\xd4\xc3\xb2\xa1 a capture"]
    {
        assert!(matches!(read(foreign), Err(ReadError::Foreign(_))), "{}", String::from_utf8_lossy(foreign));
    }
}

#[test]
fn a_value_without_end_does_not_fill_the_memory() {
    let mut file = write(&entries(&[], Secrets::Keep));
    file.truncate(file.len() - b"\n], \"end\": null}\n".len());
    let start = String::from_utf8(file).unwrap();
    let start = &start[..start.find("\"exchanges\": [").unwrap() + 14];
    let endless = format!("{start}{{\"n\": 1, \"command\": \"{}", "x".repeat(40 << 20));
    let (_, integrity) = read(endless.as_bytes()).unwrap();
    assert!(matches!(&integrity, Integrity::Damaged(why) if why.contains("16 MiB")), "{integrity:?}");
}

#[test]
fn notes_and_closes_keep_their_place() {
    let greeting = dissect(&vec![(Side::Server, 4, bytes::Bytes::from_static(b"+OK\r\n"))], Secrets::Redact);
    let mut all = vec![Entry::Opened(Box::new(header(Secrets::Redact)))];
    all.push(Entry::Note(Note { at: 1, kind: "test".to_owned(), text: "before".to_owned() }));
    all.extend(greeting.into_iter().map(Entry::Event));
    all.push(Entry::Closed { side: Side::Server, how: Close::Reset, at: 9 });
    all.push(end());
    let (back, _) = read(&write(&all)).unwrap();
    assert_eq!(back, all);
}
