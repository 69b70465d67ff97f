//! What happens to segments on their way.

use super::wire::{Flags, START, Wire, lines, seen};
use crate::capture::{Options, Saw};
use crate::wire::Side::{Client, Server};

const SESSION: &[&str] = &["S: +OK ready", "C: STAT", "S: +OK 1 20", "C: QUIT", "S: +OK bye"];

fn session() -> Wire {
    let mut wire = Wire::open(50000, 110);
    wire.lines(SESSION).close();
    wire
}

const TOLD: &[&str] = &[
    "1 10.0.0.1:50000 > 10.0.0.2:110",
    "1 S: +OK ready|",
    "1 C: STAT|",
    "1 S: +OK 1 20|",
    "1 C: QUIT|",
    "1 S: +OK bye|",
    "1 C Finished",
    "1 S Finished",
    "1 ended by C Finished",
];

#[test]
fn in_order() {
    assert_eq!(session().told(), TOLD);
}

#[test]
fn out_of_order_answers_follow_their_commands() {
    let mut wire = session();
    wire.shots.swap(4, 5); // the answer to STAT before STAT
    wire.shots.swap(6, 7);
    assert_eq!(wire.told(), TOLD);
    let mut wire = session();
    wire.shots.swap(0, 3); // the greeting before the handshake
    assert_eq!(wire.told(), TOLD);
    let mut wire = session();
    wire.shots[3..].reverse();
    assert_eq!(wire.told(), TOLD);
}

#[test]
fn sent_twice_also_in_other_segments() {
    let mut wire = Wire::open(50000, 110);
    let first = wire.seq[1];
    wire.lines(&SESSION[..2]);
    wire.send_at(Server, first, Flags::default(), b"+OK REA");
    wire.send_at(Client, wire.seq[0].wrapping_sub(1), Flags::default(), b"\0");
    wire.send_at(Client, wire.seq[0].wrapping_sub(1), Flags::default(), b"");
    let second = wire.seq[1];
    wire.send_at(Server, second.wrapping_add(4), Flags::default(), b"1 20\r\n");
    wire.send_at(Server, second, Flags::default(), b"+OK 1 2");
    wire.seq[1] = second.wrapping_add(10);
    wire.lines(&SESSION[3..]).close();
    let end = wire.shots.len();
    wire.shots.extend_from_within(3..end);
    assert_eq!(wire.told(), TOLD);
}

#[test]
fn a_hole_is_marked_and_the_rest_goes_on() {
    let mut wire = session();
    wire.shots.remove(5);
    let mut told = TOLD.to_vec();
    told[3] = "1 S misses 10";
    assert_eq!(wire.told(), told);
    // Long before the capture ends.
    let mut wire = Wire::open(50000, 110);
    wire.lines(&SESSION[..3]);
    wire.shots.pop();
    for _ in 0..100 {
        wire.lines(&["C: NOOP", "S: +OK"]);
    }
    let mut capture = crate::capture::Capture::new(Options::default());
    let mut seen = Vec::new();
    for shot in &wire.shots[..100] {
        let frame = crate::capture::Frame { at: shot.at, link: 1, octets: &shot.octets, length: shot.length };
        let mut see = |number, saw| {
            seen.push((number, saw));
            Ok(())
        };
        capture.frame(&frame, &mut see).unwrap();
    }
    assert!(lines(&seen).contains(&"1 S misses 10".to_owned()), "{:?}", lines(&seen));
}

#[test]
fn what_was_not_received_is_awaited() {
    let mut wire = Wire::open(50000, 110);
    wire.lines(&["S: +OK ready"]);
    for line in 0..100 {
        wire.lines(&[&format!("S: line {line}")]);
    }
    let late = wire.shots.remove(3);
    wire.shots.push(late);
    let told = wire.told();
    assert!(told[1].starts_with("1 S: +OK ready|line 0|"), "{told:?}");
}

#[test]
fn one_direction_alone() {
    let mut wire = session();
    wire.shots.retain(|shot| shot.octets[11] == 1);
    let told = wire.told();
    assert_eq!(
        told[1..7],
        ["1 S misses 11", "1 C: STAT|", "1 S misses 10", "1 C: QUIT|", "1 S misses 9", "1 C Finished"]
    );
}

#[test]
fn from_the_middle_it_is_not_known_how_much_is_missing() {
    let mut wire = session();
    wire.shots.drain(..4);
    let mut told = TOLD.to_vec();
    told[1] = "1 note from-the-middle";
    told.splice(1..1, ["1 C misses 0", "1 S misses 0"]);
    assert_eq!(wire.told(), told);
    // A greeting is one, also where the handshake is not there.
    let mut wire = session();
    wire.shots.drain(..3);
    assert_eq!(wire.told()[1..3], ["1 note from-the-middle", TOLD[1]]);
}

