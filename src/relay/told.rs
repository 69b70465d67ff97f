//! What is told of a handshake. What is said in clear between STLS and it was put there by somebody who wants it to be
//! taken as if it had come under TLS (RFC 2595 section 4; CVE-2011-0411 and its kin): nobody gets it.

use crate::pop3::excerpt;
use crate::pop3::lines::split_ending;
use crate::recording::{Note, Observer};
use crate::wire::{Handshake, Micros, Side, TlsFailure};

/// Notes what came of a handshake; gives what is wrong with the certificate, to be told if the client goes on.
pub(super) fn tell(observer: &mut Observer, at: Micros, handshake: Handshake) -> Option<&'static str> {
    observer.tls(handshake.tls);
    if let Some(remark) = handshake.remark {
        observer.note(at, "tls", remark);
    }
    handshake.flaw
}

/// Notes that the client goes on with a certificate with this flaw.
pub(super) fn tell_taken(observer: &mut Observer, at: Micros, flaw: &str) {
    observer.note(at, Note::FLAW_TAKEN, format!("the client took a certificate that {flaw} (--tls-fail)"));
}

/// Notes that the client left behind its handshake, with what is wrong on purpose with the certificate. Some look at a
/// certificate only then, and send no alert.
pub(super) fn tell_mute(observer: &mut Observer, at: Micros, flaw: Option<&str>) {
    let why = match flaw {
        Some(flaw) => format!("as it should: --tls-fail showed it a certificate that {flaw}"),
        None => {
            "some do so where they do not trust a certificate: run `poptape ca` for how to make them trust poptape"
                .to_owned()
        }
    };
    let text = format!("the client closed the connection behind its handshake, without a word: {why}");
    observer.note(at, "tls", text);
}

/// Notes why TLS with a side came to an end.
pub(super) fn tell_broken(observer: &mut Observer, at: Micros, side: Side, why: &TlsFailure) {
    let alert = why.alert.as_ref().map(|alert| format!(" (alert {})", alert.name)).unwrap_or_default();
    let hint = why.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
    observer.note(
        at,
        "tls-broken",
        format!("TLS with the {} broke: {}{alert}{hint}", side.name(), why.reason),
    );
}

/// Notes octets in clear of a side, if there are any.
pub(super) fn tell_clear(observer: &mut Observer, at: Micros, side: Side, octets: &[u8]) {
    if octets.is_empty() {
        return;
    }
    let count = if octets.len() == 1 { "1 octet".to_owned() } else { format!("{} octets", octets.len()) };
    let said =
        if split_ending(octets).0.is_empty() { "an empty line".to_owned() } else { excerpt(side, octets) };
    let text = format!(
        "the {} sent {count} in clear between STLS and its handshake, which were thrown away: {said}",
        side.name()
    );
    observer.note(at, "octets-in-clear", text);
}
