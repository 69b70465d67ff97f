//! What holds for any capture.

use proptest::collection::vec;
use proptest::prelude::*;

use super::wire::{Flags, Shot, Wire, lines, seen};
use crate::capture::{Options, Saw};
use crate::wire::Side::{self, Client, Server};

/// A session of segments that are cut and sent again as the numbers say.
fn spoken(cuts: &[(u8, bool)]) -> Wire {
    let mut wire = Wire::open(50000, 110);
    for (number, &(cut, again)) in cuts.iter().enumerate() {
        let (side, text) = match number {
            0 => (Server, "+OK ready for whatever comes\r\n".to_owned()),
            _ if number % 2 == 1 => (Client, format!("RETR {number}\r\n")),
            _ => (Server, format!("+OK {number}\r\nsome text of {number}\r\n.\r\n")),
        };
        let start = wire.seq[side as usize];
        let cut = usize::from(cut) % text.len();
        wire.say(side, &text[..cut]).say(side, &text[cut..]);
        if again {
            let middle = text.len() / 2;
            wire.send_at(side, start, Flags::default(), &text.as_bytes()[..middle]);
            wire.send_at(side, start.wrapping_add(3), Flags::default(), &text.as_bytes()[3..]);
        }
    }
    wire.close();
    wire
}

/// Moves each frame by less than 8.
fn shuffled(shots: &[Shot], keys: &[u8]) -> Vec<Shot> {
    let mut order: Vec<_> = (0..shots.len()).collect();
    order.sort_by_key(|&at| at + usize::from(keys[at % keys.len()] % 8));
    order.iter().map(|&at| shots[at].clone()).collect()
}

fn octets(seen: &[(u32, Saw)], side: Side) -> Vec<u8> {
    let mut all = Vec::new();
    for (_, saw) in seen {
        match saw {
            Saw::Octets(one, _, octets) if *one == side => all.extend_from_slice(octets),
            Saw::Missing(one, octets) if *one == side => all.resize(all.len() + *octets as usize, b'?'),
            _ => {}
        }
    }
    all
}

proptest! {
    #[test]
    fn any_order_and_repetition_tell_the_same(
        cuts in vec((any::<u8>(), any::<bool>()), 1..12),
        keys in vec(any::<u8>(), 1..60),
        twice in vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let wire = spoken(&cuts);
        let mut shots = wire.shots.clone();
        for index in twice {
            let at = index.index(shots.len());
            shots.insert(at, shots[at].clone());
        }
        prop_assert_eq!(lines(&seen(&shuffled(&shots, &keys), Options::default()).0), wire.told());
    }

    #[test]
    fn what_is_lost_is_told_or_marked(
        cuts in vec((any::<u8>(), Just(false)), 2..12),
        lost in vec(any::<prop::sample::Index>(), 1..6),
    ) {
        let wire = spoken(&cuts);
        let mut shots = wire.shots.clone();
        let payload = |shot: &Shot| shot.octets.len() - 54;
        for index in lost {
            let at = index.index(shots.len());
            // One octet that is lost cannot be told from a FIN.
            if payload(&shots[at]) > 1 {
                shots.remove(at);
            }
        }
        let whole = seen(&wire.shots, Options::default()).0;
        let found = seen(&shots, Options::default()).0;
        prop_assume!(!found.is_empty());
        for side in [Client, Server] {
            let (whole, found) = (octets(&whole, side), octets(&found, side));
            prop_assert_eq!(whole.len(), found.len());
            prop_assert!(whole.iter().zip(&found).all(|(one, other)| one == other || *other == b'?'));
        }
    }

    #[test]
    fn no_frame_is_too_strange(
        frames in vec((vec(any::<u8>(), 0..120), 0_u8..12, any::<u32>(), any::<i64>()), 0..40),
    ) {
        let links = [1, 113, 276, 101, 12, 14, 228, 229, 0, 108, 7, 1];
        let shots: Vec<_> = frames
            .into_iter()
            .map(|(octets, link, length, at)| {
                Shot { at, link: links[usize::from(link)], octets, length }
            })
            .collect();
        let (_, tally) = seen(&shots, Options::default());
        prop_assert_eq!(tally.frames as usize, shots.len());
    }

    #[test]
    fn no_damage_is_too_great(
        cuts in vec((any::<u8>(), any::<bool>()), 1..8),
        flips in vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 0..40),
        v6 in any::<bool>(),
    ) {
        let mut wire = spoken(&cuts);
        if v6 {
            wire.v6 = true;
            wire.lines(&["C: STAT", "S: +OK"]);
        }
        for (frame, octet, to) in flips {
            let frame = frame.index(wire.shots.len());
            let octet = octet.index(wire.shots[frame].octets.len());
            wire.shots[frame].octets[octet] = to;
        }
        let mut open = std::collections::HashSet::new();
        for (number, saw) in seen(&wire.shots, Options::default()).0 {
            match saw {
                Saw::Opened { .. } => prop_assert!(open.insert(number)),
                Saw::Ended { .. } => prop_assert!(open.remove(&number)),
                _ => prop_assert!(open.contains(&number)),
            }
        }
        prop_assert!(open.is_empty());
    }
}
