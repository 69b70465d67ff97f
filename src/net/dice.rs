//! Dice: what nobody can guess.

use std::fmt::Write as _;

use rustix::rand::{GetRandomFlags, getrandom};

/// A string for one session's timestamp, challenges and nonces: 128 random bits in hexadecimal, with a dot in
/// the middle.
pub fn nonce() -> String {
    let mut octets = [0; 16];
    // It fails only on a kernel that has no random numbers at all.
    let _ = getrandom(&mut octets[..], GetRandomFlags::empty());
    let mut nonce = String::with_capacity(33);
    for (place, octet) in octets.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(nonce, "{}{octet:02x}", if place == 8 { "." } else { "" });
    }
    nonce
}
