//! Sinks: where a session's entries go. Each gets every entry of every session, in order.

pub mod recorder;
pub mod raw;
pub mod messages;
pub mod tally;
#[cfg(feature = "cli")]
pub mod console;

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use crate::recording::Entry;

/// Takes entries. Runs on the writer's thread, so it may block on its output.
pub trait Sink {
    /// What it is, for messages: `recording`.
    fn name(&self) -> &'static str;

    /// Takes a session's next entry.
    fn take(&mut self, session: u32, entry: &Entry) -> io::Result<()>;

    /// Nothing more is waiting, or a second has passed: what was taken shall reach its place now.
    fn flush(&mut self) -> io::Result<()>;
}

/// A file for what came over the wire: nobody else's to read. One that is there is written anew.
pub(crate) fn new_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}
