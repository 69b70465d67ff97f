//! Unique-ids: what tells a message from all others, in every session (RFC 1939 section 7, UIDL).

use std::collections::HashMap;
use std::fmt;

/// The longest unique-id (RFC 1939 section 7).
const MAX_LEN: usize = 70;

/// A unique-id: 1 to 70 printable ASCII characters without a space (RFC 1939 section 7).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UniqueId(String);

impl UniqueId {
    /// Takes the id as given; None where RFC 1939 would not call it one.
    pub fn new(id: impl Into<String>) -> Option<Self> {
        let id = id.into();
        let legal = (1..=MAX_LEN).contains(&id.len()) && id.bytes().all(|octet| octet.is_ascii_graphic());
        legal.then_some(Self(id))
    }

    /// As it goes over the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Makes unique-ids from content, so that they are the same whenever the same messages are loaded: the
/// FNV-1a digest of the octets in hexadecimal, and from the second identical copy on which copy it is.
#[derive(Debug, Default)]
pub(super) struct ContentIds {
    copies: HashMap<u64, u64>,
}

impl ContentIds {
    /// The id of the maildrop's next message.
    pub(super) fn next(&mut self, octets: &[u8]) -> UniqueId {
        let digest = fnv1a(octets);
        let copies = self.copies.entry(digest).or_default();
        *copies += 1;
        UniqueId(match copies {
            1 => format!("{digest:016x}"),
            copy => format!("{digest:016x}.{copy}"),
        })
    }
}

/// FNV-1a, 64 bits: offset basis and prime are the ones its authors publish. It need not withstand an
/// attacker, only keep apart the messages of one maildrop, and two that collide count as copies.
fn fnv1a(octets: &[u8]) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    octets.iter().fold(OFFSET_BASIS, |hash, &octet| (hash ^ u64::from(octet)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rfc_1939_calls_a_unique_id() {
        for good in ["1", "whqtswO00WBw418f9t5JxYwZ", "!~", &"x".repeat(70)] {
            assert!(UniqueId::new(good).is_some(), "{good}");
        }
        for bad in ["", "a b", "a\t", "\u{434}", "\u{7f}", &"x".repeat(71)] {
            assert!(UniqueId::new(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_digest_is_the_published_one() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn identical_copies_are_told_apart_the_same_way_each_time() {
        let ids = || {
            let mut ids = ContentIds::default();
            ["a", "b", "a", "a"].map(|text| ids.next(text.as_bytes()).to_string())
        };
        assert_eq!(
            ids(),
            ["af63dc4c8601ec8c", "af63df4c8601f1a5", "af63dc4c8601ec8c.2", "af63dc4c8601ec8c.3"]
        );
        assert_eq!(ids(), ids());
    }
}
