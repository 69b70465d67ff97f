//! The file around the packets: what it begins with, a record or block a packet, through `pcap-file`.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use byteorder_slice::LittleEndian;
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapTsResolution};
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::pcapng::blocks::name_resolution::{Ipv4Record, Ipv6Record, NameResolutionBlock, Record};
use pcap_file::pcapng::blocks::opt_common::CommonOption;
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::pcapng::blocks::unknown::UnknownBlock;
use pcap_file::pcapng::{Block, PcapNgBlock as _, PcapNgState};
use pcap_file::{DataLink, Endianness};

use super::Kind;
use super::frames::{DECRYPTION_SECRETS_BLOCK, TLS_KEY_LOG};

/// Packets begin with their IP header: there was no Ethernet that poptape saw.
const LINK: DataLink = DataLink::RAW;

/// Larger than any packet; what tools take for "the whole packet".
const SNAP_LENGTH: u32 = 262_144;

/// The latest time that a file of each kind holds.
const LATEST_PCAP: Duration = Duration::from_secs(u32::MAX as u64);
const LATEST_PCAPNG: Duration = Duration::from_nanos(u64::MAX);

/// What blocks are written by. Everything is in little-endian order, as nearly all files are.
pub(super) struct File {
    kind: Kind,
    /// The interface that packets name.
    state: PcapNgState,
}

impl File {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, state: PcapNgState::default() }
    }

    /// Whether it has room for what is not in the packets.
    pub(super) const fn holds_remarks(&self) -> bool {
        matches!(self.kind, Kind::Pcapng)
    }

    /// Appends what the file begins with.
    pub(super) fn begin(&mut self, generator: &str, out: &mut Vec<u8>) {
        match self.kind {
            Kind::Pcap => {
                let header = PcapHeader {
                    snaplen: SNAP_LENGTH,
                    datalink: LINK,
                    ts_resolution: PcapTsResolution::MicroSecond,
                    endianness: Endianness::Little,
                    ..PcapHeader::default()
                };
                // A vector takes whatever it is given.
                let _ = header.write_to(out);
            }
            Kind::Pcapng => {
                let comment = format!("{generator}: POP3 as it was recorded, the packets made from it");
                let section = SectionHeaderBlock {
                    endianness: Endianness::Little,
                    options: vec![
                        SectionHeaderOption::UserApplication(generator.into()),
                        SectionHeaderOption::Common(CommonOption::Comment(comment.into())),
                    ],
                    ..SectionHeaderBlock::default()
                };
                let interface = InterfaceDescriptionBlock {
                    linktype: LINK,
                    snaplen: 0,
                    options: vec![
                        InterfaceDescriptionOption::IfName("poptape".into()),
                        InterfaceDescriptionOption::IfTsResol(InterfaceTsResolution::NANO),
                    ],
                };
                for block in [section.into_owned().into_block(), interface.into_owned().into_block()] {
                    self.block(&block, out);
                    self.state.update_from_block(&block);
                }
            }
        }
    }

    /// Appends a packet that was seen at `at` since 1970.
    pub(super) fn packet(&self, at: Duration, packet: &[u8], remarks: &[String], out: &mut Vec<u8>) {
        let length = packet.len() as u32;
        match self.kind {
            Kind::Pcap => {
                if let Ok(packet) = PcapPacket::new(at.min(LATEST_PCAP), length, packet) {
                    let raw = packet.as_raw_packet(PcapTsResolution::MicroSecond);
                    let _ = raw.write_to::<_, LittleEndian>(out);
                }
            }
            Kind::Pcapng => {
                let comment = |text: &String| {
                    EnhancedPacketOption::Common(CommonOption::Comment(Cow::Owned(text.clone())))
                };
                let block = EnhancedPacketBlock {
                    interface_id: 0,
                    timestamp: at.min(LATEST_PCAPNG),
                    original_len: length,
                    data: packet.into(),
                    options: remarks.iter().map(comment).collect(),
                };
                self.block(&block.into_block(), out);
            }
        }
    }

    /// Appends what addresses are called.
    pub(super) fn names(&self, names: &[(IpAddr, String)], out: &mut Vec<u8>) {
        if !self.holds_remarks() || names.is_empty() {
            return;
        }
        let record = |(address, name): &(IpAddr, String)| {
            let names = vec![Cow::Owned(name.clone())];
            match *address {
                IpAddr::V4(ip_addr) => Record::Ipv4(Ipv4Record { ip_addr, names }),
                IpAddr::V6(ip_addr) => Record::Ipv6(Ipv6Record { ip_addr, names }),
            }
        };
        let block = NameResolutionBlock { records: names.iter().map(record).collect(), options: Vec::new() };
        self.block(&block.into_block(), out);
    }

    /// Appends lines of a TLS key log, for the packets that follow.
    pub(super) fn keys(&self, lines: &str, out: &mut Vec<u8>) {
        if !self.holds_remarks() {
            return;
        }
        let mut body = Vec::new();
        for word in [TLS_KEY_LOG, lines.len() as u32] {
            body.extend_from_slice(&word.to_le_bytes());
        }
        body.extend_from_slice(lines.as_bytes());
        // Blocks end at multiples of four octets.
        body.resize(body.len().next_multiple_of(4), 0);
        let length = body.len() as u32 + 12;
        self.block(&UnknownBlock::new(DECRYPTION_SECRETS_BLOCK, length, &body).into_block(), out);
    }

    fn block(&self, block: &Block<'_>, out: &mut Vec<u8>) {
        // A block made here has nothing in it that could be refused.
        let _ = block.write_to::<LittleEndian, _>(&self.state, out);
    }
}
