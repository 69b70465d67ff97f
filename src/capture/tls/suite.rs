//! The cipher suites that can be opened: which cipher, which hash; and the work of both.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use chacha20poly1305::ChaCha20Poly1305;
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::{Sha256, Sha384};
use tls_parser::{TlsCipherEnc, TlsCipherEncMode, TlsCipherKx, TlsCipherSuite, TlsPRF};

use super::hello::{TLS12, TLS13};

/// A cipher with associated data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Aes128Gcm,
    Aes256Gcm,
    ChaCha20Poly1305,
}

/// The hash that secrets are derived with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha384,
}

/// A suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Suite {
    pub(super) algorithm: Algorithm,
    pub(super) hash: Hash,
}

impl Suite {
    /// By its IANA number, in a version; None where it cannot be opened.
    pub(super) fn find(version: u16, number: u16) -> Option<Self> {
        let suite = TlsCipherSuite::from_id(number)?;
        if version != if suite.kx == TlsCipherKx::Tls13 { TLS13 } else { TLS12 } {
            return None;
        }
        let algorithm = match (suite.enc, suite.enc_mode, suite.enc_size) {
            (TlsCipherEnc::Aes, TlsCipherEncMode::Gcm, 128) => Algorithm::Aes128Gcm,
            (TlsCipherEnc::Aes, TlsCipherEncMode::Gcm, 256) => Algorithm::Aes256Gcm,
            (TlsCipherEnc::Chacha20_Poly1305, ..) => Algorithm::ChaCha20Poly1305,
            _ => return None,
        };
        let hash = if suite.prf == TlsPRF::Sha384 { Hash::Sha384 } else { Hash::Sha256 };
        Some(Self { algorithm, hash })
    }
}

impl Algorithm {
    /// Octets of a key.
    pub(super) const fn key_length(self) -> usize {
        match self {
            Self::Aes128Gcm => 16,
            Self::Aes256Gcm | Self::ChaCha20Poly1305 => 32,
        }
    }
}

impl Hash {
    /// Octets of a digest, which is how long a secret is.
    pub(super) const fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }

    /// HKDF-Expand-Label without context (RFC 8446 section 7.1).
    pub(super) fn expand_label(self, secret: &[u8], label: &str, length: u8) -> Option<Vec<u8>> {
        let mut info = vec![0, length, u8::try_from("tls13 ".len() + label.len()).ok()?];
        info.extend_from_slice(b"tls13 ");
        info.extend_from_slice(label.as_bytes());
        info.push(0);
        let mut output = vec![0; usize::from(length)];
        match self {
            Self::Sha256 => Hkdf::<Sha256>::from_prk(secret).ok()?.expand(&info, &mut output).ok()?,
            Self::Sha384 => Hkdf::<Sha384>::from_prk(secret).ok()?.expand(&info, &mut output).ok()?,
        }
        Some(output)
    }

    /// The pseudorandom function of TLS 1.2 (RFC 5246 section 5).
    pub(super) fn prf(self, secret: &[u8], label: &str, seed: &[u8], length: usize) -> Option<Vec<u8>> {
        let seed = [label.as_bytes(), seed].concat();
        let hmac = |parts: &[&[u8]]| match self {
            Self::Sha256 => mac::<Hmac<Sha256>>(secret, parts),
            Self::Sha384 => mac::<Hmac<Sha384>>(secret, parts),
        };
        let mut output = Vec::with_capacity(length + self.length());
        let mut turn = hmac(&[&seed])?;
        while output.len() < length {
            output.extend(hmac(&[&turn, &seed])?);
            turn = hmac(&[&turn])?;
        }
        output.truncate(length);
        Some(output)
    }
}

fn mac<M: Mac + KeyInit>(secret: &[u8], parts: &[&[u8]]) -> Option<Vec<u8>> {
    let mut mac = <M as KeyInit>::new_from_slice(secret).ok()?;
    for part in parts {
        mac.update(part);
    }
    Some(mac.finalize().into_bytes().to_vec())
}

/// A cipher with its key.
pub(super) enum Cipher {
    Aes128Gcm(Box<Aes128Gcm>),
    Aes256Gcm(Box<Aes256Gcm>),
    ChaCha20Poly1305(Box<ChaCha20Poly1305>),
}

impl Cipher {
    /// None where the key has another length.
    pub(super) fn new(algorithm: Algorithm, key: &[u8]) -> Option<Self> {
        Some(match algorithm {
            Algorithm::Aes128Gcm => Self::Aes128Gcm(Box::new(KeyInit::new_from_slice(key).ok()?)),
            Algorithm::Aes256Gcm => Self::Aes256Gcm(Box::new(KeyInit::new_from_slice(key).ok()?)),
            Algorithm::ChaCha20Poly1305 => {
                Self::ChaCha20Poly1305(Box::new(KeyInit::new_from_slice(key).ok()?))
            }
        })
    }

    /// What the octets (its tag last) protect; None where they are not what was sealed.
    pub(super) fn open(&self, nonce: [u8; 12], associated: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let payload = Payload { msg: sealed, aad: associated };
        match self {
            Self::Aes128Gcm(cipher) => cipher.decrypt(&nonce.into(), payload),
            Self::Aes256Gcm(cipher) => cipher.decrypt(&nonce.into(), payload),
            Self::ChaCha20Poly1305(cipher) => cipher.decrypt(&nonce.into(), payload),
        }
        .ok()
    }
}
