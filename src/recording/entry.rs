//! What a recording consists of. A live session produces entries in this order, a file gives them back:
//! `Opened`, any number of `Event`, `Note` and `Closed`, then `Ended` (missing where the recording was cut).

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::pop3::{Event, Secrets};
use crate::wire::{Close, Micros, Side, Tls};

/// One entry.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// The session began.
    Opened(Box<Header>),
    /// What the dissector found.
    Event(Event),
    /// Something that is not in the octets.
    Note(Note),
    /// A handshake came to its end. Where TLS begins on the client's leg, what follows is inside of it, with the protocol
    /// anew (RFC 2595 section 4), or opaque.
    Tls(Box<Tls>),
    /// What a sniffer saw of TLS, where it was asked to look.
    Sealed(Sealed),
    /// A side ended its direction of the stream.
    Closed {
        /// Which.
        side: Side,
        /// By FIN or RST.
        how: Close,
        /// When.
        at: Micros,
    },
    /// A member of the current exchange that this version does not know: it survives a rewrite.
    Unknown {
        /// Its name.
        key: String,
        /// Its value.
        value: Value,
    },
    /// The session is over.
    Ended(Box<End>),
}

/// What is known when a session begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// What wrote the recording: `poptape 0.1.0`.
    pub generator: String,
    /// The session's number within its run, from 1.
    pub session: u32,
    /// The wall clock at microsecond 0.
    pub started: DateTime<Utc>,
    /// The client's address and port.
    pub client: String,
    /// Where the client connected to.
    pub listener: String,
    /// The upstream as the user gave it, as a URL.
    pub upstream: String,
    /// The upstream's address and port; None where it could not be connected.
    pub server: Option<String>,
    /// Whether secrets were masked.
    pub secrets: Secrets,
    /// Where it comes from, where poptape did not stand between the two: `capture.pcapng`.
    pub origin: Option<String>,
    /// Members that this version does not know.
    pub unknown: Map<String, Value>,
    /// The same beside it, one level up in the file.
    pub outer: Map<String, Value>,
}

#[cfg(test)]
impl Header {
    /// The first session of a run, between nobody and nobody.
    pub(crate) fn blank() -> Self {
        Self {
            generator: "test".to_owned(),
            session: 1,
            started: DateTime::UNIX_EPOCH,
            client: String::new(),
            listener: String::new(),
            upstream: String::new(),
            server: None,
            secrets: Secrets::Redact,
            origin: None,
            unknown: Map::new(),
            outer: Map::new(),
        }
    }
}

/// What a sniffer on the client's wire sees from the moment on at which TLS is due there, with what opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sealed {
    /// Octets of a side as they passed: records, and what came in clear in the place of any.
    Octets {
        /// Who sent them.
        side: Side,
        /// When.
        at: Micros,
        /// At most one read or write.
        octets: Bytes,
    },
    /// Lines of a key log (`SSLKEYLOGFILE`). They come before the octets that they open.
    Keys(String),
}

/// Something worth knowing that is not in the octets.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    /// When.
    pub at: Micros,
    /// A stable word for programs: `connect-failed`.
    pub kind: String,
    /// The same for people.
    pub text: String,
}

impl Note {
    /// The kind of the note that a client went on with a certificate that it must not take.
    pub const FLAW_TAKEN: &str = "flaw-taken";

    /// The kind of the note that a client logged in in clear where STLS was kept from it.
    pub const IN_CLEAR: &str = "in-clear";

    /// Whether it says that a client did what it must not do.
    pub fn is_flaw_taken(&self) -> bool {
        [Self::FLAW_TAKEN, Self::IN_CLEAR].contains(&&*self.kind)
    }
}

/// Who ended a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The client.
    Client,
    /// The server.
    Server,
    /// poptape itself.
    Poptape,
}

impl By {
    /// The word that recordings use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Poptape => "poptape",
        }
    }
}

impl From<Side> for By {
    fn from(side: Side) -> Self {
        match side {
            Side::Client => Self::Client,
            Side::Server => Self::Server,
        }
    }
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Both directions were closed in order.
    Finished,
    /// A side reset the connection.
    Reset,
    /// A side ended it in the middle of TLS, without `close_notify`.
    Truncated,
    /// A TLS handshake failed.
    TlsFailed,
    /// The upstream could not be connected.
    ConnectFailed,
    /// poptape was stopped.
    Stopped,
    /// It went on, and the capture that it was taken from does not.
    Cut,
}

impl How {
    /// Every way with the word that recordings use.
    pub const NAMES: [(Self, &'static str); 7] = [
        (Self::Finished, "finished"),
        (Self::Reset, "reset"),
        (Self::Truncated, "truncated"),
        (Self::TlsFailed, "tls-failed"),
        (Self::ConnectFailed, "connect-failed"),
        (Self::Stopped, "stopped"),
        (Self::Cut, "cut"),
    ];

    /// The word that recordings use.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(how, _)| *how == self).map_or("finished", |(_, name)| name)
    }
}

/// What is known when a session is over.
#[derive(Debug, Clone, PartialEq)]
pub struct End {
    /// When.
    pub at: Micros,
    /// Who closed first.
    pub by: By,
    /// How.
    pub how: How,
    /// Members that this version does not know.
    pub unknown: Map<String, Value>,
    /// The same beside it, one level up in the file.
    pub outer: Map<String, Value>,
}
