//! A capture file to its frames: every kind of packet block, and the blocks with TLS secrets.
//!
//! The files are cut into records and blocks here, so that a block which makes no sense is one that is skipped; what
//! stands in headers and says how times are counted is the crate's to read.

use std::borrow::Cow;
use std::io::{self, BufRead};
use std::time::Duration;

use pcap_file::Endianness;
use pcap_file::pcap::{PcapParser, PcapTsResolution};
use pcap_file::pcapng::blocks::block_common::{
    ENHANCED_PACKET_BLOCK, INTERFACE_DESCRIPTION_BLOCK, PACKET_BLOCK, SECTION_HEADER_BLOCK,
    SIMPLE_PACKET_BLOCK,
};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::section_header::SectionHeaderBlock;
use pcap_file::pcapng::{Block, PcapNgState, RawBlock};

use super::Kind;
use super::pieces::{Pieces, Stop};
use crate::capture::{Frame, Nanos};
use crate::recording::format::Integrity;

/// The most interfaces that a section may have: each is kept.
const INTERFACES: usize = 1 << 16;

/// The block with TLS secrets (draft-ietf-opsawg-pcapng section 4.7).
pub(super) const DECRYPTION_SECRETS_BLOCK: u32 = 10;

/// Its type of secrets that is read: a TLS key log.
pub(super) const TLS_KEY_LOG: u32 = 0x544c_534b;

/// What a file holds.
pub(super) enum Item<'a> {
    /// A frame.
    Frame(Frame<'a>),
    /// The lines of a key log.
    Keys(&'a [u8]),
}

/// Takes what a file holds; an error ends the reading.
pub(super) type Each<'a> = dyn FnMut(Item<'_>) -> io::Result<()> + 'a;

/// Reads a file to its end or to the first damage that hides where the rest begins.
pub(super) fn read(kind: Kind, input: &mut dyn BufRead, each: &mut Each<'_>) -> io::Result<Integrity> {
    let mut pieces = Pieces::new(input);
    let (what, ended) = match kind {
        Kind::Pcap => ("record", pcap(&mut pieces, each)),
        Kind::Pcapng => ("block", pcapng(&mut pieces, each)),
    };
    Ok(match (ended, pieces.skipped) {
        (Err(Stop::Taker(error)), _) => return Err(error),
        (Err(Stop::Damage(why)), _) => {
            Integrity::Damaged(format!("{} {what}s could be read; the next {why}", pieces.whole))
        }
        (Ok(()), 0) => Integrity::Whole,
        (Ok(()), 1) => Integrity::Damaged(format!("a {what} in it makes no sense and was skipped")),
        (Ok(()), skipped) => {
            Integrity::Damaged(format!("{skipped} {what}s in it make no sense and were skipped"))
        }
    })
}

fn pcap(pieces: &mut Pieces<'_>, each: &mut Each<'_>) -> Result<(), Stop> {
    /// Of the file, and of a record.
    const HEADERS: [usize; 2] = [24, 16];

    pieces.begin(HEADERS[0])?;
    let (_, parser) = PcapParser::new(&pieces.octets).map_err(|error| Stop::Damage(error.to_string()))?;
    let header = parser.header();
    // What stands above the link type says how long the frames' check sequences are.
    let link = u32::from(header.datalink) & 0xffff;
    let unit = match header.ts_resolution {
        PcapTsResolution::MicroSecond => 1000,
        PcapTsResolution::NanoSecond => 1,
    };
    while pieces.begin(HEADERS[1])? {
        let captured = word(&pieces.octets, 8, header.endianness).unwrap_or_default();
        if !pieces.rest(captured as usize)? {
            continue;
        }
        if let Ok((_, packet)) = parser.next_raw_packet(&pieces.octets) {
            let at = Nanos::from(packet.ts_sec) * 1_000_000_000 + Nanos::from(packet.ts_frac) * unit;
            let length = packet.orig_len.max(captured);
            each(Item::Frame(Frame { at, link, octets: &packet.data, length })).map_err(Stop::Taker)?;
        }
    }
    Ok(())
}

