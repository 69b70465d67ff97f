//! Limits and timers (protocol rules P3-002, P3-009 to P3-016, P3-022 to P3-028), digests only (P3-048), ids
//! across sessions (P3-075, P3-076) and LAST.

use std::sync::Arc;

use bytes::Bytes;

use super::{LOGIN, Policy, Way, World, check_policy, quiet};
use crate::maildrop::{Maildrops, Memory, Message, UniqueId};
use crate::wire::{Action, Close, Input, Machine, Side};

const SECOND: u64 = 1_000_000;

/// Commands of every kind, right and wrong ones.
const ALL: &str = "CAPA\r\nAUTH\r\nAUTH PLAIN\r\n*\r\nLANG\r\nUTF8\r\nXYZZY\r\n\r\nSTAT\r\nUSER kcope\r\nPASS x\r\n\
                   USER kcope\r\nPASS secret\r\nSTAT\r\nLIST\r\nLIST 1\r\nLIST 9\r\nUIDL\r\nUIDL 1\r\nRETR 1\r\n\
                   TOP 1 0\r\nNOOP\r\nDELE 1\r\nDELE 1\r\nRSET\r\nUSER x\r\nQUIT\r\n";

/// P3-002, P3-010, P3-011, P3-015: each line ends in CRLF; a status is `+OK` or `-ERR`, and a space before text.
#[test]
fn p3_002_lines_and_statuses() {
    let mut session = World::with(&["a\n\nb\n"], Policy::default()).connect();
    for line in ALL.split_inclusive("\r\n") {
        let reply = session.ask(line.as_bytes());
        assert_eq!(reply.matches('\n').count(), reply.matches("\r\n").count(), "{reply:?}");
        assert!(reply.ends_with("\r\n"), "{reply:?}");
        let status = reply.split("\r\n").next().unwrap();
        let rest = status.strip_prefix("+OK").or_else(|| status.strip_prefix("-ERR"));
        let challenge = line == "AUTH PLAIN\r\n" && status == "+ ";
        assert!(challenge || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')), "{status:?}");
        assert!(status.len() <= 510);
        // A refusal is one line, and what has more of them ends in a dot.
        let lines = reply.matches("\r\n").count();
        assert!(lines == 1 || (status.starts_with("+OK") && reply.ends_with("\r\n.\r\n")), "{reply:?}");
    }
    assert!(session.closed);
}

/// P3-013: whoever cannot send the rest of a message breaks off: no terminator makes it look whole.
#[test]
fn p3_013_a_body_that_breaks_off_has_no_end() {
    let mut session = super::mail::breaking_off().connect();
    let replies = session.ask(b"USER kcope\r\nPASS secret\r\nRETR 1\r\nNOOP\r\n");
    assert!(replies.ends_with("+OK 29 octets\r\nten octets"), "{replies}");
    assert!(session.closed && session.reset);
}

/// P3-016: each command has one answer and nothing is said unasked.
#[test]
fn p3_016_nothing_unasked() {
    let mut session = World::with(&["a"], quiet()).connect();
    session.said.clear();
    for octets in ["", "US", "ER", " kcope", "\r"] {
        assert_eq!(session.ask(octets.as_bytes()), "", "{octets:?}");
    }
    assert_eq!(session.ask(b"\n"), "+OK\r\n");
    session.pass(599 * SECOND);
    session.input(Input::Woke);
    session.input(Input::Closed(Side::Client, Close::Finished));
    assert!(session.said.is_empty() && session.closed);
}

/// P3-022, P3-024, P3-025: the server speaks first; its timestamp is a message-id and another one in each session.
#[test]
fn p3_025_the_timestamp_differs() {
    let greeting = |nonce| {
        let world = World { nonce, ..World::with(&[], Policy::default()) };
        String::from_utf8(world.connect().said).unwrap()
    };
    assert_eq!(greeting("1896.697170952"), "+OK POP3 server ready <1896.697170952@dewey>\r\n");
    assert_eq!(greeting("1896.697170953"), "+OK POP3 server ready <1896.697170953@dewey>\r\n");
    // P3-046: so a digest is good for its session only.
    let world = World::with(&["a"], Policy::default());
    let digest = crate::engine::apop_digest("<1896.697170952@dewey>", b"secret");
    let apop = format!("APOP kcope {digest}\r\n");
    assert!(world.connect().ask(apop.as_bytes()).starts_with("+OK kcope"));
    let world = World { nonce: "1896.697170953", ..world };
    assert!(world.connect().ask(apop.as_bytes()).starts_with("-ERR [AUTH]"));
}

/// P3-009, K-11: a line beyond the cap ends the session without an answer.
#[test]
fn p3_009_a_line_beyond_the_cap() {
    let policy = Policy { line_limit: 1000, ..quiet() };
    let mut session = World::with(&[], policy.clone()).connect();
    assert!(session.ask(format!("{}\r\n", "x".repeat(900)).as_bytes()).starts_with("-ERR"));
    session.said.clear();
    for _ in 0..11 {
        session.send(&[b'x'; 100]);
    }
    assert!(session.closed && session.said.is_empty());
}

/// P3-026, P3-027, K-9: silence before login may have a limit of its own, and has ten minutes by default.
#[test]
fn p3_027_silence_before_login() {
    let silent = |policy: Policy, login: &str, until: u64| {
        let mut session = World::with(&["a"], policy).connect();
        session.ask(login.as_bytes());
        session.pass(until * SECOND - 1);
        let before = session.closed;
        session.pass(until * SECOND);
        assert!(session.said.is_empty());
        (before, session.closed)
    };
    let login = "USER kcope\r\nPASS secret\r\n";
    let short = || Policy { login_timeout: Some(60), ..quiet() };
    let long = || Policy { login_timeout: Some(1000), ..quiet() };
    for begun in ["", "CAPA\r\n", "USER kcope\r\n", "AUTH PLAIN\r\n", "NOO"] {
        assert_eq!(silent(quiet(), begun, 600), (false, true), "{begun:?}");
        assert_eq!(silent(short(), begun, 60), (false, true), "{begun:?}");
        assert_eq!(silent(long(), begun, 1000), (false, true), "{begun:?}");
    }
    assert_eq!(silent(short(), login, 600), (false, true));
    assert_eq!(silent(long(), login, 600), (false, true));
    assert_eq!(silent(Policy { idle_timeout: 0, ..quiet() }, login, 1_000_000), (false, false));
    assert_eq!(silent(Policy { login_timeout: Some(0), ..quiet() }, "", 1_000_000), (false, false));
}

/// A client that does not read keeps what it is sent from being sent, and the next piece from being asked for: silence
/// that long ends the session too, and the maildrop is let go.
#[test]
fn silence_of_a_client_that_does_not_read() {
    for commands in ["RETR 1\r\n", "QUIT\r\n"] {
        let mut session = World::with(&["a"], quiet()).connect();
        session.ask(b"USER kcope\r\nPASS secret\r\n");
        let mut input = |at, input| {
            let mut actions = Vec::new();
            session.engine.handle(at, input, &mut actions);
            actions
        };
        // Later than the login, so that the wake-up set then comes too early.
        let begun = SECOND;
        let actions = input(begun, Input::Received(Side::Client, Bytes::from(commands)));
        assert!(matches!(actions[..], [.., Action::Ask(_)] | [.., Action::Ask(_), _]), "{actions:?}");
        let actions = input(begun + 600 * SECOND - 1, Input::Woke);
        assert!(matches!(actions[..], [Action::WakeAt(at)] if at == begun + 600 * SECOND), "{actions:?}");
        let actions = input(begun + 600 * SECOND, Input::Woke);
        assert!(matches!(actions[..], [Action::Reset(Side::Client), Action::Close]), "{actions:?}");
    }
}

/// P3-048: one who is to come with a digest is not let in with a password, however it is sent.
#[test]
fn p3_048_digests_only() {
    let policy = Policy { apop_only: ["kcope".to_owned()].into(), ..Policy::default() };
    let world = World::with(&["a"], policy).of([("kcope", "secret"), ("jdoe", "x")].into_iter().collect());
    for line in [
        "USER kcope\r\nPASS secret",
        "AUTH PLAIN AGtjb3BlAHNlY3JldA==",
        "AUTH LOGIN a2NvcGU=\r\nc2VjcmV0",
        "AUTH XOAUTH2 dXNlcj1rY29wZQFhdXRoPUJlYXJlciBzZWNyZXQBAQ==\r\n",
    ] {
        let replies = world.connect().ask(format!("{line}\r\n").as_bytes());
        assert!(replies.ends_with("-ERR [AUTH] invalid user name or password\r\n"), "{line}: {replies}");
    }
    let digest = crate::engine::apop_digest("<1896.697170952@dewey>", b"secret");
    assert!(world.connect().ask(format!("APOP kcope {digest}\r\n").as_bytes()).starts_with("+OK kcope"));
    assert!(world.connect().ask(b"USER jdoe\r\nPASS x\r\n").contains("+OK jdoe"));
}

/// P3-075, P3-076, P3-077: ids survive sessions, also those that remove something and those that receive
/// something; what comes with the content of what went has its id only where content is all there is.
#[test]
fn p3_075_ids_survive() {
    let id = |id: &str| UniqueId::new(id).unwrap();
    let memory = Memory::new(vec![Message::new("a", id("one")), Message::new("b", id("two"))]);
    let maildrops = Maildrops::new(vec![Arc::new(memory.clone())]).writable(true);
    let world = World { source: Arc::new(maildrops), ..World::with(&[], quiet()) };
    let session = |commands: &str| {
        let octets = format!("USER kcope\r\nPASS secret\r\nUIDL\r\n{commands}");
        let replies = world.connect().ask(octets.as_bytes());
        replies.split("octets)\r\n+OK\r\n").nth(1).unwrap().split(".\r\n").next().unwrap().to_owned()
    };
    assert_eq!(session("DELE 1\r\n"), "1 one\r\n2 two\r\n");
    assert_eq!(session("QUIT\r\n"), "1 one\r\n2 two\r\n");
    memory.push(Message::new("c", id("three")));
    assert_eq!(session("DELE 1\r\nQUIT\r\n"), "1 one\r\n2 two\r\n3 three\r\n");
    memory.push(Message::new("d", id("four")));
    assert_eq!(session(""), "1 two\r\n2 three\r\n3 four\r\n");
}

/// LAST (RFC 1460 section 5), where it is not disabled: the highest number that was accessed.
#[test]
fn last() {
    let policy = Policy { disabled: vec![], ..quiet() };
    let world = World::with(&["a", "b", "c"], policy.clone());
    let transcript = format!(
        "{}{LOGIN}
        C: LAST
        S: +OK 0
        C: RETR 2
        S: +OK 3 octets
        S: b
        S: .
        C: LAST
        S: +OK 2
        C: DELE 1
        S: +OK message 1 deleted
        C: LIST 3
        S: +OK 3 3
        C: LAST
        S: +OK 2
        C: DELE 3
        S: +OK message 3 deleted
        C: LAST
        S: +OK 3
        C: LAST 1
        S: -ERR usage: LAST
        C: RSET
        S: +OK maildrop has 3 messages (9 octets)
        C: LAST
        S: +OK 0
        * gone",
        super::GREETING
    );
    world.connect().play(&transcript, Way::InTurn);
    check_policy(&policy, "C: LAST\nS: -ERR LAST is not a command of the AUTHORIZATION state");
    check_policy(quiet(), &format!("{LOGIN}C: LAST\nS: -ERR LAST is not implemented"));
}
