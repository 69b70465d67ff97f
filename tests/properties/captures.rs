//! Any octets as a capture: what the fuzz target calls, with captures that chance has damaged.

use pcap_file::Endianness;
use pcap_file::pcapng::blocks::interface_description::InterfaceTsResolution;
use proptest::prelude::*;

use super::fuzzed;
use crate::captures::files::{Link, Pcapng, every, gzip, plain, session};

/// The shortest file of each kind.
fn short() -> Vec<Vec<u8>> {
    let packets = &session()[3..5];
    let order = Endianness::Big;
    let pcapng = Pcapng::new(order).interface(Link::Raw, InterfaceTsResolution::NANO).enhanced(0, packets);
    let pcapng = pcapng.simple(packets).old(0, packets).names().secrets(order, b"x").file();
    vec![plain(packets), gzip(&pcapng), pcapng]
}

#[test]
fn cut_at_every_octet() {
    for file in short() {
        for end in 0..file.len() {
            fuzzed::capture(&file[..end]);
        }
    }
}

#[test]
fn every_octet_in_turn_is_another() {
    for file in short() {
        for place in 0..file.len() {
            for other in [0, 1, 0x7f, 0x80, 0xff] {
                let mut file = file.clone();
                file[place] = other;
                fuzzed::capture(&file);
            }
        }
    }
}

/// A file with some of its octets changed, some of it gone, some of it there twice.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let files: Vec<_> = every().into_iter().map(|(_, file)| file).collect();
    let flips = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8);
    let moved = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0usize..200);
    (prop::sample::select(files), flips, moved).prop_map(|(mut file, flips, (from, to, len))| {
        for (place, octet) in flips {
            let place = place.index(file.len());
            file[place] = octet;
        }
        let from = from.index(file.len());
        let piece = file[from..].iter().copied().take(len).collect::<Vec<_>>();
        let to = to.index(file.len());
        file.splice(to..(to + len / 2).min(file.len()), piece);
        file
    })
}

proptest! {
    #![proptest_config(super::config())]

    #[test]
    fn damaged_captures(file in damaged()) {
        fuzzed::capture(&file);
    }

    #[test]
    fn chance_behind_a_good_beginning(kind in 0usize..3, keep in 0usize..100, rest in prop::collection::vec(any::<u8>(), 0..400)) {
        let file = &short()[kind];
        fuzzed::capture(&[&file[..keep.min(file.len())], &rest].concat());
    }
}
