//! Lines and responses (protocol rules P3-006 to P3-024) and how much a session may hold.

use super::super::YIELD_AFTER;
use super::{World, check, check_mail};
use crate::maildrop::load;
use crate::wire::{Close, Input, Side};

const LOGIN: &[u8] = b"USER kcope\r\nPASS secret\r\n";

/// P3-006: keywords have no case.
#[test]
fn p3_006_keywords_have_no_case() {
    for name in ["uSER kcope\r\nPass secret", "auth Plain AGtjb3BlAHNlY3JldA=="] {
        let replies = World::new(&["a"]).connect().ask(format!("{name}\r\n").as_bytes());
        assert!(replies.ends_with("1 message (3 octets)\r\n"), "{replies}");
    }
    for name in ["LIST", "UIDL", "RETR 1", "TOP 1 0", "DELE 1", "NOOP", "RSET", "CAPA", "LANG", "XYZZY"] {
        let answers = [name.to_owned(), name.to_lowercase(), name[..1].to_lowercase() + &name[1..]];
        let answers = answers.map(|line| {
            let mut session = World::new(&["a"]).connect();
            session.ask(LOGIN);
            session.ask(format!("{line}\r\n").as_bytes())
        });
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    }
    check_mail(&["a"], "C: stat\nS: +OK 1 3\nC: StAt\nS: +OK 1 3\nC: quit\nS: +OK ...\n* closed");
}

/// P3-009, K-11: 255 octets are a command, 256 are refused once, and the session goes on.
#[test]
fn p3_009_long_commands() {
    let fits = "x".repeat(248);
    let (over, far) = ("x".repeat(249), "x".repeat(100_000));
    let transcript = format!(
        "
        S: +OK POP3 server ready
        C: USER {fits}
        S: +OK
        C: USER {over}
        S: -ERR command line is longer than 255 octets
        C: PASS x
        S: -ERR USER comes first
        C: {far}
        S: -ERR command line is longer than 255 octets
        C: QUIT
        S: +OK ...
        * closed
        "
    );
    check(&[], &[&transcript]);
}

/// P3-010: a status line is short, whatever the user's name.
#[test]
fn p3_010_status_lines_are_short() {
    let policy = super::Policy { host: "h".repeat(255).into(), ..super::Policy::default() };
    let world = World::with(&["a"], policy).of(super::Accounts::any());
    let mut session = world.connect();
    assert!(session.said.len() <= 512);
    for command in
        [format!("USER {}\r\n", "x".repeat(248)), "PASS a b \r\n".to_owned(), "QUIT\r\n".to_owned()]
    {
        let reply = session.ask(command.as_bytes());
        assert!(reply.starts_with("+OK") && reply.len() <= 512, "{reply}");
    }
}

/// P3-013, P3-014: bodies end with a dot and have theirs doubled, at the very beginning too.
#[test]
fn p3_014_dots() {
    check_mail(
        &[".\n", ".a: b\n\n.\n..\nc.\n.d"],
        "
        C: RETR 1
        S: +OK 3 octets
        S: ..
        S: .
        C: TOP 1 0
        S: +OK
        S: ..
        S: .
        C: RETR 2
        S: +OK 24 octets
        S: ..a: b
        S:
        S: ..
        S: ...
        S: c.
        S: ..d
        S: .
        * gone
        ",
    );
}

/// P3-019: what is unknown, not implemented or malformed is refused, and each only once.
#[test]
fn p3_019_refusals() {
    for command in [
        "",
        " ",
        "XYZZY",
        "STAT 1",
        "STAT ",
        " STAT",
        "STAT\t",
        "NOOP x",
        "RSET x",
        "CAPA x",
        "QUIT x",
        "LIST 1 1",
        "LIST  1",
        "LIST 1 ",
        "LIST\t1",
        "LIST x",
        "UIDL 1 1",
        "RETR",
        "RETR 1 1",
        "RETR 1x",
        "DELE",
        "DELE \u{661}",
        "TOP 1 -1",
        "TOP 1 x",
        "TOP 1 1 1",
        "TOP x 1",
        "LAST",
        "XTND XLST",
        "XSENDER 1",
        "+OK",
        ".",
    ] {
        check_mail(&["a"], &format!("C: {command}\nS: -ERR ...\nC: STAT\nS: +OK 1 3\n* gone"));
    }
    for command in [
        "",
        "USER",
        "USER ",
        "USER a b",
        "USER  a",
        "USER a\t",
        "PASS",
        "APOP",
        "AUTH",
        "AUTH NTLM",
        "AUTH CRAM-MD5 AA==",
        "STLS",
        "UTF8 x",
        "LANG xx",
        "RPOP a",
        "XOIP 1",
        "XAUTH a",
    ] {
        check(
            &[],
            &[&format!(
                "S: +OK POP3 server ready\nC: {command}\nS: -ERR ...\nC: CAPA x\nS: -ERR ...\n* gone"
            )],
        );
    }
}

