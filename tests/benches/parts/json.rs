//! The JSON recording: written as it happens, and read back through the dissector.

use criterion::Throughput;
use poptape::recording::Entry;
use poptape::recording::format::{Reading, Writing, named};
use poptape::recording::playback::play;

use super::material;
use super::part::{Part, Target};

const OCTETS: usize = 4 * 1024 * 1024;

/// A file of entries.
pub fn write(format: &str, entries: &[Entry], out: &mut Vec<u8>) -> u64 {
    out.clear();
    let mut writer = named(format).unwrap().writer(&Writing::default());
    for entry in entries {
        writer.take(1, entry, out);
    }
    out.len() as u64
}

/// How many octets of the two sides are in a file.
pub fn read(format: &str, file: &[u8]) -> u64 {
    let mut octets = 0;
    let mut take = |_, entry: &Entry| {
        if let Entry::Event(event) = entry {
            octets += event.octets().map_or(0, |(_, run)| run.bytes.len() as u64);
        }
        Ok(())
    };
    play(named(format).unwrap(), &mut &file[..], &Reading::default(), &mut take).unwrap();
    assert!(octets >= OCTETS as u64, "all of it is there");
    octets
}

/// The lines of the message, for a library that knows nothing of sessions.
fn texts() -> Vec<String> {
    let body = String::from_utf8(material::body(OCTETS)).unwrap();
    body.lines().map(str::to_owned).collect()
}

pub fn writing(name: &'static str) -> Part {
    let (entries, texts) = (material::entries(OCTETS), texts());
    let (mut out, mut other) = (Vec::new(), Vec::new());
    Part::new(name, Throughput::Bytes(OCTETS as u64))
        .work("write", move || write("json", &entries, &mut out))
        .work("serde_json", move || {
            other.clear();
            serde_json::to_writer(&mut other, &texts).unwrap();
            other.len() as u64
        })
        .compare("write", "serde_json", Target::Open)
}

pub fn reading(name: &'static str) -> Part {
    let mut file = Vec::new();
    write("json", &material::entries(OCTETS), &mut file);
    let texts = serde_json::to_vec(&texts()).unwrap();
    Part::new(name, Throughput::Bytes(OCTETS as u64))
        .work("read", move || read("json", &file))
        .work("serde_json", move || serde_json::from_slice::<Vec<&str>>(&texts).unwrap().len() as u64)
        .compare("read", "serde_json", Target::Open)
}
