use bytes::Bytes;
use poptape::pop3::{Dissector, Event, Secrets};
use poptape::recording::{Assembler, Entry, Exchange};
use poptape::wire::{Side, Tls};
use proptest::prelude::*;

use super::session::{Chunks, Mark, Stretches, cut, cuts, lines, marks, stretches};

pub fn dissect(chunks: &Chunks, secrets: Secrets) -> Vec<Event> {
    let mut events = Vec::new();
    let mut dissector = Dissector::new(secrets);
    for (side, at, octets) in chunks {
        dissector.feed(*side, *at, octets.clone(), &mut |event| events.push(event));
    }
    dissector.finish(&mut |event| events.push(event));
    events
}

/// A session with octets missing and TLS beginning, cut anew; gives the entries, and per side the octets that went in.
pub fn dissect_marked(stretches: &Stretches, cuts: &[usize], secrets: Secrets) -> (Vec<Entry>, [Vec<u8>; 2]) {
    let (mut entries, mut fed, mut at) = (Vec::new(), [Vec::new(), Vec::new()], 0);
    let mut dissector = Dissector::new(secrets);
    for (lines, mark) in stretches {
        let mut out = |event| entries.push(Entry::Event(event));
        for (side, _, octets) in cut(lines, cuts) {
            at += 10;
            fed[side as usize].extend_from_slice(&octets);
            dissector.feed(side, at, octets, &mut out);
        }
        match *mark {
            Some(Mark::Missing(side, octets)) => dissector.missing(side, octets, &mut out),
            Some(Mark::Tls(readable)) => {
                dissector.tls_started(readable, &mut out);
                let facts = ["TLSv1.3", "TLS_AES_128_GCM_SHA256", "pop.example.org", "pop3"];
                let [version, cipher, server_name, alpn] =
                    facts.map(|fact| readable.then(|| fact.to_owned()));
                let facts = Tls { at, version, cipher, server_name, alpn, readable, ..Tls::default() };
                entries.push(Entry::Tls(Box::new(facts)));
            }
            None => {}
        }
    }
    dissector.finish(&mut |event| entries.push(Entry::Event(event)));
    (entries, fed)
}

/// The events among entries.
pub fn events(entries: &[Entry]) -> Vec<Event> {
    let events = entries.iter().filter_map(|entry| match entry {
        Entry::Event(event) => Some(event.clone()),
        _ => None,
    });
    events.collect()
}

/// Where octets of a side are missing, and how many.
pub fn gaps(events: &[Event], of: Side) -> Vec<(usize, u64)> {
    let (mut gaps, mut at) = (Vec::new(), 0);
    for event in events {
        match event {
            Event::Missing { side, octets, .. } if *side == of => gaps.push((at, *octets)),
            event => {
                at += event.octets().filter(|(side, _)| *side == of).map_or(0, |(_, run)| run.bytes.len());
            }
        }
    }
    gaps
}

/// A side's octets and where each arrival begins in them.
pub fn stream(events: &[Event], side: Side) -> (Vec<u8>, Vec<(u64, u64)>) {
    let (mut octets, mut arrivals) = (Vec::new(), Vec::new());
    for (_, run) in events.iter().filter_map(Event::octets).filter(|(of, _)| *of == side) {
        arrivals
            .extend(run.arrivals.iter().map(|&(offset, at)| (octets.len() as u64 + u64::from(offset), at)));
        octets.extend_from_slice(&run.bytes);
    }
    (octets, arrivals)
}

/// What does not depend on times.
pub fn exchanges(events: &[Event]) -> Vec<Exchange> {
    let mut assembler = Assembler::new(1 << 16);
    let mut exchanges: Vec<Exchange> = events.iter().filter_map(|event| assembler.take(event)).collect();
    exchanges.extend(assembler.settle());
    for exchange in &mut exchanges {
        (exchange.at, exchange.replied, exchange.took) = (0, None, exchange.took.map(|_| 0));
    }
    exchanges
}

