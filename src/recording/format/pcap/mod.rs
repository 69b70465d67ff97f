//! Captures: a session as the packets of a TCP conversation, as other tools read them, and back.
//!
//! ```text
//!   Entry -> write: a session's state -> exchanges | arrivals: where octets are cut into segments
//!         -> conversation: handshake, sequence numbers, acknowledgements, close
//!         -> packet: headers, checksums -> file: records or blocks
//! ```
//!
//! `read` hands frames of any capture to `crate::capture` and makes records of the sessions that it finds. [`Pcapng`]
//! holds what the older [`Pcap`] cannot: nanoseconds, names, remarks.

mod pieces;
mod frames;
mod read;
mod write;
mod cutting;
mod arrivals;
mod exchanges;
mod wireshark;
mod segment;
mod conversation;
mod peers;
mod remark;
mod packet;
mod file;

use std::io::BufRead;

use super::{Feed, Format, ReadError, Reading, Summary, Writer, Writing};
use crate::pop3::Secrets;

/// How octets are cut into segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Segments {
    /// So that a dissector that looks at one segment at a time, as Wireshark's does, shows each command, each status
    /// and each message as one.
    #[default]
    Wireshark,
    /// As they arrived.
    Recorded,
}

/// What is told apart between the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Pcap,
    Pcapng,
}

/// The classic file: microseconds, packets and nothing else.
pub struct Pcap;

/// The next generation (draft-ietf-opsawg-pcapng).
pub struct Pcapng;

impl Format for Pcap {
    fn name(&self) -> &'static str {
        "pcap"
    }

    fn extension(&self) -> &'static str {
        "pcap"
    }

    fn recognizes(&self, beginning: &[u8]) -> bool {
        matches!(
            beginning,
            [0xa1, 0xb2, 0xc3, 0xd4, ..]
                | [0xd4, 0xc3, 0xb2, 0xa1, ..]
                | [0xa1, 0xb2, 0x3c, 0x4d, ..]
                | [0x4d, 0x3c, 0xb2, 0xa1, ..]
        )
    }

    fn read(
        &self,
        input: &mut dyn BufRead,
        reading: &Reading,
        feed: &mut Feed<'_>,
    ) -> Result<Summary, ReadError> {
        read::read(Kind::Pcap, input, reading, feed)
    }

    fn masks(&self, reading: &Reading) -> Secrets {
        reading.secrets
    }

    fn writer(&self, writing: &Writing) -> Box<dyn Writer> {
        Box::new(write::CaptureWriter::new(Kind::Pcap, writing))
    }

    fn holds_several(&self) -> bool {
        true
    }
}

impl Format for Pcapng {
    fn name(&self) -> &'static str {
        "pcapng"
    }

    fn extension(&self) -> &'static str {
        "pcapng"
    }

    fn recognizes(&self, beginning: &[u8]) -> bool {
        beginning.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a])
    }

    fn read(
        &self,
        input: &mut dyn BufRead,
        reading: &Reading,
        feed: &mut Feed<'_>,
    ) -> Result<Summary, ReadError> {
        read::read(Kind::Pcapng, input, reading, feed)
    }

    fn masks(&self, reading: &Reading) -> Secrets {
        reading.secrets
    }

    fn writer(&self, writing: &Writing) -> Box<dyn Writer> {
        Box::new(write::CaptureWriter::new(Kind::Pcapng, writing))
    }

    fn holds_several(&self) -> bool {
        true
    }
}
