//! Captures: a session as the packets of a TCP conversation, as other tools read them, and back.
//!
//! ```text
//!   Entry -> write: a session's state -> exchanges | arrivals: where octets are cut into segments
//!         -> conversation: handshake, sequence numbers, acknowledgements, close
//!         -> packet: headers, checksums -> file: records or blocks
//! ```
//!
//! `read` hands frames of any capture to `crate::capture` and makes records of the sessions that it finds. [`Kind::Pcapng`]
//! holds what the older [`Kind::Pcap`] cannot: nanoseconds, names, remarks.

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

/// What of TLS on the client's leg is in the packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsLayer {
    /// What is inside, as if there were none.
    #[default]
    Plain,
    /// The records as they passed, with the secrets that open them. Only live sessions know them.
    Encrypted,
}

/// The two kinds of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The classic file: microseconds, packets and nothing else.
    Pcap,
    /// The next generation (draft-ietf-opsawg-pcapng).
    Pcapng,
}

impl Format for Kind {
    fn name(&self) -> &'static str {
        match self {
            Self::Pcap => "pcap",
            Self::Pcapng => "pcapng",
        }
    }

    fn extension(&self) -> &'static str {
        self.name()
    }

    fn recognizes(&self, beginning: &[u8]) -> bool {
        match self {
            Self::Pcap => matches!(
                beginning,
                [0xa1, 0xb2, 0xc3, 0xd4, ..]
                    | [0xd4, 0xc3, 0xb2, 0xa1, ..]
                    | [0xa1, 0xb2, 0x3c, 0x4d, ..]
                    | [0x4d, 0x3c, 0xb2, 0xa1, ..]
            ),
            Self::Pcapng => beginning.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]),
        }
    }

    fn read(
        &self,
        input: &mut dyn BufRead,
        reading: &Reading,
        feed: &mut Feed<'_>,
    ) -> Result<Summary, ReadError> {
        read::read(*self, input, reading, feed)
    }

    fn masks(&self, reading: &Reading) -> Secrets {
        reading.secrets
    }

    fn writer(&self, writing: &Writing) -> Box<dyn Writer> {
        Box::new(write::CaptureWriter::new(*self, writing))
    }

    fn holds_several(&self) -> bool {
        true
    }
}
