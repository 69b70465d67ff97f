//! Opens the records of one direction under one key (RFC 8446 section 5.2, RFC 5288 section 3, RFC 7905 section 2).

use super::record::{APPLICATION_DATA, HEADER, Record};
use super::suite::{Algorithm, Cipher, Suite};
use crate::capture::keylog::Random;

/// Octets of a tag, in every suite here.
const TAG: usize = 16;

/// Octets of a TLS 1.2 record's own part of the nonce (RFC 5288 section 3).
const EXPLICIT: usize = 8;

/// What a record protected.
#[derive(Debug)]
pub(super) struct Opened {
    /// The content type that was meant.
    pub(super) kind: u8,
    /// The octets.
    pub(super) content: Vec<u8>,
}

/// A key with the number of the next record.
pub(super) struct Opener {
    cipher: Cipher,
    /// 12 octets, or the 4 of a nonce that a record completes.
    iv: Vec<u8>,
    number: u64,
    /// TLS 1.3: where the keys come from, and the next ones.
    traffic: Option<(Suite, Vec<u8>)>,
}

impl Opener {
    /// Of a traffic secret (RFC 8446 section 7.3); None where it is not as long as the suite's are.
    pub(super) fn tls13(suite: Suite, secret: &[u8]) -> Option<Self> {
        if secret.len() != suite.hash.length() {
            return None;
        }
        let key = suite.hash.expand_label(secret, "key", suite.algorithm.key_length() as u8)?;
        let iv = suite.hash.expand_label(secret, "iv", 12)?;
        let cipher = Cipher::new(suite.algorithm, &key)?;
        Some(Self { cipher, iv, number: 0, traffic: Some((suite, secret.to_vec())) })
    }

    /// Client's and server's of a master secret (RFC 5246 section 6.3).
    pub(super) fn tls12(suite: Suite, master: &[u8], client: &Random, server: &Random) -> Option<[Self; 2]> {
        let key = suite.algorithm.key_length();
        let iv = if suite.algorithm == Algorithm::ChaCha20Poly1305 { 12 } else { 12 - EXPLICIT };
        let seed = [server.as_slice(), client].concat();
        let block = suite.hash.prf(master, "key expansion", &seed, 2 * (key + iv))?;
        let (keys, ivs) = block.split_at_checked(2 * key)?;
        let (client, server) = (keys.get(..key)?.to_vec(), keys.get(key..)?.to_vec());
        let opener = |key: &[u8], iv: &[u8]| {
            let cipher = Cipher::new(suite.algorithm, key)?;
            Some(Self { cipher, iv: iv.to_vec(), number: 0, traffic: None })
        };
        Some([opener(&client, ivs.get(..iv)?)?, opener(&server, ivs.get(iv..)?)?])
    }

    /// What the next record protects; None where it is not that record, or damaged.
    pub(super) fn open(&mut self, record: &Record<'_>) -> Option<Opened> {
        self.open_at(self.number, record)
    }

    /// The same for the record of this number; the one after it is the next then.
    pub(super) fn open_at(&mut self, number: u64, record: &Record<'_>) -> Option<Opened> {
        let opened = if self.traffic.is_some() {
            self.open_inner(number, record)
        } else {
            self.open_outer(number, record)
        }?;
        self.number = number.checked_add(1)?;
        Some(opened)
    }

    /// The number of the next record.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// TLS 1.3: the keys after a `KeyUpdate` (RFC 8446 section 7.2). Those of TLS 1.2 have none.
    pub(super) fn update(&mut self) {
        let Some((suite, secret)) = &self.traffic else {
            return;
        };
        let next = suite.hash.expand_label(secret, "traffic upd", suite.hash.length() as u8);
        if let Some(next) = next.and_then(|secret| Self::tls13(*suite, &secret)) {
            *self = next;
        }
    }

    /// TLS 1.3: the header is what is associated; content type and padding are inside.
    fn open_inner(&self, number: u64, record: &Record<'_>) -> Option<Opened> {
        if record.kind != APPLICATION_DATA {
            return None;
        }
        let mut content = self.cipher.open(self.nonce(number)?, record.header(), record.fragment())?;
        let end = content.iter().rposition(|&octet| octet != 0)?;
        let kind = *content.get(end)?;
        content.truncate(end);
        Some(Opened { kind, content })
    }

    /// TLS 1.2: number, content type, version and the length of the plaintext are associated.
    fn open_outer(&self, number: u64, record: &Record<'_>) -> Option<Opened> {
        let (nonce, sealed) = if let Ok(salt) = <[u8; 12 - EXPLICIT]>::try_from(self.iv.as_slice()) {
            let (explicit, sealed) = record.fragment().split_first_chunk::<EXPLICIT>()?;
            let mut nonce = [0; 12];
            nonce.iter_mut().zip(salt.iter().chain(explicit)).for_each(|(to, from)| *to = *from);
            (nonce, sealed)
        } else {
            (self.nonce(number)?, record.fragment())
        };
        let length = u16::try_from(sealed.len().checked_sub(TAG)?).ok()?;
        let mut associated = number.to_be_bytes().to_vec();
        associated.extend_from_slice(record.octets.get(..HEADER - 2)?);
        associated.extend_from_slice(&length.to_be_bytes());
        let content = self.cipher.open(nonce, &associated, sealed)?;
        Some(Opened { kind: record.kind, content })
    }

    /// The number, to the right, over the initialization vector (RFC 8446 section 5.3).
    fn nonce(&self, number: u64) -> Option<[u8; 12]> {
        let mut nonce = <[u8; 12]>::try_from(self.iv.as_slice()).ok()?;
        nonce.iter_mut().rev().zip(number.to_le_bytes()).for_each(|(octet, of)| *octet ^= of);
        Some(nonce)
    }
}
