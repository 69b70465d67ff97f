//! UTF8 and LANG (protocol rules P3-012, P3-021, P3-117, P3-128 and P3-131 to P3-134).

use super::{Accounts, GREETING, LOGIN, Policy, Way, World, check_policy, quiet, with_stls};

/// One for every session, and one whose header is for UTF8 mode only.
const MAIL: [&str; 2] = ["Subject: x\n\nb\u{f6}dy\n", "Subject: \u{43f}\n\nb\n"];

fn play(world: &World, transcript: &str) {
    for way in [Way::InTurn, Way::AtOnce, Way::Octets] {
        world.connect().play(&format!("{GREETING}{transcript}\n* gone"), way);
    }
}

/// P3-131: UTF8 stands before login and has no argument.
#[test]
fn p3_131_utf8_comes_before_login() {
    check_policy(quiet(), &format!("C: UTF8\nS: +OK\nC: UTF8\nS: +OK\n{LOGIN}"));
    check_policy(quiet(), "C: UTF8 USER\nS: -ERR usage: UTF8");
    check_policy(
        quiet(),
        &format!("{LOGIN}C: UTF8\nS: -ERR UTF8 is not a command of the TRANSACTION state"),
    );
}

/// P3-132, P3-021: a message with UTF-8 in its header is refused outside UTF8 mode with the code for it; the
/// listings still have it. A body goes out as it is: 8-bit mail is everywhere.
#[test]
fn p3_132_messages_that_need_utf8() {
    let transcript = format!(
        "{LOGIN}
        C: STAT
        S: +OK 2 39
        C: LIST
        S: +OK 2 messages (39 octets)
        S: 1 21
        S: 2 18
        S: .
        C: RETR 2
        S: -ERR [UTF8] message 2 is for UTF8 mode only
        C: TOP 2 0
        S: -ERR [UTF8] message 2 is for UTF8 mode only
        C: LIST 2
        S: +OK 2 18
        C: RETR 1
        S: +OK 21 octets
        S: Subject: x
        S:
        S: b\u{f6}dy
        S: ."
    );
    play(&World::with(&MAIL, quiet()), &transcript);
}

/// P3-132, P3-133: in UTF8 mode it is sent as it is, and is as long as the listing says.
#[test]
fn p3_133_messages_in_utf8_mode() {
    let transcript = format!(
        "C: UTF8
        S: +OK
        {LOGIN}
        C: LIST 2
        S: +OK 2 18
        C: RETR 2
        S: +OK 18 octets
        S: Subject: \u{43f}
        S:
        S: b
        S: .
        C: TOP 2 0
        S: +OK
        S: Subject: \u{43f}
        S:
        S: ."
    );
    play(&World::with(&MAIL, quiet()), &transcript);
}

/// P3-012: outside UTF8 mode a status line is ASCII, whatever the user is called; LANG changes nothing in that.
#[test]
fn p3_012_status_lines_are_ascii() {
    let world = World::with(&["a"], quiet()).of([("\u{43a}\u{43e}\u{442}", "secret")].into_iter().collect());
    let user = "C: USER \u{43a}\u{43e}\u{442}\nS: +OK\nC: PASS secret\n";
    play(&world, &format!("{user}S: +OK ???'s maildrop has 1 message (3 octets)"));
    let named = "S: +OK \u{43a}\u{43e}\u{442}'s maildrop has 1 message (3 octets)";
    play(&world, &format!("C: UTF8\nS: +OK\n{user}{named}"));
    play(&world, &format!("C: LANG en\nS: +OK en ...\n{user}S: +OK ???'s ..."));
}

/// P3-012, P3-016: no name, however it came in, puts control characters or lines of its own into a status line.
#[test]
fn p3_012_names_do_no_harm() {
    let bell = "C: AUTH PLAIN AAcAeA==\nS: +OK ?'s maildrop has 1 message (3 octets)";
    // NUL, `a` CR LF `+OK b`, NUL, `x`.
    let lines = "C: AUTH PLAIN AGENCitPSyBiAHg=\nS: +OK a??+OK b's maildrop has 1 message (3 octets)";
    for mode in ["", "C: UTF8\nS: +OK\n"] {
        let world = World::with(&["a"], quiet()).of(Accounts::any());
        play(&world, &format!("{mode}{bell}"));
        play(&world, &format!("{mode}{lines}"));
        // A terminal's command in one character.
        play(&world, &format!("{mode}C: USER \u{9b}2J\nS: +OK\nC: PASS x\nS: +OK ?2J's ..."));
    }
}

/// P3-117: a user's name is well-formed UTF-8, which CAPA announces; without UTF8 it is ASCII.
#[test]
fn p3_117_names_are_well_formed() {
    let world = World::with(&["a"], Policy::default()).of(Accounts::any());
    for bad in [&b"\xff"[..], b"\xc3", b"\xed\xa0\x80", b"\xc0\xaf"] {
        for line in [[b"USER a", bad, b"\r\n"].concat(), [b"APOP a", bad, b" x\r\n"].concat()] {
            assert!(world.connect().ask(&line).starts_with("-ERR usage: "), "{line:?}");
        }
    }
    let world =
        World::with(&["a"], Policy { disabled: vec![crate::pop3::Keyword::Utf8], ..Policy::default() })
            .of(Accounts::any());
    assert!(world.connect().ask("USER \u{43a}\r\n".as_bytes()).starts_with("-ERR"));
    assert!(!world.connect().ask(b"CAPA\r\n").contains("UTF8"));
}

/// P3-128, P3-127: after UTF8 there is no STLS, and CAPA no longer says so.
#[test]
fn p3_128_no_stls_after_utf8() {
    let world = World::with(&["a"], with_stls(quiet()));
    let mut session = world.connect();
    assert!(session.ask(b"CAPA\r\n").contains("\r\nSTLS\r\n"));
    assert_eq!(session.ask(b"UTF8\r\n"), "+OK\r\n");
    assert!(!session.ask(b"CAPA\r\n").contains("STLS"));
    assert!(session.ask(b"STLS\r\n").starts_with("-ERR"));
}

/// P3-134: LANG names the language that was chosen, lists those there are, and refuses others, in both states.
#[test]
fn p3_134_lang() {
    let transcript = "
        C: LANG en
        S: +OK en is spoken here
        C: LANG EN-gb
        S: +OK en is spoken here
        C: LANG i-default
        S: +OK i-default is spoken here
        C: LANG *
        S: +OK en is spoken here
        C: LANG fr
        S: -ERR no such language
        C: LANG eno
        S: -ERR no such language
        C: LANG en fr
        S: -ERR usage: LANG [tag]
        C: LANG
        S: +OK language listing follows
        S: en English
        S: i-default English
        S: .
    ";
    check_policy(quiet(), &format!("{transcript}{LOGIN}{transcript}C: STAT\nS: +OK 1 3"));
}
