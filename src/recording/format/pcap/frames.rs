//! A capture file to its frames: every kind of packet block, and the blocks with TLS secrets.

use std::io::{self, BufRead};
use std::time::Duration;

use pcap_file::Endianness;
use pcap_file::pcap::{PcapReadError, PcapReader, PcapTsResolution};
use pcap_file::pcapng::blocks::block_common::ENHANCED_PACKET_BLOCK;
use pcap_file::pcapng::{Block, PcapNgReadError, PcapNgReader, PcapNgState, RawBlock};

use super::Kind;
use crate::capture::{Frame, Nanos};
use crate::recording::format::Integrity;

/// The longest record or block that is read; the default snap length of capture tools is 256 KiB.
const LIMIT: usize = 2 << 20;

/// The most interfaces that a section may have: each is kept.
const INTERFACES: usize = 4096;

/// The block with TLS secrets (draft-ietf-opsawg-pcapng section 4.7).
const DECRYPTION_SECRETS_BLOCK: u32 = 10;

/// Its type of secrets that is read: a TLS key log.
const TLS_KEY_LOG: u32 = 0x544c_534b;

/// What a file holds.
pub(super) enum Item<'a> {
    /// A frame.
    Frame(Frame<'a>),
    /// The lines of a key log.
    Keys(&'a [u8]),
}

/// Takes what a file holds; an error ends the reading.
pub(super) type Each<'a> = dyn FnMut(Item<'_>) -> io::Result<()> + 'a;

/// Reads a file to its end or to the first damage.
pub(super) fn read(kind: Kind, input: &mut dyn BufRead, each: &mut Each<'_>) -> io::Result<Integrity> {
    match kind {
        Kind::Pcap => pcap(input, each),
        Kind::Pcapng => pcapng(input, each),
    }
}

fn pcap(input: &mut dyn BufRead, each: &mut Each<'_>) -> io::Result<Integrity> {
    let mut reader = match PcapReader::with_capacity(input, LIMIT) {
        Ok(reader) => reader,
        Err(error) => return Ok(damaged(0, "record", &error, of_pcap(&error))),
    };
    let header = reader.header();
    // What stands above the link type says how long the frames' check sequences are.
    let link = u32::from(header.datalink) & 0xffff;
    let unit = match header.ts_resolution {
        PcapTsResolution::MicroSecond => 1000,
        PcapTsResolution::NanoSecond => 1,
    };
    let mut count = 0;
    while let Some(packet) = reader.next_raw_packet() {
        match packet {
            Ok(packet) => {
                count += 1;
                let at = Nanos::from(packet.ts_sec) * 1_000_000_000 + Nanos::from(packet.ts_frac) * unit;
                each(Item::Frame(Frame { at, link, octets: &packet.data, length: packet.orig_len }))?;
            }
            Err(error) => return Ok(damaged(count, "record", &error, of_pcap(&error))),
        }
    }
    Ok(Integrity::Whole)
}

fn pcapng(input: &mut dyn BufRead, each: &mut Each<'_>) -> io::Result<Integrity> {
    let mut reader = match PcapNgReader::with_capacity(input, LIMIT) {
        Ok(reader) => reader,
        Err(error) => return Ok(damaged(0, "block", &error, of_pcapng(&error))),
    };
    let (mut count, mut unread, mut last) = (1, 0, 0);
    while let Some(block) = reader.next_raw_block() {
        count += 1;
        let (block, state) = match block {
            Ok(block) => block,
            Err(error) => return Ok(damaged(count - 1, "block", &error, of_pcapng(&error))),
        };
        if state.interfaces().len() > INTERFACES {
            return Ok(Integrity::Damaged(format!("it has more than {INTERFACES} interfaces")));
        }
        if !take_block(block, state, &mut last, each)? {
            unread += 1;
        }
    }
    match unread {
        0 => Ok(Integrity::Whole),
        1 => Ok(Integrity::Damaged("a block in it makes no sense and was skipped".to_owned())),
        _ => Ok(Integrity::Damaged(format!("{unread} blocks in it make no sense and were skipped"))),
    }
}

