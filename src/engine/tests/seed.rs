//! The conversation of RFC 1939 section 10 as textbooks retell it (S-01 to S-21).

use super::{Way, World, check};
use crate::maildrop::seed;

const LOGIN: &str = "
    S: +OK POP3 server ready
    C: USER kcope
    S: +OK
    C: PASS secret
    S: +OK kcope's maildrop has 2 messages (320 octets)
";

fn check_seed(transcripts: &[&str]) {
    for way in [Way::InTurn, Way::AtOnce, Way::Octets] {
        let world = World::new(&[]).holding(seed::messages());
        for transcript in transcripts {
            let transcript = transcript.replace("(login)", LOGIN);
            world.connect().play(&transcript, way);
        }
    }
}

#[test]
fn the_whole_conversation() {
    let transcript = "
        (login)
        C: STAT
        S: +OK 2 320
        C: LIST
        S: +OK 2 messages (320 octets)
        S: 1 120
        S: 2 200
        S: .
        C: LIST 2
        S: +OK 2 200
        C: LIST 3
        S: -ERR no such message, only 2 messages in maildrop
        C: TOP 1 10
        S: +OK
        S: From: Ada <ada@example.org>
        S: To: kcope@example.org
        S: Date: Tue, 24 Nov 1998 09:15:00 +0300
        S:
        S: Tea at five, at my place.
        S: .
        C: TOP 100 3
        S: -ERR no such message
        C: NOOP
        S: +OK
        C: RETR 1
        S: +OK 120 octets
        S: From: Ada <ada@example.org>
        S: To: kcope@example.org
        S: Date: Tue, 24 Nov 1998 09:15:00 +0300
        S:
        S: Tea at five, at my place.
        S: .
        C: DELE 1
        S: +OK message 1 deleted
        C: DELE 2
        S: +OK message 2 deleted
        C: DELE 2
        S: -ERR message 2 already deleted
        C: STAT
        S: +OK 0 0
        C: RSET
        S: +OK maildrop has 2 messages (320 octets)
        C: STAT
        S: +OK 2 320
        C: QUIT
        S: +OK dewey POP3 server signing off (2 messages left)
        * closed
    ";
    check_seed(&[transcript, transcript]);
    let lines: Vec<_> = transcript.lines().filter_map(|line| line.trim().strip_prefix("C: ")).collect();
    assert_eq!(seed::CONVERSATION[..2], ["USER kcope", "PASS secret"]);
    assert_eq!(seed::CONVERSATION[2..], lines);
}

/// S-11, S-12: the two misprints, `TOP 10` for `TOP 1 10` and `TOP 100` for `TOP 100 3`.
#[test]
fn the_misprints() {
    check_seed(&["
        (login)
        C: TOP 10
        S: -ERR no such message
        C: TOP 100
        S: -ERR no such message
        C: TOP 1
        S: -ERR line count missing, usage: TOP msg n
        C: TOP
        S: -ERR usage: TOP msg n
        C: UIDL 3
        S: -ERR no such message, only 2 messages in maildrop
        C: RETR 3
        S: -ERR no such message
        * gone
    "]);
}

/// S-17, S-18: QUIT before login; RSET only after it.
#[test]
fn quit_before_login() {
    check_seed(&["
        S: +OK POP3 server ready
        C: RSET
        S: -ERR ...
        C: QUIT
        S: +OK dewey POP3 server signing off
        * closed
    "]);
}

/// S-18, S-19: what is left decides the farewell, and only QUIT removes.
#[test]
fn one_message_left_then_none() {
    check_seed(&[
        "
        (login)
        C: DELE 1
        S: +OK message 1 deleted
        * gone
        ",
        "
        (login)
        C: DELE 1
        S: +OK message 1 deleted
        C: QUIT
        S: +OK dewey POP3 server signing off (1 message left)
        * closed
        ",
        "
        S: +OK POP3 server ready
        C: USER kcope
        S: +OK
        C: PASS secret
        S: +OK kcope's maildrop has 1 message (200 octets)
        C: LIST 2
        S: -ERR no such message, only 1 message in maildrop
        C: DELE 1
        S: +OK message 1 deleted
        C: QUIT
        S: +OK dewey POP3 server signing off (maildrop empty)
        * closed
        ",
        "
        S: +OK POP3 server ready
        C: USER kcope
        S: +OK
        C: PASS secret
        S: +OK kcope's maildrop has 0 messages (0 octets)
        C: QUIT
        S: +OK dewey POP3 server signing off (maildrop empty)
        * closed
        ",
    ]);
}

/// S-21: POP3 does not send mail.
#[test]
fn no_uploads() {
    check(
        &[],
        &["
        S: +OK POP3 server ready
        C: USER kcope
        S: +OK
        C: PASS secret
        S: +OK ...
        C: XTND XMIT
        S: -ERR XTND is not implemented
        * gone
        "],
    );
}
