//! Messages as they are sent: every line ends in CRLF, the last one too, a CR without LF stays as it is (RFC
//! 1939 section 11). Done piece by piece, so that a message of any size passes through; what is announced of a
//! message is measured on the same octets.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read};

use bytes::Bytes;
use memchr::memchr_iter;

use super::{Scan, UniqueId};

/// How much is read of a stored message at once.
pub const PIECE: usize = 64 * 1024;

/// A header that is longer is looked at for UTF-8 this far.
const HEADER_LIMIT: usize = 64 * 1024;

/// Makes line ends CRLF in octets that come in pieces cut anywhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct Normalizer {
    /// The last octet so far; None before the first.
    last: Option<u8>,
}

impl Normalizer {
    /// Appends the next piece to `out`.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let mut from = 0;
        for at in memchr_iter(b'\n', piece) {
            let before = if at == 0 { self.last } else { Some(piece[at - 1]) };
            if before != Some(b'\r') {
                out.extend_from_slice(&piece[from..at]);
                out.push(b'\r');
                from = at;
            }
        }
        out.extend_from_slice(&piece[from..]);
        self.last = piece.last().copied().or(self.last);
    }

    /// Appends what the last line lacks.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.last.is_some_and(|last| last != b'\n') {
            out.extend_from_slice(b"\r\n");
        }
        *self = Self::default();
    }
}

/// Whether a text is as it is sent already.
fn is_normal(text: &[u8]) -> bool {
    let bare = |at: usize| at == 0 || text[at - 1] != b'\r';
    (text.is_empty() || text.ends_with(b"\r\n")) && !memchr_iter(b'\n', text).any(bare)
}

/// A whole text with the line ends as they are sent; no copy where they are already.
pub fn normal(text: Bytes) -> Bytes {
    if is_normal(&text) {
        return text;
    }
    let mut octets = Vec::with_capacity(text.len() + text.len() / 32 + 2);
    let mut normalizer = Normalizer::default();
    normalizer.push(&text, &mut octets);
    normalizer.finish(&mut octets);
    octets.into()
}

/// What a message is, found by reading it once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measure {
    /// Its size as it is sent.
    pub size: u64,
    /// The FNV-1a digest of the octets as they are sent.
    pub digest: u64,
    /// Its header holds UTF-8 that is not ASCII.
    pub utf8: bool,
}

impl Measure {
    /// Of octets that are as they are sent.
    pub fn of(octets: &[u8]) -> Self {
        let mut measuring = Measuring::default();
        measuring.push(octets);
        measuring.finish()
    }

    /// Of a message as it is stored.
    pub fn read(mut stored: impl Read) -> io::Result<Self> {
        let (mut piece, mut out) = (vec![0; PIECE], Vec::with_capacity(PIECE + PIECE / 8));
        let (mut measuring, mut normalizer) = (Measuring::default(), Normalizer::default());
        loop {
            let read = match stored.read(&mut piece) {
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            out.clear();
            if read == 0 {
                normalizer.finish(&mut out);
            } else {
                normalizer.push(&piece[..read], &mut out);
            }
            measuring.push(&out);
            if read == 0 {
                return Ok(measuring.finish());
            }
        }
    }

    /// The same with an id.
    pub fn scan(self, unique_id: UniqueId) -> Scan {
        Scan { size: self.size, unique_id, utf8: self.utf8 }
    }
}

#[derive(Debug)]
struct Measuring {
    size: u64,
    digest: u64,
    /// The header so far, as long as it has not ended.
    header: Option<Vec<u8>>,
    utf8: bool,
}

impl Default for Measuring {
    fn default() -> Self {
        Self { size: 0, digest: FNV_OFFSET_BASIS, header: Some(Vec::new()), utf8: false }
    }
}

impl Measuring {
    fn push(&mut self, octets: &[u8]) {
        self.size += octets.len() as u64;
        self.digest = fnv1a(self.digest, octets);
        if let Some(header) = &mut self.header {
            // One octet of what is held belongs to the search: the line end before a blank line.
            let from = header.len().saturating_sub(3);
            header.extend_from_slice(&octets[..octets.len().min(HEADER_LIMIT)]);
            let end = if header.starts_with(b"\r\n") {
                Some(0)
            } else {
                memchr::memmem::find(&header[from..], b"\r\n\r\n").map(|at| from + at)
            };
            if let Some(end) = end {
                header.truncate(end);
                self.end_header(false);
            } else if header.len() > HEADER_LIMIT {
                self.end_header(true);
            }
        }
    }

