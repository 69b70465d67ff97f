//! Fillers: messages of which only the size is known, in exactly that size.

use std::io::Read;

use bytes::Bytes;

use crate::maildrop::Text;

/// Octets of a line, its ending included (RFC 5322 section 2.1.1 recommends no more).
const LINE: u64 = 78;

/// Octets that stand for what was not recorded: whole lines, so many octets in all, with a header that says so
/// where it fits.
pub(super) fn filler(number: usize, size: u64) -> Text {
    // No line is as short as this, but with a bare LF it is.
    if size == 1 {
        return Text::Whole(Bytes::from_static(b"\n"));
    }
    let mark = format!(
        "X-Poptape-Filler: message {number} was not recorded, only its size of {size} octets\r\n\r\n"
    );
    let mark = if fits(mark.len() as u64, size) { mark.into_bytes() } else { Vec::new() };
    Text::Stored(Box::new(body(mark, size)))
}

/// A beginning that was recorded, filled up to a size.
pub(super) fn filled_up(beginning: Bytes, size: u64) -> Text {
    let known = beginning.len() as u64;
    if known >= size || !fits(known, size) {
        return Text::Whole(beginning);
    }
    Text::Stored(Box::new(body(beginning.to_vec(), size)))
}

/// Whether whole lines can follow so many octets.
fn fits(known: u64, size: u64) -> bool {
    size == known || size >= known + 2
}

fn body(beginning: Vec<u8>, size: u64) -> impl Read + Send {
    let rest = size - beginning.len() as u64;
    let (mut lines, mut last) = (rest / LINE, rest % LINE);
    // One octet is no line: the line before it gives one up.
    let mut before_last = 0;
    if last == 1 {
        (lines, before_last, last) = (lines - 1, LINE - 1, 2);
    }
    std::io::Cursor::new(beginning)
        .chain(Lines { left: lines * LINE, at: 0 })
        .chain(std::io::Cursor::new(line(before_last)))
        .chain(std::io::Cursor::new(line(last)))
}

/// A line of so many octets, its ending included; nothing of none.
fn line(size: u64) -> Vec<u8> {
    let mut line = vec![b'.'; usize::try_from(size).unwrap_or_default().saturating_sub(2)];
    // A dot at its beginning would only be stuffed.
    if let Some(first) = line.first_mut() {
        *first = b'x';
    }
    if size > 0 {
        line.extend_from_slice(b"\r\n");
    }
    line
}

/// Full lines without end, up to so many octets.
struct Lines {
    left: u64,
    at: u64,
}

impl Read for Lines {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let take = usize::try_from(self.left).unwrap_or(usize::MAX).min(out.len());
        for octet in &mut out[..take] {
            *octet = match self.at {
                0 => b'x',
                at if at == LINE - 2 => b'\r',
                at if at == LINE - 1 => b'\n',
                _ => b'.',
            };
            self.at = (self.at + 1) % LINE;
        }
        self.left -= take as u64;
        Ok(take)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maildrop::normal::Measure;

    fn octets(text: Text) -> Vec<u8> {
        match text {
            Text::Whole(octets) => octets.to_vec(),
            Text::Stored(mut stored) => {
                let mut octets = Vec::new();
                stored.read_to_end(&mut octets).unwrap();
                octets
            }
        }
    }

    #[test]
    fn fillers_have_exactly_their_size_in_whole_lines() {
        for size in (0..400).chain([100_000, 100_001]) {
            let octets = octets(filler(7, size));
            assert_eq!(octets.len() as u64, size);
            if size != 1 {
                assert_eq!(Measure::read(&octets[..]).unwrap().size, size, "not in whole lines: {size}");
            }
            let marked = octets.starts_with(b"X-Poptape-Filler: message 7");
            assert!(marked || size < 100, "not marked: {size}");
        }
    }

    #[test]
    fn a_known_beginning_stays() {
        let beginning = Bytes::from_static(b"a: b\r\n\r\n");
        for size in 10..300 {
            let octets = octets(filled_up(beginning.clone(), size));
            assert!(octets.starts_with(&beginning) && octets.len() as u64 == size, "{size}");
        }
        assert_eq!(octets(filled_up(beginning.clone(), 9)), &beginning[..]);
        assert_eq!(octets(filled_up(beginning.clone(), 3)), &beginning[..]);
    }
}
