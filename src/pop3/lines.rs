//! Lines and byte-stuffing (RFC 1939 section 3), both ways: the only place where either is done.

use memchr::memchr;

/// What ended a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// CR LF, as the RFC demands.
    Crlf,
    /// LF alone.
    Lf,
    /// Nothing: the line was cut, by the end of the stream or of a piece.
    None,
}

impl Ending {
    /// The octets on the wire.
    pub const fn octets(self) -> &'static [u8] {
        match self {
            Self::Crlf => b"\r\n",
            Self::Lf => b"\n",
            Self::None => b"",
        }
    }
}

/// The line without its ending, and the ending.
#[inline]
pub fn split_ending(line: &[u8]) -> (&[u8], Ending) {
    match line {
        [text @ .., b'\r', b'\n'] => (text, Ending::Crlf),
        [text @ .., b'\n'] => (text, Ending::Lf),
        text => (text, Ending::None),
    }
}

/// The lines of `bytes`, endings included; the last one may lack its own.
pub fn split(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (line, tail) = rest.split_at(memchr(b'\n', rest).map_or(rest.len(), |at| at + 1));
        rest = tail;
        Some(line)
    })
}

/// Does byte-stuffing in a body that comes in pieces cut anywhere. The terminator is the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stuffer {
    at_line_start: bool,
}

impl Default for Stuffer {
    fn default() -> Self {
        Self { at_line_start: true }
    }
}

impl Stuffer {
    /// Appends the next piece to `out` as it goes over the wire: one more dot before each line that begins
    /// with one.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let mut rest = piece;
        if self.at_line_start && rest.first() == Some(&b'.') {
            out.push(b'.');
        }
        while let Some(at) = memchr::memmem::find(rest, b"\n.") {
            out.extend_from_slice(&rest[..=at]);
            out.push(b'.');
            rest = &rest[at + 1..];
        }
        out.extend_from_slice(rest);
        self.pass(piece);
    }

    /// Whether the next piece goes over the wire as it is.
    pub fn is_plain(&self, piece: &[u8]) -> bool {
        !(self.at_line_start && piece.first() == Some(&b'.')) && memchr::memmem::find(piece, b"\n.").is_none()
    }

    /// Takes note of a piece that is plain and was sent as it is.
    pub fn pass(&mut self, piece: &[u8]) {
        if let Some(&last) = piece.last() {
            self.at_line_start = last == b'\n';
        }
    }
}

/// The line as it was meant: without the dot that byte-stuffing put before it.
pub fn unstuffed(line: &[u8]) -> &[u8] {
    line.strip_prefix(b".").unwrap_or(line)
}

/// Undoes byte-stuffing in a body that arrives in pieces cut anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unstuffer {
    at_line_start: bool,
}

impl Default for Unstuffer {
    fn default() -> Self {
        Self { at_line_start: true }
    }
}

impl Unstuffer {
    /// Appends the next piece to `out`, unstuffed.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        for line in split(piece) {
            out.extend_from_slice(if self.at_line_start { unstuffed(line) } else { line });
            self.at_line_start = line.ends_with(b"\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stuffed(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Stuffer::default().push(text, &mut out);
        out
    }

    #[test]
    fn stuffing_is_indifferent_to_the_cut() {
        let text = b".a\r\n..b\r\n\r\n.\r\nlast";
        for cut in 0..text.len() {
            let (mut stuffer, mut out) = (Stuffer::default(), Vec::new());
            for piece in [&text[..cut], &text[cut..]] {
                if stuffer.is_plain(piece) {
                    stuffer.pass(piece);
                    out.extend_from_slice(piece);
                } else {
                    stuffer.push(piece, &mut out);
                }
            }
            assert_eq!(out, stuffed(text), "cut at {cut}");
        }
    }

    #[test]
    fn a_dot_at_each_line_start_is_doubled() {
        assert_eq!(stuffed(b".\r\n"), b"..\r\n");
        assert_eq!(stuffed(b".a\r\n..b\r\nc.\r\n"), b"..a\r\n...b\r\nc.\r\n");
        assert_eq!(stuffed(b"a\n.\n.b"), b"a\n..\n..b");
        assert_eq!(stuffed(b""), b"");
    }

    #[test]
    fn unstuffing_is_indifferent_to_the_cut() {
        let wire = stuffed(b".a\r\n..b\r\n\r\n.\r\nlast");
        for cut in 0..wire.len() {
            let (mut unstuffer, mut out) = (Unstuffer::default(), Vec::new());
            unstuffer.push(&wire[..cut], &mut out);
            unstuffer.push(&wire[cut..], &mut out);
            assert_eq!(out, b".a\r\n..b\r\n\r\n.\r\nlast", "cut at {cut}");
        }
    }
}