/// The client's octets are never sent back, so none of them can do harm on a terminal.
#[test]
fn nothing_is_echoed() {
    let mut session = World::new(&[]).connect();
    for line in [
        &b"\x1b[31m\r\n"[..],
        b"USER \x1b[31m\r\n",
        b"APOP \xff\xfe x\r\n",
        b"\0\0\0\0\n",
        b"\xff\xf4\xff\xfd\x06\n",
    ] {
        let reply = session.ask(line);
        assert!(reply.starts_with("-ERR ") && reply.trim_end().bytes().all(|b| (b' '..b'\x7f').contains(&b)));
    }
}

#[test]
fn a_session_shows_no_password() {
    let mut session = World::new(&[]).connect();
    session.send(b"USER kcope\r\nPASS s3cr3t-in-fl1ght");
    let shown = format!("{:?}", session.engine);
    assert!(shown.contains("kcope") && !shown.contains("fl1ght") && !shown.contains("secret\""), "{shown}");
}

#[test]
fn bare_lf_ends_a_command_and_half_a_line_is_none() {
    let world = World::new(&["a"]);
    let mut session = world.connect();
    assert_eq!(session.ask(b"USER kcope\nPASS secret\nSTAT\nDELE 1\nQUIT").matches("+OK").count(), 4);
    session.input(Input::Closed(Side::Client, Close::Finished));
    assert!(session.closed);
    assert!(world.connect().ask(LOGIN).ends_with("1 message (3 octets)\r\n"));
}

#[test]
fn stop_ends_the_session_without_a_word() {
    let world = World::new(&["a"]);
    let mut session = world.connect();
    session.ask(&[LOGIN, b"DELE 1\r\n"].concat());
    session.input(Input::Stop);
    assert!(session.closed && session.said.is_empty());
    session.input(Input::Stop);
    session.input(Input::Closed(Side::Client, Close::Reset));
    assert!(world.connect().ask(LOGIN).ends_with("1 message (3 octets)\r\n"));
}

/// P3-018: a batch is answered whole and in order, in turns of bounded size.
#[test]
fn p3_018_a_large_batch_is_answered_in_turns() {
    let letter = format!("Subject: x\r\n\r\n{}", "0123456789\r\n".repeat(1000));
    let size = letter.len();
    let world = World::new(&[]).holding(load([letter]));
    let mut session = world.connect();
    session.ask(LOGIN);
    let replies = session.ask("RETR 1\r\nSTAT\r\n".repeat(1000).as_bytes());
    let one = replies.len() / 1000;
    assert_eq!(replies.matches(&format!("+OK {size} octets\r\n")).count(), 1000);
    assert_eq!(replies.matches(&format!("\r\n.\r\n+OK 1 {size}\r\n")).count(), 1000);
    assert!(session.most < YIELD_AFTER + one, "{} octets at once", session.most);
    assert_eq!(session.ask(b"NOOP\r\n"), "+OK\r\n");
}

/// P3-084: what follows QUIT is not read.
#[test]
fn p3_084_nothing_follows_quit() {
    let mut session = World::new(&[]).connect();
    assert_eq!(session.ask(b"QUIT\r\nNOOP\r\nQUIT\r\n"), "+OK dewey POP3 server signing off\r\n");
    assert!(session.closed);
    assert_eq!(session.ask(b"NOOP\r\n"), "");
}

/// A server may run each session on a thread of its own.
#[test]
fn a_session_may_move_to_another_thread() {
    let mut session = World::new(&["a"]).connect();
    let said = std::thread::spawn(move || session.ask(LOGIN)).join();
    assert!(said.is_ok_and(|said| said.contains("maildrop has 1 message")));
}
