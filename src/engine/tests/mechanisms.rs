//! Logging in for real with each SASL mechanism but SCRAM (protocol rules P3-111, P3-115, P3-118 to P3-122).

use hmac::{KeyInit, Mac, SimpleHmac};
use md5::Md5;

use super::sasl::{BAD, LOGGED_IN, PLAIN, answer, challenge};
use super::{LOGIN, Policy, Setting, World, check_policy, quiet, with_stls};
use crate::engine::hex;
use base64::prelude::{BASE64_STANDARD, Engine as _};

/// One exchange: each payload answers a challenge; gives the last reply.
fn exchange(policy: impl Into<Setting>, name: &str, payloads: &[&str]) -> String {
    let mut session = World::with(&["a"], policy).connect();
    let mut reply = session.ask(format!("AUTH {name}\r\n").as_bytes());
    for payload in payloads {
        challenge(&reply);
        reply = answer(&mut session, payload);
    }
    reply.trim_end().to_owned()
}

/// P3-111, P3-118: PLAIN, with and without an initial response; nobody acts for somebody else.
#[test]
fn p3_118_plain() {
    check_policy(quiet(), &format!("C: AUTH PLAIN {PLAIN}\nS: {LOGGED_IN}"));
    check_policy(quiet(), &format!("C: AUTH PLAIN\nS: + ...\nC: {PLAIN}\nS: {LOGGED_IN}"));
    for right in ["\0kcope\0secret", "kcope\0kcope\0secret"] {
        assert_eq!(exchange(quiet(), "PLAIN", &[right]), LOGGED_IN, "{right:?}");
    }
    for wrong in [
        "",
        "\0kcope\0Secret",
        "\0kcope\0",
        "\0\0secret",
        "mrose\0kcope\0secret",
        "\0kcope\0secret\0",
        "\0\0kcope\0secret",
        "kcope\0secret",
        "kcope secret",
        "\0nobody\0secret",
    ] {
        assert_eq!(exchange(quiet(), "PLAIN", &[wrong]), BAD, "{wrong:?}");
    }
    check_policy(quiet(), &format!("C: AUTH PLAIN AP8A/w==\nS: {BAD}\n{LOGIN}"));
}

/// P3-122: LOGIN's two prompts.
#[test]
fn p3_122_login() {
    let prompts = "S: + VXNlcm5hbWU6\nC: a2NvcGU=\nS: + UGFzc3dvcmQ6\n";
    check_policy(quiet(), &format!("C: AUTH LOGIN\n{prompts}C: c2VjcmV0\nS: {LOGGED_IN}"));
    check_policy(quiet(), &format!("C: AUTH LOGIN\n{prompts}C: U2VjcmV0\nS: {BAD}\n{LOGIN}"));
    let late = "S: + UGFzc3dvcmQ6\nC: c2VjcmV0\n";
    check_policy(quiet(), &format!("C: AUTH LOGIN a2NvcGU=\n{late}S: {LOGGED_IN}"));
    check_policy(quiet(), &format!("C: AUTH LOGIN bm9ib2R5\n{late}S: {BAD}\n{LOGIN}"));
}

/// P3-119: CRAM-MD5's challenge has the form of a message-id and is another one in each session; the answer is a
/// name and a keyed digest in lower case.
#[test]
fn p3_119_cram_md5() {
    let keyed = |challenge: &[u8]| {
        let mac = SimpleHmac::<Md5>::new_from_slice(b"secret").unwrap().chain_update(challenge);
        hex(&mac.finalize().into_bytes())
    };
    let try_with = |nonce: &'static str, make: &dyn Fn(&str) -> String| {
        let world = World { nonce, ..World::with(&["a"], quiet()) };
        let mut session = world.connect();
        let sent = challenge(&session.ask(b"AUTH CRAM-MD5\r\n"));
        assert_eq!(String::from_utf8_lossy(&sent), format!("<{nonce}@dewey>"));
        answer(&mut session, make(&keyed(&sent))).trim_end().to_owned()
    };
    let right = |digest: &str| format!("kcope {digest}");
    assert_eq!(try_with("1.2", &right), LOGGED_IN);
    assert_eq!(try_with("3.4", &right), LOGGED_IN);
    let wrong: [&dyn Fn(&str) -> String; 6] = [
        &|digest| format!("kcope {}", digest.to_uppercase()),
        &|digest| format!("mrose {digest}"),
        &|digest| format!("kcope  {digest}"),
        &|digest| format!("kcope{digest}"),
        &|digest| format!("kcope {}", &digest[1..]),
        &|_| String::new(),
    ];
    for make in wrong {
        assert_eq!(try_with("1.2", make), BAD);
    }
    // A digest of another session's challenge is worth nothing.
    let stale = format!("kcope {}", keyed(b"<1.2@dewey>"));
    assert_eq!(try_with("1.2", &|_| stale.clone()), LOGGED_IN);
    assert_eq!(try_with("3.4", &|_| stale.clone()), BAD);
}