fn pcapng(pieces: &mut Pieces<'_>, each: &mut Each<'_>) -> Result<(), Stop> {
    /// The type, the length, and of a section's first block the octets that tell their order; of others the length again.
    const HEADER: usize = 12;

    let mut state = PcapNgState::default();
    // Of the last frame that had one: for those that have none it is as near as can be had.
    let mut last = 0;
    while pieces.begin(HEADER)? {
        if pieces.octets.starts_with(&SECTION_HEADER_BLOCK.to_be_bytes()) {
            let endianness = match pieces.octets[8..] {
                [0x1a, 0x2b, 0x3c, 0x4d] => Endianness::Big,
                [0x4d, 0x3c, 0x2b, 0x1a] => Endianness::Little,
                _ => return Err(Stop::Damage("begins a section in an unknown order of octets".to_owned())),
            };
            state.update_from_block(&Block::SectionHeader(SectionHeaderBlock {
                endianness,
                ..SectionHeaderBlock::default()
            }));
        }
        let order = state.endianness();
        let number = |at| word(&pieces.octets, at, order).unwrap_or_default();
        let (kind, length) = (number(0), number(4));
        if length < HEADER as u32 || length % 4 != 0 {
            return Err(Stop::Damage(format!("has a length of {length}, which no block has")));
        }
        let whole = pieces.rest(length as usize - HEADER)?;
        let end = if whole { pieces.octets.len() - 4 } else { pieces.octets.len() };
        if whole && word(&pieces.octets, end, order) != Some(length) {
            return Err(Stop::Damage("has two different lengths".to_owned()));
        }
        let block = RawBlock {
            type_: kind,
            initial_len: length,
            body: Cow::Borrowed(&pieces.octets[8..end]),
            trailer_len: length,
        };
        let taken = match kind {
            // Each packet names its interface by its place among them, so that none may be left out.
            INTERFACE_DESCRIPTION_BLOCK if state.interfaces().len() == INTERFACES => {
                return Err(Stop::Damage(format!("would be one interface more than {INTERFACES}")));
            }
            INTERFACE_DESCRIPTION_BLOCK => take_interface(block, &mut state),
            _ if !whole => true,
            DECRYPTION_SECRETS_BLOCK => {
                key_log(&block.body, order)
                    .map_or(Ok(()), |keys| each(Item::Keys(keys)))
                    .map_err(Stop::Taker)?;
                true
            }
            ENHANCED_PACKET_BLOCK | PACKET_BLOCK | SIMPLE_PACKET_BLOCK => {
                let frame = frame(kind, &block.body, &state, &mut last);
                let taken = frame.is_some();
                frame.map_or(Ok(()), |frame| each(Item::Frame(frame))).map_err(Stop::Taker)?;
                taken
            }
            _ => true,
        };
        pieces.skipped += u64::from(whole && !taken);
    }
    Ok(())
}

/// Keeps of an interface what its frames are read by. Gives false where its options make no sense: it is one without.
fn take_interface(block: RawBlock<'_>, state: &mut PcapNgState) -> bool {
    let order = state.endianness();
    let link = half(&block.body, 0, order).unwrap_or_default();
    let snaplen = word(&block.body, 4, order).unwrap_or_default();
    let options = match block.try_into_block(state) {
        Ok(Block::InterfaceDescription(mut interface)) => {
            interface.options.retain(|option| {
                matches!(
                    option,
                    InterfaceDescriptionOption::IfTsResol(_) | InterfaceDescriptionOption::IfTsOffset(_)
                )
            });
            interface.options.shrink_to_fit();
            Some(interface.options)
        }
        _ => None,
    };
    let taken = options.is_some();
    let options = options.unwrap_or_default();
    let interface = InterfaceDescriptionBlock { linktype: u32::from(link).into(), snaplen, options };
    state.update_from_block(&Block::InterfaceDescription(interface));
    taken
}

/// The frame in a packet block, whatever its options say.
fn frame<'a>(kind: u32, body: &'a [u8], state: &PcapNgState, last: &mut Nanos) -> Option<Frame<'a>> {
    let order = state.endianness();
    let word = |at| word(body, at, order);
    let interface = match kind {
        ENHANCED_PACKET_BLOCK => word(0)?,
        PACKET_BLOCK => half(body, 0, order)?.into(),
        _ => 0,
    };
    let found = state.interfaces().get(interface as usize)?;
    let (octets, length) = if kind == SIMPLE_PACKET_BLOCK {
        let length = word(0)?;
        let limit = if found.snaplen == 0 { length } else { length.min(found.snaplen) };
        (body.get(4..)?.get(..limit as usize)?, length)
    } else {
        if let Ok(time) = state.decode_timestamp(interface, word(4)?, word(8)?) {
            *last = nanos(time);
        }
        let captured = word(12)?;
        (body.get(20..)?.get(..captured as usize)?, word(16)?.max(captured))
    };
    Some(Frame { at: *last, link: found.linktype.into(), octets, length })
}

/// What a decryption secrets block says, where it is of TLS.
fn key_log(body: &[u8], order: Endianness) -> Option<&[u8]> {
    let length = word(body, 4, order)? as usize;
    (word(body, 0, order)? == TLS_KEY_LOG).then(|| body.get(8..)?.get(..length)).flatten()
}

fn half(octets: &[u8], at: usize, order: Endianness) -> Option<u16> {
    let octets = octets.get(at..at + 2)?.try_into().ok()?;
    Some(match order {
        Endianness::Big => u16::from_be_bytes(octets),
        Endianness::Little => u16::from_le_bytes(octets),
    })
}

fn word(octets: &[u8], at: usize, order: Endianness) -> Option<u32> {
    let octets = octets.get(at..at + 4)?.try_into().ok()?;
    Some(match order {
        Endianness::Big => u32::from_be_bytes(octets),
        Endianness::Little => u32::from_le_bytes(octets),
    })
}

