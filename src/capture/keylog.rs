//! The key log: secrets of TLS sessions as clients and servers write them for whoever debugs (`SSLKEYLOGFILE`).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

/// The most secrets that are kept; more than anybody's log has, and a bound on what a hostile one costs.
const MOST: usize = 1_000_000;

/// The longest secret that has a use: a TLS 1.2 master secret, or one of SHA-384's length.
const LONGEST: usize = 48;

/// The random octets of a client's hello, by which a log names a session.
pub type Random = [u8; 32];

/// A secret.
type Secret = SmallVec<[u8; LONGEST]>;

/// What a secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label {
    /// `CLIENT_RANDOM`: the master secret (RFC 5246 section 8.1).
    Master,
    /// `CLIENT_HANDSHAKE_TRAFFIC_SECRET` (RFC 8446 section 7.1).
    ClientHandshake,
    /// `SERVER_HANDSHAKE_TRAFFIC_SECRET`.
    ServerHandshake,
    /// `CLIENT_TRAFFIC_SECRET_0`; those after key updates follow from it.
    ClientTraffic,
    /// `SERVER_TRAFFIC_SECRET_0`.
    ServerTraffic,
}

/// The labels by their names in a log; lines with others are skipped.
const LABELS: &[(&str, Label)] = &[
    ("CLIENT_RANDOM", Label::Master),
    ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", Label::ClientHandshake),
    ("SERVER_HANDSHAKE_TRAFFIC_SECRET", Label::ServerHandshake),
    ("CLIENT_TRAFFIC_SECRET_0", Label::ClientTraffic),
    ("SERVER_TRAFFIC_SECRET_0", Label::ServerTraffic),
];

/// Secrets by the random octets of the client's hello. A clone shares them.
#[derive(Clone, Default)]
pub struct KeyLog {
    secrets: Arc<BTreeMap<(Random, Label), Secret>>,
}

impl KeyLog {
    /// Takes the lines of a key log; gives how many of them were secrets of use.
    pub fn add(&mut self, text: &[u8]) -> usize {
        let secrets = Arc::make_mut(&mut self.secrets);
        let mut taken = 0;
        for (session, secret) in text.split(|&octet| octet == b'\n').filter_map(line) {
            if secrets.len() < MOST || secrets.contains_key(&session) {
                secrets.insert(session, secret);
                taken += 1;
            }
        }
        taken
    }

    /// Nothing can be opened with it.
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    /// A secret of a session.
    pub fn get(&self, client_random: &Random, label: Label) -> Option<&[u8]> {
        self.secrets.get(&(*client_random, label)).map(SmallVec::as_slice)
    }
}

impl fmt::Debug for KeyLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyLog({} secrets)", self.secrets.len())
    }
}

/// What a line says: label, random, secret, in hexadecimal.
fn line(line: &[u8]) -> Option<((Random, Label), Secret)> {
    let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    let name = words.next()?;
    let &(_, label) = LABELS.iter().find(|&&(known, _)| known == name)?;
    let random = Random::try_from(hex(words.next()?)?.as_slice()).ok()?;
    let secret = hex(words.next()?)?;
    (words.next().is_none() && !secret.is_empty()).then_some(((random, label), secret))
}

fn hex(digits: &str) -> Option<Secret> {
    let digit = |octet: &u8| char::from(*octet).to_digit(16);
    if digits.len() > 2 * LONGEST {
        return None;
    }
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| <[u8; 2]>::try_from(pair).ok())
        .map(|pair| pair.and_then(|[high, low]| Some((digit(&high)? << 4 | digit(&low)?) as u8)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(octet: u8) -> String {
        format!("{octet:02x}").repeat(32)
    }

    #[test]
    fn lines_of_use_are_taken_and_others_skipped() {
        let mut keys = KeyLog::default();
        let text = format!(
            "# a comment\r\n\r\nCLIENT_RANDOM {} {}\r\nRSA 0011 2233\nSERVER_TRAFFIC_SECRET_0 {} {}\n\
             CLIENT_TRAFFIC_SECRET_1 {} 00\nCLIENT_RANDOM {} 0g\nCLIENT_RANDOM {} 0\nCLIENT_RANDOM 00 00\n\
             CLIENT_RANDOM {} {} more\nCLIENT_RANDOM {}\nEXPORTER_SECRET {} 00\n\u{fffd}",
            of(1),
            "ab".repeat(48),
            of(2).to_uppercase(),
            "CD".repeat(32),
            of(1),
            of(3),
            of(3),
            of(3),
            of(4),
            of(3),
            of(3),
        );
        assert_eq!(keys.add(text.as_bytes()), 2);
        assert_eq!(keys.get(&[1; 32], Label::Master), Some(&[0xab; 48][..]));
        assert_eq!(keys.get(&[2; 32], Label::ServerTraffic), Some(&[0xcd; 32][..]));
        assert_eq!(keys.get(&[3; 32], Label::Master), None);
        assert_eq!(keys.get(&[2; 32], Label::ClientTraffic), None);
    }

    #[test]
    fn what_is_longer_than_any_secret_is_none() {
        let mut keys = KeyLog::default();
        assert_eq!(keys.add(format!("CLIENT_RANDOM {} {}", of(1), "00".repeat(49)).as_bytes()), 0);
        assert!(keys.is_empty());
    }

    #[test]
    fn a_clone_shares_and_what_is_shown_keeps_secrets() {
        let mut keys = KeyLog::default();
        keys.add(format!("CLIENT_RANDOM {} {}", of(0xaa), of(0xbb)).as_bytes());
        let clone = keys.clone();
        assert!(Arc::ptr_eq(&keys.secrets, &clone.secrets));
        assert_eq!(format!("{keys:?}"), "KeyLog(1 secrets)");
    }
}
