//! AUTH as such (protocol rules P3-101 to P3-116): framing, base64, cancelling, refusing.

use super::{LOGIN, Policy, Session, World, check_policy, quiet};
use crate::engine::sasl::{First, MECHANISMS};
use base64::prelude::{BASE64_STANDARD, Engine as _};

/// kcope's name and password as PLAIN has them.
pub(super) const PLAIN: &str = "AGtjb3BlAHNlY3JldA==";

pub(super) const LOGGED_IN: &str = "+OK kcope's maildrop has 1 message (3 octets)";

pub(super) const BAD: &str = "-ERR [AUTH] invalid user name or password";

/// Every mechanism is there.
fn all() -> Policy {
    Policy { external: Some("kcope".into()), ..quiet() }
}

/// What a challenge says; it has the form of one and nothing else.
pub(super) fn challenge(reply: &str) -> Vec<u8> {
    let payload = reply.strip_prefix("+ ").and_then(|rest| rest.strip_suffix("\r\n"));
    let payload = payload.unwrap_or_else(|| panic!("{reply:?} is no challenge"));
    BASE64_STANDARD.decode(payload).unwrap()
}

/// Answers a challenge.
pub(super) fn answer(session: &mut Session, payload: impl AsRef<[u8]>) -> String {
    session.ask(format!("{}\r\n", BASE64_STANDARD.encode(payload)).as_bytes())
}

/// The session is in AUTHORIZATION, and a password lets in.
fn still_welcome(session: &mut Session) {
    assert!(session.ask(b"STAT\r\n").starts_with("-ERR"));
    let replies = session.ask(b"USER kcope\r\nPASS secret\r\n");
    assert_eq!(replies, format!("+OK\r\n{LOGGED_IN}\r\n"));
}

/// P3-101, P3-108: a challenge is a plus sign, a space and base64; without an initial response it is empty where
/// the client speaks first.
#[test]
fn p3_101_challenges() {
    for row in MECHANISMS {
        let mut session = World::with(&["a"], all()).connect();
        let reply = session.ask(format!("AUTH {}\r\n", row.name).as_bytes());
        assert_eq!(challenge(&reply).is_empty(), row.first == First::Client, "{}", row.name);
        if row.first == First::Client {
            assert_eq!(reply, "+ \r\n", "{}", row.name);
        }
    }
}

/// P3-103: a star ends every exchange, at each of its steps, and it is as if it had not been.
#[test]
fn p3_103_the_client_cancels() {
    let steps: &[(&str, &[&[u8]])] = &[
        ("PLAIN", &[]),
        ("LOGIN", &[]),
        ("LOGIN", &[b"kcope"]),
        ("CRAM-MD5", &[]),
        ("SCRAM-SHA-1", &[]),
        ("SCRAM-SHA-256", &[b"n,,n=kcope,r=abc"]),
        ("XOAUTH2", &[b"user=kcope\x01auth=Bearer x\x01\x01"]),
        ("OAUTHBEARER", &[b"n,a=kcope,\x01auth=Bearer x\x01\x01"]),
        ("EXTERNAL", &[]),
    ];
    for (name, payloads) in steps {
        let mut session = World::with(&["a"], all()).connect();
        challenge(&session.ask(format!("AUTH {name}\r\n").as_bytes()));
        for payload in *payloads {
            challenge(&answer(&mut session, payload));
        }
        assert_eq!(session.ask(b"*\r\n"), "-ERR authentication cancelled\r\n", "{name}");
        still_welcome(&mut session);
    }
}

/// P3-104: base64 is strict, in a response and in an initial one.
#[test]
fn p3_104_base64_is_strict() {
    for bad in [
        "AGtjb3BlAHNlY3JldA",
        "AGtjb3BlAHNlY3JldA=",
        "AGtjb3BlAHNlY3JldA===",
        "AGtjb3BlAHNlY3JldB==",
        "AGtjb3Bl-HNlY3JldA==",
        "AGtj=b3BlAHNlY3JldA=",
        "A",
        "**",
        "+OK",
    ] {
        check_policy(quiet(), &format!("C: AUTH PLAIN {bad}\nS: -ERR response is not base64\n{LOGIN}"));
        check_policy(
            quiet(),
            &format!("C: AUTH PLAIN\nS: + ...\nC: {bad}\nS: -ERR response is not base64\n{LOGIN}"),
        );
    }
    for bad in ["AGtjb3Bl AHNlY3JldA==", " AGtjb3BlAHNlY3JldA==", "AGtjb3BlAHNlY3JldA== ", "="] {
        check_policy(quiet(), &format!("C: AUTH PLAIN\nS: + ...\nC: {bad}\nS: -ERR ...\n{LOGIN}"));
        check_policy(quiet(), &format!("C: AUTH PLAIN x {bad}\nS: -ERR usage: AUTH ...\n{LOGIN}"));
    }
}

/// P3-105: an equals sign is an initial response without octets, which is not the same as none.
#[test]
fn p3_105_an_empty_initial_response() {
    check_policy(all(), &format!("C: AUTH EXTERNAL =\nS: {LOGGED_IN}"));
    check_policy(all(), &format!("C: AUTH PLAIN =\nS: {BAD}\n{LOGIN}"));
}