#[test]
fn a_port_used_again_is_another_session() {
    let mut wire = session();
    wire.seq = [0x1234_5678, 0x0bad_cafe];
    wire = wire.handshake();
    let syn = wire.shots[wire.shots.len() - 3].clone();
    wire.shots.push(syn);
    wire.lines(SESSION).close();
    let again = TOLD.iter().map(|line| line.replacen('1', "2", 1));
    let all: Vec<_> = TOLD.iter().map(ToString::to_string).chain(again.clone()).collect();
    assert_eq!(wire.told(), all);
    // Also where the first was never closed.
    let last = wire.shots.iter().position(|shot| shot.octets[47] & 1 == 1).unwrap();
    wire.shots.drain(last..last + 3);
    let all: Vec<_> =
        TOLD[..6].iter().map(ToString::to_string).chain(["1 cut".to_owned()]).chain(again).collect();
    assert_eq!(wire.told(), all);
}

#[test]
fn a_syn_that_nobody_answers_ends_nothing() {
    let mut wire = Wire::open(50000, 110);
    wire.lines(&SESSION[..3]);
    wire.send_at(Client, 77, Flags { syn: true, no_ack: true, ..Flags::default() }, b"");
    wire.lines(&SESSION[3..]).close();
    assert_eq!(wire.told(), TOLD);
}

#[test]
fn reset() {
    let mut wire = Wire::open(50000, 110);
    wire.lines(SESSION);
    let rst = Flags { rst: true, ..Flags::default() };
    wire.send_at(Client, wire.seq[0].wrapping_add(1 << 30), rst, b"");
    wire.send_at(Server, wire.seq[1].wrapping_sub(4), rst, b"");
    wire.send(Client, rst, b"");
    wire.send(Server, Flags::default(), b"late");
    let mut told = TOLD[..6].to_vec();
    told.extend(["1 C Reset", "1 ended by C Reset"]);
    assert_eq!(wire.told(), told);
}

#[test]
fn a_stray_segment_is_no_gap() {
    let mut wire = Wire::open(50000, 110);
    wire.lines(&SESSION[..2]);
    let far = wire.seq[1].wrapping_add(1_500_000_000);
    let fin = Flags { fin: true, ..Flags::default() };
    wire.send_at(Server, far, fin, b"STRAY").send_at(Server, far, fin, b"STRAY");
    wire.lines(&SESSION[2..]).close();
    assert_eq!(wire.told(), TOLD);
    // Where all that follows is there, it is one.
    let mut wire = Wire::open(50000, 110);
    wire.lines(&SESSION[..2]);
    wire.seq[1] = far;
    wire.say(Server, "lost").say(Server, "x\r\n").lines(&["C: QUIT"]);
    let told = wire.told();
    assert_eq!(told[3..], ["1 S misses 1500000004", "1 S: x|", "1 C: QUIT|", "1 cut"]);
}

#[test]
fn a_closed_side_and_then_a_reset() {
    let mut wire = Wire::open(50000, 110);
    wire.lines(SESSION).send(Client, Flags { fin: true, ..Flags::default() }, b"");
    wire.send(Server, Flags { rst: true, ..Flags::default() }, b"");
    let mut told = TOLD[..7].to_vec();
    told.extend(["1 S Reset", "1 ended by C Finished"]);
    assert_eq!(wire.told(), told);
    // From the place of the FIN.
    let mut wire = Wire::open(50000, 110);
    wire.lines(SESSION).send(Client, Flags { fin: true, ..Flags::default() }, b"");
    wire.send_at(Client, wire.seq[0].wrapping_sub(1), Flags { rst: true, ..Flags::default() }, b"");
    told[7] = "1 C Reset";
    assert_eq!(wire.told(), told);
}

#[test]
fn times_are_whole_microseconds_since_the_first() {
    let mut wire = session();
    wire.shots[4].at -= 3_000_000_000_000;
    let (seen, _) = seen(&wire.shots, Options::default());
    let times = seen.iter().filter_map(|(_, saw)| match saw {
        Saw::Octets(_, at, _) => Some(*at),
        _ => None,
    });
    assert_eq!(times.collect::<Vec<_>>(), [3000, 3000, 5000, 6000, 7000]);
    assert_eq!(seen.iter().filter(|(_, saw)| matches!(saw, Saw::Note(_, "misdated", _))).count(), 1);
    let Saw::Opened { at, .. } = seen[0].1 else { panic!() };
    assert_eq!(at, START - 999);
}

#[test]
fn over_four_gigabytes() {
    let mut wire = Wire::open(50000, 110);
    wire.lines(&["S: +OK ready"]);
    // Long strides, acknowledged without the octets, stand for them.
    for _ in 0..5 {
        for _ in 0..64 {
            wire.seq[1] = wire.seq[1].wrapping_add(15 << 20);
            wire.lines(&["C: NOOP", "S: +OK"]);
        }
    }
    let (seen, _) = seen(&wire.shots, Options::default());
    let missing: u64 = seen.iter().map(|(_, saw)| if let Saw::Missing(_, n) = saw { *n } else { 0 }).sum();
    assert_eq!(missing, 320 * (15 << 20));
    assert_eq!(seen.iter().filter(|(_, saw)| matches!(saw, Saw::Octets(Client, ..))).count(), 320);
}
