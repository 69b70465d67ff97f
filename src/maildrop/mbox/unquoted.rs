//! One message out of an mbox, read as a stream: ends where the next message begins, and takes the quoting away.

use std::io::{self, BufRead, Read};

/// How a line of a message that looks like the beginning of a message was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quoting {
    /// Any number of `>` before `From ` got one more, so that every message comes back as it was. The practice of
    /// most programs today; the name is Rahul Dhesi's.
    #[default]
    Mboxrd,
    /// Only a bare `From ` got its `>`.
    Mboxo,
}

/// How a message begins.
pub(super) const FROM: &[u8] = b"From ";

/// The message whose text begins where the input is. No line is held in memory, only the blank line that may turn
/// out to separate messages, and what of [`FROM`] has been seen of a line.
#[derive(Debug)]
pub(super) struct Unquoted<R> {
    input: R,
    quoting: Quoting,
    at: At,
    /// How many octets of the input were used.
    used: u64,
    /// The blank line that was read last; it is text if text follows.
    blank: Option<&'static [u8]>,
    /// What is known to be text and not yet given.
    ready: Vec<u8>,
    given: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Within the beginning of a line.
    Beginning(Begun),
    /// In a line that is text.
    Within,
    /// After the message. Another one follows, and the input is behind its [`FROM`].
    Next,
    /// At the end of the input.
    End,
}

/// What has been seen of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Begun {
    /// A CR.
    cr: bool,
    /// So many `>`; of these, all but one were given.
    quotes: u64,
    /// So many octets of [`FROM`].
    word: usize,
}

impl<R: BufRead> Unquoted<R> {
    pub(super) fn new(input: R, quoting: Quoting) -> Self {
        let at = At::Beginning(Begun::default());
        Self { input, quoting, at, used: 0, blank: None, ready: Vec::new(), given: 0 }
    }

    /// How many octets there are to the next message or to the end of the input. To be asked when all was read.
    pub(super) fn length(&self) -> u64 {
        if self.has_next() { self.used - FROM.len() as u64 } else { self.used }
    }

    /// Whether another message follows.
    pub(super) fn has_next(&self) -> bool {
        self.at == At::Next
    }

    /// Gives what is ready, and otherwise copies text or looks on at the beginning of a line. None at the end.
    fn step(&mut self, out: &mut [u8]) -> io::Result<Option<usize>> {
        if self.given < self.ready.len() {
            let given = (&self.ready[self.given..]).read(out)?;
            self.given += given;
            return Ok(Some(given));
        }
        self.ready.clear();
        self.given = 0;
        match self.at {
            At::Beginning(begun) => {
                let octet = self.input.fill_buf()?.first().copied();
                let (at, uses) = self.begin(begun, octet);
                self.at = at;
                self.consume(usize::from(uses));
                Ok(Some(0))
            }
            At::Within => {
                let buffer = self.input.fill_buf()?;
                if buffer.is_empty() {
                    self.at = At::End;
                    return Ok(Some(0));
                }
                let line = memchr::memchr(b'\n', buffer).map_or(buffer.len(), |end| end + 1);
                let length = line.min(out.len());
                out[..length].copy_from_slice(&buffer[..length]);
                if out[..length].ends_with(b"\n") {
                    self.at = At::Beginning(Begun::default());
                }
                self.consume(length);
                Ok(Some(length))
            }
            At::Next | At::End => Ok(None),
        }
    }

    fn consume(&mut self, length: usize) {
        self.input.consume(length);
        self.used += length as u64;
    }

    /// Where the next octet of a line's beginning leads, and whether it is used up.
    fn begin(&mut self, mut begun: Begun, octet: Option<u8>) -> (At, bool) {
        let Begun { cr, quotes, word } = begun;
        match octet {
            None if begun == Begun::default() => return (At::End, false),
            Some(b'\n') if quotes == 0 && word == 0 => {
                self.give_blank();
                self.blank = Some(if cr { b"\r\n" } else { b"\n" });
                return (At::Beginning(Begun::default()), true);
            }
            Some(b'\r') if begun == Begun::default() => begun.cr = true,
            Some(b'>') if !cr && word == 0 => {
                self.give_blank();
                if quotes > 0 {
                    self.ready.push(b'>');
                }
                begun.quotes += 1;
            }
            Some(octet) if !cr && octet == FROM[word] => {
                begun.word += 1;
                if begun.word == FROM.len() {
                    if quotes == 0 && self.blank.is_some() {
                        return (At::Next, true);
                    }
                    let quoted = quotes == 1 || self.quoting == Quoting::Mboxrd;
                    self.give_line(begun, quoted);
                    return (At::Within, true);
                }
            }
            _ => {
                self.give_line(begun, false);
                return (At::Within, false);
            }
        }
        (At::Beginning(begun), true)
    }

    /// The blank line was text.
    fn give_blank(&mut self) {
        self.ready.extend_from_slice(self.blank.take().unwrap_or_default());
    }

