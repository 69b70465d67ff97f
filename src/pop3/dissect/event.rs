//! What the dissector finds.

use crate::pop3::command::Keyword;
use crate::pop3::response::Status;
use crate::pop3::sasl;
use crate::pop3::state::State;
use crate::wire::{Micros, Run, Side};

/// What the client asked with an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// A command line.
    Command(Keyword),
    /// A line that answers a SASL challenge.
    SaslResponse,
    /// A dot-terminated upload (`XTND XMIT`).
    Upload,
}

/// What the dissector found. `n` counts a session's exchanges: 0 is the greeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A request, whole, or the first [`MAX_LINE`](super::MAX_LINE) octets of it.
    Request {
        /// The exchange it opens.
        n: u32,
        /// The line with its ending.
        run: Run,
        /// What it asks.
        request: Request,
        /// What a SASL payload in it said.
        step: Option<Box<sasl::Step>>,
    },
    /// More octets of the same request: the rest of a long line, or an upload's next line.
    RequestMore {
        /// The exchange.
        n: u32,
        /// The octets.
        run: Run,
    },
    /// A status line, whole, or the first [`MAX_LINE`](super::MAX_LINE) octets of it. Opens an exchange of its own where
    /// no [`Event::Request`] had this `n`: the greeting, or a response that nothing asked for.
    Status {
        /// The exchange it answers.
        n: u32,
        /// The line with its ending.
        run: Run,
        /// None where a status was due and something else came.
        status: Option<Status>,
        /// What a SASL challenge in it said.
        step: Option<Box<sasl::Step>>,
    },
    /// The rest of a long status line.
    StatusMore {
        /// The exchange.
        n: u32,
        /// The octets.
        run: Run,
    },
    /// Octets of a body as they are on the wire, byte-stuffing included, cut anywhere. After the
    /// [`Event::End`] of their exchange they are lines that nothing asked for, attached to it.
    Body {
        /// The exchange.
        n: u32,
        /// The octets.
        run: Run,
    },
    /// The line that closes a body.
    Terminator {
        /// The exchange.
        n: u32,
        /// The line with its ending.
        run: Run,
    },
    /// The exchange has its answer, or the session ended without one.
    End(Box<Outcome>),
    /// Lines without a status came while another command was outstanding: whether they belong to this
    /// exchange cannot be known.
    Ambiguous {
        /// The exchange they were attached to.
        n: u32,
    },
    /// Octets of a side are not known: whoever looked on did not see them. What was held back of the line
    /// before them comes first, cut off there. Opens an exchange of its own, without a request, where no event had
    /// this `n`: the greeting, or a request that nobody saw.
    Missing {
        /// The exchange whose octets they are, as far as that can be known; None among opaque octets.
        n: Option<u32>,
        /// Whose.
        side: Side,
        /// How many; 0 where that is not known.
        octets: u64,
    },
    /// Octets that are no POP3: what follows an accepted STLS that nobody here can look into.
    Opaque {
        /// Who sent them.
        side: Side,
        /// The octets.
        run: Run,
    },
}

/// What an exchange came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The exchange.
    pub n: u32,
    /// What was asked; None for the greeting and for a response that nothing asked for.
    pub request: Option<Request>,
    /// None where no status came.
    pub status: Option<Status>,
    /// The state before the request was answered.
    pub state: State,
    /// The state after.
    pub after: State,
    /// When the request's last octet came (the session's beginning for the greeting, the response's
    /// first octet for a response that nothing asked for).
    pub at: Micros,
    /// From then until the response's last octet; None without a response.
    pub took: Option<Micros>,
    /// Lines of the body; None where there is no body.
    pub lines: Option<u64>,
    /// Octets of the body once byte-stuffing is undone, without the terminator.
    pub octets: Option<u64>,
    /// All octets of the response as sent.
    pub wire: u64,
    /// False where a body lacks its terminator, or octets of the response are missing.
    pub complete: bool,
}

impl Event {
    /// The octets that it brings, and whose they are.
    pub const fn octets(&self) -> Option<(Side, &Run)> {
        match self {
            Self::Request { run, .. } | Self::RequestMore { run, .. } => Some((Side::Client, run)),
            Self::Status { run, .. }
            | Self::StatusMore { run, .. }
            | Self::Body { run, .. }
            | Self::Terminator { run, .. } => Some((Side::Server, run)),
            Self::Opaque { side, run } => Some((*side, run)),
            Self::End(_) | Self::Ambiguous { .. } | Self::Missing { .. } => None,
        }
    }
}