/// P3-107: a response may be far longer than a command, and one that is too long even so is refused once.
#[test]
fn p3_107_long_responses() {
    let token = "x".repeat(48_000);
    let world = World::with(&["a"], quiet()).of([("kcope", token.as_str())].into_iter().collect());
    let payload = BASE64_STANDARD.encode(format!("user=kcope\x01auth=Bearer {token}\x01\x01"));
    assert!(payload.len() > 64_000);
    let mut session = world.connect();
    challenge(&session.ask(b"AUTH XOAUTH2\r\n"));
    assert_eq!(session.ask(format!("{payload}\r\n").as_bytes()), format!("{LOGGED_IN}\r\n"));
    let refused = session_after(&format!("AUTH XOAUTH2 {payload}\r\n"));
    assert_eq!(refused, "-ERR command line is longer than 255 octets\r\n");
    let refused = session_after(&format!("AUTH PLAIN\r\n{}\r\nNOOP\r\n", "A".repeat(65_536)));
    assert!(refused.starts_with("+ \r\n-ERR ") && refused.matches("-ERR").count() == 2, "{refused}");
}

fn session_after(octets: &str) -> String {
    World::with(&["a"], quiet()).connect().ask(octets.as_bytes())
}

/// P3-109: where the server speaks first there is no initial response.
#[test]
fn p3_109_an_initial_response_out_of_place() {
    for initial in ["AA==", "="] {
        let refused = "S: -ERR the mechanism takes no initial response";
        check_policy(quiet(), &format!("C: AUTH CRAM-MD5 {initial}\n{refused}\n{LOGIN}"));
    }
}

/// P3-110: what is not offered is refused, and so is every AUTH after success.
#[test]
fn p3_110_auth_that_is_not_for_now() {
    for name in ["NTLM", "CRAM-MD6", "PLAI", "PLAINX", "SCRAM-SHA-256-PLUS", "EXTERNAL", "\"PLAIN\""] {
        check_policy(
            quiet(),
            &format!("C: AUTH {name}\nS: -ERR unsupported authentication mechanism\n{LOGIN}"),
        );
    }
    let fewer = Policy { mechanisms: vec!["cram-md5".into()], ..quiet() };
    check_policy(
        &fewer,
        &format!("C: AUTH PLAIN\nS: -ERR ...\nC: AUTH CRAM-MD5\nS: + ...\nC: *\nS: -ERR ...\n{LOGIN}"),
    );
    let again = "S: -ERR AUTH is not a command of the TRANSACTION state";
    for line in ["AUTH PLAIN", &format!("AUTH PLAIN {PLAIN}"), "AUTH CRAM-MD5", "AUTH NTLM", "AUTH"] {
        check_policy(quiet(), &format!("{LOGIN}C: {line}\n{again}\nC: STAT\nS: +OK 1 3"));
        check_policy(quiet(), &format!("C: AUTH PLAIN {PLAIN}\nS: {LOGGED_IN}\nC: {line}\n{again}"));
    }
}

/// P3-112, K-3: a refused AUTH leaves no trace, so PASS may still follow the USER before it, whatever the
/// reason.
#[test]
fn p3_112_a_refused_auth_leaves_no_trace() {
    for (line, reply) in [
        ("AUTH PLAIN AGtjb3BlAHdyb25n", BAD),
        ("AUTH PLAIN x", "-ERR response is not base64"),
        ("AUTH CRAM-MD5 AA==", "-ERR the mechanism takes no initial response"),
        ("AUTH NTLM", "-ERR unsupported authentication mechanism"),
        ("AUTH", "-ERR usage: ..."),
    ] {
        let end = format!("C: PASS secret\nS: {LOGGED_IN}");
        check_policy(quiet(), &format!("C: USER kcope\nS: +OK\nC: {line}\nS: {reply}\n{end}"));
    }
    // The maildrop of the one who is let in is open already, or is not to be had at all.
    let refused = [("mrose".to_owned(), "[SYS/PERM] mailbox is damaged".to_owned())].into();
    let world = World::with(&["a"], Policy { refused, ..quiet() }).of([
        ("kcope", "secret"),
        ("mrose", "tanstaaf"),
        ("jdoe", "x"),
    ]
    .into_iter()
    .collect());
    let mut first = world.connect();
    assert!(first.ask(b"USER jdoe\r\nPASS x\r\n").contains("maildrop has"));
    for (credentials, code) in [("\0jdoe\0x", "[IN-USE]"), ("\0mrose\0tanstaaf", "[SYS/PERM]")] {
        let mut session = world.connect();
        session.ask(b"USER kcope\r\n");
        challenge(&session.ask(b"AUTH PLAIN\r\n"));
        assert!(answer(&mut session, credentials).starts_with(&format!("-ERR {code}")));
        assert_eq!(session.ask(b"PASS secret\r\n"), format!("{LOGGED_IN}\r\n"));
    }
}

/// P3-116: names of mechanisms have at most twenty characters of a small set and no case.
#[test]
fn p3_116_names_of_mechanisms() {
    for row in MECHANISMS {
        let legal = |octet: u8| matches!(octet, b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_');
        assert!((1..=20).contains(&row.name.len()) && row.name.bytes().all(legal), "{}", row.name);
        let mut session = World::with(&["a"], all()).connect();
        challenge(&session.ask(format!("auth {}\r\n", row.name.to_lowercase()).as_bytes()));
    }
}
