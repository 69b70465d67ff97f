//! Maildrops whose messages are hard to deliver, and the places that `poptape serve` takes them from.

use std::fs;
use std::path::{Path, PathBuf};

/// A message as it is stored.
pub struct Letter {
    /// What is hard about it.
    pub name: &'static str,
    pub octets: Vec<u8>,
}

impl Letter {
    fn new(name: &'static str, octets: impl Into<Vec<u8>>) -> Self {
        Self { name, octets: octets.into() }
    }

    /// The octets that POP3 must deliver: every line ends in CRLF, the last one too; a CR that ends no line stays.
    pub fn wire(&self) -> Vec<u8> {
        let mut wire = Vec::with_capacity(self.octets.len() + 2);
        for line in self.octets.split_inclusive(|octet| *octet == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            wire.extend(line.strip_suffix(b"\r").unwrap_or(line));
            wire.extend(b"\r\n");
        }
        wire
    }
}

/// Each breaks some mail program. All differ, since some clients deliver in an order of their own.
pub fn hard() -> Vec<Letter> {
    let all_octets: Vec<u8> = (0x80..=0xff).collect();
    vec![
        Letter::new("plain", "Subject: plain\n\nNobody gets this wrong.\n"),
        Letter::new("empty body", "Subject: empty body\n\n"),
        Letter::new("empty message", ""),
        Letter::new("headers alone", "Subject: headers and no blank line\n"),
        Letter::new("no headers", "\nAll that there is.\n"),
        Letter::new("no final newline", "Subject: no final newline\n\nThe end"),
        Letter::new("dots", "Subject: dots\n\n.\n..\n...\n.one\n..two\nno. dot.\n.\n"),
        Letter::new("begins with a dot", ".Subject: a dot comes first\n\n.body\n"),
        Letter::new("a dot", "Subject: a dot\n\n.\n"),
        Letter::new("a dot at the end", "Subject: a dot, no newline\n\n."),
        Letter::new("8 bit", [b"Subject: eight\n\n", &all_octets[..], b"\n\xff\xfe\n"].concat()),
        Letter::new("long line", format!("Subject: long\n\n{}\nshort\n", "x".repeat(100_000))),
        Letter::new("long line of dots", format!("Subject: long dots\n\n{}\n", ".".repeat(100_000))),
        Letter::new("bare CR", "Subject: bare CR\n\na\rb\n\rc\nd\r\r\ne\r.\rf\n"),
        Letter::new("CRLF", "Subject: CRLF\r\n\r\nas sent\r\n.\r\n"),
        Letter::new("CRLF and LF", "Subject: both\n\nCRLF\r\nLF\n.\r\n..\n"),
        Letter::new("blank lines", "Subject: blank lines\n\n\n\nat both ends\n\n\n"),
        Letter::new("reply", "Subject: looks like replies\n\n+OK\n-ERR no\n+ \n.\n+OK 3 octets\n"),
    ]
}

/// One message of 10 MB: lines of every length up to 200, many of which begin with dots.
pub fn big() -> Vec<Letter> {
    let mut octets = b"Subject: big\n\n".to_vec();
    for n in (0..).take_while(|n| n * 100 < 10_000_000) {
        octets.extend(std::iter::repeat_n(b'.', n % 3));
        octets.extend(n.to_string().bytes().cycle().take(n % 200));
        octets.push(b'\n');
    }
    octets.resize(octets.len().max(10_000_000), b'x');
    vec![Letter::new("big", octets)]
}

/// A thousand small ones.
pub fn many() -> Vec<Letter> {
    (1..=1000).map(|n| Letter::new("one of many", format!("Subject: {n}\n\n.{n}\n"))).collect()
}

/// A kind of place.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Eml,
    Maildir,
    Mbox,
}

/// Puts the letters into a place within `folder`.
pub fn put(kind: Kind, letters: &[Letter], folder: &Path) -> PathBuf {
    let place = folder.join(format!("{kind:?}").to_lowercase());
    match kind {
        Kind::Eml => {
            fs::create_dir(&place).unwrap();
            for (n, letter) in (1..).zip(letters) {
                fs::write(place.join(format!("{n}.eml")), &letter.octets).unwrap();
            }
        }
        Kind::Maildir => {
            for part in ["cur", "new", "tmp"] {
                fs::create_dir_all(place.join(part)).unwrap();
            }
            for (n, letter) in (1..).zip(letters) {
                let file = format!("new/{}.{n}.example", 1_700_000_000 + n);
                fs::write(place.join(file), &letter.octets).unwrap();
            }
        }
        Kind::Mbox => {
            let mut mbox = Vec::new();
            for letter in letters {
                mbox.extend(b"From ada@example.org Thu Jan  1 10:00:00 2026\n");
                mbox.extend(&letter.octets);
                // An mbox has whole lines, and a blank one behind each message.
                mbox.extend(if letter.octets.is_empty() || letter.octets.ends_with(b"\n") {
                    &b"\n"[..]
                } else {
                    b"\n\n"
                });
            }
            fs::write(&place, mbox).unwrap();
        }
    }
    place
}
