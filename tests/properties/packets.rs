//! Packets: what was recorded comes back from them.

use poptape::pop3::{Dissector, Event, Secrets};
use poptape::recording::format::pcap::Segments;
use poptape::recording::format::{Integrity, Reading, Writing, named};
use poptape::recording::playback::play;
use poptape::recording::{By, End, Entry, How};
use poptape::wire::Side::{Client as C, Server as S};
use poptape::wire::{Close, Side};
use proptest::prelude::*;

use super::dissect::{dissect, events, exchanges, stream};
use super::json::{SCENES, entries, header};
use super::session::{cut, cuts, lines};

/// What shows whoever looks on that this is POP3.
const LOGIN: &[(Side, &[u8])] = &[
    (S, b"+OK ready\r\n"),
    (C, b"USER kcope\r\n"),
    (S, b"+OK\r\n"),
    (C, b"PASS secret\r\n"),
    (S, b"+OK\r\n"),
];

fn session(rest: &[(Side, Vec<u8>)]) -> Vec<(Side, Vec<u8>)> {
    LOGIN.iter().map(|(side, line)| (*side, line.to_vec())).chain(rest.iter().cloned()).collect()
}

/// Entries in a format and back.
fn through(format: &str, segments: Segments, entries: &[Entry], secrets: Secrets) -> Vec<Entry> {
    let format = named(format).unwrap();
    let mut writer = format.writer(&Writing { segments, ..Writing::default() });
    let mut file = Vec::new();
    for entry in entries {
        writer.take(1, entry, &mut file);
    }
    let reading = Reading { secrets, ..Reading::default() };
    let mut back = Vec::new();
    let summary = play(format, &mut &file[..], &reading, &mut |session, entry| {
        assert_eq!(session, 1);
        back.push(entry.clone());
        Ok(())
    });
    assert_eq!(summary.unwrap().integrity, Integrity::Whole);
    back
}

/// From JSON to packets, which are read with or without masking, and on to JSON: what the last one holds.
fn around(
    format: &str,
    segments: Segments,
    live: &[Event],
    live_secrets: Secrets,
    reading: Secrets,
) -> (Vec<Event>, Vec<Event>) {
    let first = through("json", segments, &entries(live, live_secrets), reading);
    let packets = through(format, segments, &first, reading);
    let last = through("json", segments, &packets, reading);
    (events(&first), events(&last))
}

const fn secrets(redact: bool) -> Secrets {
    if redact { Secrets::Redact } else { Secrets::Keep }
}

proptest! {
    #![proptest_config(super::config())]

    /// Every octet, in order, whatever is said.
    #[test]
    fn packets_keep_every_octet(
        lines in lines(),
        cuts in cuts(),
        ng in any::<bool>(),
        redact in any::<bool>(),
    ) {
        let live = dissect(&cut(&session(&lines), &cuts), secrets(redact));
        let format = if ng { "pcapng" } else { "pcap" };
        let (first, last) = around(format, Segments::Wireshark, &live, secrets(redact), Secrets::Keep);
        for side in [C, S] {
            prop_assert!(stream(&first, side).0 == stream(&last, side).0, "{side:?}");
        }
    }

    /// Packets that are arrivals keep their times and boundaries too.
    #[test]
    fn recorded_segments_keep_every_arrival(lines in lines(), cuts in cuts(), ng in any::<bool>()) {
        let live = dissect(&cut(&session(&lines), &cuts), Secrets::Keep);
        let format = if ng { "pcapng" } else { "pcap" };
        let (first, last) = around(format, Segments::Recorded, &live, Secrets::Keep, Secrets::Keep);
        for side in [C, S] {
            let (expected, found) = (stream(&first, side), stream(&last, side));
            prop_assert!(expected.0 == found.0, "{side:?}");
            prop_assert_eq!(expected.1, found.1, "{:?}", side);
        }
    }

    /// The order between the two sides: the exchanges are the same ones, however they were cut.
    #[test]
    fn packets_keep_every_exchange(
        cuts in cuts(),
        order in prop::collection::vec(0usize..SCENES.len(), 0..12),
        recorded in any::<bool>(),
        redact in any::<bool>(),
    ) {
        let secrets = secrets(redact);
        let scenes = order.iter().flat_map(|&scene| SCENES[scene]);
        let rest: Vec<_> = scenes.map(|(side, line)| (*side, line.as_bytes().to_vec())).collect();
        let live = dissect(&cut(&session(&rest), &cuts), secrets);
        let segments = if recorded { Segments::Recorded } else { Segments::Wireshark };
        let (_, last) = around("pcapng", segments, &live, secrets, secrets);
        let untimed = |events: &[Event]| {
            let mut all = exchanges(events);
            for exchange in &mut all {
                (exchange.at, exchange.took, exchange.replied) = (0, None, None);
                // What a masked payload said is beside it in JSON, and nowhere in packets.
                (exchange.asked_step, exchange.reply_step) = (None, None);
            }
            all
        };
        prop_assert_eq!(untimed(&live), untimed(&last));
    }
}

#[test]
fn a_session_from_the_middle_comes_back_as_one() {
    let (mut live, mut dissector) = (Vec::new(), Dissector::new(Secrets::Keep));
    let out = &mut |event| live.push(event);
    dissector.missing(C, 0, out);
    dissector.missing(S, 0, out);
    let talk = [(S, "the end of a letter\r\n.\r\n"), (C, "STAT\r\n"), (S, "+OK 1 2\r\n"), (C, "QUIT\r\n")];
    for (at, (side, octets)) in talk.into_iter().enumerate() {
        dissector.feed(side, 1000 * at as u64, octets.into(), out);
    }
    dissector.finish(out);
    for (format, segments) in [("pcap", Segments::Wireshark), ("pcapng", Segments::Recorded)] {
        let back = through(format, segments, &entries(&live, Secrets::Keep), Secrets::Keep);
        assert_eq!(events(&back), live, "{format}");
    }
}

#[test]
fn ends_come_back_as_they_were() {
    let live = dissect(&cut(&session(&[]), &[usize::MAX]), Secrets::Keep);
    for (first, how, by) in [
        (C, Close::Finished, By::Client),
        (S, Close::Finished, By::Server),
        (C, Close::Reset, By::Client),
        (S, Close::Reset, By::Server),
    ] {
        let mut all = vec![Entry::Opened(Box::new(header(Secrets::Keep)))];
        all.extend(live.iter().cloned().map(Entry::Event));
        all.push(Entry::Closed { side: first, how, at: 1000 });
        let mut ended = How::Reset;
        if how == Close::Finished {
            all.push(Entry::Closed { side: first.other(), how, at: 2000 });
            ended = How::Finished;
        }
        let (unknown, outer) = Default::default();
        all.push(Entry::Ended(Box::new(End { at: 2000, by, how: ended, unknown, outer })));
        let back = through("pcapng", Segments::Wireshark, &all, Secrets::Keep);
        let closes = |all: &[Entry]| -> Vec<Entry> {
            all.iter().filter(|entry| matches!(entry, Entry::Closed { .. })).cloned().collect()
        };
        assert_eq!(closes(&all), closes(&back), "{first:?} {how:?}");
        let Some(Entry::Ended(end)) = back.last() else { panic!("{:?}", back.last()) };
        assert_eq!((end.by, end.how), (by, ended));
    }
}