proptest! {
    #![proptest_config(super::config())]

    /// What goes in comes out, octet for octet, with every arrival at its place.
    #[test]
    fn the_runs_are_the_octets(lines in lines(), cuts in cuts()) {
        let chunks = cut(&lines, &cuts);
        let events = dissect(&chunks, Secrets::Keep);
        for side in [Side::Client, Side::Server] {
            let (mut octets, mut arrivals) = (Vec::new(), Vec::new());
            for (_, at, chunk) in chunks.iter().filter(|chunk| chunk.0 == side) {
                arrivals.push((octets.len() as u64, *at));
                octets.extend_from_slice(chunk);
            }
            let (found, found_arrivals) = stream(&events, side);
            prop_assert!(found == octets, "{side:?}: {} octets instead of {}", found.len(), octets.len());
            prop_assert_eq!(found_arrivals, arrivals);
        }
    }

    /// How the octets are cut changes nothing but the arrivals.
    #[test]
    fn chunks_do_not_matter(lines in lines(), cuts in cuts(), redact in any::<bool>()) {
        let secrets = if redact { Secrets::Redact } else { Secrets::Keep };
        let whole = dissect(&cut(&lines, &[usize::MAX]), secrets);
        let pieces = dissect(&cut(&lines, &cuts), secrets);
        for side in [Side::Client, Side::Server] {
            prop_assert!(stream(&whole, side).0 == stream(&pieces, side).0);
        }
        prop_assert_eq!(exchanges(&whole), exchanges(&pieces));
    }

    /// Octets that are missing anywhere take none of the others with them, and stand where they were.
    #[test]
    fn what_is_missing_takes_nothing_with_it(lines in lines(), marks in marks(), cuts in cuts()) {
        let stretches = stretches(&lines, &marks);
        let (entries, fed) = dissect_marked(&stretches, &cuts, Secrets::Keep);
        let events = events(&entries);
        for side in [Side::Client, Side::Server] {
            let (octets, _) = stream(&events, side);
            prop_assert!(octets == fed[side as usize], "{side:?}");
            let (mut expected, mut at) = (Vec::new(), 0);
            for (lines, mark) in &stretches {
                at += lines.iter().filter(|line| line.0 == side).map(|line| line.1.len()).sum::<usize>();
                if let Some(Mark::Missing(of, octets)) = mark && *of == side {
                    expected.push((at, *octets));
                }
            }
            prop_assert_eq!(gaps(&events, side), expected);
        }
    }

    /// Nor does it matter then how the octets are cut.
    #[test]
    fn chunks_do_not_matter_where_octets_are_missing(lines in lines(), marks in marks(), cuts in cuts()) {
        let stretches = stretches(&lines, &marks);
        let (whole, _) = dissect_marked(&stretches, &[usize::MAX], Secrets::Redact);
        let (pieces, _) = dissect_marked(&stretches, &cuts, Secrets::Redact);
        let (whole, pieces) = (events(&whole), events(&pieces));
        for side in [Side::Client, Side::Server] {
            prop_assert!(stream(&whole, side).0 == stream(&pieces, side).0);
        }
        prop_assert_eq!(exchanges(&whole), exchanges(&pieces));
    }

    /// Whatever octets of one answer are lost, a session in lock-step goes on as if nothing had happened.
    #[test]
    fn a_lost_segment_leaves_what_follows_alone(
        order in prop::collection::vec(0..LOCK_STEP.len(), 2..10),
        hit in any::<prop::sample::Index>(), from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(),
        cuts in cuts(),
    ) {
        let turns: Vec<(Side, &str)> = order.iter().flat_map(|&at| {
            [(Side::Client, LOCK_STEP[at].0), (Side::Server, LOCK_STEP[at].1)]
        }).collect();
        let hit = hit.index(order.len());
        let session = |lost: bool| -> Stretches {
            let mut stretch = vec![(Side::Server, b"+OK ready\r\n".to_vec())];
            let mut stretches = Vec::new();
            for (turn, (side, octets)) in turns.iter().enumerate() {
                let octets = octets.as_bytes();
                if lost && turn == 2 * hit + 1 {
                    let (a, b) = (from.index(octets.len()), to.index(octets.len()));
                    let (a, b) = (a.min(b), a.max(b) + 1);
                    stretch.push((*side, octets[..a].to_vec()));
                    let missing = Mark::Missing(*side, (b - a) as u64);
                    stretches.push((std::mem::take(&mut stretch), Some(missing)));
                    stretch.push((*side, octets[b..].to_vec()));
                } else {
                    stretch.push((*side, octets.to_vec()));
                }
            }
            stretches.push((stretch, None));
            stretches
        };
        let found = |lost| {
            let (entries, _) = dissect_marked(&session(lost), &cuts, Secrets::Redact);
            exchanges(&events(&entries))
        };
        let (whole, lacking) = (found(false), found(true));
        let n = hit as u32 + 1;
        let after = |all: &[Exchange]| -> Vec<_> {
            all.iter().filter(|one| one.n > n).map(|one| (one.n, one.command.clone(), one.status, one.reply.clone(), one.body.clone())).collect()
        };
        prop_assert_eq!(after(&whole), after(&lacking), "{:?}", lacking);
        let hit = lacking.iter().find(|one| one.n == n).unwrap();
        prop_assert!(!hit.complete && hit.missing.is_some(), "{:?}", hit);
        prop_assert!(lacking.iter().all(|one| one.n == n || one.missing.is_none()));
    }

    /// Every exchange ends once, in order, and counts what it holds.
    #[test]
    fn every_exchange_ends_once(lines in lines(), marks in marks(), cuts in cuts()) {
        let events = events(&dissect_marked(&stretches(&lines, &marks), &cuts, Secrets::Redact).0);
        let mut opened = Vec::new();
        let mut ended = Vec::new();
        for event in &events {
            match event {
                Event::Request { n, .. } => opened.push(*n),
                Event::Status { n, .. } | Event::Missing { n: Some(n), .. } if !opened.contains(n) => opened.push(*n),
                Event::End(outcome) => ended.push(outcome.n),
                _ => {}
            }
        }
        opened.sort_unstable();
        ended.sort_unstable();
        prop_assert_eq!(opened, ended);
    }

    /// A password never comes out of the dissector, however it is cut.
    #[test]
    fn no_event_holds_a_secret(cuts in cuts(), spelling in prop::sample::select(vec!["PASS ", "pass ", " PASS ", "PASS\t"])) {
        let secret = "tr0ub4dor&3 with spaces";
        let lines = [
            (Side::Server, b"+OK\r\n".to_vec()),
            (Side::Client, b"USER kcope\r\n".to_vec()),
            (Side::Client, format!("{spelling}{secret}\r\n").into_bytes()),
            (Side::Server, b"-ERR\r\n".to_vec()),
            (Side::Client, b"AUTH PLAIN\r\nAGtjb3BlAHRyMHViNGRvciYz\r\n".to_vec()),
            (Side::Server, b"+ \r\n-ERR\r\n".to_vec()),
            (Side::Client, b"AUTH PLAIN AGtjb3BlAHRyMHViNGRvciYz\r\n".to_vec()),
        ];
        let shown = format!("{:?}", dissect(&cut(&lines, &cuts), Secrets::Redact));
        prop_assert!(!shown.contains("tr0ub") && !shown.contains("with spaces") && !shown.contains("AGtjb3Bl"), "{shown}");
    }
}