/// Gives false where a block makes no sense. `last` is the time of the last frame that had one.
fn take_block(
    block: RawBlock<'_>,
    state: &PcapNgState,
    last: &mut Nanos,
    each: &mut Each<'_>,
) -> io::Result<bool> {
    let whole = block.clone();
    let link = |interface: usize| state.interfaces().get(interface).map(|found| u32::from(found.linktype));
    let frame = match block.try_into_block(state) {
        Ok(Block::EnhancedPacket(packet)) => link(packet.interface_id as usize)
            .map(|link| (link, nanos(packet.timestamp), packet.data, packet.original_len)),
        Ok(Block::Packet(packet)) => link(packet.interface_id.into())
            .map(|link| (link, nanos(packet.timestamp), packet.data, packet.original_len)),
        // It has no time: that of the frame before is as near as can be had.
        Ok(Block::SimplePacket(packet)) => {
            link(0).map(|link| (link, *last, packet.data, packet.original_len))
        }
        Ok(Block::Unknown(block)) if block.type_ == DECRYPTION_SECRETS_BLOCK => {
            if let Some(keys) = key_log(&block.value, state.endianness()) {
                each(Item::Keys(keys))?;
            }
            return Ok(true);
        }
        Ok(_) => return Ok(true),
        // Options that make no sense, or an original length below what was captured, take nothing from a packet.
        Err(_) if whole.type_ == ENHANCED_PACKET_BLOCK => {
            let Some(packet) = bare_packet(&whole.body, state) else { return Ok(false) };
            *last = packet.at;
            each(Item::Frame(packet))?;
            return Ok(true);
        }
        Err(_) => return Ok(false),
    };
    let Some((link, at, octets, length)) = frame else { return Ok(false) };
    *last = at;
    each(Item::Frame(Frame { at, link, octets: &octets, length }))?;
    Ok(true)
}

/// An enhanced packet block without its options.
fn bare_packet<'a>(body: &'a [u8], state: &PcapNgState) -> Option<Frame<'a>> {
    let order = state.endianness();
    let word = |at: usize| word(body.get(at..at + 4)?, order);
    let (interface, high, low, captured, length) = (word(0)?, word(4)?, word(8)?, word(12)?, word(16)?);
    let link = u32::from(state.interfaces().get(interface as usize)?.linktype);
    let at = state.decode_timestamp(interface, high, low).map_or(0, nanos);
    let octets = body.get(20..)?.get(..captured as usize)?;
    Some(Frame { at, link, octets, length: length.max(captured) })
}

/// What a decryption secrets block says, where it is of TLS.
fn key_log(body: &[u8], order: Endianness) -> Option<&[u8]> {
    let length = word(body.get(4..8)?, order)? as usize;
    (word(body.get(..4)?, order)? == TLS_KEY_LOG).then(|| body.get(8..)?.get(..length)).flatten()
}

fn word(octets: &[u8], order: Endianness) -> Option<u32> {
    let octets = octets.try_into().ok()?;
    Some(match order {
        Endianness::Big => u32::from_be_bytes(octets),
        Endianness::Little => u32::from_le_bytes(octets),
    })
}

/// Saturates in the year 2262.
fn nanos(since_1970: Duration) -> Nanos {
    Nanos::try_from(since_1970.as_nanos()).unwrap_or(Nanos::MAX)
}

fn of_pcap(error: &PcapReadError) -> Option<&io::Error> {
    if let PcapReadError::Io(error) = error { Some(error) } else { None }
}

fn of_pcapng(error: &PcapNgReadError) -> Option<&io::Error> {
    if let PcapNgReadError::Io(error) = error { Some(error) } else { None }
}

/// After so many records or blocks: the file ends, or makes no sense.
fn damaged(count: u64, what: &str, error: &dyn std::error::Error, io: Option<&io::Error>) -> Integrity {
    let why = match io {
        Some(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            format!("the {what} after that is cut off, or longer than {} MiB", LIMIT >> 20)
        }
        Some(error) => error.to_string(),
        None => match error.source() {
            Some(cause) => format!("{error}: {cause}").to_lowercase(),
            None => error.to_string().to_lowercase(),
        },
    };
    Integrity::Damaged(format!("{count} {what}s could be read; {why}"))
}
