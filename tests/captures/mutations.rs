//! What networks and capturing do to packets: the same exchanges, or a gap that is marked.

use std::io::Cursor;

use etherparse::{IpFragOffset, IpNumber, Ipv4Header, Ipv6FragmentHeader, Ipv6Header, LaxIpSlice, TcpSlice};
use pcap_file::pcap::PcapTsResolution;
use pcap_file::pcapng::blocks::interface_description::InterfaceTsResolution;
use poptape::pop3::{Event, Secrets};
use poptape::recording::Entry;
use poptape::recording::file::Input;
use poptape::recording::format::Reading;
use poptape::wire::Side::{self, Client, Server};

use super::files::{Endianness, Link, Packet, Pcapng, Talk, pcap, plain};
use super::shown::{Shown, exchanges};

/// A session in which a segment is more than a frame, on IPv4 or IPv6.
fn session(v6: bool) -> Vec<Packet> {
    let (client, server) =
        if v6 { ("[2001:db8::2]:51034", "[2001:db8::1]:110") } else { ("192.0.2.2:51034", "192.0.2.1:110") };
    let letter = format!("Subject: a\r\n\r\n{}.\r\n", "0123456789abcdef\r\n".repeat(200));
    let mut talk = Talk::new(client, server)
        .open()
        .says(Server, b"+OK ready\r\n")
        .says(Client, b"USER kcope\r\nPASS secret\r\n")
        .says(Server, b"+OK\r\n+OK\r\n")
        .says(Client, b"LIST\r\n")
        .says(Server, b"+OK\r\n1 3616\r\n.\r\n")
        .says(Client, b"RETR 1\r\n")
        .says(Server, b"+OK\r\n");
    for segment in letter.as_bytes().chunks(1400) {
        talk = talk.says(Server, segment);
    }
    talk.says(Client, b"QUIT\r\n").says(Server, b"+OK bye\r\n").close().packets
}

const EXCHANGES: [&str; 6] = [
    " | +OK ready",
    "USER kcope | +OK",
    "PASS ******** | +OK",
    "LIST | +OK | 1 lines, 8 octets",
    "RETR 1 | +OK | 202 lines, 3614 octets",
    "QUIT | +OK bye",
];

#[track_caller]
fn same(packets: &[Packet], what: &str) {
    assert_eq!(exchanges(packets), EXCHANGES, "{what}");
}

#[test]
fn nothing_done_to_it() {
    for v6 in [false, true] {
        same(&session(v6), "as it is");
    }
}

#[test]
fn reordered() {
    for v6 in [false, true] {
        for place in 1..session(v6).len() {
            let mut packets = session(v6);
            packets.swap(place - 1, place);
            same(&packets, &format!("{place} before the one before it"));
        }
        let mut packets = session(v6);
        packets[3..].reverse();
        same(&packets, "backwards after the handshake");
        for step in [2, 3, 5] {
            let mut order: Vec<_> = (0..packets.len()).collect();
            order.sort_by_key(|at| (at / (2 * step), at % step));
            let packets = session(v6);
            let packets: Vec<_> = order.into_iter().map(|at| packets[at].clone()).collect();
            same(&packets, &format!("mixed by {step}"));
        }
    }
}

#[test]
fn duplicated() {
    let packets = session(false);
    let twice: Vec<_> = packets.iter().flat_map(|packet| [packet.clone(), packet.clone()]).collect();
    same(&twice, "each twice");
    same(&[packets.clone(), packets.clone()].concat(), "all twice");
    for later in [1, 4, 9] {
        let mut again = packets.clone();
        for place in (0..packets.len() - later).rev() {
            again.insert(place + later, packets[place].clone());
        }
        same(&again, &format!("each again {later} packets later"));
    }
}

#[test]
fn in_fragments() {
    for v6 in [false, true] {
        for size in [64, 552] {
            let fragments: Vec<_> = session(v6).iter().map(|packet| fragments(packet, size)).collect();
            same(&fragments.concat(), &format!("fragments of {size}"));
            let backwards = fragments.iter().flat_map(|fragments| fragments.iter().rev().cloned());
            same(&backwards.collect::<Vec<_>>(), &format!("fragments of {size}, the last first"));
            let twice = fragments.iter().map(|fragments| [&fragments[..], fragments].concat());
            same(&twice.collect::<Vec<_>>().concat(), &format!("fragments of {size} twice"));
        }
    }
}

