//! Rendering: entries to lines of spans, each span with a role. A terminal, a page and a screen paint the same
//! spans; all text in them is already escaped.

pub mod span;
pub mod escape;
pub mod units;
pub mod listing;
pub mod message;
pub mod exchange;
pub mod tls;
pub mod text;
#[cfg(feature = "cli")]
pub mod terminal;
pub mod jsonl;
pub mod markdown;
pub mod filter;
pub mod pages;

use std::io::{self, Write};

use self::filter::Filter;
use crate::recording::Entry;

/// One session as text of some form.
pub trait Page: Send {
    /// Writes what the next entry adds. With a filter only the exchanges that pass it are written.
    fn take(&mut self, entry: &Entry, filter: Option<&Filter>, out: &mut dyn Write) -> io::Result<()>;

    /// Writes what was left open: the recording is at its end, in order or not.
    fn finish(&mut self, filter: Option<&Filter>, out: &mut dyn Write) -> io::Result<()>;
}
