//! What a profile can make a server do that no RFC has: each quirk is a transcript.

use super::{Way, World};
use crate::engine::Profile;

/// Plays a session with a server of this profile, in each way.
fn check(profile: &str, transcript: &str) {
    let profile = format!("apop = false\n{profile}");
    for way in [Way::InTurn, Way::AtOnce, Way::Octets] {
        let policy = Profile::parse(&profile, None).unwrap().policy;
        World::with(&["H: 1\n\nb\n", "b"], policy).connect().play(transcript, way);
    }
}

/// The same after login.
fn check_mail(profile: &str, transcript: &str) {
    let login = "S: +OK...\nC: USER kcope\nS: +OK...\nC: PASS secret\nS: +OK...\n";
    check(profile, &format!("{login}{transcript}"));
}

#[test]
fn names() {
    let greeting = "S: +OK ...\nC: USER kcope\nS: +OK\n";
    for (quirk, rest) in [
        ("", "C: XYZZY\nS: -ERR ...\nC: PASS secret\nS: -ERR USER comes first"),
        ("name-lasts = \"pass\"", "C: XYZZY\nS: -ERR ...\nC: PASS secret\nS: +OK ..."),
        ("name-lasts = \"pass\"", "C: PASS x\nS: -ERR ...\nC: PASS secret\nS: -ERR USER comes first"),
        ("name-lasts = \"login\"", "C: PASS x\nS: -ERR ...\nC: PASS secret\nS: +OK ..."),
        ("first-name-stays = true", "C: USER x\nS: -ERR USER was sent before\nC: PASS secret\nS: +OK ..."),
        (
            "only-pass-after-user = true",
            "C: CAPA\nS: -ERR only PASS and QUIT follow USER\nC: PASS secret\nS: -ERR USER comes first",
        ),
        ("name-is-rest-of-line = true", "C: USER kcope x\nS: +OK\nC: PASS secret\nS: -ERR [AUTH] ..."),
        ("empty-arguments = [\"PASS\"]", "C: PASS\nS: -ERR [AUTH] ..."),
    ] {
        check(&format!("[quirks]\n{quirk}"), &format!("{greeting}{rest}\n* gone"));
    }
}

#[test]
fn patience() {
    check(
        "[quirks]\nbad-commands = { before-login = 2 }",
        "S: +OK ...\nC: STAT\nS: -ERR ...\nC: USER x\nS: +OK\nC: STAT\nS: -ERR ...\nC: XYZZY\nS: -ERR ...\n\
         S: -ERR too many bad commands\n* closed",
    );
    check(
        "[quirks]\ncloses-after-failed-login = true",
        "S: +OK ...\nC: USER kcope\nS: +OK\nC: PASS x\nS: -ERR [AUTH] ...\n* closed",
    );
    check_mail(
        "[quirks]\ncommand-limit = { after-login = 10 }",
        "C: NOOP xxxx\nS: -ERR command line is longer than 10 octets\nC: NOOP\nS: +OK\n* gone",
    );
}

/// Whoever sends a line without an end is not waited for.
#[test]
fn a_long_line_ends_the_session_before_it_ends() {
    let profile = "[quirks]\ncloses-after-long-line = true\n[wording]\ntoo-long = \"more than {limit}\"";
    let policy = Profile::parse(profile, None).unwrap().policy;
    let mut session = World::with(&[], policy).connect();
    session.said.clear();
    assert_eq!(session.ask(&[b'x'; 254]), "");
    assert_eq!(session.ask(b"x"), "-ERR more than 255\r\n");
    assert!(session.closed);
}

#[test]
fn mail() {
    for (profile, transcript) in [
        ("[quirks]\nutf8-after-login = true", "C: UTF8\nS: +OK\n* gone"),
        ("[quirks]\nunknown-in-wrong-state = [\"USER\"]", "C: USER x\nS: -ERR unknown command\n* gone"),
        (
            "[quirks]\nempty-arguments = [\"DELE\"]\nnumbers = \"leading\"",
            "C: DELE\nS: -ERR no such message\n* gone",
        ),
        ("[quirks]\nblanks = \"anywhere\"", "C:   LIST  1 \nS: +OK 1 11\n* gone"),
        (
            "[wording]\nquit-removed = \"{count} left\"",
            "C: DELE 1\nS: +OK ...\nC: QUIT\nS: +OK 1 left\n* closed",
        ),
        ("[wording]\nothers = \"\"\nstat = \"{count}\"", "C: STAT\nS: +OK 2\nC: XYZZY\nS: -ERR\n* gone"),
        (
            "disabled = []\n[quirks]\nlast-without-top = true",
            "C: TOP 2 0\nS: +OK\nS: b\nS: .\nC: LAST\nS: +OK 0\n* gone",
        ),
        ("[quirks]\ntop-gap = true", "C: TOP 1 1\nS: +OK\nS: H: 1\nS:\nS:\nS: b\nS: .\n* gone"),
    ] {
        check_mail(profile, transcript);
    }
}

/// Noise is refused before it is seen whether there is such a message, and shown as it came.
#[test]
fn numbers_then_noise() {
    check_mail(
        "[quirks]\nblanks = \"behind\"\nnumbers = \"digits-then-noise\"\nextra-arguments = [\"TOP\"]\n[wording]\n\
         bad-number = \"bad: {rest}\"\nnoise-after-number = \"noise: {rest}\"\nbad-lines = \"lines: {rest}\"\n\
         noise-after-lines = \"more: {rest}\"\nnumber-too-large = \"large: {rest}\"",
        "
        C: RETR
        S: -ERR bad: ...
        C: RETR 99 2
        S: -ERR noise:  2
        C: TOP 1 x
        S: -ERR lines: x
        C: TOP 1 0 2
        S: -ERR more:  2
        C: LIST 99999999999999999999
        S: -ERR large: 99999999999999999999
        C: LIST  1
        S: +OK 1 11
        * gone
        ",
    );
}
