//! The TCP conversation around the segments of a session: handshake, sequence numbers, acknowledgements, close
//! (RFC 9293).

use std::net::SocketAddr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use etherparse::{TcpHeader, TcpOptionElement};

use super::file::File;
use super::packet;
use super::remark::Remarks;
use super::segment::Label;
use crate::wire::{Close, Micros, Side};

/// The other side acknowledges at least every so many octets, though it sends none itself.
const UNACKNOWLEDGED: u32 = 1 << 20;

/// A window of 65,535 times two to this power (RFC 7323 section 2) is never full.
const WINDOW_SHIFT: u8 = 14;
const WINDOW: u16 = u16::MAX;

/// The most room that is left for missing octets: sequence numbers half a circle apart can be told to lie before or
/// after each other no more, and what is not in the window cannot have been sent.
const LONGEST_HOLE: u32 = 1 << 29;

/// Where a conversation stands.
#[derive(Debug, Clone)]
pub(super) struct Conversation {
    peers: [SocketAddr; 2],
    /// Microsecond 0, since 1970.
    started: i64,
    /// The next sequence number of each side.
    next: [u32; 2],
    /// What each side has acknowledged.
    acknowledged: [u32; 2],
    /// Room that is left for missing octets right before a side's next packet.
    holes: [u32; 2],
    begun: bool,
    /// Nobody saw how it began: it has no handshake, so that whoever reads it knows that as well.
    from_middle: bool,
    closed: [bool; 2],
    /// What is remarked of the next packet.
    remarks: Remarks,
}

impl Conversation {
    /// Between a client and a server, whose addresses are of one family. A file's conversations begin with sequence
    /// numbers of their own, so that two with the same addresses and ports are told apart.
    pub(super) fn new(session: u32, client: SocketAddr, server: SocketAddr, started: DateTime<Utc>) -> Self {
        let first = session.wrapping_mul(0x0100_0193);
        let next = [first, first.wrapping_add(0x4000_0000)];
        Self {
            peers: [client, server],
            started: started.timestamp_micros(),
            next,
            acknowledged: [next[1], next[0]],
            holes: [0; 2],
            begun: false,
            from_middle: false,
            closed: [false; 2],
            remarks: Remarks::default(),
        }
    }

    /// Gives the server another port, as long as nothing is written; what it was before.
    pub(super) fn set_server_port(&mut self, port: u16) -> u16 {
        let server = &mut self.peers[Side::Server as usize];
        let before = server.port();
        server.set_port(port);
        before
    }

    /// Whether something of it is written.
    pub(super) const fn is_begun(&self) -> bool {
        self.begun
    }

    fn time(&self, at: Micros) -> Duration {
        let since = self.started.saturating_add_unsigned(at);
        Duration::from_micros(u64::try_from(since).unwrap_or(0))
    }
}

/// A conversation being written.
pub(super) struct Line<'a> {
    pub(super) conversation: &'a mut Conversation,
    pub(super) file: &'a File,
    /// Room for a packet.
    pub(super) packet: &'a mut Vec<u8>,
    pub(super) out: &'a mut Vec<u8>,
}

