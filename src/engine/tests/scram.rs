//! SCRAM (protocol rules P3-111, P3-120) with a client of its own, made from RFC 5802 section 3.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use hmac::digest::{Digest, FixedOutput, Update, common::BlockSizeUser};
use hmac::{KeyInit, Mac, SimpleHmac};

use super::sasl::{BAD, LOGGED_IN, answer, challenge};
use super::{Session, World, quiet};

/// What a hash is good for.
#[derive(Clone, Copy)]
struct Hash {
    name: &'static str,
    hmac: fn(&[u8], &[u8]) -> Vec<u8>,
    h: fn(&[u8]) -> Vec<u8>,
}

fn hmac<D: Digest + BlockSizeUser + FixedOutput + Update + Clone>(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mac = SimpleHmac::<D>::new_from_slice(key).unwrap();
    Mac::chain_update(mac, text).finalize().into_bytes().to_vec()
}

const HASHES: [Hash; 2] = [
    Hash {
        name: "SCRAM-SHA-1",
        hmac: hmac::<sha1::Sha1>,
        h: |octets| <sha1::Sha1 as Digest>::digest(octets).to_vec(),
    },
    Hash {
        name: "SCRAM-SHA-256",
        hmac: hmac::<sha2::Sha256>,
        h: |octets| <sha2::Sha256 as Digest>::digest(octets).to_vec(),
    },
];

fn xor(one: &[u8], other: &[u8]) -> Vec<u8> {
    one.iter().zip(other).map(|(one, other)| one ^ other).collect()
}

/// The client, and what it may do wrong.
#[derive(Clone)]
struct Client {
    /// The GS2 header of the first message.
    header: &'static str,
    /// What `c=` says of it.
    binding: &'static str,
    /// As it stands in the first message.
    user: &'static str,
    password: &'static str,
    /// What the final message's nonce has in the place of the server's.
    nonce: Option<&'static str>,
    /// What stands between nonce and proof.
    extension: &'static str,
    /// The proof is made wrong.
    spoilt: bool,
}

const RIGHT: Client = Client {
    header: "n,,",
    binding: "n,,",
    user: "kcope",
    password: "secret",
    nonce: None,
    extension: "",
    spoilt: false,
};

/// The client's nonce: a comma alone has no place in it.
const NONCE: &str = "fyko+d2lbbFgONRv9qkxdawL=!~";

impl Client {
    /// Sends the final message; gives the server's answer and the signature that it should hold.
    fn prove(&self, hash: Hash, session: &mut Session, first: &str) -> (String, Vec<u8>) {
        let fields: Vec<_> = first.split(',').collect();
        let [nonce, salt, iterations] = fields[..] else { panic!("{first}") };
        let nonce = nonce.strip_prefix("r=").unwrap();
        assert!(nonce.len() > NONCE.len() && nonce.starts_with(NONCE), "{nonce}");
        let salt = BASE64_STANDARD.decode(salt.strip_prefix("s=").unwrap()).unwrap();
        let iterations: u32 = iterations.strip_prefix("i=").unwrap().parse().unwrap();
        assert!(iterations >= 4096 && salt.len() >= 8);
        let mut u = (hash.hmac)(self.password.as_bytes(), &[&salt[..], &[0, 0, 0, 1]].concat());
        let mut salted = u.clone();
        for _ in 1..iterations {
            u = (hash.hmac)(self.password.as_bytes(), &u);
            salted = xor(&salted, &u);
        }
        let binding = BASE64_STANDARD.encode(self.binding);
        let nonce = self.nonce.map_or(nonce.to_owned(), |other| format!("{NONCE}{other}"));
        let bare = format!("c={binding},r={nonce}{}", self.extension);
        let message = format!("n={},r={NONCE},{first},{bare}", self.user);
        let client_key = (hash.hmac)(&salted, b"Client Key");
        let signature = (hash.hmac)(&(hash.h)(&client_key), message.as_bytes());
        let mut proof = xor(&client_key, &signature);
        proof[0] ^= u8::from(self.spoilt);
        let reply = answer(session, format!("{bare},p={}", BASE64_STANDARD.encode(proof)));
        (reply, (hash.hmac)(&(hash.hmac)(&salted, b"Server Key"), message.as_bytes()))
    }