    /// What was held of a line is text, without the last `>` if that was a quote.
    fn give_line(&mut self, Begun { cr, quotes, word }: Begun, quoted: bool) {
        self.give_blank();
        if cr {
            self.ready.push(b'\r');
        }
        if quotes > 0 && !quoted {
            self.ready.push(b'>');
        }
        self.ready.extend_from_slice(&FROM[..word]);
    }
}

impl<R: BufRead> Read for Unquoted<R> {
    /// Fills the buffer as far as the message goes, so that reading is not a call a line.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < out.len() {
            match self.step(&mut out[filled..]) {
                Ok(Some(more)) => filled += more,
                Ok(None) => break,
                // Nothing is lost: the next read meets it again.
                Err(_) if filled > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    /// Text, length, whether another message follows; the same whatever the sizes of the buffers.
    fn read(input: &str, quoting: Quoting) -> (String, u64, bool) {
        let with = |capacity: usize, piece: usize| {
            let mut unquoted = Unquoted::new(BufReader::with_capacity(capacity, input.as_bytes()), quoting);
            let (mut text, mut out) = (Vec::new(), vec![0; piece]);
            loop {
                let read = unquoted.read(&mut out).unwrap();
                if read == 0 {
                    return (String::from_utf8(text).unwrap(), unquoted.length(), unquoted.has_next());
                }
                text.extend_from_slice(&out[..read]);
            }
        };
        let whole = with(1000, 1000);
        for sizes in 1..8 {
            assert_eq!(with(sizes, 1000), whole);
            assert_eq!(with(1000, sizes), whole);
        }
        whole
    }

    #[test]
    fn where_a_message_ends() {
        // input, text, length, whether another follows
        let cases = [
            ("", "", 0, false),
            ("a", "a", 1, false),
            ("a\n", "a\n", 2, false),
            ("a\n\n", "a\n", 3, false),
            ("a\n\n\n", "a\n\n", 4, false),
            ("\n", "", 1, false),
            ("\nFrom b\n", "", 1, true),
            ("a\n\nFrom b\n", "a\n", 3, true),
            ("a\n\n\nFrom b\n", "a\n\n", 4, true),
            ("a\nFrom b\n\nFrom c", "a\nFrom b\n", 10, true),
            ("From b\n", "From b\n", 7, false),
            ("a\n\nFrom", "a\n\nFrom", 7, false),
            ("a\n\nFrom:\n", "a\n\nFrom:\n", 9, false),
            ("a\n\nfrom b\n", "a\n\nfrom b\n", 10, false),
            ("a\n\n From b\n", "a\n\n From b\n", 11, false),
            ("a\n\n>From b\n", "a\n\nFrom b\n", 11, false),
            ("a\r\n\r\nFrom b\r\n", "a\r\n", 5, true),
            ("a\r\n\r\n\r\nFrom b\r\n", "a\r\n\r\n", 7, true),
            ("a\r\n\nFrom b\r\n", "a\r\n", 4, true),
            ("a\n\rFrom b\n", "a\n\rFrom b\n", 10, false),
            ("a\n\r\r\nFrom b\n", "a\n\r\r\nFrom b\n", 12, false),
            ("a\n\n\r", "a\n\n\r", 4, false),
            ("a\n\nFrFrom b\n", "a\n\nFrFrom b\n", 12, false),
        ];
        for (input, text, length, has_next) in cases {
            assert_eq!(read(input, Quoting::Mboxrd), (text.to_owned(), length, has_next), "{input:?}");
        }
    }

    #[test]
    fn what_loses_a_quote() {
        // input, as mboxrd, as mboxo
        let many = ">".repeat(1000);
        let cases = [
            (">From a\n", "From a\n", "From a\n"),
            (">>From a\n", ">From a\n", ">>From a\n"),
            (
                &format!("{many}From a\n")[..],
                &format!("{}From a\n", &many[1..])[..],
                &format!("{many}From a\n")[..],
            ),
            (&many, &many, &many),
            (">", ">", ">"),
            (">>", ">>", ">>"),
            (">Fro", ">Fro", ">Fro"),
            (">From", ">From", ">From"),
            (">From:\n>Fr\n> From a\n", ">From:\n>Fr\n> From a\n", ">From:\n>Fr\n> From a\n"),
            (">\n\n>\n", ">\n\n>\n", ">\n\n>\n"),
            (">\r\n>\r", ">\r\n>\r", ">\r\n>\r"),
            (">F>From a\n", ">F>From a\n", ">F>From a\n"),
            ("a >From b\n", "a >From b\n", "a >From b\n"),
        ];
        for (input, mboxrd, mboxo) in cases {
            assert_eq!(read(input, Quoting::Mboxrd).0, mboxrd, "{input:?}");
            assert_eq!(read(input, Quoting::Mboxo).0, mboxo, "{input:?}");
        }
    }
}
