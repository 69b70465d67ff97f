//! What only poptape knows, as remarks on packets. What comes from the network is made harmless in them, and short.

use crate::pop3::printable::is_printable;
use crate::recording::Note;
use crate::wire::{Certificate, Side, Tls, TlsFailure, Trust};

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

/// What is known of a handshake, and of who the peer says it is.
pub(super) fn tls(tls: &Tls) -> Vec<String> {
    let whose = if tls.leg == Side::Server { " with the server" } else { "" };
    let mut remarks = vec![match &tls.failure {
        Some(failure) => failed(tls.leg, failure),
        None => format!("TLS{whose} begins{}{}", facts(tls), after(tls)),
    }];
    match &tls.trust {
        Some(Trust::Verified) => {
            remarks.push(format!("the certificate of the {} is verified", tls.leg.name()));
        }
        Some(Trust::Overruled(why)) => {
            remarks.push(format!(
                "the certificate of the {} is NOT VERIFIED: {}",
                tls.leg.name(),
                harmless(why)
            ));
        }
        None => {}
    }
    remarks.extend(tls.chain.iter().take(Tls::MAX_CHAIN).map(certificate));
    remarks
}

fn facts(tls: &Tls) -> String {
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
    if facts.is_empty() { String::new() } else { format!(" ({})", facts.join(", ")) }
}

/// What comes after it: nothing of the server's leg is in the file.
fn after(tls: &Tls) -> &'static str {
    match (tls.leg, tls.readable) {
        (Side::Server, _) => "",
        (Side::Client, true) => "; what follows is the plaintext, as poptape saw it",
        (Side::Client, false) => "; what follows nobody here can read",
    }
}

fn failed(leg: Side, failure: &TlsFailure) -> String {
    let alert = failure.alert.as_ref().map(|alert| {
        let way = if alert.sent { "sent" } else { "received" };
        format!(" (alert {} {way})", harmless(&alert.name))
    });
    let hint = failure.hint.as_ref().map(|hint| format!("; {}", harmless(hint)));
    let (alert, hint) = (alert.unwrap_or_default(), hint.unwrap_or_default());
    format!("TLS with the {} failed: {}{alert}{hint}", leg.name(), harmless(&failure.reason))
}

fn certificate(certificate: &Certificate) -> String {
    let Certificate { subject, issuer, names, not_before, not_after, sha256 } = certificate;
    format!(
        "certificate {} by {} for {}, from {} until {}, SHA-256 {}",
        harmless(subject),
        harmless(issuer),
        harmless(&names.join(" ")),
        harmless(not_before),
        harmless(not_after),
        harmless(sha256)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Alert;

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
        assert_eq!(tls(&seen), ["TLS begins (TLSv1.3); what follows is the plaintext, as poptape saw it"]);
        seen = Tls::default();
        assert_eq!(tls(&seen), ["TLS begins; what follows nobody here can read"]);
    }

    #[test]
    fn the_servers_leg_has_certificates() {
        let certificate = Certificate {
            subject: "CN=pop.example.org".to_owned(),
            issuer: "CN=\u{1b}".to_owned(),
            names: vec!["pop.example.org".to_owned(), "127.0.0.1".to_owned()],
            not_before: "2026-01-01T00:00:00Z".to_owned(),
            not_after: "2027-01-01T00:00:00Z".to_owned(),
            sha256: "ab".to_owned(),
        };
        let seen = Tls {
            version: Some("TLSv1.2".to_owned()),
            chain: vec![certificate; 20],
            trust: Some(Trust::Overruled("it is self-signed".to_owned())),
            readable: true,
            ..Tls::of(Side::Server)
        };
        let remarks = tls(&seen);
        assert_eq!(remarks.len(), 2 + Tls::MAX_CHAIN);
        let expected = [
            "TLS with the server begins (TLSv1.2)",
            "the certificate of the server is NOT VERIFIED: it is self-signed",
            "certificate CN=pop.example.org by CN=\\u{1b} for pop.example.org 127.0.0.1, \
             from 2026-01-01T00:00:00Z until 2027-01-01T00:00:00Z, SHA-256 ab",
        ];
        assert_eq!(remarks[..3], expected);
    }

    #[test]
    fn a_failure_says_why_and_what_to_do() {
        let alert = Some(Alert { name: "unknown_ca".to_owned(), sent: false });
        let failure = TlsFailure { reason: "no trust".to_owned(), alert, hint: Some("try -k".to_owned()) };
        assert_eq!(
            tls(&Tls { failure: Some(failure), ..Tls::default() }),
            ["TLS with the client failed: no trust (alert unknown_ca received); try -k"]
        );
    }
}
