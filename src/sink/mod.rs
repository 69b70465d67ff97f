//! Sinks: where a session's entries go. Each gets every entry of every session, in order.

pub mod recorder;

use crate::recording::Entry;

/// Takes entries. Runs on the writer's thread, so it may block on its output.
pub trait Sink {
    /// What it is, for messages: `recording`.
    fn name(&self) -> &'static str;

    /// Takes a session's next entry.
    fn take(&mut self, session: u32, entry: &Entry) -> std::io::Result<()>;

    /// Nothing more is waiting, or a second has passed: what was taken shall reach its place now.
    fn flush(&mut self) -> std::io::Result<()>;
}
