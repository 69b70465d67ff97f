//! What must hold for any octets; `cargo test` calls the same with octets of its own.

use std::collections::HashMap;
use std::io::Cursor;

use poptape::capture::KeyLog;
use poptape::recording::Entry;
use poptape::recording::file::Input;
use poptape::recording::format::Reading;

/// A key log with a secret of every kind for a client's hello of nothing but ones.
const KEY_LOG: &[u8] = include_bytes!("keys.txt");

/// The most entries that an octet of a file may become.
const ENTRIES: usize = 16;

/// The most that an octet of a gzip'd file may become.
const INFLATED: usize = 1040;

/// Any octets as a file give entries in order, or an error.
pub fn capture(octets: &[u8]) {
    let mut keys = KeyLog::default();
    keys.add(KEY_LOG);
    let mut opened = Reading::default();
    opened.capture.keys = keys;
    opened.capture.ports = vec![1110];
    opened.capture.max_open = 2;
    for reading in [Reading::default(), opened] {
        play(octets, &reading);
    }
}

/// `Opened` first, `Ended` last, nothing of a session that is not open.
fn play(octets: &[u8], reading: &Reading) {
    let Ok(input) = Input::recognize(Cursor::new(octets.to_vec())) else { return };
    let mut over: HashMap<u32, bool> = HashMap::new();
    let inflated = if octets.starts_with(&[0x1f, 0x8b]) { INFLATED } else { 1 };
    let mut left = (octets.len() + 16) * inflated * ENTRIES;
    let played = input.play(reading, &mut |session, entry| {
        left = left.checked_sub(1).expect("a file does not become more than it holds");
        match entry {
            Entry::Opened(_) => {
                assert_eq!(over.insert(session, false), None, "session {session} opens again")
            }
            _ => assert_eq!(over.get(&session), Some(&false), "session {session} is not open: {entry:?}"),
        }
        if matches!(entry, Entry::Ended(_)) {
            over.insert(session, true);
        }
        Ok(())
    });
    if let Ok(summary) = played {
        assert!(summary.remarks.len() < 16, "{} remarks", summary.remarks.len());
    }
}
