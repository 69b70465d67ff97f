//! A message that is being read, piece by piece.

use std::fmt;
use std::io::{ErrorKind, Read};

use super::normal::{Normalizer, PIECE};
use super::{NotRead, Piece, Text};

/// How much of a message that lies in memory is given at once. It is not copied.
const SLICE: usize = 256 * 1024;

/// See the [module](self).
pub(super) struct Reading {
    /// How many octets of it were given.
    at: u64,
    text: Text,
    normalizer: Normalizer,
    ended: bool,
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").field("at", &self.at).finish_non_exhaustive()
    }
}

impl Reading {
    pub(super) fn new(text: Text) -> Self {
        Self { at: 0, text, normalizer: Normalizer::default(), ended: false }
    }

    /// Which octet comes next: none before it can be read again.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Octets from one on; those before it are skipped.
    pub(super) fn read(&mut self, from: u64) -> Result<Piece, NotRead> {
        if let Text::Whole(octets) = &self.text {
            let start = usize::try_from(from).unwrap_or(usize::MAX).min(octets.len());
            let end = octets.len().min(start + SLICE);
            self.at = end as u64;
            return Ok(Piece { octets: octets.slice(start..end), last: end == octets.len() });
        }
        loop {
            let next = self.next()?;
            let end = self.at + next.len() as u64;
            if self.ended || end > from {
                let skip = usize::try_from(from - self.at.min(from)).unwrap_or(usize::MAX).min(next.len());
                self.at = end;
                let octets = bytes::Bytes::from(next).slice(skip..);
                return Ok(Piece { octets, last: self.ended });
            }
            self.at = end;
        }
    }

    /// The next piece. It is filled where it can be, so that the end of a short message comes with it.
    fn next(&mut self) -> Result<Vec<u8>, NotRead> {
        let Text::Stored(stored) = &mut self.text else { return Ok(Vec::new()) };
        let (mut piece, mut filled) = (vec![0; PIECE], 0);
        while filled < piece.len() && !self.ended {
            match stored.read(&mut piece[filled..]) {
                Ok(0) => self.ended = true,
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(NotRead),
            }
        }
        let mut out = Vec::with_capacity(filled + filled / 16 + 2);
        self.normalizer.push(&piece[..filled], &mut out);
        if self.ended {
            self.normalizer.finish(&mut out);
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(text: &str) -> Reading {
        Reading::new(Text::Stored(Box::new(std::io::Cursor::new(text.to_owned().into_bytes()))))
    }

    #[test]
    fn a_stored_message_is_read_in_pieces_from_anywhere() {
        let text = "line\n".repeat(40_000);
        let (mut reading, mut read) = (stored(&text), Vec::new());
        loop {
            let piece = reading.read(read.len() as u64).unwrap();
            read.extend_from_slice(&piece.octets);
            if piece.last {
                break;
            }
        }
        assert_eq!(read, text.replace('\n', "\r\n").as_bytes());
        for from in [0, 7, 100_000, 65_536, 3, 239_998] {
            let piece = stored(&text).read(from).unwrap();
            let at = usize::try_from(from).unwrap();
            assert_eq!(&piece.octets[..], &read[at..at + piece.octets.len()], "{from}");
        }
        assert_eq!(stored(&text).read(240_000), Ok(Piece { octets: bytes::Bytes::new(), last: true }));
    }

    #[test]
    fn a_short_message_comes_with_its_end() {
        let piece = |octets: &'static str| Ok(Piece { octets: octets.into(), last: true });
        assert_eq!(stored("a\nb").read(0), piece("a\r\nb\r\n"));
        assert_eq!(stored("").read(0), piece(""));
        assert_eq!(Reading::new(Text::Whole("a\r\n".into())).read(0), piece("a\r\n"));
    }
}
