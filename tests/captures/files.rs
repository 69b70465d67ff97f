//! Capture files in every shape that the formats allow, made by the packet and the file crate.

use std::borrow::Cow;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use etherparse::{IpHeaders, PacketBuilder};
use pcap_file::pcap::{PcapHeader, PcapTsResolution, PcapWriter, RawPcapPacket};
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::pcapng::blocks::name_resolution::{Ipv4Record, NameResolutionBlock, Record};
use pcap_file::pcapng::blocks::opt_common::CommonOption;
use pcap_file::pcapng::blocks::packet::PacketBlock;
use pcap_file::pcapng::blocks::section_header::SectionHeaderBlock;
use pcap_file::pcapng::blocks::simple_packet::SimplePacketBlock;
use pcap_file::pcapng::blocks::unknown::UnknownBlock;
use pcap_file::pcapng::{PcapNgBlock, PcapNgWriter};
pub use pcap_file::{DataLink, Endianness};
use poptape::wire::Side;

/// The block with TLS secrets.
pub const SECRETS: u32 = 10;

/// An IP packet with the time since 1970 at which it was seen.
#[derive(Debug, Clone)]
pub struct Packet {
    pub at: Duration,
    pub octets: Vec<u8>,
    /// How many more it had, which a snap length cut off.
    pub cut: u32,
}

/// A TCP conversation as it grows, packet by packet, a millisecond each.
pub struct Talk {
    client: SocketAddr,
    server: SocketAddr,
    next: [u32; 2],
    pub at: Duration,
    pub packets: Vec<Packet>,
}

impl Talk {
    /// Before its handshake.
    pub fn new(client: &str, server: &str) -> Self {
        Self {
            client: client.parse().unwrap(),
            server: server.parse().unwrap(),
            next: [0x1000, 0xffff_fff0],
            at: Duration::from_secs(1_700_000_000),
            packets: Vec::new(),
        }
    }

    /// The handshake.
    pub fn open(mut self) -> Self {
        self.packet(Side::Client, b"S", b"");
        self.packet(Side::Server, b"SA", b"");
        self.packet(Side::Client, b"A", b"");
        self
    }

    /// A segment with octets.
    pub fn says(mut self, side: Side, octets: &[u8]) -> Self {
        self.packet(side, b"PA", octets);
        self
    }

    /// FIN from both.
    pub fn close(mut self) -> Self {
        self.packet(Side::Client, b"FA", b"");
        self.packet(Side::Server, b"FA", b"");
        self.packet(Side::Client, b"A", b"");
        self
    }

    fn packet(&mut self, side: Side, flags: &[u8], octets: &[u8]) {
        let (from, to) = match side {
            Side::Client => (self.client, self.server),
            Side::Server => (self.server, self.client),
        };
        let sequence = self.next[side as usize];
        let mut step =
            PacketBuilder::ip(headers(from.ip(), to.ip())).tcp(from.port(), to.port(), sequence, 0xffff);
        for flag in flags {
            step = match flag {
                b'S' => step.syn(),
                b'F' => step.fin(),
                b'P' => step.psh(),
                _ => step.ack(self.next[side.other() as usize]),
            };
        }
        let took = octets.len() as u32 + u32::from(flags.iter().any(|flag| b"SF".contains(flag)));
        self.next[side as usize] = sequence.wrapping_add(took);
        let mut packet = Vec::new();
        step.write(&mut packet, octets).unwrap();
        self.packets.push(Packet { at: self.at, octets: packet, cut: 0 });
        self.at += Duration::from_millis(1);
    }
}

fn headers(from: IpAddr, to: IpAddr) -> IpHeaders {
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let header =
                etherparse::Ipv4Header::new(0, 64, etherparse::IpNumber::TCP, from.octets(), to.octets());
            IpHeaders::Ipv4(header.unwrap(), etherparse::Ipv4Extensions::default())
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let header = etherparse::Ipv6Header {
                hop_limit: 64,
                source: from.octets(),
                destination: to.octets(),
                ..Default::default()
            };
            IpHeaders::Ipv6(header, etherparse::Ipv6Extensions::default())
        }
        _ => panic!("an address of each kind"),
    }
}

/// A short session on port 110.
pub fn session() -> Vec<Packet> {
    let (client, server) = (Side::Client, Side::Server);
    Talk::new("192.0.2.2:51034", "192.0.2.1:110")
        .open()
        .says(server, b"+OK ready\r\n")
        .says(client, b"USER kcope\r\n")
        .says(server, b"+OK\r\n")
        .says(client, b"PASS secret\r\n")
        .says(server, b"+OK 1 message\r\n")
        .says(client, b"RETR 1\r\n")
        .says(server, b"+OK 12 octets\r\n")
        .says(server, b"Subject: x\r\n\r\ny\r\n.\r\n")
        .says(client, b"QUIT\r\n")
        .says(server, b"+OK bye\r\n")
        .close()
        .packets
}

