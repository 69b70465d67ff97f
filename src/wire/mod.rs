//! What can happen on a connection, what can be done to it. The whole contract between the state
//! machines and the world: they take an [`Input`], they return [`Action`]s, `net::pump` performs them.

pub mod mail;
mod tls;

use std::net::SocketAddr;

use bytes::Bytes;
use smallvec::SmallVec;

pub use self::mail::{Ask, Listing, NotRead, NotRemoved, OpenError, Piece, Told};
pub use self::tls::{Alert, Certificate, Handshake, Security, Tls, TlsFailure, Trust};

/// Microseconds since the session began. The wall clock is known once, in the recording's header.
pub type Micros = u64;

/// One of the two peers of a session, as seen from the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The one that connected and sends commands.
    Client,
    /// The one that answers.
    Server,
}

impl Side {
    /// The peer at the other end.
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// The lower-case word that recordings and messages use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// How a peer ended its direction of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// FIN: nothing more comes from this side; the other direction may go on.
    Finished,
    /// FIN in the middle of TLS, without the `close_notify` that says that nothing was cut off (RFC 8446 section 6.1):
    /// otherwise as `Finished`.
    Truncated,
    /// RST: both directions ended at once.
    Reset,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The session exists: the client is connected, nothing else is.
    Opened,
    /// The connection asked for by [`Action::Connect`] stands, to this address.
    Connected(SocketAddr),
    /// It does not, and why, in words for a person.
    ConnectFailed(String),
    /// Octets came from a side, in one read.
    Received(Side, Bytes),
    /// A side ended its direction.
    Closed(Side, Close),
    /// A side's TLS came to an end that nobody can go on from, a fatal alert or a record that cannot be right: its
    /// connection is lost, and this is why.
    Broke(Side, Box<TlsFailure>),
    /// The time asked for by [`Action::WakeAt`] has come.
    Woke,
    /// What came of an [`Action::Ask`].
    Told(Told),
    /// What came of an [`Action::StartTls`]: what comes from that side from now on is what TLS protects, or nothing
    /// comes any more.
    Tls(Box<Handshake>),
    /// poptape was asked to stop: end the session.
    Stop,
}

/// What shall be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Connect the server side.
    Connect,
    /// Send octets to a side, in order after all earlier ones.
    Send(Side, Bytes),
    /// End our direction towards a side with FIN once everything is sent, under TLS after a `close_notify`; still read
    /// from it.
    Finish(Side),
    /// The same without `close_notify`, so that the peer sees under TLS that something may be missing.
    Truncate(Side),
    /// End the connection to a side with RST, at once.
    Reset(Side),
    /// The session is over: once everything is sent, close what is still open.
    Close,
    /// Give [`Input::Woke`] at this time, replacing an earlier wish. A time that has come already is a wish
    /// of its own: once everything is sent.
    WakeAt(Micros),
    /// Ask the maildrops once everything is sent, and give [`Input::Told`] before any other octets.
    Ask(Ask),
    /// Let a side's TLS handshake begin once everything is sent, and give [`Input::Tls`] before anything else.
    StartTls(Side),
}

/// A session's state machine: relay, engine and replay alike.
pub trait Machine {
    /// Takes what happened at `at` and appends what shall be done to `actions`.
    fn handle(&mut self, at: Micros, input: Input, actions: &mut Vec<Action>);
}

/// Where arrivals begin inside a [`Run`]: offset into its octets, time.
pub type Arrivals = SmallVec<[(u32, Micros); 1]>;

/// Octets of one side's stream, in stream order. An arrival is what one read brought; a run without
/// one belongs to the arrival of the octets before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Run {
    /// The octets, secrets already masked.
    pub bytes: Bytes,
    /// The arrivals that begin within, in order.
    pub arrivals: Arrivals,
}

impl Run {
    /// The time of the last arrival that begins within, if one does.
    pub fn last_arrival(&self) -> Option<Micros> {
        self.arrivals.last().map(|&(_, at)| at)
    }
}
