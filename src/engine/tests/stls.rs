//! STLS (protocol rules P3-115 and P3-124 to P3-130): before TLS, after it, and under it from the first octet on.

use super::sasl::PLAIN;
use super::{GREETING, LOGIN, Policy, Session, Way, World, quiet, with_stls};
use crate::pop3::State;
use crate::wire::{Action, Input, Machine, Side};

fn world() -> World {
    World::with(&["a"], with_stls(quiet()))
}

/// A session that has just come under TLS.
fn secured() -> Session {
    let mut session = world().connect();
    session.play(&format!("{GREETING}C: STLS\nS: +OK begin TLS negotiation"), Way::InTurn);
    session
}

/// P3-127: STLS is announced and taken where it can be used, which is once and before login.
#[test]
fn p3_127_stls_is_for_once_and_before_login() {
    let mut session = world().connect();
    assert!(session.ask(b"CAPA\r\n").contains("\r\nSTLS\r\n"));
    assert_eq!(session.ask(b"STLS now\r\n"), "-ERR usage: STLS\r\n");
    assert_eq!(session.ask(b"STLS\r\n"), "+OK begin TLS negotiation\r\n");
    assert_eq!(session.engine.state(), State::Authorization);
    assert!(!session.ask(b"CAPA\r\n").contains("STLS"));
    assert_eq!(session.ask(b"STLS\r\n"), "-ERR STLS is not implemented\r\n");
    assert!(session.ask(b"USER kcope\r\nPASS secret\r\n").contains("maildrop has"));
    assert!(!session.ask(b"CAPA\r\n").contains("STLS"));
    assert!(session.ask(b"STLS\r\n").starts_with("-ERR"));
    // After login in clear.
    let mut session = World::with(&["a"], with_stls(Policy { plaintext: Some(true), ..quiet() })).connect();
    session.ask(b"USER kcope\r\nPASS secret\r\n");
    assert!(!session.ask(b"CAPA\r\n").contains("STLS"));
    assert!(session.ask(b"STLS\r\n").starts_with("-ERR"));
    // Where it is not offered at all.
    let mut session = World::with(&["a"], quiet()).connect();
    assert!(!session.ask(b"CAPA\r\n").contains("STLS"));
    assert_eq!(session.ask(b"STLS\r\n"), "-ERR STLS is not implemented\r\n");
}

/// P3-127: under TLS the session begins anew: what was said before it is forgotten.
#[test]
fn p3_127_tls_begins_anew() {
    let mut session = World::with(&["a"], with_stls(Policy { plaintext: Some(true), ..quiet() })).connect();
    session.play(
        &format!(
            "{GREETING}
            C: USER kcope
            S: +OK
            C: STLS
            S: +OK begin TLS negotiation
            C: PASS secret
            S: -ERR USER comes first
            {LOGIN}
            C: STAT
            S: +OK 1 3
            * gone"
        ),
        Way::InTurn,
    );
}

/// P3-124: octets behind STLS are refused and end the session, however they are cut.
#[test]
fn p3_124_octets_behind_stls() {
    for behind in ["USER kcope\r\n", "CAPA\r\n", "\r\n", "x", "STLS\r\n"] {
        let mut session = world().connect();
        let replies = session.ask(format!("STLS\r\n{behind}").as_bytes());
        assert_eq!(replies, "-ERR octets in clear follow STLS\r\n", "{behind:?}");
        assert!(session.closed);
    }
    // A command before it in the same packet is none behind it.
    let mut session = world().connect();
    assert!(session.ask(b"CAPA\r\nSTLS\r\n").ends_with(".\r\n+OK begin TLS negotiation\r\n"));
    assert!(!session.closed);
}

/// P3-124, P3-125: between `+OK` and TLS the server neither speaks nor listens.
#[test]
fn p3_125_nothing_in_clear_after_stls() {
    let mut engine = world().connect().engine;
    let mut feed = |input| {
        let mut actions = Vec::new();
        engine.handle(0, input, &mut actions);
        actions
    };
    let actions = feed(Input::Received(Side::Client, "STLS\r\n".into()));
    let [Action::Send(Side::Client, reply), Action::StartTls(Side::Client)] = &actions[..] else {
        panic!("{actions:?}")
    };
    assert_eq!(&reply[..], b"+OK begin TLS negotiation\r\n");
    assert_eq!(feed(Input::Received(Side::Client, "USER kcope\r\nNOOP\r\nPA".into())), []);
    assert_eq!(feed(Input::Woke), []);
    let begun = feed(super::secured(Side::Client));
    assert!(!begun.iter().any(|action| matches!(action, Action::Send(..))), "{begun:?}");
    let replies = feed(Input::Received(Side::Client, "QUIT\r\n".into()));
    let [Action::Send(Side::Client, reply), Action::Close] = &replies[..] else { panic!("{replies:?}") };
    assert_eq!(&reply[..], b"+OK dewey POP3 server signing off\r\n");
}

/// P3-115: where TLS can be had, passwords and tokens are neither asked for nor taken before it.
#[test]
fn p3_115_no_password_in_clear() {
    let mut session = world().connect();
    let capa = session.ask(b"CAPA\r\n");
    assert!(!capa.contains("USER\r\nSASL") && !capa.contains("\r\nUSER\r\n"), "{capa}");
    assert!(capa.contains("\r\nSASL SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5\r\n"), "{capa}");
    for line in ["USER kcope", "PASS secret"] {
        let reply = session.ask(format!("{line}\r\n").as_bytes());
        assert_eq!(reply, "-ERR STLS comes first: the password would be readable on the way\r\n");
    }
    for name in ["PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"] {
        for line in [format!("AUTH {name}\r\n"), format!("AUTH {name} {PLAIN}\r\n")] {
            assert_eq!(session.ask(line.as_bytes()), "-ERR unsupported authentication mechanism\r\n");
        }
    }
    // Under TLS all of them are there.
    let mut session = secured();
    assert!(session.ask(b"CAPA\r\n").contains("CRAM-MD5 PLAIN LOGIN OAUTHBEARER XOAUTH2\r\n"));
    assert!(session.ask(format!("AUTH PLAIN {PLAIN}\r\n").as_bytes()).contains("maildrop has"));
    // The policy may have it otherwise, both ways.
    let mut session = World::with(&["a"], with_stls(Policy { plaintext: Some(true), ..quiet() })).connect();
    assert!(session.ask(b"USER kcope\r\nPASS secret\r\n").contains("maildrop has"));
    let mut session = World::with(&["a"], Policy { plaintext: Some(false), ..quiet() }).connect();
    assert!(session.ask(b"USER kcope\r\n").starts_with("-ERR STLS comes first"));
}

/// P3-115: a digest may be sent in clear, for it is no password.
#[test]
fn p3_115_digests_may_go_in_clear() {
    let world = World::with(&["a"], with_stls(Policy::default()));
    let digest = crate::engine::apop_digest("<1896.697170952@dewey>", b"secret");
    let reply = world.connect().ask(format!("APOP kcope {digest}\r\n").as_bytes());
    assert_eq!(reply, "+OK kcope's maildrop has 1 message (3 octets)\r\n");
}

/// P3-130: TLS from the first octet on is no login, and STLS has no place there.
#[test]
fn p3_130_implicit_tls() {
    let mut session = world().connect_tls();
    session.play(
        &format!("{GREETING}C: STAT\nS: -ERR ...\nC: STLS\nS: -ERR ...\n{LOGIN}C: STAT\nS: +OK 1 3\n* gone"),
        Way::InTurn,
    );
    assert!(!world().connect_tls().ask(b"CAPA\r\n").contains("STLS"));
}
