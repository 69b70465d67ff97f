//! Any octets as a file of a format that can be written again.

use chrono::SubsecRound as _;
use poptape::pop3::Event;
use poptape::recording::Entry;
use poptape::recording::format::{Format, Integrity, Reading, Writing, named};
use poptape::recording::playback::play;
use poptape::wire::{Micros, Side};

/// A file of a recording is read or refused. What was read can be written, and is read again as what it was.
pub fn json(file: &[u8]) {
    let Some((entries, _)) = read("json", file) else { return };
    let written = write("json", &entries);
    let (back, integrity) = read("json", &written).expect("what was written can be read");
    let ended = matches!(entries.last(), Some(Entry::Ended(_)));
    let expected = if ended { Integrity::Whole } else { Integrity::Unfinished };
    assert_eq!(integrity, expected, "{}", shown(&written));
    assert_eq!(beside(&entries), beside(&back), "{}", shown(&written));
    // Octets that somebody else's file gives no arrival get one.
    for side in [Side::Client, Side::Server] {
        let (read, back) = (stream(&entries, side), stream(&back, side));
        assert_eq!(read.len(), back.len(), "{side:?} in {}", shown(&written));
        for (read, back) in read.iter().zip(&back) {
            assert_eq!(
                (&read.octets, &read.ends),
                (&back.octets, &back.ends),
                "{side:?} in {}",
                shown(&written)
            );
            let lost = read.arrivals.iter().find(|arrival| !back.arrivals.contains(arrival));
            assert_eq!(lost, None, "{side:?} in {}", shown(&written));
        }
    }
    let (again, _) = read("json", &write("json", &back)).expect("what was written can be read");
    for side in [Side::Client, Side::Server] {
        assert_eq!(stream(&back, side), stream(&again, side), "{side:?} in {}", shown(&written));
    }
}

/// So is a transcript; it has no times, and nothing but octets, what is missing in them, and TLS.
pub fn transcript(file: &[u8]) {
    let Some((entries, _)) = read("transcript", file) else { return };
    let written = write("transcript", &entries);
    let (back, integrity) = read("transcript", &written).expect("what was written can be read");
    assert_eq!(integrity, Integrity::Whole, "{}", shown(&written));
    let timeless = |entries: &[Entry], side| -> Vec<_> {
        stream(entries, side).into_iter().map(|stretch| (stretch.octets, stretch.ends)).collect()
    };
    for side in [Side::Client, Side::Server] {
        assert_eq!(timeless(&entries, side), timeless(&back, side), "{side:?} in {}", shown(&written));
    }
    // What is written is ASCII and UTF-8 without control characters, whatever it stands for.
    let text = String::from_utf8(written).expect("a transcript is text");
    assert!(!text.contains(|c: char| c.is_ascii_control() && c != '\n'), "{text:?}");
}

fn shown(file: &[u8]) -> String {
    String::from_utf8_lossy(file).into_owned()
}

fn format(name: &str) -> &'static dyn Format {
    named(name).expect("the format has a row")
}

fn read(name: &str, file: &[u8]) -> Option<(Vec<Entry>, Integrity)> {
    let mut entries = Vec::new();
    let summary = play(format(name), &mut &file[..], &Reading::default(), &mut |_, entry| {
        entries.push(entry.clone());
        Ok(())
    });
    summary.ok().map(|summary| (entries, summary.integrity))
}

fn write(name: &str, entries: &[Entry]) -> Vec<u8> {
    let mut writer = format(name).writer(&Writing::default());
    let mut file = Vec::new();
    for entry in entries {
        writer.take(1, entry, &mut file);
    }
    // A tail stands in for the end.
    if !matches!(entries.last(), Some(Entry::Ended(_))) {
        writer.tail(&mut file);
    }
    file
}

/// Octets of a side between two things that are not in the octets.
#[derive(Debug, Default, PartialEq, Eq)]
struct Stretch {
    octets: Vec<u8>,
    /// Where arrivals begin, and when.
    arrivals: Vec<(usize, Micros)>,
    /// What it ends with.
    ends: Option<Ends>,
}

#[derive(Debug, PartialEq, Eq)]
enum Ends {
    Missing(u64),
    Tls { readable: bool },
}

/// A side's octets.
fn stream(entries: &[Entry], of: Side) -> Vec<Stretch> {
    let (mut stretches, mut stretch) = (Vec::new(), Stretch::default());
    for entry in entries {
        let ends = match entry {
            Entry::Event(Event::Missing { side, octets, .. }) if *side == of => Ends::Missing(*octets),
            Entry::Tls(tls) if tls.begins_anew() => Ends::Tls { readable: tls.readable },
            Entry::Event(event) => {
                if let Some((_, run)) = event.octets().filter(|(side, _)| *side == of) {
                    let before = stretch.octets.len();
                    let arrivals = run.arrivals.iter().map(|&(offset, at)| (before + offset as usize, at));
                    stretch.arrivals.extend(arrivals);
                    stretch.octets.extend_from_slice(&run.bytes);
                }
                continue;
            }
            _ => continue,
        };
        stretches.push(Stretch { ends: Some(ends), ..std::mem::take(&mut stretch) });
    }
    stretches.push(stretch);
    stretches
}

/// What is not in the octets, in order. A file of somebody else's may tell the time more finely.
fn beside(entries: &[Entry]) -> Vec<Entry> {
    let beside = entries.iter().filter(|entry| !matches!(entry, Entry::Event(_)));
    let rounded = beside.cloned().map(|mut entry| {
        if let Entry::Opened(header) = &mut entry {
            header.started = header.started.trunc_subsecs(6);
        }
        entry
    });
    rounded.collect()
}
