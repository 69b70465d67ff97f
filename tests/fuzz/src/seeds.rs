//! What the targets begin with: sessions that poptape's own recordings and transcripts tell of.

use std::fs;
use std::io;
use std::path::Path;

use poptape::recording::Entry;
use poptape::recording::file::Input;
use poptape::recording::format::{Reading, Writing, named};
use poptape::wire::Side;

use super::script::MARK;

/// A seed: its name, and its octets.
pub type Seed = (String, Vec<u8>);

/// How many settings of server and relay there are: each seed of them is there for one, in turn.
const SETTINGS: u8 = 24;

/// Filters, right and wrong.
const FILTERS: [&str; 14] = [
    "~c retr",
    "~c RETR & !~s +OK",
    "~s none | ~c USER",
    "~t \"-ERR no\"",
    "~state auth !(~c PASS | ~c RETR)",
    "~session 3 & ~size >20",
    "~size <=1k ~slow <1500",
    "~slow",
    "~slow >200 | ~size =1m",
    "((hello) | !\u{43f}\u{440}\u{438})",
    "~session 4294967295",
    "~s yes",
    "a \"b",
    "!!!(~x)",
];

/// The seeds of a target, of what lies in the repository at `root`.
pub fn of(target: &str, root: &Path) -> io::Result<Vec<Seed>> {
    if target == "filter" {
        let named =
            FILTERS.iter().enumerate().map(|(n, filter)| (format!("filter-{n}"), filter.as_bytes().to_vec()));
        return Ok(named.collect());
    }
    let files = files(root)?;
    let mut seeds = Vec::new();
    for (n, (name, file)) in files.into_iter().enumerate() {
        let setting = n as u8 % SETTINGS;
        match target {
            "json" | "transcript" => {
                let entries = entries(&file);
                if !entries.is_empty() {
                    seeds.push((name, written(target, &entries)));
                }
            }
            "dissect" => seeds.push((name, script(&entries(&file)))),
            "engine" => seeds.push((name, [&[setting][..], &script(&entries(&file))].concat())),
            "relay" => {
                let script = script(&entries(&file));
                seeds.push((format!("{name}-stls"), [&[1, 0][..], &stls(&script)].concat()));
                seeds.push((name, [&[setting, setting / 9][..], &script].concat()));
            }
            _ => {}
        }
    }
    Ok(seeds)
}

/// Recordings and transcripts.
fn files(root: &Path) -> io::Result<Vec<Seed>> {
    let mut files = Vec::new();
    for folder in ["recordings", "tests/transcripts"] {
        for entry in fs::read_dir(root.join(folder))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json" || extension == "transcript") {
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                files.push((name, fs::read(&path)?));
            }
        }
    }
    files.sort();
    Ok(files)
}

fn entries(file: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    let played = Input::recognize(io::Cursor::new(file.to_vec())).and_then(|input| {
        input.play(&Reading::default(), &mut |_, entry| {
            entries.push(entry.clone());
            Ok(())
        })
    });
    played.map_or_else(|_| Vec::new(), |_| entries)
}

fn written(format: &str, entries: &[Entry]) -> Vec<u8> {
    let mut file = Vec::new();
    if let Some(format) = named(format) {
        let mut writer = format.writer(&Writing::default());
        for entry in entries {
            writer.take(1, entry, &mut file);
        }
        if !matches!(entries.last(), Some(Entry::Ended(_))) {
            writer.tail(&mut file);
        }
    }
    file
}

/// The same session as a script, a user's real password in place of a masked one.
fn script(entries: &[Entry]) -> Vec<u8> {
    let (mut script, mut speaks) = (Vec::new(), Side::Client);
    for entry in entries {
        let Entry::Event(event) = entry else { continue };
        let Some((side, run)) = event.octets() else { continue };
        if side != speaks {
            script.extend_from_slice(&[MARK, if side == Side::Client { b'C' } else { b'S' }]);
            speaks = side;
        }
        let hidden = run.bytes.starts_with(b"PASS ***");
        script.extend_from_slice(if hidden { b"PASS secret\r\n" } else { &run.bytes });
    }
    script
}

/// The same with TLS behind the greeting.
fn stls(script: &[u8]) -> Vec<u8> {
    let end = script.iter().position(|&octet| octet == b'\n').map_or(script.len(), |end| end + 1);
    let (greeting, rest) = script.split_at(end);
    let stls =
        [&[MARK, b'C'][..], b"STLS\r\n", &[MARK, b'S'], b"+OK\r\n", &[MARK, b'H', MARK, b'L']].concat();
    [greeting, &stls, rest].concat()
}