/// P3-122: XOAUTH2; a refusal is a challenge that says why, and whatever answers it, `-ERR` follows.
#[test]
fn p3_122_xoauth2() {
    let payload = |user: &str, token: &str| format!("user={user}\x01auth=Bearer {token}\x01\x01");
    let right = payload("kcope", "secret");
    assert_eq!(exchange(quiet(), "XOAUTH2", &[&right]), LOGGED_IN);
    let at_once = BASE64_STANDARD.encode(&right);
    check_policy(quiet(), &format!("C: AUTH XOAUTH2 {at_once}\nS: {LOGGED_IN}"));
    for wrong in [
        &payload("kcope", "stale"),
        &payload("nobody", "secret"),
        &right[..right.len() - 1],
        &right.replace("user=", "name="),
        &right.replace("Bearer ", "Basic "),
        "",
    ] {
        let mut session = World::with(&["a"], quiet()).connect();
        challenge(&session.ask(b"AUTH XOAUTH2\r\n"));
        let why: serde_json::Value =
            serde_json::from_slice(&challenge(&answer(&mut session, wrong))).unwrap();
        assert_eq!(why["status"], "401", "{wrong:?}");
        assert_eq!(session.ask(b"\r\n"), format!("{BAD}\r\n"));
        assert!(session.ask(b"USER kcope\r\nPASS secret\r\n").contains("maildrop has"));
    }
}

/// P3-121: OAUTHBEARER's fields; a refusal is a challenge, the client answers it, and `-ERR` follows.
#[test]
fn p3_121_oauthbearer() {
    let right = "n,a=kcope,\x01host=dewey\x01port=110\x01auth=Bearer secret\x01\x01";
    assert_eq!(exchange(quiet(), "OAUTHBEARER", &[right]), LOGGED_IN);
    check_policy(quiet(), &format!("C: AUTH OAUTHBEARER {}\nS: {LOGGED_IN}", BASE64_STANDARD.encode(right)));
    for wrong in [
        "n,a=kcope,\x01auth=Bearer stale\x01\x01",
        "n,a=nobody,\x01auth=Bearer secret\x01\x01",
        "n,,\x01auth=Bearer secret\x01\x01",
        "p=tls-unique,a=kcope,\x01auth=Bearer secret\x01\x01",
        "n,a=kcope,\x01auth=Bearer secret\x01",
        "n,a=kcope,\x01host=dewey\x01\x01",
        "a=kcope,\x01auth=Bearer secret\x01\x01",
    ] {
        let mut session = World::with(&["a"], quiet()).connect();
        challenge(&session.ask(b"AUTH OAUTHBEARER\r\n"));
        let why: serde_json::Value =
            serde_json::from_slice(&challenge(&answer(&mut session, wrong))).unwrap();
        assert_eq!(why["status"], "invalid_token", "{wrong:?}");
        assert_eq!(session.ask(b"AQ==\r\n"), format!("{BAD}\r\n"));
    }
    // RFC 7628 wants TLS: where it can be had, the token waits for it.
    let stls = with_stls(quiet());
    assert_eq!(exchange(stls.clone(), "OAUTHBEARER", &[]), "-ERR unsupported authentication mechanism");
    let mut session = World::with(&["a"], stls).connect_tls();
    challenge(&session.ask(b"AUTH OAUTHBEARER\r\n"));
    assert_eq!(answer(&mut session, right), format!("{LOGGED_IN}\r\n"));
}

/// P3-122: EXTERNAL lets in whom the connection stands for, and nobody else.
#[test]
fn p3_122_external() {
    let policy = || Policy { external: Some("kcope".into()), ..quiet() };
    for (payload, reply) in [("", LOGGED_IN), ("kcope", LOGGED_IN), ("mrose", BAD), ("kcope\0", BAD)] {
        assert_eq!(exchange(policy(), "EXTERNAL", &[payload]), reply, "{payload:?}");
    }
    check_policy(policy(), &format!("C: AUTH EXTERNAL a2NvcGU=\nS: {LOGGED_IN}"));
    check_policy(quiet(), "C: AUTH EXTERNAL =\nS: -ERR unsupported authentication mechanism");
}
