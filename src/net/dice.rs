//! Dice: what nobody can guess.

use std::fmt::Write as _;

use rustix::rand::{GetRandomFlags, getrandom};

/// Octets that nobody can guess.
pub fn octets<const N: usize>() -> [u8; N] {
    let mut octets = [0; N];
    // It fails only on a kernel that has no random numbers at all.
    let _ = getrandom(&mut octets[..], GetRandomFlags::empty());
    octets
}

/// A string for one session's timestamp, challenges and nonces: 128 random bits in hexadecimal, with a dot in
/// the middle.
pub fn nonce() -> String {
    let mut nonce = String::with_capacity(33);
    for (place, octet) in octets::<16>().iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(nonce, "{}{octet:02x}", if place == 8 { "." } else { "" });
    }
    nonce
}
