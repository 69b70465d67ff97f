//! Any octets as a file.

use std::collections::HashMap;
use std::io::Cursor;

use poptape::capture::KeyLog;
use poptape::recording::Entry;
use poptape::recording::file::Input;
use poptape::recording::format::pcap::Segments;
use poptape::recording::format::{Integrity, ReadError, Reading, Writing, named};

/// A key log with a secret of every kind for a client's hello of nothing but ones.
const KEY_LOG: &[u8] = include_bytes!("keys.txt");

/// The most entries that an octet of a file may become.
const ENTRIES: usize = 16;

/// The most that an octet of a gzip'd file may become.
const INFLATED: usize = 1040;

/// Any octets as a file give entries in order, or an error; what they give can be written as a capture, and that read.
pub fn capture(octets: &[u8]) {
    let mut keys = KeyLog::default();
    keys.add(KEY_LOG);
    let mut opened = Reading::default();
    opened.capture.keys = keys;
    opened.capture.ports = vec![1110];
    opened.capture.max_open = 2;
    for reading in [Reading::default(), opened] {
        let Some(entries) = play(octets, &reading) else { continue };
        for segments in [Segments::Wireshark, Segments::Recorded] {
            play(&written(segments, &entries), &reading);
        }
    }
}

type Entries = Vec<(u32, Entry)>;

/// The entries of a file that can be read: `Opened` first, `Ended` last, nothing of a session that is not open.
fn play(octets: &[u8], reading: &Reading) -> Option<Entries> {
    let input = Input::recognize(Cursor::new(octets.to_vec())).ok()?;
    let mut entries = Entries::new();
    let mut over: HashMap<u32, bool> = HashMap::new();
    let inflated = if octets.starts_with(&[0x1f, 0x8b]) { INFLATED } else { 1 };
    let mut left = (octets.len() + 16) * inflated * ENTRIES;
    let played = input.play(reading, &mut |session, entry| {
        left = left.checked_sub(1).expect("a file does not become more than it holds");
        match entry {
            Entry::Opened(_) => {
                assert_eq!(over.insert(session, false), None, "session {session} opens again");
            }
            _ => assert_eq!(over.get(&session), Some(&false), "session {session} is not open: {entry:?}"),
        }
        if matches!(entry, Entry::Ended(_)) {
            over.insert(session, true);
        }
        entries.push((session, entry.clone()));
        Ok(())
    });
    let summary = played.ok()?;
    assert!(summary.remarks.len() < 16, "{} remarks", summary.remarks.len());
    Some(entries)
}

/// A capture of entries; whatever they are, nothing is wrong with it.
fn written(segments: Segments, entries: &Entries) -> Vec<u8> {
    let format = named("pcapng").expect("the format has a row");
    let mut writer = format.writer(&Writing { segments, ..Writing::default() });
    let mut file = Vec::new();
    for (session, entry) in entries {
        writer.take(*session, entry, &mut file);
    }
    writer.tail(&mut file);
    match play_whole(&file) {
        // Too little may be left of a session to know it by, and what is missing in it is missing.
        Ok(Integrity::Whole | Integrity::Lacking(_)) | Err(ReadError::NoSession(_)) => file,
        other => panic!("what was written is read as {other:?}"),
    }
}

fn play_whole(file: &[u8]) -> Result<Integrity, ReadError> {
    if file.is_empty() {
        return Ok(Integrity::Whole);
    }
    let summary =
        Input::recognize(Cursor::new(file.to_vec()))?.play(&Reading::default(), &mut |_, _| Ok(()))?;
    let damage = |remark: &&String| remark.contains("damaged") || remark.contains("no TCP");
    let lacks = match &summary.integrity {
        Integrity::Lacking(what) => Some(what),
        _ => None,
    };
    assert_eq!(summary.remarks.iter().chain(lacks).find(damage), None, "of packets that poptape wrote");
    Ok(summary.integrity)
}
