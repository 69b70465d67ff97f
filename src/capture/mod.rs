//! Captures: what somebody else saw of a network, frame by frame, to the POP3 sessions in it.
//!
//! ```text
//!   Frame -> link (Ethernet, cooked, raw IP, null) -> ip (fragments) -> TCP segment
//!         -> conversation: two streams put in order, what is missing marked, who is the client
//!         -> recognition: POP3, TLS, or another's traffic, which is counted and forgotten
//!         -> TLS with a key log: the plaintext
//!         -> Saw
//! ```
//!
//! Nothing here knows a file format: `recording::format::pcap` reads files and makes records of what is [`Saw`]n.
//! Memory is bounded: by [`Options::max_open`] conversations, by [`WINDOW`] octets that wait for their turn in each.

mod segment;
mod link;
mod ip;
mod stream;
mod dates;
mod conversation;
pub mod keylog;
pub mod tls;
mod recognize;
mod session;
mod table;
mod follow;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;

use self::follow::Follower;
use self::ip::{Packets, Skip};
pub use self::keylog::KeyLog;
use self::link::Carries;
use crate::wire::{Close, Micros, Side, Tls};

/// The most octets of a conversation that wait for others before them.
pub const WINDOW: usize = 4 << 20;

/// Nanoseconds since 1970, UTC.
pub type Nanos = i64;

/// Where sessions are looked for, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The ports of POP3 servers, beside 110 and 995: what is there is taken for POP3 even where neither greeting nor
    /// command shows it.
    pub ports: Vec<u16>,
    /// The most conversations that are followed at once; the one that was idle longest is ended for another.
    pub max_open: usize,
    /// What opens TLS.
    pub keys: KeyLog,
}

impl Default for Options {
    fn default() -> Self {
        Self { ports: Vec::new(), max_open: 10_000, keys: KeyLog::default() }
    }
}

/// A frame as it was captured.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// When.
    pub at: Nanos,
    /// The link type of its interface, by the number that capture files use (`LINKTYPE_ETHERNET` is 1).
    pub link: u32,
    /// What was captured of it.
    pub octets: &'a [u8],
    /// How long it was on the wire; more than there is where a snap length cut it.
    pub length: u32,
}

/// What was seen of a session. They come in this order: `Opened`, any number of the others, `Ended`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saw {
    /// A session begins, in the middle where its handshake is not there.
    Opened {
        /// When; microsecond 0 of what follows. A whole number of microseconds.
        at: Nanos,
        /// Who connected.
        client: SocketAddr,
        /// To whom.
        server: SocketAddr,
    },
    /// The next octets of a side, in order.
    Octets(Side, Micros, Bytes),
    /// The next octets of a side, so many, are not in the capture.
    Missing(Side, u64),
    /// TLS begins.
    Tls(Box<Tls>),
    /// Something worth knowing: when, a word for programs, the same for people.
    Note(Micros, &'static str, String),
    /// A side ended its direction.
    Closed(Side, Close, Micros),
    /// The session is over.
    Ended {
        /// When.
        at: Micros,
        /// Who closed first, and how; None where it went on after the capture.
        by: Option<(Side, Close)>,
    },
}

/// Takes what is seen, each with its session's number, from 1; an error ends the reading.
pub type See<'a> = dyn FnMut(u32, Saw) -> io::Result<()> + 'a;

/// What a capture held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Frames.
    pub frames: u64,
    /// Those that are no TCP over IP.
    pub not_tcp: u64,
    /// Those whose headers are damaged, or cut off.
    pub damaged: u64,
    /// Those of a link type that is not read.
    pub unknown_link: u64,
    /// TCP conversations that are no POP3.
    pub others: u64,
    /// Those of them in TLS, which may hide some.
    pub others_in_tls: u64,
    /// Those of them on ports of which nobody said that POP3 is spoken there.
    pub others_elsewhere: u64,
    /// Frames of them.
    pub other_frames: u64,
    /// POP3 sessions.
    pub sessions: u32,
    /// Those of them that were ended for [`Options::max_open`].
    pub flushed: u64,
}

/// Makes sessions of frames.
#[derive(Debug)]
pub struct Capture {
    packets: Packets,
    follower: Follower,
}

impl Capture {
    /// Of a capture from its first frame on.
    pub fn new(options: Options) -> Self {
        Self { packets: Packets::default(), follower: Follower::new(options) }
    }

    /// Adds what a secrets block in the capture says, in the form of a key log.
    pub fn add_keys(&mut self, text: &[u8]) {
        self.follower.options.keys.add(text);
    }

    /// Takes the next frame.
    pub fn frame(&mut self, frame: &Frame<'_>, see: &mut See<'_>) -> io::Result<()> {
        let tally = &mut self.follower.tally;
        tally.frames += 1;
        let packet = match link::carries(frame.link, frame.octets) {
            Carries::Ip(packet) => packet,
            Carries::Other => {
                tally.not_tcp += 1;
                return Ok(());
            }
            Carries::Cut => {
                tally.damaged += 1;
                return Ok(());
            }
            Carries::Unknown => {
                tally.unknown_link += 1;
                return Ok(());
            }
        };
        let header = frame.octets.len() - packet.len();
        let length = (frame.length as usize).saturating_sub(header);
        match self.packets.segment(frame.at, packet, length) {
            Ok(segment) => self.follower.segment(&segment, see),
            Err(skip) => {
                match skip {
                    Skip::NotTcp => tally.not_tcp += 1,
                    Skip::Damaged => tally.damaged += 1,
                    Skip::Fragment => {}
                }
                Ok(())
            }
        }
    }

    /// The capture is at its end: sessions that go on are seen to be cut there.
    pub fn finish(&mut self, see: &mut See<'_>) -> io::Result<()> {
        self.follower.finish(see)
    }

    /// What was counted so far.
    pub const fn tally(&self) -> &Tally {
        &self.follower.tally
    }
}
