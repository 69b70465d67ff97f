//! What the fuzz targets call, with sessions and files that chance has changed.

use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;

use super::fuzzed::script::MARK;
use super::fuzzed::seeds::{self, Seed};
use super::fuzzed::{TARGETS, dissect, engine, filter, json, relay, transcript};

fn seeds(target: &str) -> Vec<Seed> {
    seeds::of(target, Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn every_seed_holds() {
    for (target, check) in TARGETS {
        for (_, octets) in seeds(target) {
            check(&octets);
        }
    }
}

/// What a target found once.
const FOUND: &[(&str, &[u8])] = &[
    // A command behind octets that are missing in what may be a secret, masked or not.
    ("dissect", b"USER kcope\r\n\xffm\x00\xffmUSER kcope\r\n"),
    // A server that says something unasked behind its greeting.
    ("relay", b"\x04\x09\xffS+OK\r\n\xff|QUIT\r\n\xffS+OK\r\n"),
    // One that closes in place of an answer to STLS, and what the client has said by then.
    ("relay", b"K STAT\r\n\xffS+OK\r\n\xffF"),
    // A client that is lost in its handshake.
    ("relay", b"\xbc\x80\xffr"),
    // STLS, accepted twice.
    ("relay", b"\x01\x0c\xffS+OK\r\n\xffCSTLS\r\n\xffS+OK\r\n\xffCSTLS\r\n\xffS+OK\r\n"),
    // A recording that does not say when the greeting came.
    ("json", br#"{"format":"poptape-recording","version":1,"session":{"started":"2026-11-24T06:13:02Z"},"exchanges":[{"reply":"+OK"}]}"#),
];

#[test]
fn what_was_found_once_holds() {
    for (target, octets) in FOUND {
        let (_, check) = TARGETS.iter().find(|(name, _)| name == target).unwrap();
        check(octets);
    }
}

/// The targets, the programs that call them, and what is said of them are the same ones.
#[test]
fn every_target_has_its_program() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    let manifest = std::fs::read_to_string(here.join("Cargo.toml")).unwrap();
    let readme = std::fs::read_to_string(here.join("README.md")).unwrap();
    for (target, _) in TARGETS {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")), "{target}");
        assert!(readme.contains(&format!("| `{target}` |")), "{target}");
        let program =
            std::fs::read_to_string(here.join("fuzz_targets").join(format!("{target}.rs"))).unwrap();
        assert!(program.contains(&format!("poptape_fuzz::{target}(")), "{target}");
    }
    assert_eq!(here.join("fuzz_targets").read_dir().unwrap().count(), TARGETS.len());
}

/// Pieces that a script may have: lines, and marks of every target.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let line = prop::sample::select(vec![
        "USER kcope\r\n",
        "PASS secret\r\n",
        "STLS\r\n",
        "stls\n",
        "CAPA\r\n",
        "AUTH PLAIN\r\n",
        "AUTH\r\n",
        "RETR 1\r\n",
        "TOP 1 0\r\n",
        "LIST\r\n",
        "DELE 1\r\n",
        "UTF8\r\n",
        "QUIT\r\n",
        "AGtjb3BlAHNlY3JldA==\r\n",
        "*\r\n",
        "STL",
        "+OK\r\n",
        "+OK ready <1@a>\r\n",
        "-ERR no\r\n",
        "+ \r\n",
        ".\r\n",
        "..\r\n",
        "1 2\r\n",
        "SASL PLAIN SCRAM-SHA-1-PLUS\r\n",
        "STLS\r\n.\r\n",
        ".\n",
        "\r",
        "\n",
    ]);
    prop_oneof![
        8 => line.prop_map(|line| line.as_bytes().to_vec()),
        6 => prop::sample::select(b"CS".to_vec()).prop_map(|letter| vec![MARK, letter]),
        2 => Just(vec![MARK, b'|']),
        2 => prop::sample::select(b"mMnNTtfFwWRPKkHLhuUr".to_vec()).prop_map(|letter| vec![MARK, letter]),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ]
}

/// A script of its own, behind what says in which setting it is played.
fn script() -> impl Strategy<Value = Vec<u8>> {
    (prop::collection::vec(any::<u8>(), 2), prop::collection::vec(piece(), 0..40))
        .prop_map(|(setting, pieces)| [setting, pieces.concat()].concat())
}

/// A seed with some of its octets changed, some of it gone, some of it there twice, and pieces put into it.
fn changed(target: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let flips = prop::collection::vec((any::<Index>(), any::<u8>()), 0..4);
    let moved = (any::<Index>(), any::<Index>(), 0usize..200);
    let put = prop::collection::vec((any::<Index>(), piece()), 0..4);
    // What chance does to the first kilobytes is seen sooner.
    let seeds: Vec<_> =
        seeds(target).into_iter().map(|(_, octets)| octets[..octets.len().min(4096)].to_vec()).collect();
    (prop::sample::select(seeds), flips, moved, put).prop_map(|(mut octets, flips, (from, to, len), put)| {
        for (place, octet) in flips {
            let place = place.index(octets.len());
            octets[place] = octet;
        }
        let from = from.index(octets.len() + 1);
        let piece = octets[from..].iter().copied().take(len).collect::<Vec<_>>();
        let to = to.index(octets.len() + 1);
        octets.splice(to..(to + len / 2).min(octets.len()), piece);
        for (place, piece) in put {
            let place = place.index(octets.len() + 1);
            octets.splice(place..place, piece);
        }
        octets
    })
}

/// Words of the filter language in any order.
fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "~c",
        "~s",
        "~session",
        "~state",
        "~t",
        "~slow",
        "~size",
        "RETR",
        "+OK",
        "none",
        "1",
        ">200",
        "<=1k",
        "auth",
        "(",
        ")",
        "!",
        "&",
        "|",
        "\"",
        " ",
        "\u{a0}",
        "\u{43f}",
        "99999999999999999999m",
        "~",
        "=",
    ]);
    prop::collection::vec(word, 0..20).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(super::config())]

    #[test]
    fn scripts_of_both_sides(script in script()) {
        dissect(&script);
    }

    #[test]
    fn changed_sessions(script in changed("dissect")) {
        dissect(&script);
    }

    #[test]
    fn scripts_of_a_client(script in script()) {
        engine(&script);
    }

    #[test]
    fn changed_clients(script in changed("engine")) {
        engine(&script);
    }

    #[test]
    fn scripts_of_a_relayed_session(script in script()) {
        relay(&script);
    }

    #[test]
    fn changed_relayed_sessions(script in changed("relay")) {
        relay(&script);
    }

    #[test]
    fn changed_recordings(file in changed("json")) {
        json(&file);
    }

    #[test]
    fn changed_transcripts(file in changed("transcript")) {
        transcript(&file);
    }

    #[test]
    fn filters_of_any_words(text in words()) {
        filter(text.as_bytes());
    }

    #[test]
    fn changed_filters(text in changed("filter")) {
        filter(&text);
    }
}
