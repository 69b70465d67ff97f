//! What is said in clear between STLS and the handshake: whoever put it there wants it to be taken as if it had come under
//! TLS (RFC 2595 section 4; CVE-2011-0411 and its kin).

use crate::pop3::excerpt;
use crate::pop3::lines::split_ending;
use crate::recording::Observer;
use crate::wire::{Micros, Side};

/// Notes such octets of a side, which nobody gets, if there are any.
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
