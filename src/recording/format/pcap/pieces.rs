//! A file in pieces that say themselves how long they are: memory grows with what is there, not with what they say.

use std::io::{self, BufRead, Read as _};

/// The longest piece that is kept; the default snap length of capture tools is 256 KiB, key logs may be longer.
const LIMIT: usize = 16 << 20;

/// Why reading ends before the file does.
pub(super) enum Stop {
    /// What is wrong with the next piece.
    Damage(String),
    /// Whoever takes what is read could not.
    Taker(io::Error),
}

/// See the [module](self).
pub(super) struct Pieces<'a> {
    input: &'a mut dyn BufRead,
    /// Of the current piece, as far as it is read.
    pub(super) octets: Vec<u8>,
    /// How many were read to their end.
    pub(super) whole: u64,
    /// How many of them are of no use.
    pub(super) skipped: u64,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(input: &'a mut dyn BufRead) -> Self {
        Self { input, octets: Vec::new(), whole: 0, skipped: 0 }
    }

    /// Reads the first octets of the next piece; gives false where the file ends before it.
    pub(super) fn begin(&mut self, octets: usize) -> Result<bool, Stop> {
        self.octets.clear();
        // Long ones are rare, and so is the memory for them.
        self.octets.shrink_to(LIMIT >> 4);
        match self.fill(octets)? {
            0 => Ok(false),
            read if read < octets => Err(cut_off()),
            _ => Ok(true),
        }
    }

    /// Reads so many more, to the piece's end. One that is too long is skipped: it gives false.
    pub(super) fn rest(&mut self, octets: usize) -> Result<bool, Stop> {
        let kept = octets <= LIMIT;
        if kept {
            if self.fill(octets)? < octets {
                return Err(cut_off());
            }
        } else {
            let skipped = io::copy(&mut (&mut *self.input).take(octets as u64), &mut io::sink());
            if skipped.map_err(unreadable)? < octets as u64 {
                return Err(Stop::Damage(format!(
                    "is cut off, or damaged: it would be longer than {} MiB",
                    LIMIT >> 20
                )));
            }
            self.skipped += 1;
        }
        self.whole += 1;
        Ok(kept)
    }

    /// Gives how many there were.
    fn fill(&mut self, octets: usize) -> Result<usize, Stop> {
        let mut lacks = octets;
        while lacks > 0 {
            let there = match self.input.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                there => there.map_err(unreadable)?,
            };
            let now = lacks.min(there.len());
            if now == 0 {
                break;
            }
            self.octets.extend_from_slice(&there[..now]);
            self.input.consume(now);
            lacks -= now;
        }
        Ok(octets - lacks)
    }
}

fn cut_off() -> Stop {
    Stop::Damage("is cut off".to_owned())
}

/// The end of a gzip'd file that is cut off is an error.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unreadable(error: io::Error) -> Stop {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => cut_off(),
        _ => Stop::Damage(format!("cannot be read: {error}")),
    }
}
