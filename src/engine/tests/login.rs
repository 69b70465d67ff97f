//! States, locking and login (protocol rules P3-022 to P3-048, K-3) and capabilities (P3-087 to P3-100).

use super::{Way, World, check, check_mail};
use crate::engine::{Accounts, Policy};

const READY: &str = "S: +OK POP3 server ready\n";

fn check_login(transcript: &str) {
    check(&["a"], &[&format!("{READY}{transcript}\n* gone")]);
}

/// P3-024, P3-046, P3-047: the greeting's timestamp has the form of a message-id, and APOP's digest is made with
/// it; a wrong one leaves the session where it was.
#[test]
fn p3_046_apop() {
    let policy = Policy { host: "dbc.mtview.ca.us".into(), ..Policy::default() };
    let world = World::with(&["a"], policy).of([("mrose", "tanstaaf")].into_iter().collect());
    world.connect().play(
        "
        S: +OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>
        C: APOP mrose c4c9334bac560ecc979e58001b3e22fc
        S: -ERR [AUTH] invalid user name or password
        C: STAT
        S: -ERR STAT is not a command of the AUTHORIZATION state
        C: APOP mrose
        S: -ERR usage: APOP name digest
        C: APOP mrose c4c9334bac560ecc979e58001b3e22fb
        S: +OK mrose's maildrop has 1 message (3 octets)
        C: APOP mrose c4c9334bac560ecc979e58001b3e22fb
        S: -ERR APOP is not a command of the TRANSACTION state
        * gone
        ",
        Way::InTurn,
    );
}

/// P3-045: without a timestamp there is nothing to make a digest of.
#[test]
fn p3_045_no_apop_without_a_timestamp() {
    check_login("C: APOP kcope c4c9334bac560ecc979e58001b3e22fb\nS: -ERR no timestamp in the greeting ...");
}

#[test]
fn p3_030_commands_of_the_other_state() {
    for command in ["STAT", "LIST", "LIST 1", "RETR 1", "DELE 1", "NOOP", "RSET", "TOP 1 1", "UIDL"] {
        check_login(&format!("C: {command}\nS: -ERR ..."));
    }
    for command in ["USER kcope", "PASS secret", "APOP kcope x", "AUTH PLAIN", "STLS"] {
        check_mail(&["a"], &format!("C: {command}\nS: -ERR ...\n* gone"));
    }
}

#[test]
fn p3_033_a_maildrop_is_open_once() {
    let world = World::new(&["a"]);
    let login = |rest: &str| format!("{READY}C: USER kcope\nS: +OK\nC: PASS secret\n{rest}");
    let mut first = world.connect();
    first.play(&login("S: +OK ..."), Way::AtOnce);
    let mut second = world.connect();
    second.play(&login("S: -ERR [IN-USE] maildrop already locked"), Way::AtOnce);
    first.play("C: QUIT\nS: +OK ...\n* closed", Way::AtOnce);
    // P3-037, P3-083: the second is still in AUTHORIZATION, and QUIT has released the lock.
    second.play("C: USER kcope\nS: +OK\nC: PASS secret\nS: +OK ...\n* gone", Way::AtOnce);
    // A session that is dropped with its connection releases it too.
    world.connect().play(&login("S: +OK ..."), Way::AtOnce);
    world.connect().play(&login("S: +OK ...\n* gone"), Way::AtOnce);
}

/// P3-037, P3-047: after a failure the session goes on in AUTHORIZATION.
#[test]
fn p3_037_a_failed_login_may_be_repeated() {
    check_login(
        "
        C: USER kcope
        S: +OK
        C: PASS Secret
        S: -ERR [AUTH] invalid user name or password
        C: STAT
        S: -ERR ...
        C: PASS secret
        S: -ERR USER comes first
        C: USER kcope
        S: +OK
        C: PASS secret
        S: +OK kcope's maildrop has 1 message (3 octets)
        ",
    );
}

