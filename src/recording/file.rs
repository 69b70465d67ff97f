//! Recordings on disk: which files a path stands for, and how one is opened.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::format::{FORMATS, Format, ReadError, Reading, Summary, recognized};
use super::playback::{Take, play};

/// How much of a file is read at once, and looked at to recognize its format.
const BUFFER: usize = 64 * 1024;

/// The recordings at a path: a folder stands for those in it, in order of their names; a session that was
/// recorded in several formats counts once.
pub fn recordings(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in path.read_dir()? {
        let path = entry?.path();
        let known = |extension| FORMATS.iter().any(|format| extension == format.extension());
        if path.extension().is_some_and(|extension| known(extension.to_string_lossy())) {
            found.push(path);
        }
    }
    found.sort();
    found.dedup_by(|second, first| second.with_extension("") == first.with_extension(""));
    Ok(found)
}

/// A recording about to be read.
pub struct Input {
    format: &'static dyn Format,
    input: Box<dyn BufRead>,
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input").field("format", &self.format.name()).finish_non_exhaustive()
    }
}

impl Input {
    /// Recognizes the format of what a reader gives.
    pub fn recognize(source: impl Read + 'static) -> Result<Self, ReadError> {
        let mut input = BufReader::with_capacity(BUFFER, source);
        let beginning = input.fill_buf()?;
        let Some(format) = recognized(beginning) else {
            let what = if beginning.is_empty() {
                "it is empty"
            } else {
                "its beginning is in none of the known formats"
            };
            return Err(ReadError::Foreign(what.to_owned()));
        };
        Ok(Self { format, input: Box::new(input) })
    }

    /// Opens a file.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        Self::recognize(File::open(path)?)
    }

    /// Hands its entries on, in order.
    pub fn play(mut self, reading: &Reading, take: &mut Take<'_>) -> Result<Summary, ReadError> {
        play(self.format, &mut self.input, reading, take)
    }
}