#[test]
fn a_hundred_megabytes_without_a_line_end_are_passed_on_in_pieces() {
    let mut dissector = Dissector::new(Secrets::Redact);
    let chunk = Bytes::from(vec![b'z'; 1 << 20]);
    let (mut octets, mut largest) = (0, 0);
    for at in 0..100 {
        dissector.feed(Side::Client, at, chunk.clone(), &mut |event| {
            if let Some((_, run)) = event.octets() {
                octets += run.bytes.len();
                largest = largest.max(run.bytes.len());
            }
        });
    }
    assert_eq!(octets, 100 << 20);
    assert!(largest <= 1 << 20);
    assert_eq!(dissector.outstanding(), 1, "the line is one command");
}

#[test]
fn a_long_status_line_may_be_cut_within_its_ending() {
    let status = [b"+OK ".to_vec(), vec![b'y'; 70_000], b"\r".to_vec()].concat();
    let rest = b"\na\r\n.\nb\r\n.\r\n".to_vec();
    let octets = |server: &[Vec<u8>]| -> Chunks {
        let mut chunks = vec![
            (Side::Server, 1, Bytes::from_static(b"+OK\r\n")),
            (Side::Client, 2, Bytes::from_static(b"RETR 1\r\n")),
        ];
        chunks.extend((3..).zip(server).map(|(at, octets)| (Side::Server, at, Bytes::from(octets.clone()))));
        chunks
    };
    let whole = exchanges(&dissect(&octets(&[[&status[..], &rest].concat()]), Secrets::Redact));
    let cut = exchanges(&dissect(&octets(&[status, rest]), Secrets::Redact));
    assert_eq!(whole, cut);
    assert_eq!(cut[1].lines, Some(3), "a lone dot between bare LFs is text here");
}

/// Commands with answers in which no line looks like a status where it is none.
const LOCK_STEP: &[(&str, &str)] = &[
    ("USER kcope\r\n", "+OK\r\n"),
    ("STAT\r\n", "+OK 2 320\r\n"),
    ("LIST\r\n", "+OK\r\n1 120\r\n2 200\r\n.\r\n"),
    ("RETR 1\r\n", "+OK 40 octets\r\nSubject: x\r\n\r\n..dot\r\n body\r\n.\r\n"),
    ("TOP 1 0\r\n", "+OK\r\nSubject: x\r\n\r\n.\r\n"),
    ("DELE 3\r\n", "-ERR no such message\r\n"),
    ("RETR 3\r\n", "-ERR no such message\r\n"),
    ("NOOP\r\n", "+OK\r\n"),
];
