//! The JSON recording: one session, one object: header, exchanges, end. The schema beside this file is its
//! reference (`poptape schema`); `line` is how a line of octets becomes a value and comes back exactly.
//!
//! ```json
//! {"format": "poptape-recording", "version": 1, "generator": "…", "session": {…}, "exchanges": [
//! {"n": 0, "reply_at_us": 812, "reply": "+OK dewey POP3 server ready"},
//! {"n": 1, "at_us": 1440, "command": "RETR 1", "reply_at_us": 1751, "reply": "+OK 120 octets", "body": [
//!   "From: ada@example.org",
//!   …
//! ]}
//! ], "end": {…}}
//! ```
//!
//! An exchange usually is one element. It is written as several with the same `n` where octets must reach
//! the file before the element they belong to is at hand, or after it was closed; a reader just goes on. Octets that
//! nobody saw begin a new one, too: `{"n": 1, "missing": {"side": "server", "octets": 1460}, "body": [`.

mod line;
mod read;
mod tls;
mod write;

use std::io::BufRead;

pub use self::line::harmless;

use super::{Feed, Format, ReadError, Reading, Summary, Writer, Writing};

/// The version that is written.
pub const VERSION: u64 = 1;

/// What the member `format` says.
pub const MAGIC: &str = "poptape-recording";

/// The JSON Schema (draft 2020-12) of a recording.
pub const SCHEMA: &str = include_str!("schema.json");

/// See the [module](self).
pub struct Json;

impl Format for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn extension(&self) -> &'static str {
        "json"
    }

    fn recognizes(&self, beginning: &[u8]) -> bool {
        beginning.trim_ascii_start().starts_with(b"{")
    }

    fn read(&self, input: &mut dyn BufRead, _: &Reading, feed: &mut Feed<'_>) -> Result<Summary, ReadError> {
        read::read(input, feed).map(Summary::from)
    }

    fn writer(&self, _: &Writing) -> Box<dyn Writer> {
        Box::<write::JsonWriter>::default()
    }
}
