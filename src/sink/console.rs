//! The console: every session's exchanges as they end, each line with its session's number.

use std::collections::HashMap;
use std::io::{self, BufWriter, Write};

use super::Sink;
use crate::recording::Entry;
use crate::render::Page as _;
use crate::render::terminal::Terminal;
use crate::render::text::Verbosity;

/// See the [module](self).
pub struct Console {
    out: BufWriter<Box<dyn Write + Send>>,
    color: bool,
    verbosity: Verbosity,
    sessions: HashMap<u32, Terminal>,
}

impl Console {
    /// The kind of the note by which it learns where a session was recorded.
    pub const RECORDED: &'static str = "recorded";

    /// Its name as a sink.
    pub const NAME: &'static str = "showing";

    /// Writes to `out`, with colour or without.
    pub fn new(out: Box<dyn Write + Send>, color: bool, verbosity: Verbosity) -> Self {
        Self { out: BufWriter::new(out), color, verbosity, sessions: HashMap::new() }
    }
}

impl Sink for Console {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn take(&mut self, session: u32, entry: &Entry) -> io::Result<()> {
        let Self { out, color, verbosity, sessions } = self;
        if let Entry::Note(note) = entry
            && note.kind == Self::RECORDED
        {
            return writeln!(out, "#{session:<3}recorded in {}", note.text);
        }
        let page = sessions.entry(session).or_insert_with(|| Terminal::new(*verbosity, *color));
        page.take(entry, None, out)?;
        if let Entry::Ended(_) = entry {
            sessions.remove(&session);
            // What others print next comes after it.
            out.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
