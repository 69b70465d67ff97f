//! Any capture file to records: its blocks to frames, the frames to sessions.

use std::io::BufRead;

use super::Kind;
use crate::recording::format::{Feed, ReadError, Reading, Summary};

/// See [`super::Format::read`].
pub(super) fn read(
    kind: Kind,
    input: &mut dyn BufRead,
    reading: &Reading,
    feed: &mut Feed<'_>,
) -> Result<Summary, ReadError> {
    let _ = (kind, input, reading, feed);
    Err(ReadError::Foreign("captures are not read yet".to_owned()))
}
