//! What a capture may cost.

use super::wire::{Flags, Wire, seen};
use crate::capture::{Capture, Frame, Options, WINDOW};
use crate::wire::Side::{Client, Server};

#[test]
fn a_hundred_thousand_connections_through_a_hundred() {
    let mut capture = Capture::new(Options { max_open: 100, ..Options::default() });
    let (mut opened, mut ended) = (0, 0);
    for number in 0..100_000_u32 {
        let mut wire = Wire::middle(1000 + (number % 50_000) as u16, if number < 50_000 { 110 } else { 995 });
        wire.lines(&["S: +OK ready"]);
        let shot = &wire.shots[0];
        let frame = Frame { at: shot.at, link: 1, octets: &shot.octets, length: shot.length };
        let mut see = |_, saw| {
            opened += u32::from(matches!(saw, crate::capture::Saw::Opened { .. }));
            ended += u32::from(matches!(saw, crate::capture::Saw::Ended { .. }));
            Ok(())
        };
        capture.frame(&frame, &mut see).unwrap();
        assert!(capture.follower.size() <= 200);
    }
    capture.finish(&mut |_, _| Ok(())).unwrap();
    assert_eq!((opened, ended), (99_900, 99_900));
    assert_eq!(capture.tally().flushed, 99_900);
    assert_eq!(capture.follower.waits(), 0);
}

#[test]
fn a_hole_that_nothing_fills_holds_up_a_window() {
    let mut wire = Wire::open(50000, 110);
    wire.lines(&["S: +OK ready"]);
    let payload = vec![b'x'; 60_000];
    wire.seq[1] = wire.seq[1].wrapping_add(1);
    let mut capture = Capture::new(Options::default());
    let mut octets = 0;
    for _ in 0..200 {
        wire.send(Server, Flags::default(), &payload);
        for shot in wire.shots.drain(..) {
            let frame = Frame { at: shot.at, link: 1, octets: &shot.octets, length: shot.length };
            let mut see = |_, saw| {
                if let crate::capture::Saw::Octets(_, _, it) = saw {
                    octets += it.len();
                }
                Ok(())
            };
            capture.frame(&frame, &mut see).unwrap();
        }
        assert!(capture.follower.waits() <= WINDOW);
    }
    assert_eq!(octets, 200 * payload.len() + "+OK ready\r\n".len());
}

#[test]
fn what_tls_holds_counts() {
    let mut capture = Capture::new(Options::default());
    let mut first = vec![22, 3, 3, 0x40, 0, 1, 0xff, 0xff, 0xff];
    first.resize(60_000, 0);
    first[16389..16394].copy_from_slice(&[22, 3, 3, 0x40, 0]);
    first[32778..32783].copy_from_slice(&[22, 3, 3, 0x40, 0]);
    first[49167..49172].copy_from_slice(&[22, 3, 3, 0x40, 0]);
    let mut most = 0;
    for number in 0..1500 {
        let mut wire = Wire::open(10_000 + number, 9999);
        wire.send(Client, Flags::default(), &first);
        for shot in &wire.shots {
            let frame = Frame { at: shot.at, link: 1, octets: &shot.octets, length: shot.length };
            capture.frame(&frame, &mut |_, _| Ok(())).unwrap();
        }
        most = most.max(capture.follower.waits());
        assert!(capture.follower.waits() <= 64 << 20);
    }
    assert!(most > 60 << 20, "it is held at all: {most}");
    capture.finish(&mut |_, _| Ok(())).unwrap();
    assert_eq!(capture.follower.waits(), 0);
}

#[test]
fn what_is_closed_gives_everything_back() {
    let mut wire = Wire::open(50000, 110);
    wire.lines(&["S: +OK ready", "C: QUIT", "S: +OK"]).close();
    let (_, tally) = seen(&wire.shots, Options::default());
    assert_eq!((tally.sessions, tally.flushed), (1, 0));
}