/// P3-039, P3-040, K-3: only CAPA and a refused AUTH may stand between USER and PASS.
#[test]
fn p3_040_pass_follows_user() {
    check_login("C: PASS secret\nS: -ERR USER comes first");
    let between = |command: &str, reply: &str, end: &str| {
        check_login(&format!("C: USER kcope\nS: +OK\nC: {command}\n{reply}\nC: PASS secret\nS: {end}"));
    };
    let capa = format!("S: +OK ...\n{CAPABILITIES}");
    between("CAPA", &capa, "+OK ...");
    between("AUTH CRAM-MD5", "S: + ...\nC: *\nS: -ERR authentication cancelled", "+OK ...");
    between("AUTH PLAIN", "S: + ...\nC: AGtjb3BlAHdyb25n\nS: -ERR [AUTH] ...", "+OK ...");
    between("AUTH NTLM", "S: -ERR ...", "+OK ...");
    between("AUTH", "S: -ERR ...", "+OK ...");
    for command in ["NOOP", "STAT", "XYZZY", "", "USER", "APOP kcope x", "QUIT now", "STLS", &"x".repeat(300)]
    {
        between(command, "S: -ERR ...", "-ERR USER comes first");
    }
    between("UTF8", "S: +OK", "-ERR USER comes first");
    between("LANG en", "S: +OK ...", "-ERR USER comes first");
    between("USER mrose", "S: +OK", "-ERR [AUTH] ...");
}

/// P3-041: a password is all that follows the first space, octet for octet.
#[test]
fn p3_041_passwords_may_hold_anything() {
    let world = World::new(&[]).of([("kcope", " two  words\t\u{434} ")].into_iter().collect());
    let login = |password: &str| world.connect().ask(format!("USER kcope\nPASS {password}\n").as_bytes());
    assert!(login(" two  words\t\u{434} ").contains("maildrop has"));
    for wrong in ["two  words\t\u{434} ", " two  words\t\u{434}", " two", ""] {
        assert!(login(wrong).contains("-ERR"), "{wrong:?}");
    }
    assert_eq!(login(""), "+OK\r\n-ERR usage: PASS string\r\n");
}

/// P3-042: USER does not say which names exist, nor does a refused PASS.
#[test]
fn p3_042_names_are_not_given_away() {
    check_login("C: USER nobody\nS: +OK\nC: PASS secret\nS: -ERR [AUTH] invalid user name or password");
}

#[test]
fn any_user_is_let_in_where_the_policy_says_so() {
    let world = World::with(&["a"], Policy::default()).of(Accounts::any());
    assert!(
        world
            .connect()
            .ask(b"USER ada\nPASS x\n")
            .ends_with("+OK ada's maildrop has 1 message (3 octets)\r\n")
    );
    assert!(world.connect().ask(b"APOP bob x\n").starts_with("+OK bob's maildrop"));
}

/// P3-043: QUIT before login succeeds, also after USER.
#[test]
fn p3_043_quit_before_login() {
    let transcript =
        format!("{READY}C: USER kcope\nS: +OK\nC: QUIT\nS: +OK dewey POP3 server signing off\n* closed");
    check(&["a"], &[&transcript, &transcript]);
}

const CAPABILITIES: &str = "
    S: TOP
    S: UIDL
    S: USER
    S: SASL SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 PLAIN LOGIN OAUTHBEARER XOAUTH2
    S: RESP-CODES
    S: AUTH-RESP-CODE
    S: PIPELINING
    S: UTF8 USER
    S: LANG
    S: IMPLEMENTATION poptape-...
    S: .
";

/// P3-087, P3-089: CAPA says the same in both states.
#[test]
fn p3_087_capabilities() {
    check_login(&format!("C: CAPA\nS: +OK ...\n{CAPABILITIES}"));
    check_mail(&[], &format!("C: capa\nS: +OK ...\n{CAPABILITIES}\n* gone"));
}

/// P3-026, P3-027: after ten minutes of silence the server closes without a word, and nothing is removed.
#[test]
fn p3_026_silence_ends_the_session() {
    const SECOND: u64 = 1_000_000;
    let world = World::new(&["a"]);
    let mut session = world.connect();
    session.ask(b"USER kcope\r\nPASS secret\r\nDELE 1\r\n");
    session.pass(599 * SECOND);
    assert_eq!(session.ask(b"NOOP\r\n"), "+OK\r\n");
    session.pass(1198 * SECOND);
    assert!(!session.closed);
    session.pass(1199 * SECOND);
    assert!(session.closed && session.said.is_empty());
    assert!(world.connect().ask(b"USER kcope\r\nPASS secret\r\n").ends_with("1 message (3 octets)\r\n"));
}
