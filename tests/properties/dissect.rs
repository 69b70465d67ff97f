use bytes::Bytes;
use poptape::pop3::{Dissector, Event, Secrets};
use poptape::recording::{Assembler, Exchange};
use poptape::wire::Side;
use proptest::prelude::*;

use super::session::{Chunks, cut, cuts, lines};

pub fn dissect(chunks: &Chunks, secrets: Secrets) -> Vec<Event> {
    let mut events = Vec::new();
    let mut dissector = Dissector::new(secrets);
    for (side, at, octets) in chunks {
        dissector.feed(*side, *at, octets.clone(), &mut |event| events.push(event));
    }
    dissector.finish(&mut |event| events.push(event));
    events
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

    /// Every exchange ends once, in order, and counts what it holds.
    #[test]
    fn every_exchange_ends_once(lines in lines(), cuts in cuts()) {
        let events = dissect(&cut(&lines, &cuts), Secrets::Redact);
        let mut opened = Vec::new();
        let mut ended = Vec::new();
        for event in &events {
            match event {
                Event::Request { n, .. } => opened.push(*n),
                Event::Status { n, .. } if !opened.contains(n) => opened.push(*n),
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