/// What is around an IP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    Ethernet,
    Vlan,
    QinQ,
    Cooked,
    Cooked2,
    Raw,
    Null,
    Loop,
}

impl Link {
    pub const ALL: [Self; 8] = [
        Self::Ethernet,
        Self::Vlan,
        Self::QinQ,
        Self::Cooked,
        Self::Cooked2,
        Self::Raw,
        Self::Null,
        Self::Loop,
    ];

    fn datalink(self) -> DataLink {
        match self {
            Self::Ethernet | Self::Vlan | Self::QinQ => DataLink::ETHERNET,
            Self::Cooked => DataLink::LINUX_SLL,
            Self::Cooked2 => DataLink::LINUX_SLL2,
            Self::Raw => DataLink::RAW,
            Self::Null => DataLink::NULL,
            Self::Loop => DataLink::LOOP,
        }
    }

    /// The packet in its frame.
    pub fn frame(self, packet: &[u8]) -> Vec<u8> {
        let v6 = packet[0] >> 4 == 6;
        let kind: [u8; 2] = if v6 { [0x86, 0xdd] } else { [0x08, 0x00] };
        let macs = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        let family = if v6 { 10 } else { 2 };
        let header = match self {
            Self::Ethernet => [&macs[..], &kind].concat(),
            Self::Vlan => [&macs[..], &[0x81, 0, 0, 7], &kind].concat(),
            Self::QinQ => [&macs[..], &[0x88, 0xa8, 0, 7, 0x81, 0, 0, 8], &kind].concat(),
            Self::Cooked => [&[0, 0, 0, 1, 0, 6], &macs[..6], &[0, 0], &kind].concat(),
            Self::Cooked2 => [&kind[..], &[0; 2], &[0, 0, 0, 2, 0, 1, 0, 6], &macs[..6], &[0, 0]].concat(),
            Self::Raw => Vec::new(),
            Self::Null => vec![family, 0, 0, 0],
            Self::Loop => vec![0, 0, 0, family],
        };
        [&header, packet].concat()
    }
}

/// A file of the older kind.
pub fn pcap(order: Endianness, resolution: PcapTsResolution, link: Link, packets: &[Packet]) -> Vec<u8> {
    let header = PcapHeader {
        datalink: link.datalink(),
        ts_resolution: resolution,
        endianness: order,
        snaplen: 1 << 18,
        ..Default::default()
    };
    let mut writer = PcapWriter::with_header(Vec::new(), header).unwrap();
    for packet in packets {
        let octets = link.frame(&packet.octets);
        let fraction = match resolution {
            PcapTsResolution::MicroSecond => packet.at.subsec_micros(),
            PcapTsResolution::NanoSecond => packet.at.subsec_nanos(),
        };
        let incl_len = octets.len() as u32;
        let orig_len = incl_len + packet.cut;
        let (ts_sec, data) = (packet.at.as_secs() as u32, Cow::Owned(octets));
        let packet = RawPcapPacket { ts_sec, ts_frac: fraction, incl_len, orig_len, data };
        writer.write_raw_packet(&packet).unwrap();
    }
    writer.into_inner()
}

/// The usual file of the older kind.
pub fn plain(packets: &[Packet]) -> Vec<u8> {
    pcap(Endianness::Little, PcapTsResolution::MicroSecond, Link::Ethernet, packets)
}

/// A file of the newer kind, as it grows.
pub struct Pcapng {
    writer: PcapNgWriter<Vec<u8>>,
    links: Vec<Link>,
}

impl Pcapng {
    /// With its first section.
    pub fn new(order: Endianness) -> Self {
        let section = SectionHeaderBlock { endianness: order, ..Default::default() };
        Self { writer: PcapNgWriter::with_section_header(Vec::new(), section).unwrap(), links: Vec::new() }
    }

    /// Another section, which has no interfaces yet.
    pub fn section(mut self, order: Endianness) -> Self {
        self.links.clear();
        self.block(SectionHeaderBlock { endianness: order, ..Default::default() })
    }

    /// An interface with times in this unit.
    pub fn interface(mut self, link: Link, resolution: InterfaceTsResolution) -> Self {
        self.links.push(link);
        let options = vec![
            InterfaceDescriptionOption::IfName(Cow::Borrowed("eth0")),
            InterfaceDescriptionOption::IfTsResol(resolution),
        ];
        self.block(InterfaceDescriptionBlock { linktype: link.datalink(), snaplen: 0, options })
    }