impl Line<'_> {
    /// The longest segment.
    pub(super) fn longest(&self) -> usize {
        usize::from(packet::longest_segment(self.conversation.peers[0].is_ipv4()))
    }

    /// Remarks something of the next packet, where the file has room for it.
    pub(super) fn remark(&mut self, text: impl FnOnce() -> String) {
        if self.file.holds_remarks() {
            self.conversation.remarks.push(text);
        }
    }

    /// Writes the handshake, where there was one and it is not there yet.
    pub(super) fn open(&mut self) {
        if std::mem::replace(&mut self.conversation.begun, true) || self.conversation.from_middle {
            return;
        }
        let (client, server) = (Side::Client, Side::Server);
        let greet = |header: &mut TcpHeader, longest: usize| {
            header.syn = true;
            let _ = header.set_options(&[
                TcpOptionElement::MaximumSegmentSize(longest as u16),
                TcpOptionElement::Noop,
                TcpOptionElement::WindowScale(WINDOW_SHIFT),
            ]);
        };
        let longest = self.longest();
        self.write(client, 0, b"", |header| {
            greet(header, longest);
            (header.ack, header.acknowledgment_number) = (false, 0);
        });
        self.write(server, 0, b"", |header| greet(header, longest));
        self.acknowledge(client, 0);
    }

    /// Writes a segment of a side, no longer than [`Line::longest`].
    pub(super) fn data(&mut self, side: Side, at: Micros, octets: &[u8], label: Label) {
        self.open();
        if let Some((first, last)) = label.exchanges {
            self.remark(|| match last - first {
                0 => format!("exchange {first}"),
                _ => format!("exchanges {first} to {last}"),
            });
        }
        if let Some(masked) = label.masked {
            self.remark(|| format!("the {masked} is masked by poptape"));
        }
        self.write(side, at, octets, |header| header.psh = true);
        let Conversation { next, acknowledged, .. } = &*self.conversation;
        if next[side as usize].wrapping_sub(acknowledged[side.other() as usize]) > UNACKNOWLEDGED {
            self.acknowledge(side.other(), at);
        }
    }

    /// Leaves room for octets of a side that nobody saw; for one where it is not known how many they are, that is 0.
    /// Before anything else such are what the session began with.
    pub(super) fn skip(&mut self, side: Side, octets: u64) {
        if octets == 0 && !self.conversation.begun {
            self.conversation.from_middle = true;
            return;
        }
        self.open();
        let Conversation { next, holes, .. } = &mut *self.conversation;
        let hole = &mut holes[side as usize];
        let room = octets.max(1).min(u64::from(LONGEST_HOLE - *hole)) as u32;
        *hole += room;
        next[side as usize] = next[side as usize].wrapping_add(room);
        match octets {
            0 => self
                .remark(|| format!("octets of the {} are missing here, how many is not known", side.name())),
            _ if octets > u64::from(room) => {
                self.remark(|| {
                    format!("{octets} octets of the {} are missing here, not {room}", side.name())
                });
            }
            _ => {}
        }
    }

    /// A side ends its direction.
    pub(super) fn close(&mut self, side: Side, how: Close, at: Micros) {
        self.open();
        if self.conversation.closed[side as usize] {
            return;
        }
        if how == Close::Truncated {
            self.remark(|| {
                format!("the {} ended TLS without close_notify: the end may be missing", side.name())
            });
        }
        match how {
            Close::Finished | Close::Truncated => {
                self.conversation.closed[side as usize] = true;
                self.write(side, at, b"", |header| header.fin = true);
                self.acknowledge(side.other(), at);
            }
            Close::Reset => {
                self.conversation.closed = [true; 2];
                self.write(side, at, b"", |header| header.rst = true);
            }
        }
    }

    /// What is remarked and belongs to no packet that comes is on an acknowledgement.
    pub(super) fn finish(&mut self, at: Micros) {
        let Conversation { next, acknowledged, remarks, .. } = &*self.conversation;
        if !remarks.is_empty() {
            let lacks = |side: Side| acknowledged[side as usize] != next[side.other() as usize];
            let side = if lacks(Side::Server) { Side::Server } else { Side::Client };
            self.acknowledge(side, at);
        }
    }

    fn acknowledge(&mut self, side: Side, at: Micros) {
        self.write(side, at, b"", |_| {});
    }

    fn write(&mut self, side: Side, at: Micros, octets: &[u8], adjust: impl FnOnce(&mut TcpHeader)) {
        let Conversation { peers, next, acknowledged, holes, remarks, .. } = &mut *self.conversation;
        let (mine, others) = (side as usize, side.other() as usize);
        let mut header = TcpHeader::new(0, 0, next[mine], WINDOW);
        (header.ack, header.acknowledgment_number) = (true, next[others]);
        adjust(&mut header);
        let turn = u32::from(header.syn || header.fin);
        next[mine] = next[mine].wrapping_add(octets.len() as u32).wrapping_add(turn);
        (acknowledged[mine], holes[mine]) = (next[others], 0);
        let remarks = remarks.take();
        if packet::make(peers[mine], peers[others], header, octets, self.packet).is_some() {
            self.file.packet(self.conversation.time(at), self.packet, &remarks, self.out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;
    use etherparse::{SlicedPacket, TransportSlice};

    /// Every packet with its sequence number, acknowledgement and length.
    fn packets(conversation: &mut Conversation, talk: impl FnOnce(&mut Line<'_>)) -> Vec<(u32, u32, usize)> {
        let mut file = File::new(Kind::Pcap);
        let mut out = Vec::new();
        file.begin("poptape", &mut out);
        talk(&mut Line { conversation, file: &file, packet: &mut Vec::new(), out: &mut out });
        let mut reader = pcap_file::pcap::PcapReader::new(&out[..]).unwrap();
        std::iter::from_fn(|| Some(reader.next_packet()?.unwrap().to_owned()))
            .map(|packet| {
                let sliced = SlicedPacket::from_ip(packet.data()).unwrap();
                let Some(TransportSlice::Tcp(tcp)) = sliced.transport else { panic!("no TCP") };
                assert_eq!(tcp.checksum(), tcp.calc_checksum_ipv4([127, 0, 0, 1], [127, 0, 0, 1]).unwrap());
                (tcp.sequence_number(), tcp.acknowledgment_number(), tcp.payload().len())
            })
            .collect()
    }

    fn conversation(client_starts: u32) -> Conversation {
        let peer = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let mut conversation = Conversation::new(1, peer(5000), peer(110), DateTime::UNIX_EPOCH);
        conversation.next = [client_starts, 7];
        conversation.acknowledged = [conversation.next[1], conversation.next[0]];
        conversation
    }

    #[test]
    fn sequence_numbers_go_round() {
        let seen = packets(&mut conversation(u32::MAX - 3), |line| {
            line.data(Side::Client, 1, b"QUIT\r\n", Label::default());
            line.data(Side::Server, 2, b"+OK\r\n", Label::default());
            line.close(Side::Client, Close::Finished, 3);
        });
        let begin = u32::MAX - 3;
        let handshake = [(begin, 0, 0), (7, begin + 1, 0), (begin + 1, 8, 0)];
        let talk = [(begin + 1, 8, 6), (8, 3, 5), (3, 13, 0), (13, 4, 0)];
        assert_eq!(seen, [&handshake[..], &talk[..]].concat());
    }

    #[test]
    fn a_side_that_only_listens_acknowledges_now_and_then() {
        let segment = vec![b'a'; 65_495];
        let seen = packets(&mut conversation(0), |line| {
            for at in 0..40 {
                line.data(Side::Server, at, &segment, Label::default());
            }
        });
        let acknowledgements: Vec<_> =
            seen.iter().skip(3).filter(|packet| packet.2 == 0).map(|packet| packet.1).collect();
        assert_eq!(acknowledgements, [8 + 17 * 65_495, 8 + 34 * 65_495]);
    }

    #[test]
    fn what_nobody_saw_is_a_gap() {
        let seen = packets(&mut conversation(0), |line| {
            line.data(Side::Server, 1, b"+OK", Label::default());
            line.skip(Side::Server, 100);
            line.data(Side::Server, 2, b".\r\n", Label::default());
        });
        assert_eq!(seen[3..], [(8, 1, 3), (111, 1, 3)]);
    }

    #[test]
    fn what_is_remarked_last_is_not_lost() {
        let mut file = File::new(Kind::Pcapng);
        let mut out = Vec::new();
        file.begin("poptape", &mut out);
        let mut line =
            Line { conversation: &mut conversation(0), file: &file, packet: &mut Vec::new(), out: &mut out };
        line.data(Side::Client, 1, b"NOOP\r\n", Label::default());
        line.finish(2);
        let before = line.out.len();
        line.remark(|| "that was all".to_owned());
        line.finish(3);
        line.finish(3);
        let told = memchr::memmem::find_iter(&out[before..], b"that was all").count();
        let packets = memchr::memmem::find_iter(&out[before..], &[127, 0, 0, 1, 127, 0, 0, 1]).count();
        assert_eq!((told, packets), (1, 1));
    }

    #[test]
    fn a_gap_larger_than_sequence_numbers_can_tell_is_cut() {
        let seen = packets(&mut conversation(0), |line| {
            line.skip(Side::Server, 3_000_000_000);
            line.skip(Side::Server, 1 << 32);
            line.data(Side::Server, 1, b"+OK\r\n", Label::default());
        });
        assert_eq!(seen[3], (8 + LONGEST_HOLE, 1, 5));
    }

    #[test]
    fn a_session_from_the_middle_has_no_handshake_and_what_is_unknown_later_is_an_octet() {
        let seen = packets(&mut conversation(0), |line| {
            line.skip(Side::Client, 0);
            line.skip(Side::Server, 0);
            line.data(Side::Client, 1, b"STAT\r\n", Label::default());
            line.skip(Side::Server, 0);
            line.data(Side::Server, 2, b"+OK\r\n", Label::default());
        });
        assert_eq!(seen, [(0, 7, 6), (8, 6, 5)]);
    }

    #[test]
    fn a_time_that_no_file_holds_is_the_nearest_that_it_does() {
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        let early = DateTime::from_timestamp(-10, 0).unwrap();
        let conversation = Conversation::new(1, peer, peer, early);
        assert_eq!(conversation.time(5_000_000), Duration::ZERO);
        assert_eq!(conversation.time(11_000_000), Duration::from_secs(1));
        assert!(conversation.time(u64::MAX) > Duration::from_secs(1 << 40));
    }
}
