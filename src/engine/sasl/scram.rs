//! SCRAM-SHA-1 (RFC 5802) and SCRAM-SHA-256 (RFC 7677): both sides prove that they know the password.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use hmac::digest::{Digest, FixedOutput, Update, common::BlockSizeUser};
use hmac::{KeyInit, Mac, SimpleHmac};
use sha1::Sha1;
use sha2::Sha256;

use super::super::Service;
use super::super::accounts::Password;
use super::{Begun, Mechanism, Next};

/// The least that RFC 7677 section 4 allows: a test server need not be slow.
const ITERATIONS: u32 = 4096;

#[derive(Debug)]
struct Scram {
    hash: Hash,
    stage: Stage,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    First,
    Proof {
        user: String,
        /// The GS2 header that `c=` has to repeat.
        header: String,
        /// Client-first-message-bare and server-first-message, each with a comma behind it.
        messages: String,
        /// Both nonces.
        nonce: String,
        salt: Vec<u8>,
    },
    /// The client's empty answer to the server's signature.
    Thanks { user: String },
}

/// The functions of a hash (RFC 5802 section 2.2).
#[derive(Debug, Clone, Copy)]
struct Hash {
    hmac: fn(&[u8], &[u8]) -> Vec<u8>,
    h: fn(&[u8]) -> Vec<u8>,
}

impl Hash {
    const fn of<D>() -> Self
    where
        D: Digest + BlockSizeUser + FixedOutput + Update + Clone,
    {
        Self { hmac: hmac::<D>, h: |octets| D::digest(octets).to_vec() }
    }

    /// `Hi()`, which is PBKDF2 with one block.
    fn hi(self, password: &[u8], salt: &[u8]) -> Vec<u8> {
        let mut u = (self.hmac)(password, &[salt, &1u32.to_be_bytes()].concat());
        let mut result = u.clone();
        for _ in 1..ITERATIONS {
            u = (self.hmac)(password, &u);
            result.iter_mut().zip(&u).for_each(|(all, one)| *all ^= one);
        }
        result
    }

    /// The client's proof and the server's signature.
    fn prove(self, password: &[u8], salt: &[u8], message: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let salted = self.hi(password, salt);
        let client_key = (self.hmac)(&salted, b"Client Key");
        let signature = (self.hmac)(&(self.h)(&client_key), message);
        let proof = client_key.iter().zip(&signature).map(|(key, one)| key ^ one).collect();
        (proof, (self.hmac)(&(self.hmac)(&salted, b"Server Key"), message))
    }
}

fn hmac<D: Digest + BlockSizeUser + FixedOutput + Update + Clone>(key: &[u8], text: &[u8]) -> Vec<u8> {
    let Ok(mac) = SimpleHmac::<D>::new_from_slice(key) else { unreachable!("any length is a key") };
    Mac::finalize(Mac::chain_update(mac, text)).into_bytes().to_vec()
}

pub(super) fn sha1(_: &Service) -> Begun {
    (Box::new(Scram { hash: Hash::of::<Sha1>(), stage: Stage::First }), Vec::new())
}

pub(super) fn sha256(_: &Service) -> Begun {
    (Box::new(Scram { hash: Hash::of::<Sha256>(), stage: Stage::First }), Vec::new())
}

impl Mechanism for Scram {
    fn respond(&mut self, service: &Service, response: &[u8]) -> Next {
        let Ok(text) = std::str::from_utf8(response) else { return Next::Failed };
        let next = match std::mem::take(&mut self.stage) {
            Stage::First => self.first(service, text),
            stage @ Stage::Proof { .. } => self.proof(service, stage, text),
            Stage::Thanks { user } => text.is_empty().then_some(Next::Done(user)),
        };
        next.unwrap_or(Next::Failed)
    }
}

