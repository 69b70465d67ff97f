//! File formats: a file a format, a row in [`FORMATS`].

pub mod json;
pub mod pcap;
pub mod transcript;

use std::io::{self, BufRead};

use crate::capture;
use crate::pop3::{Secrets, sasl};
use crate::recording::{End, Entry, Header, Note};
use crate::wire::{Close, Micros, Run, Side, Tls};

/// What a file says, in the file's order: the octets of each side and what is not in the octets. The
/// dissector makes the rest of it, as it does live.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// Comes first.
    Header(Box<Header>),
    /// The next octets of a side.
    Octets(Side, Run),
    /// What the masked SASL payload in the octets that follow said.
    Step(Box<sasl::Step>),
    /// Octets of a side are not known: how many.
    Missing(Side, u64),
    /// TLS begins.
    Tls(Box<Tls>),
    /// A remark.
    Note(Note),
    /// A side ended its direction.
    Closed(Side, Close, Micros),
    /// A member of the exchange that this version does not know.
    Unknown(String, serde_json::Value),
    /// The session is over.
    End(Box<End>),
}

/// Whether a file could be read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Integrity {
    /// It could.
    Whole,
    /// It was not finished, as after a crash, or while it is being written: all that was flushed is there.
    Unfinished,
    /// It is damaged, and how; what came before was read.
    Damaged(String),
    /// It was read to its end, and not all of the sessions is in it: what lacks, in a clause.
    Lacking(String),
}

/// What there is to say of a file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Whether it could be read to its end.
    pub integrity: Integrity,
    /// Sentences for a person, such as what was skipped.
    pub remarks: Vec<String>,
}

impl From<Integrity> for Summary {
    fn from(integrity: Integrity) -> Self {
        Self { integrity, remarks: Vec::new() }
    }
}

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is no recording.
    #[error("not a poptape recording: {0}")]
    Foreign(String),
    /// It is a capture without a POP3 session: what is in it.
    #[error("no POP3 session in it: {0}")]
    NoSession(String),
    /// It is a recording of a later version.
    #[error(
        "written in version {found} of the recording format, and this poptape reads up to {known}: update poptape"
    )]
    TooNew {
        /// The file's version.
        found: u64,
        /// The newest version known here.
        known: u64,
    },
    /// The file could not be read, or what takes the records could not take one.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Takes records, each with the number of its session in the file, from 1; an error ends the reading.
pub type Feed<'a> = dyn FnMut(u32, Record) -> io::Result<()> + 'a;

/// How a file is read that says less than a recording does.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// What the file is called, where that is to be told of its sessions.
    pub name: Option<String>,
    /// Whether secrets are masked that are in clear in a capture. A recording says itself whether they were.
    pub secrets: Secrets,
    /// Where sessions are looked for in a capture, and what opens those in TLS.
    pub capture: capture::Options,
}

/// How a file is written that says more of the network than a recording does.
#[derive(Debug, Clone, Default)]
pub struct Writing {
    /// How octets are cut into segments.
    pub segments: pcap::Segments,
    /// The server's port in the file, where it is not to be the real one.
    pub server_port: Option<u16>,
    /// How TLS on the client's leg is written.
    pub tls: pcap::TlsLayer,
}

/// Writes the entries of a session, or of several where the format holds several, each in order.
pub trait Writer: Send {
    /// Appends what the next entry adds for good.
    fn take(&mut self, session: u32, entry: &Entry, out: &mut Vec<u8>);

    /// Appends what would make a whole file of what was taken so far; it is overwritten later.
    fn tail(&self, out: &mut Vec<u8>);
}

/// A file format.
pub trait Format: Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// How its files' names end, without the dot.
    fn extension(&self) -> &'static str;

    /// Whether a file that begins with these octets is in this format.
    fn recognizes(&self, beginning: &[u8]) -> bool;

    /// Reads a file to its end or to the first damage.
    fn read(
        &self,
        input: &mut dyn BufRead,
        reading: &Reading,
        feed: &mut Feed<'_>,
    ) -> Result<Summary, ReadError>;

    /// Whether secrets are masked while a file is read. Those of a recording were when it was made: it is shown as it is.
    fn masks(&self, _: &Reading) -> Secrets {
        Secrets::Keep
    }

    /// A writer for one file.
    fn writer(&self, writing: &Writing) -> Box<dyn Writer>;

    /// Whether a file can hold more than one session.
    fn holds_several(&self) -> bool {
        false
    }
}

/// Every format.
pub static FORMATS: &[&dyn Format] =
    &[&json::Json, &pcap::Kind::Pcap, &pcap::Kind::Pcapng, &transcript::Transcript];

/// The format with this name.
pub fn named(name: &str) -> Option<&'static dyn Format> {
    FORMATS.iter().copied().find(|format| format.name() == name)
}

/// The format of a file that begins with these octets.
pub fn recognized(beginning: &[u8]) -> Option<&'static dyn Format> {
    FORMATS.iter().copied().find(|format| format.recognizes(beginning))
}
