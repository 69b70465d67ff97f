//! File formats: a file a format, a row in [`FORMATS`].

pub mod json;
pub mod transcript;

use std::io::{self, BufRead};

use crate::pop3::sasl;
use crate::recording::{End, Entry, Header, Note};
use crate::wire::{Close, Micros, Run, Side};

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
}

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is no recording.
    #[error("not a poptape recording: {0}")]
    Foreign(String),
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

/// Takes records; an error ends the reading.
pub type Feed<'a> = dyn FnMut(Record) -> io::Result<()> + 'a;

/// Writes a session's entries, in order.
pub trait Writer: Send {
    /// Appends what the next entry adds for good.
    fn take(&mut self, entry: &Entry, out: &mut Vec<u8>);

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
    fn read(&self, input: &mut dyn BufRead, feed: &mut Feed<'_>) -> Result<Integrity, ReadError>;

    /// A writer for one session.
    fn writer(&self) -> Box<dyn Writer>;
}

/// Every format.
pub static FORMATS: &[&dyn Format] = &[&json::Json, &transcript::Transcript];

/// The format with this name.
pub fn named(name: &str) -> Option<&'static dyn Format> {
    FORMATS.iter().copied().find(|format| format.name() == name)
}

/// The format of a file that begins with these octets.
pub fn recognized(beginning: &[u8]) -> Option<&'static dyn Format> {
    FORMATS.iter().copied().find(|format| format.recognizes(beginning))
}