/// An IP packet in fragments of so many octets, a multiple of 8.
fn fragments(packet: &Packet, size: usize) -> Vec<Packet> {
    let v6 = packet.octets[0] >> 4 == 6;
    let headers = if v6 { Ipv6Header::LEN } else { Ipv4Header::MIN_LEN };
    let pieces: Vec<_> = packet.octets[headers..].chunks(size).collect();
    let piece = |(number, piece): (usize, &&[u8])| {
        let offset = IpFragOffset::try_new((number * size / 8) as u16).unwrap();
        let more = number + 1 < pieces.len();
        let mut octets = Vec::new();
        if v6 {
            let (mut header, _) = Ipv6Header::from_slice(&packet.octets).unwrap();
            let fragment = Ipv6FragmentHeader::new(header.next_header, offset, more, 7);
            header.next_header = IpNumber::IPV6_FRAGMENTATION_HEADER;
            header.payload_length = (Ipv6FragmentHeader::LEN + piece.len()) as u16;
            header.write(&mut octets).unwrap();
            fragment.write(&mut octets).unwrap();
        } else {
            let (mut header, _) = Ipv4Header::from_slice(&packet.octets).unwrap();
            (header.identification, header.dont_fragment) = (7, false);
            (header.more_fragments, header.fragment_offset) = (more, offset);
            header.set_payload_len(piece.len()).unwrap();
            header.header_checksum = header.calc_header_checksum();
            header.write_raw(&mut octets).unwrap();
        }
        octets.extend_from_slice(piece);
        Packet { octets, ..packet.clone() }
    };
    pieces.iter().enumerate().map(piece).collect()
}

#[test]
fn on_every_link() {
    for v6 in [false, true] {
        for link in Link::ALL {
            let older = pcap(Endianness::Little, PcapTsResolution::MicroSecond, link, &session(v6));
            let newer = Pcapng::new(Endianness::Big).interface(link, InterfaceTsResolution::NANO);
            for file in [older, newer.enhanced(0, &session(v6)).file()] {
                let shown = Shown::of(&file);
                assert_eq!(shown.code, Some(0), "{link:?}: {}", shown.stderr);
                assert_eq!(shown.exchanges(), EXCHANGES, "{link:?}");
            }
        }
    }
}

/// Of both sides what is there, and `None` for each octet that is marked as missing.
fn streams(packets: &[Packet]) -> [Vec<Option<u8>>; 2] {
    let mut streams = [Vec::new(), Vec::new()];
    let input = Input::recognize(Cursor::new(plain(packets))).unwrap();
    let reading = Reading { secrets: Secrets::Keep, ..Reading::default() };
    let played = input.play(&reading, &mut |session, entry| {
        assert_eq!(session, 1);
        match entry {
            Entry::Event(Event::Missing { side, octets, .. }) => {
                let stream = &mut streams[*side as usize];
                stream.resize(stream.len() + *octets as usize, None);
            }
            Entry::Event(event) => {
                if let Some((side, run)) = event.octets() {
                    streams[side as usize].extend(run.bytes.iter().copied().map(Some));
                }
            }
            _ => {}
        }
        Ok(())
    });
    played.unwrap();
    streams
}

/// Who sent a packet, and its octets.
fn payload(packet: &Packet) -> (Side, Vec<u8>) {
    let (ip, _) = LaxIpSlice::from_slice(&packet.octets).unwrap();
    let tcp = TcpSlice::from_slice(ip.payload().payload).unwrap();
    let side = if tcp.source_port() == 110 { Server } else { Client };
    (side, tcp.payload().to_vec())
}

/// The same of the whole, by a rule which octets of the packets are there: given a packet's place and its payload.
fn expected(packets: &[Packet], there: impl Fn(usize, usize) -> usize) -> [Vec<Option<u8>>; 2] {
    let mut streams = [Vec::new(), Vec::new()];
    for (place, packet) in packets.iter().enumerate() {
        let (side, octets) = payload(packet);
        let there = there(place, octets.len());
        let octets = octets.into_iter().enumerate().map(|(at, octet)| (at < there).then_some(octet));
        streams[side as usize].extend(octets);
    }
    streams
}

#[test]
fn one_dropped() {
    for v6 in [false, true] {
        let whole = session(v6);
        for lost in 0..whole.len() {
            let mut packets = whole.clone();
            if payload(&packets.remove(lost)).1.is_empty() {
                same(&packets, &format!("without {lost}"));
                continue;
            }
            let expected = expected(&whole, |place, length| if place == lost { 0 } else { length });
            assert_eq!(streams(&packets), expected, "without {lost}");
            let shown = Shown::of(&plain(&packets));
            assert_eq!(shown.code, Some(1), "without {lost}");
            let missing = payload(&whole[lost]).1.len();
            let octets = if missing == 1 { "octet is" } else { "octets are" };
            let said = format!("{missing} {octets} missing in 1 session,");
            assert!(shown.stderr.contains(&said), "without {lost}: {}", shown.stderr);
        }
    }
}

#[test]
fn a_snap_length() {
    for v6 in [false, true] {
        let headers = if v6 { 60 } else { 40 };
        for snap in [headers + 3, 96, 600] {
            let mut packets = session(v6);
            for packet in &mut packets {
                packet.cut = packet.octets.len().saturating_sub(snap) as u32;
                packet.octets.truncate(snap);
            }
            let expected = expected(&session(v6), |_, length| length.min(snap - headers));
            assert_eq!(streams(&packets), expected, "{snap}");
            assert_eq!(Shown::of(&plain(&packets)).code, Some(1), "{snap}");
        }
        let mut packets = session(v6);
        for packet in &mut packets {
            packet.cut = 12;
        }
        same(&packets, "longer on the wire, by a padding that was not captured");
    }
}
