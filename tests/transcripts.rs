//! Transcripts: what each session looks like on the screen and to a program. A bug's fix begins with the
//! smallest transcript that shows it. `UPDATE_EXPECT=1` rewrites the expectations; the diff is to be read.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use poptape::pop3::{Dissector, Secrets};
use poptape::recording::Entry;
use poptape::recording::format::{Reading, Record, Writing, named};
use poptape::recording::playback::play;
use poptape::render::Page;
use poptape::render::jsonl::Jsonl;
use poptape::render::terminal::Terminal;
use poptape::render::text::Verbosity;

/// A transcript's entries as they would be live, secrets masked.
fn live(path: &Path) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut dissector = Dissector::new(Secrets::Redact);
    let mut input = BufReader::new(File::open(path).unwrap());
    let mut feed = |_, record| {
        match record {
            Record::Header(mut header) => {
                header.secrets = Secrets::Redact;
                entries.push(Entry::Opened(header));
            }
            Record::Octets(side, run) => {
                dissector.feed_run(side, run, &mut |event| entries.push(Entry::Event(event)));
            }
            Record::End(end) => {
                dissector.finish(&mut |event| entries.push(Entry::Event(event)));
                entries.push(Entry::Ended(end));
            }
            Record::Missing(side, octets) => {
                dissector.missing(side, octets, &mut |event| entries.push(Entry::Event(event)));
            }
            Record::Tls(tls) => {
                dissector.tls_started(tls.readable, &mut |event| entries.push(Entry::Event(event)));
                entries.push(Entry::Tls(tls));
            }
            other => panic!("{other:?}"),
        }
        Ok(())
    };
    named("transcript").unwrap().read(&mut input, &Reading::default(), &mut feed).unwrap();
    entries
}

fn page(entries: &[Entry], mut page: impl Page) -> String {
    let mut out = Vec::new();
    for entry in entries {
        page.take(entry, None, &mut out).unwrap();
    }
    page.finish(None, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The same session written as JSON and read again.
fn through_json(entries: &[Entry]) -> Vec<Entry> {
    let json = named("json").unwrap();
    let (mut writer, mut file, mut back) = (json.writer(&Writing::default()), Vec::new(), Vec::new());
    for entry in entries {
        writer.take(1, entry, &mut file);
    }
    play(json, &mut &file[..], &Reading::default(), &mut |_, entry| {
        back.push(entry.clone());
        Ok(())
    })
    .unwrap();
    back
}

#[test]
fn every_transcript_shows_as_expected_live_and_offline() {
    let mut count = 0;
    for entry in Path::new("tests/transcripts").read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "transcript") {
            continue;
        }
        count += 1;
        let entries = live(&path);
        let screen = page(&entries, Terminal::new(Verbosity::All, false));
        let rows = page(&entries, Jsonl::default());
        let expected = std::env::current_dir().unwrap().join(path.with_extension("expected"));
        expect_test::expect_file![expected].assert_eq(&format!("{screen}\n{rows}"));

        let back = through_json(&entries);
        let name = path.display();
        assert_eq!(page(&back, Jsonl::default()), rows, "offline, {name} differs from live");
        // Where commands overlap the order of arrival is not the order of exchanges: only there may a screen differ.
        if !screen.contains("cannot be known") {
            assert_eq!(
                page(&back, Terminal::new(Verbosity::All, false)),
                screen,
                "offline, {name} differs from live"
            );
        }
    }
    assert!(count > 10, "only {count} transcripts were found");
}
