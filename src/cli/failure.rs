//! How a verb ends: its verdict, or its failure with what to do about it.

use std::fmt::Display;
use std::io;
use std::path::Path;

/// The end of a verb that did what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing to report.
    Clean,
    /// Something was found that a script must notice.
    Finding,
    /// The exit code of the command that was run.
    OfCommand(u8),
}

/// The end of a verb that could not: a message of what, where and what to do.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) code: u8,
    pub(super) message: String,
}

impl Failure {
    /// Bad usage, or an input of which nothing could be read.
    pub(super) fn usage(message: impl Display) -> Self {
        Self { code: 2, message: message.to_string() }
    }

    /// The world did not do as asked.
    pub(super) fn runtime(message: impl Display) -> Self {
        Self { code: 3, message: message.to_string() }
    }

    /// A file could not be written.
    pub(super) fn writing(path: &Path, error: &io::Error) -> Self {
        Self::runtime(format!("cannot write {}: {error}", path.display()))
    }
}
