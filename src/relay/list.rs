//! Capability lists (RFC 2449 section 5) and lists of SASL mechanisms, edited on their way to the client.

use bytes::{Bytes, BytesMut};

use crate::pop3::lines::split_ending;

/// How lists are edited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Edit {
    /// STLS is told of, whether the upstream does or not.
    pub(super) add_stls: bool,
    /// STLS is not told of.
    pub(super) drop_stls: bool,
    /// Mechanisms with channel binding (RFC 5802 section 6) are not told of.
    pub(super) drop_plus: bool,
}

/// A list on its way.
#[derive(Debug, Default)]
pub(super) struct List {
    /// The line that is not whole yet.
    line: BytesMut,
    /// STLS was among those that passed.
    has_stls: bool,
}

/// A line that is longer is no capability: it goes on as it is (RFC 2449 section 4 has 512 octets).
const LONGEST: usize = 4096;

impl List {
    /// Takes the next octets of a list, `names_alone` where its lines are names of mechanisms; gives those that go on.
    pub(super) fn lines(
        &mut self,
        octets: &[u8],
        names_alone: bool,
        edit: Edit,
        changed: &mut Vec<(&'static str, String)>,
    ) -> Bytes {
        let mut out = BytesMut::new();
        self.line.extend_from_slice(octets);
        while let Some(end) = memchr::memchr(b'\n', &self.line) {
            let line = self.line.split_to(end + 1);
            out.extend_from_slice(&self.edited(&line, names_alone, edit, changed));
        }
        if self.line.len() > LONGEST {
            out.unsplit(self.line.split());
        }
        out.freeze()
    }

    fn edited(
        &mut self,
        line: &[u8],
        names_alone: bool,
        edit: Edit,
        changed: &mut Vec<(&'static str, String)>,
    ) -> Vec<u8> {
        let text = split_ending(line).0;
        let mut words = text.split(|&b| b == b' ').filter(|word| !word.is_empty());
        let tag = if names_alone { &b"SASL"[..] } else { words.next().unwrap_or_default() };
        if tag.eq_ignore_ascii_case(b"STLS") {
            self.has_stls = true;
            if edit.drop_stls {
                changed.push(("stls-hidden", "the server offers STLS; the client is not told".to_owned()));
                return Vec::new();
            }
        } else if tag.eq_ignore_ascii_case(b"SASL") && edit.drop_plus {
            let (bound, others): (Vec<_>, Vec<_>) = words.partition(|word| is_plus(word));
            if !bound.is_empty() {
                let bound = String::from_utf8_lossy(&bound.join(&b' ')).into_owned();
                changed.push(("plus-hidden", format!("the server offers {bound}; the client is not told")));
                if others.is_empty() {
                    return Vec::new();
                }
                let kept = others.join(&b' ');
                let ending = &line[text.len()..];
                return if names_alone {
                    [&kept, ending].concat()
                } else {
                    [tag, b" ", &kept, ending].concat()
                };
            }
        }
        line.to_vec()
    }

    /// The list ends: what is added to it.
    pub(super) fn end(&mut self, edit: Edit, changed: &mut Vec<(&'static str, String)>) -> Bytes {
        let mut rest = self.line.split();
        if edit.add_stls && !std::mem::take(&mut self.has_stls) {
            let text = "the server does not offer STLS; the client is told that it can have it".to_owned();
            changed.push(("stls-added", text));
            rest.extend_from_slice(b"STLS\r\n");
        }
        self.has_stls = false;
        rest.freeze()
    }

    /// What was held back of a line.
    pub(super) fn rest(&mut self) -> Bytes {
        self.line.split().freeze()
    }
}

/// Whether a mechanism binds to the TLS channel by its name (RFC 5801 section 4).
pub(super) fn is_plus(mechanism: &[u8]) -> bool {
    mechanism.len() > 5 && mechanism[mechanism.len() - 5..].eq_ignore_ascii_case(b"-PLUS")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(edit: Edit, list: &str) -> (String, usize) {
        let mut changed = Vec::new();
        let mut of_one = List::default();
        let mut out = Vec::new();
        // However it is cut.
        for octet in list.as_bytes() {
            out.extend_from_slice(&of_one.lines(&[*octet], false, edit, &mut changed));
        }
        out.extend_from_slice(&of_one.end(edit, &mut changed));
        (String::from_utf8(out).unwrap(), changed.len())
    }

    #[test]
    fn stls_comes_and_goes() {
        let add = Edit { add_stls: true, ..Edit::default() };
        assert_eq!(edited(add, "TOP\r\n"), ("TOP\r\nSTLS\r\n".to_owned(), 1));
        assert_eq!(edited(add, "stls\r\nTOP\r\n"), ("stls\r\nTOP\r\n".to_owned(), 0));
        let drop = Edit { drop_stls: true, ..Edit::default() };
        assert_eq!(edited(drop, "TOP\r\nSTLS\r\nUIDL\r\n"), ("TOP\r\nUIDL\r\n".to_owned(), 1));
        assert_eq!(edited(drop, "X-STLS\r\n"), ("X-STLS\r\n".to_owned(), 0));
    }

    #[test]
    fn bound_mechanisms_go() {
        let drop = Edit { drop_plus: true, ..Edit::default() };
        let list = "SASL PLAIN SCRAM-SHA-256-PLUS SCRAM-SHA-256\r\n";
        assert_eq!(edited(drop, list), ("SASL PLAIN SCRAM-SHA-256\r\n".to_owned(), 1));
        assert_eq!(edited(drop, "SASL SCRAM-SHA-1-PLUS\r\n"), (String::new(), 1));
        assert_eq!(edited(drop, "SASL PLAIN\r\n"), ("SASL PLAIN\r\n".to_owned(), 0));
        let (mut list, mut changed) = (List::default(), Vec::new());
        let names = list.lines(b"PLAIN\r\nSCRAM-SHA-1-PLUS\r\n", true, drop, &mut changed);
        assert_eq!((&names[..], changed.len()), (&b"PLAIN\r\n"[..], 1));
    }
}