/// Saturates in the year 2262.
fn nanos(since_1970: Duration) -> Nanos {
    Nanos::try_from(since_1970.as_nanos()).unwrap_or(Nanos::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Time, link type, octets, length.
    type Seen = Vec<(Nanos, u32, Vec<u8>, u32)>;

    fn read_all(kind: Kind, file: &[u8]) -> (Seen, Vec<Vec<u8>>, Integrity) {
        let (mut frames, mut keys) = (Vec::new(), Vec::new());
        let integrity = read(kind, &mut &file[..], &mut |item| {
            match item {
                Item::Frame(frame) => {
                    frames.push((frame.at, frame.link, frame.octets.to_vec(), frame.length));
                }
                Item::Keys(lines) => keys.push(lines.to_vec()),
            }
            Ok(())
        });
        (frames, keys, integrity.unwrap())
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    fn block(kind: u32, body: &[u8]) -> Vec<u8> {
        let length = body.len() as u32 + 12;
        [&words(&[kind, length]), body, &words(&[length])].concat()
    }

    fn section() -> Vec<u8> {
        block(SECTION_HEADER_BLOCK, &words(&[0x1a2b_3c4d, 0x0001_0000, u32::MAX, u32::MAX]))
    }

    #[test]
    fn every_packet_block_and_what_it_says() {
        // Ethernet with a snap length of 6 and a resolution of 2^-10 s; raw IP in microseconds from a second on.
        let first = block(1, &[&words(&[0x0001_0000, 6]), &[0, 9, 0, 1, 0x8a, 0, 0, 0][..]].concat());
        let offset = [&words(&[0x0065_0000, 0]), &[0, 14, 0, 8][..], &words(&[0, 1])].concat();
        let file = [
            section(),
            first,
            block(1, &offset),
            block(6, &[&words(&[0, 0, 1024, 5, 9]), &b"abcde\0\0\0"[..], &[0, 1, 0xff, 0xff]].concat()),
            block(6, &[&words(&[1, 0, 7, 2, 1]), &b"fg\0\0"[..]].concat()),
            block(2, &[&words(&[0x0001_0003, 0, 8, 1, 1]), &b"h\0\0\0"[..]].concat()),
            block(3, &[&words(&[8]), &b"ijklmn\0\0"[..]].concat()),
            block(10, &[&words(&[TLS_KEY_LOG, 3]), &b"a b\0"[..]].concat()),
        ];
        let (frames, keys, integrity) = read_all(Kind::Pcapng, &file.concat());
        assert_eq!(integrity, Integrity::Whole);
        let expected = [
            (1_000_000_000, 1, b"abcde".to_vec(), 9),
            (1_000_007_000, 101, b"fg".to_vec(), 2),
            (1_000_008_000, 101, b"h".to_vec(), 1),
            (1_000_008_000, 1, b"ijklmn".to_vec(), 8),
        ];
        assert_eq!(frames, expected);
        assert_eq!(keys, [b"a b"]);
    }

    #[test]
    fn what_makes_no_sense_is_skipped_and_an_interface_kept() {
        let packet = |interface, captured| {
            block(6, &[&words(&[interface, 0, 1, captured, 1]), &b"x\0\0\0"[..]].concat())
        };
        let reserved = block(1, &words(&[0x0001_0001, 0]));
        let raw = block(1, &words(&[0x0065_0000, 0]));
        let huge = block(1, &[&words(&[0x0071_0000, 0]), &vec![0; 17 << 20][..]].concat());
        let blocks = [section(), reserved, raw, huge, packet(3, 1), packet(0, u32::MAX)];
        let rest = [packet(0, 1), packet(1, 1), packet(2, 1), section(), packet(0, 1)];
        let (frames, _, integrity) = read_all(Kind::Pcapng, &[blocks.concat(), rest.concat()].concat());
        assert_eq!(frames.iter().map(|frame| frame.1).collect::<Vec<_>>(), [1, 101, 113]);
        let expected = "5 blocks in it make no sense and were skipped".to_owned();
        assert_eq!(integrity, Integrity::Damaged(expected));
    }

    #[test]
    fn a_record_longer_than_any_is_skipped() {
        let header = words(&[0xa1b2_3c4d, 0x0002_0004, 0, 0, 65535, 0xf000_0001]);
        let record = |octets: &[u8]| [&words(&[1, 2, octets.len() as u32, 1]), octets].concat();
        let file = [header, record(b"ab"), record(&vec![0; 17 << 20]), record(b"c")].concat();
        let (frames, _, integrity) = read_all(Kind::Pcap, &file);
        assert_eq!(frames, [(1_000_000_002, 1, b"ab".to_vec(), 2), (1_000_000_002, 1, b"c".to_vec(), 1)]);
        assert_eq!(integrity, Integrity::Damaged("a record in it makes no sense and was skipped".to_owned()));
        let (frames, _, integrity) = read_all(Kind::Pcap, &file[..41]);
        assert_eq!(
            (frames, integrity),
            (Vec::new(), Integrity::Damaged("0 records could be read; the next is cut off".to_owned()))
        );
    }
}
