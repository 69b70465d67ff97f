//! What is around a segment.

use super::wire::{Shot, Wire, seen, told};
use crate::capture::{Options, Saw};

fn session(v6: bool) -> Wire {
    let mut wire = Wire::middle(50000, 110);
    wire.v6 = v6;
    wire = wire.handshake();
    wire.lines(&[
        "S: +OK ready",
        "C: RETR 1",
        "S: +OK",
        "S: a message, and not the shortest, with its text",
        "S: .",
    ]);
    wire.close();
    wire
}

/// The same session with other headers around its packets.
fn check(v6: bool, link: u32, around: impl Fn(&[u8]) -> Vec<Vec<u8>>) {
    let wire = session(v6);
    let shots: Vec<_> = wire
        .packets()
        .iter()
        .zip(&wire.shots)
        .flat_map(|(packet, shot)| {
            around(packet).into_iter().map(|octets| {
                let length = octets.len() as u32;
                Shot { at: shot.at, link, octets, length }
            })
        })
        .collect();
    assert_eq!(told(&shots), wire.told(), "link type {link}");
    assert_eq!(wire.told().len(), 7);
}

fn with(header: &[u8]) -> impl Fn(&[u8]) -> Vec<Vec<u8>> {
    move |packet| vec![[header, packet].concat()]
}

#[test]
fn link_types() {
    for (link, header) in [
        (1, &[&[0; 12][..], &[0x81, 0, 0, 5, 8, 0]].concat()[..]),
        (1, &[&[0; 12][..], &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0]].concat()),
        (113, &[&[0; 14][..], &[8, 0]].concat()),
        (276, &[&[8, 0][..], &[0; 18]].concat()),
        (101, &[]),
        (12, &[]),
        (14, &[]),
        (228, &[]),
        (0, &[2, 0, 0, 0]),
        (0, &[0, 0, 0, 2]),
        (108, &[0, 0, 0, 2]),
    ] {
        check(false, link, with(header));
    }
    check(true, 229, with(&[]));
    check(true, 0, with(&[30, 0, 0, 0]));
    // Short frames are padded.
    check(false, 1, |packet| vec![[&[0; 12][..], &[8, 0], packet, &[0; 20]].concat()]);
}

#[test]
fn options_and_extension_headers() {
    check(false, 101, |packet| {
        let length = u16::from_be_bytes([packet[2], packet[3]]) + 4;
        let mut packet = [&packet[..20], &[1, 1, 1, 0], &packet[20..]].concat();
        packet[0] = 0x46;
        packet[2..4].copy_from_slice(&length.to_be_bytes());
        vec![packet]
    });
    check(true, 101, |packet| {
        let length = u16::from_be_bytes([packet[4], packet[5]]) + 24;
        let hop_by_hop = [60, 0, 1, 4, 0, 0, 0, 0];
        let destination = [44, 0, 1, 4, 0, 0, 0, 0];
        let atomic_fragment = [6, 0, 0, 0, 0, 0, 0, 9];
        let mut packet = [&packet[..40], &hop_by_hop, &destination, &atomic_fragment, &packet[40..]].concat();
        packet[4..6].copy_from_slice(&length.to_be_bytes());
        packet[6] = 0;
        vec![packet]
    });
}

#[test]
fn fragments_in_any_order() {
    check(false, 101, |packet| {
        let id = packet[30..32].to_vec(); // of the TCP acknowledgement: another for most packets
        let cut = |from: usize, to: usize, more: bool| {
            let mut fragment = [&packet[..20], &packet[20 + from..20 + to]].concat();
            fragment[2..4].copy_from_slice(&((20 + to - from) as u16).to_be_bytes());
            fragment[4..6].copy_from_slice(&id);
            fragment[6..8].copy_from_slice(&((from / 8) as u16 | u16::from(more) << 13).to_be_bytes());
            fragment
        };
        vec![cut(16, packet.len() - 20, false), cut(8, 16, true), cut(0, 8, true)]
    });
    check(true, 101, |packet| {
        // A header behind the fragment header is in the fragments.
        let inside = [&[6, 0, 1, 4, 0, 0, 0, 0], &packet[40..]].concat();
        let cut = |from: usize, to: usize, more: bool| {
            let mut header = [60, 0, 0, 0, 0, 0, packet[50], packet[51]];
            header[2..4].copy_from_slice(&(from as u16 | u16::from(more)).to_be_bytes());
            let mut fragment = [&packet[..40], &header, &inside[from..to]].concat();
            fragment[4..6].copy_from_slice(&((8 + to - from) as u16).to_be_bytes());
            fragment[6] = 44;
            fragment
        };
        vec![cut(24, inside.len(), false), cut(8, 24, true), cut(0, 8, true)]
    });
}

#[test]
fn a_length_of_zero_is_that_of_the_frame() {
    check(false, 101, |packet| {
        let mut packet = packet.to_vec();
        packet[2..4].fill(0);
        vec![packet]
    });
}

#[test]
fn what_a_snap_length_cuts_off_is_missing() {
    let mut wire = session(false);
    for shot in &mut wire.shots {
        shot.octets.truncate(14 + 40 + 16);
    }
    assert_eq!(wire.told()[3..5], ["1 S: +OK|a message, and n", "1 S misses 32"]);
    for shot in &mut wire.shots {
        shot.octets.truncate(30);
    }
    let (seen, tally) = seen(&wire.shots, Options::default());
    assert_eq!((seen, tally.damaged), (Vec::<(u32, Saw)>::new(), tally.frames));
}
