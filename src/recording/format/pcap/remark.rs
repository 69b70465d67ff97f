//! What only poptape knows, as remarks on packets. What comes from the network is made harmless in them, and short.

use crate::pop3::printable::is_printable;
use crate::recording::Note;
use crate::wire::Tls;

/// Characters of a text from the network that a remark quotes.
const LONGEST: usize = 200;

/// The most remarks on a packet, and the octets of them after which there are no more: readers refuse a block that is
/// too long.
const MOST: usize = 64;
const MOST_OCTETS: usize = 32 << 10;

/// Those on the next packet.
#[derive(Debug, Clone, Default)]
pub(super) struct Remarks {
    texts: Vec<String>,
    octets: usize,
    /// There is no room for so many.
    more: u64,
}

impl Remarks {
    pub(super) fn push(&mut self, text: impl FnOnce() -> String) {
        if self.texts.len() < MOST && self.octets < MOST_OCTETS {
            let text = text();
            self.octets += text.len();
            self.texts.push(text);
        } else {
            self.more += 1;
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// All of them.
    pub(super) fn take(&mut self) -> Vec<String> {
        let Self { mut texts, more, .. } = std::mem::take(self);
        if more > 0 {
            texts.push(format!("and {more} more"));
        }
        texts
    }
}

/// A text from the network, for a person to read.
pub(super) fn harmless(text: &str) -> String {
    let mut quoted = String::new();
    for (at, character) in text.chars().enumerate() {
        if at == LONGEST {
            quoted.push_str("...");
            break;
        }
        if is_printable(character) {
            quoted.push(character);
        } else {
            quoted.extend(character.escape_default());
        }
    }
    quoted
}

/// A note.
pub(super) fn note(note: &Note) -> String {
    format!("{}: {}", harmless(&note.kind), harmless(&note.text))
}

/// What is known of TLS.
pub(super) fn tls(tls: &Tls) -> String {
    let named =
        |what: &str, value: &Option<String>| value.as_ref().map(|value| format!("{what}{}", harmless(value)));
    let facts: Vec<_> = [
        named("", &tls.version),
        named("", &tls.cipher),
        named("server name ", &tls.server_name),
        named("protocol ", &tls.alpn),
    ]
    .into_iter()
    .flatten()
    .collect();
    let facts = if facts.is_empty() { String::new() } else { format!(" ({})", facts.join(", ")) };
    if tls.readable {
        format!("TLS begins{facts}; what follows is the plaintext, as poptape saw it")
    } else {
        format!("TLS begins{facts}; what follows nobody here can read")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remark_neither_moves_a_cursor_nor_goes_on_for_ever() {
        assert_eq!(harmless("a\r\n\u{1b}[2J\u{202e}"), "a\\r\\n\\u{1b}[2J\\u{202e}");
        assert_eq!(harmless(&"x".repeat(300)), "x".repeat(200) + "...");
    }

    #[test]
    fn a_packet_has_only_so_many_remarks() {
        for length in [1, 1000] {
            let mut remarks = Remarks::default();
            for _ in 0..100_000 {
                remarks.push(|| "x".repeat(length));
            }
            let texts = remarks.take();
            let octets: usize = texts.iter().map(String::len).sum();
            assert!(texts.len() <= MOST + 1 && octets < MOST_OCTETS + 2000, "{octets}");
            assert_eq!(*texts.last().unwrap(), format!("and {} more", 100_001 - texts.len()));
            assert!(remarks.is_empty() && remarks.take().is_empty());
        }
    }

    #[test]
    fn tls_says_what_is_known() {
        let mut seen = Tls { version: Some("TLSv1.3".to_owned()), readable: true, ..Tls::default() };
        assert_eq!(tls(&seen), "TLS begins (TLSv1.3); what follows is the plaintext, as poptape saw it");
        seen = Tls::default();
        assert_eq!(tls(&seen), "TLS begins; what follows nobody here can read");
    }
}
