//! Why an authority is not to be had.

use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

/// Why there is no authority, or no certificate of it.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file or folder is not to be had.
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// What came of it.
        source: io::Error,
    },
    /// The file is there, and no authority can be made of it.
    #[error("{} is damaged: {what}. Restore it, or make a new authority: {}", path.display(), renewing(path))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Nobody would trust what it signs any more.
    #[error(
        "the authority in {} expired at {since}. Make a new one, and trust that instead: {}",
        path.display(),
        renewing(path)
    )]
    Expired {
        /// The file.
        path: PathBuf,
        /// When.
        since: DateTime<Utc>,
    },
    /// A certificate cannot be made.
    #[error("cannot make a certificate: {0}")]
    Minting(#[from] rcgen::Error),
    /// A key cannot be used.
    #[error("cannot use the key of a certificate: {0}")]
    Key(#[from] rustls::Error),
}

impl AuthorityError {
    pub(in crate::net::tls) fn file(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::File { doing, path: path.to_owned(), source }
    }
}

/// The command that makes a new authority in the folder of `file`.
fn renewing(file: &Path) -> String {
    format!("poptape ca --new --ca-dir {}", file.parent().unwrap_or(file).display())
}