impl Scram {
    /// client-first-message (RFC 5802 section 7).
    fn first(&mut self, service: &Service, text: &str) -> Option<Next> {
        // `p=` asks for channel binding, which is not offered here.
        let rest = text.strip_prefix("n,").or_else(|| text.strip_prefix("y,"))?;
        let (authorization_id, bare) = rest.split_once(',')?;
        let header = &text[..text.len() - bare.len()];
        let mut fields = bare.split(',');
        let user = unescaped(fields.next()?.strip_prefix("n=")?)?;
        let client_nonce = fields.next()?.strip_prefix("r=").filter(|nonce| !nonce.is_empty())?;
        if !authorization_id.is_empty() && unescaped(authorization_id.strip_prefix("a=")?)? != user {
            return None;
        }
        let nonce = format!("{client_nonce}{}", service.birth.nonce);
        // Another one in each session is as good as one of the user's: nothing is stored.
        let salt = (self.hash.h)(format!("{}{user}", service.birth.nonce).as_bytes())[..16].to_vec();
        let first = format!("r={nonce},s={},i={ITERATIONS}", BASE64_STANDARD.encode(&salt));
        let messages = format!("{bare},{first},");
        self.stage = Stage::Proof { user, header: header.to_owned(), messages, nonce, salt };
        Some(Next::Challenge(first.into_bytes()))
    }

    /// client-final-message.
    fn proof(&mut self, service: &Service, stage: Stage, text: &str) -> Option<Next> {
        let Stage::Proof { user, header, messages, nonce, salt } = stage else { return None };
        let (without_proof, proof) = text.rsplit_once(",p=")?;
        let mut fields = without_proof.split(',');
        let binding = BASE64_STANDARD.decode(fields.next()?.strip_prefix("c=")?).ok()?;
        if binding != header.as_bytes() || fields.next()?.strip_prefix("r=")? != nonce {
            return None;
        }
        // A user who is not listed fails here, like one with a wrong password.
        let Some(Password::Is(password)) = service.server.accounts.password(&user) else { return None };
        let password = prepared(password.reveal());
        let (wanted, signature) =
            self.hash.prove(&password, &salt, format!("{messages}{without_proof}").as_bytes());
        if BASE64_STANDARD.decode(proof).ok()? != wanted {
            return None;
        }
        self.stage = Stage::Thanks { user };
        Some(Next::Challenge(format!("v={}", BASE64_STANDARD.encode(signature)).into_bytes()))
    }
}

/// The password as SCRAM digests it (RFC 4013). What cannot be prepared is taken as it is.
fn prepared(password: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(password).ok();
    let prepared = text.and_then(|text| stringprep::saslprep(text).ok());
    prepared.map_or_else(|| password.to_vec(), |text| text.into_owned().into_bytes())
}

/// A name without its escapes: `=2C` and `=3D` stand for comma and equals sign (RFC 5802 section 5.1).
pub(super) fn unescaped(name: &str) -> Option<String> {
    let mut parts = name.split('=');
    let mut out = parts.next()?.to_owned();
    for part in parts {
        let (escape, rest) = part.split_at_checked(2)?;
        out.push(match escape {
            "2C" => ',',
            "3D" => '=',
            _ => return None,
        });
        out.push_str(rest);
    }
    (!out.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(hash: Hash, salt: &str, message: &str, proof: &str, signature: &str) {
        let salt = BASE64_STANDARD.decode(salt).unwrap();
        let (wanted, server) = hash.prove(b"pencil", &salt, message.as_bytes());
        assert_eq!(
            (BASE64_STANDARD.encode(wanted), BASE64_STANDARD.encode(server)),
            (proof.into(), signature.into())
        );
    }

    /// P3-120: the examples of RFC 5802 section 5 and RFC 7677 section 3.
    #[test]
    fn the_proofs_of_the_rfcs() {
        check(
            Hash::of::<Sha1>(),
            "QSXCR+Q6sek8bf92",
            "n=user,r=fyko+d2lbbFgONRv9qkxdawL,\
             r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096,\
             c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
            "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        );
        check(
            Hash::of::<Sha256>(),
            "W22ZaJ0SNY7soEsUEjb6gQ==",
            "n=user,r=rOprNGfwEbeRWgbNEkqO,\
             r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
             c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        );
    }

    #[test]
    fn names_are_unescaped() {
        assert_eq!(unescaped("us=2Cer=3D").as_deref(), Some("us,er="));
        assert_eq!(unescaped("a=2"), None);
        assert_eq!(unescaped("a=41"), None);
        assert_eq!(unescaped(""), None);
    }
}