    /// Packets of an interface, as they are written today.
    pub fn enhanced(mut self, interface: u32, packets: &[Packet]) -> Self {
        for packet in packets {
            let data = self.links[interface as usize].frame(&packet.octets);
            self = self.block(EnhancedPacketBlock {
                interface_id: interface,
                timestamp: packet.at,
                original_len: data.len() as u32 + packet.cut,
                data: Cow::Owned(data),
                options: vec![EnhancedPacketOption::Common(CommonOption::Comment(Cow::Borrowed("seen")))],
            });
        }
        self
    }

    /// Packets of the first interface without times.
    pub fn simple(mut self, packets: &[Packet]) -> Self {
        for packet in packets {
            let data = self.links[0].frame(&packet.octets);
            self = self.block(SimplePacketBlock {
                original_len: data.len() as u32 + packet.cut,
                data: Cow::Owned(data),
            });
        }
        self
    }

    /// Packets of an interface, as they were written long ago.
    pub fn old(mut self, interface: u16, packets: &[Packet]) -> Self {
        for packet in packets {
            let data = self.links[usize::from(interface)].frame(&packet.octets);
            self = self.block(PacketBlock {
                interface_id: interface,
                drop_count: 0,
                timestamp: packet.at,
                original_len: data.len() as u32 + packet.cut,
                data: Cow::Owned(data),
                options: Vec::new(),
            });
        }
        self
    }

    /// Who has which address.
    pub fn names(self) -> Self {
        let names = vec![Cow::Borrowed("pop.example.org")];
        let record = Record::Ipv4(Ipv4Record { ip_addr: [192, 0, 2, 1].into(), names });
        self.block(NameResolutionBlock { records: vec![record], options: Vec::new() })
    }

    /// The lines of a key log.
    pub fn secrets(self, order: Endianness, lines: &[u8]) -> Self {
        let words = [0x544c_534b, lines.len() as u32].map(|word: u32| word_octets(order, word));
        self.unknown(SECRETS, &[&words[0], &words[1], lines].concat())
    }

    /// A block of any type.
    pub fn unknown(self, kind: u32, body: &[u8]) -> Self {
        self.block(UnknownBlock::new(kind, body.len() as u32, body))
    }

    fn block<'a>(mut self, block: impl PcapNgBlock<'a>) -> Self {
        self.writer.write_pcapng_block(block).unwrap();
        self
    }

    pub fn file(self) -> Vec<u8> {
        self.writer.into_inner()
    }
}

/// A number in an order of octets.
pub fn word_octets(order: Endianness, word: u32) -> [u8; 4] {
    match order {
        Endianness::Big => word.to_be_bytes(),
        Endianness::Little => word.to_le_bytes(),
    }
}

/// Compressed.
pub fn gzip(octets: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(octets).unwrap();
    encoder.finish().unwrap()
}

/// The session in every kind of file, each with what it is.
pub fn every() -> Vec<(String, Vec<u8>)> {
    let packets = session();
    let (order, unit) = (Endianness::Little, InterfaceTsResolution::MICRO);
    let mut files = Vec::new();
    for order in [Endianness::Little, Endianness::Big] {
        for resolution in [PcapTsResolution::MicroSecond, PcapTsResolution::NanoSecond] {
            let file = pcap(order, resolution, Link::Ethernet, &packets);
            files.push((format!("pcap-{order:?}-{resolution:?}"), file));
        }
        let (first, second) = packets.split_at(packets.len() / 2);
        let file = Pcapng::new(order)
            .names()
            .secrets(order, b"# no secrets\n")
            .unknown(0x0bad_cafe, b"what is this?")
            .interface(Link::Raw, unit)
            .interface(Link::Ethernet, InterfaceTsResolution::NANO)
            .enhanced(1, &first[..2])
            .enhanced(0, &first[2..])
            .section(Endianness::Big)
            .interface(Link::Cooked2, InterfaceTsResolution::MILLI)
            .old(0, second);
        files.push((format!("pcapng-{order:?}"), file.file()));
    }
    files.push(("simple".to_owned(), Pcapng::new(order).interface(Link::Null, unit).simple(&packets).file()));
    for link in Link::ALL {
        files.push((format!("{link:?}"), pcap(order, PcapTsResolution::NanoSecond, link, &packets)));
    }
    files.push(("gzip".to_owned(), gzip(&plain(&packets))));
    files
}