    fn end_header(&mut self, cut: bool) {
        if let Some(header) = self.header.take() {
            // Where the limit cut a character in two it is not the header that is malformed.
            let whole = match std::str::from_utf8(&header) {
                Ok(_) => true,
                Err(error) => cut && error.error_len().is_none(),
            };
            self.utf8 = whole && !header.is_ascii();
        }
    }

    fn finish(mut self) -> Measure {
        self.end_header(false);
        Measure { size: self.size, digest: self.digest, utf8: self.utf8 }
    }
}

/// FNV-1a, 64 bits: offset basis and prime are the ones its authors publish. It need not withstand an
/// attacker, only keep apart the messages of one maildrop, and two that collide count as copies.
const FNV_OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;

fn fnv1a(digest: u64, octets: &[u8]) -> u64 {
    const PRIME: u64 = 0x0100_0000_01b3;
    octets.iter().fold(digest, |hash, &octet| (hash ^ u64::from(octet)).wrapping_mul(PRIME))
}

/// Makes unique-ids from content, so that they are the same whenever the same messages are loaded: the digest
/// in hexadecimal, and from the second identical copy on which copy it is.
#[derive(Debug, Default)]
pub struct ContentIds {
    copies: HashMap<u64, u64>,
}

impl ContentIds {
    /// The id of the maildrop's next message.
    pub fn next(&mut self, digest: u64) -> UniqueId {
        let copies = self.copies.entry(digest).or_default();
        *copies += 1;
        let id = match copies {
            1 => format!("{digest:016x}"),
            copy => format!("{digest:016x}.{copy}"),
        };
        UniqueId::new(id).unwrap_or_else(|| unreachable!("it is printable and short"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 1939 section 11: the size is that of the lines as they are sent.
    #[test]
    fn line_ends_become_crlf_and_the_last_line_gets_its_own() {
        let cases: [(&[u8], &[u8]); 9] = [
            (b"", b""),
            (b"a", b"a\r\n"),
            (b"a\nb\r\nc", b"a\r\nb\r\nc\r\n"),
            (b"\n\n", b"\r\n\r\n"),
            (b"a\r\n", b"a\r\n"),
            (b"a\rb\r\n", b"a\rb\r\n"),
            (b"a\r\r\n", b"a\r\r\n"),
            (b"a\n\n", b"a\r\n\r\n"),
            (b"a\r", b"a\r\r\n"),
        ];
        for (text, sent) in cases {
            assert_eq!(&normal(Bytes::from_static(text))[..], sent, "{text:?}");
        }
    }

    #[test]
    fn the_digest_is_the_published_one() {
        let digest = |text: &[u8]| fnv1a(FNV_OFFSET_BASIS, text);
        assert_eq!(digest(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(digest(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(digest(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn identical_copies_are_told_apart_the_same_way_each_time() {
        let ids = || {
            let mut ids = ContentIds::default();
            ["a", "b", "a", "a"].map(|text| ids.next(fnv1a(FNV_OFFSET_BASIS, text.as_bytes())).to_string())
        };
        assert_eq!(
            ids(),
            ["af63dc4c8601ec8c", "af63df4c8601f1a5", "af63dc4c8601ec8c.2", "af63dc4c8601ec8c.3"]
        );
        assert_eq!(ids(), ids());
    }

    /// RFC 6856 section 2: what counts is UTF-8 in the header; other octets and bodies do not.
    #[test]
    fn utf8_is_looked_for_in_the_header_alone() {
        let utf8 = |text: &[u8]| Measure::read(text).unwrap().utf8;
        assert!(utf8("Subject: \u{434}\n\nx".as_bytes()));
        assert!(!utf8("Subject: x\n\n\u{434}".as_bytes()));
        assert!(!utf8("\n\u{434}".as_bytes()));
        assert!(!utf8(b"Subject: \xe4\n\nx"));
        assert!(utf8("Subject: \u{434}".as_bytes()));
    }

    proptest! {
        #[test]
        fn how_it_is_cut_changes_nothing(
            text in prop::collection::vec(prop::sample::select(&b"\r\n.a\xd0\xb4"[..]), 0..60),
            cut in 1usize..7,
        ) {
            let whole = normal(text.clone().into());
            let (mut pieces, mut normalizer) = (Vec::new(), Normalizer::default());
            text.chunks(cut).for_each(|piece| normalizer.push(piece, &mut pieces));
            normalizer.finish(&mut pieces);
            prop_assert_eq!(&pieces[..], &whole[..]);
            prop_assert!(is_normal(&whole));
            let mut measuring = Measuring::default();
            whole.chunks(cut).for_each(|piece| measuring.push(piece));
            let measure = Measure::of(&whole);
            prop_assert_eq!(measuring.finish(), measure);
            prop_assert_eq!(Measure::read(&text[..]).unwrap(), measure);
        }
    }
}