    /// Logs in, in one line less where the first message comes with AUTH; gives the last reply.
    fn log_in(&self, hash: Hash, at_once: bool) -> String {
        let world = World::with(&["a"], quiet());
        let world = world.of([("kcope", "secret"), ("a,b=c", "p\u{e9}ncil")].into_iter().collect());
        let mut session = world.connect();
        let first = format!("{}n={},r={NONCE}", self.header, self.user);
        let reply = if at_once {
            let initial = BASE64_STANDARD.encode(first);
            session.ask(format!("AUTH {} {initial}\r\n", hash.name).as_bytes())
        } else {
            assert_eq!(session.ask(format!("AUTH {}\r\n", hash.name).as_bytes()), "+ \r\n");
            answer(&mut session, first)
        };
        if !reply.starts_with("+ ") {
            return reply;
        }
        let first = String::from_utf8(challenge(&reply)).unwrap();
        let (reply, signature) = self.prove(hash, &mut session, &first);
        if !reply.starts_with("+ ") {
            return reply;
        }
        let last = String::from_utf8(challenge(&reply)).unwrap();
        assert_eq!(last, format!("v={}", BASE64_STANDARD.encode(signature)));
        session.ask(b"\r\n")
    }

    fn outcomes(&self) -> Vec<String> {
        let ways = HASHES.iter().flat_map(|&hash| [self.log_in(hash, false), self.log_in(hash, true)]);
        ways.map(|reply| reply.trim_end().to_owned()).collect()
    }
}

/// P3-111, P3-120: who knows the password is let in, after a challenge with the server's signature and an empty
/// line; `+OK` itself carries nothing.
#[test]
fn p3_120_scram() {
    assert_eq!(RIGHT.outcomes(), [LOGGED_IN; 4]);
    let willing = Client { header: "y,,", binding: "y,,", ..RIGHT };
    assert_eq!(willing.outcomes(), [LOGGED_IN; 4]);
    let named = Client { header: "n,a=kcope,", binding: "n,a=kcope,", ..RIGHT };
    assert_eq!(named.outcomes(), [LOGGED_IN; 4]);
    // Extensions that are not mandatory are skipped, and signed.
    let extended = Client { extension: ",x=y", ..RIGHT };
    assert_eq!(extended.outcomes(), [LOGGED_IN; 4]);
    // A name with its escapes, a password in its prepared form.
    let odd = Client { user: "a=2Cb=3Dc", password: "p\u{e9}ncil", ..RIGHT };
    assert_eq!(odd.outcomes(), ["+OK a,b=c's maildrop has 1 message (3 octets)"; 4]);
}

/// P3-120: what is wrong is refused, and who is unknown no sooner than who has a wrong password.
#[test]
fn p3_120_scram_refuses() {
    for wrong in [
        Client { password: "Secret", ..RIGHT },
        Client { user: "nobody", ..RIGHT },
        Client { spoilt: true, ..RIGHT },
        Client { nonce: Some(""), ..RIGHT },
        Client { nonce: Some("1896.697170953"), ..RIGHT },
        Client { binding: "y,,", ..RIGHT },
        Client { header: "y,,", ..RIGHT },
        Client { binding: "", ..RIGHT },
        // Channel binding is not offered, a mandatory extension not known, nobody acts for somebody else.
        Client { header: "p=tls-unique,,", ..RIGHT },
        Client { header: "n,,m=x,", ..RIGHT },
        Client { header: "n,a=mrose,", ..RIGHT },
        Client { header: "x,,", ..RIGHT },
        Client { header: "", ..RIGHT },
        Client { user: "kc=2cope", ..RIGHT },
        Client { user: "", ..RIGHT },
    ] {
        assert_eq!(wrong.outcomes(), [BAD; 4]);
    }
    // Nobody learns from the first answer which names exist.
    for user in ["kcope", "nobody"] {
        let mut session = World::with(&["a"], quiet()).connect();
        let first = BASE64_STANDARD.encode(format!("n,,n={user},r={NONCE}"));
        challenge(&session.ask(format!("AUTH SCRAM-SHA-256 {first}\r\n").as_bytes()));
    }
}

/// P3-111, P3-120: the server's signature wants an empty answer and no other.
#[test]
fn p3_111_the_last_challenge_is_answered_by_an_empty_line() {
    for (line, reply) in [("", LOGGED_IN), ("AA==", BAD), ("*", "-ERR authentication cancelled")] {
        let mut session = World::with(&["a"], quiet()).connect();
        challenge(&session.ask(b"AUTH SCRAM-SHA-1\r\n"));
        let first = challenge(&answer(&mut session, format!("n,,n=kcope,r={NONCE}")));
        let (last, _) = RIGHT.prove(HASHES[0], &mut session, &String::from_utf8(first).unwrap());
        challenge(&last);
        assert_eq!(session.ask(format!("{line}\r\n").as_bytes()), format!("{reply}\r\n"));
    }
}
