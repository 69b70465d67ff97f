//! TRANSACTION and UPDATE (protocol rules P3-034 to P3-036 and P3-050 to P3-083).

use std::sync::Arc;

use super::{Way, World, check, check_mail};

use crate::maildrop::{Listing, Maildrop, NotRead, NotRemoved, OpenError, Piece, Source, load};

/// Sizes 3, 14, 8.
const THREE: [&str; 3] = ["a", "b: c\n\n.dot\n", "e: f\n\n"];

/// P3-034, P3-053, P3-054, P3-058, P3-063, P3-067, P3-078: numbers stay, marks take away, RSET gives back.
#[test]
fn p3_058_deleted_messages_are_nowhere() {
    check_mail(
        &THREE,
        "
        C: LIST
        S: +OK 3 messages (25 octets)
        S: 1 3
        S: 2 14
        S: 3 8
        S: .
        C: DELE 2
        S: +OK message 2 deleted
        C: STAT
        S: +OK 2 11
        C: LIST
        S: +OK 2 messages (11 octets)
        S: 1 3
        S: 3 8
        S: .
        C: UIDL
        S: +OK
        S: 1 ...
        S: 3 ...
        S: .
        C: LIST 2
        S: -ERR message 2 already deleted
        C: UIDL 2
        S: -ERR message 2 already deleted
        C: RETR 2
        S: -ERR message 2 already deleted
        C: TOP 2 0
        S: -ERR message 2 already deleted
        C: DELE 2
        S: -ERR message 2 already deleted
        C: LIST 3
        S: +OK 3 8
        C: RSET
        S: +OK maildrop has 3 messages (25 octets)
        C: LIST 2
        S: +OK 2 14
        * gone
        ",
    );
}

/// P3-051, P3-052, P3-056: a count and a size, a number and a size, single spaces, and nothing behind them.
#[test]
fn p3_051_stat_and_list_say_no_more() {
    let transcript = "
        C: STAT
        S: +OK 3 25
        C: LIST
        S: +OK ...
        S: 1 3
        S: 2 14
        S: 3 8
        S: .
        C: LIST 2
        S: +OK 2 14
        C: LIST 003
        S: +OK 3 8
        * gone
    ";
    check_mail(&THREE, transcript);
}

/// P3-057: an empty listing is a listing.
#[test]
fn p3_057_an_empty_maildrop() {
    check_mail(
        &[],
        "
        C: STAT
        S: +OK 0 0
        C: LIST
        S: +OK 0 messages (0 octets)
        S: .
        C: UIDL
        S: +OK
        S: .
        C: LIST 1
        S: -ERR no such message, only 0 messages in maildrop
        C: RSET
        S: +OK maildrop has 0 messages (0 octets)
        * gone
        ",
    );
}

/// P3-059, P3-060, P3-065, K-12, K-13: the size is what RETR sends, whatever was stored.
#[test]
fn p3_059_sizes_are_true() {
    for text in ["", "a", "a\nb", "\n\n.\n..\r\n.", "a\rb\r\r\n", ".\r\n"] {
        let mut session = World::new(&[text]).connect();
        session.ask(b"USER kcope\nPASS secret\n");
        let listed = session.ask(b"LIST 1\n");
        let sent = session.ask(b"RETR 1\n");
        let body =
            sent.split_once("\r\n").and_then(|(_, body)| body.strip_suffix(".\r\n")).unwrap_or_default();
        let dots = body.matches("\n.").count() + usize::from(body.starts_with('.'));
        let size = body.len() - dots;
        assert_eq!(listed, format!("+OK 1 {size}\r\n"), "{text:?}");
        assert!(sent.starts_with(&format!("+OK {size} octet")), "{text:?}");
    }
}

/// P3-020, P3-064: what names no message, wide numbers that must not wrap among it.
#[test]
fn p3_064_numbers_out_of_range() {
    for number in
        ["0", "00", "2", "4294967297", "18446744073709551617", "340282366920938463463374607431768211457"]
    {
        check_mail(
            &["a"],
            &format!(
                "
                C: RETR {number}
                S: -ERR no such message
                C: TOP {number} 1
                S: -ERR no such message
                C: DELE {number}
                S: -ERR no such message
                C: LIST {number}
                S: -ERR no such message, only 1 message in maildrop
                C: STAT
                S: +OK 1 3
                * gone
                "
            ),
        );
    }
    check_mail(&["a"], "C: LIST -1\nS: -ERR usage: LIST [msg]\nC: LIST 01\nS: +OK 1 3\n* gone");
}

/// P3-066: NOOP and RSET succeed.
#[test]
fn p3_066_noop_and_rset() {
    check_mail(&["a"], "C: NOOP\nS: +OK\nC: RSET\nS: +OK maildrop has 1 message (3 octets)\n* gone");
}

/// P3-069, P3-070, P3-071: headers, the blank line, at most n lines; all of it where n is large.
#[test]
fn p3_069_top() {
    check_mail(
        &["H: 1\n\nx\n.y\n\nz\n", "H: 2", "H: 3\n\n"],
        "
        C: TOP 1 0
        S: +OK
        S: H: 1
        S:
        S: .
        C: TOP 1 2
        S: +OK
        S: H: 1
        S:
        S: x
        S: ..y
        S: .
        C: TOP 1 99999999999999999999999
        S: +OK
        S: H: 1
        S:
        S: x
        S: ..y
        S:
        S: z
        S: .
        C: TOP 2 5
        S: +OK
        S: H: 2
        S: .
        C: TOP 3 5
        S: +OK
        S: H: 3
        S:
        S: .
        * gone
        ",
    );
}

/// P3-073, P3-074: number and id, the id from the content, copies told apart.
#[test]
fn p3_073_unique_ids() {
    check_mail(
        &["a\n", "b", "a"],
        "
        C: UIDL
        S: +OK
        S: 1 e5ad9b1904074ddb
        S: 2 ffd9941912e7a1b6
        S: 3 e5ad9b1904074ddb.2
        S: .
        C: UIDL 3
        S: +OK 3 e5ad9b1904074ddb.2
        * gone
        ",
    );
}

/// P3-028, P3-035, P3-036, P3-075, P3-076, P3-081, P3-082: only QUIT removes, only what is marked, and what
/// stays keeps its id.
#[test]
fn p3_081_update() {
    let login = "S: +OK POP3 server ready\nC: USER kcope\nS: +OK\nC: PASS secret\nS: +OK ...\n";
    let session = |rest: &str| format!("{login}{rest}");
    check(
        &["a\n", "b", "a"],
        &[
            &session("C: DELE 1\nS: +OK ...\n* gone"),
            &session("C: DELE 1\nS: +OK ...\nC: QUIT\nS: +OK ...\n* closed"),
            &session("C: UIDL\nS: +OK\nS: 1 ffd9941912e7a1b6\nS: 2 e5ad9b1904074ddb.2\nS: .\n* gone"),
        ],
    );
}

/// A maildrop with one message, which can be read in part only, and not removed.
#[derive(Debug, Clone)]
struct Stubborn {
    text: &'static str,
    /// How much of it can be read.
    readable: usize,
}

impl Source for Stubborn {
    fn open(&self, _: &str) -> Result<Box<dyn Maildrop>, OpenError> {
        Ok(Box::new(self.clone()))
    }

    fn blocks(&self) -> bool {
        false
    }
}

impl Maildrop for Stubborn {
    fn listing(&self) -> Listing {
        load([self.text]).iter().map(|message| message.scan().clone()).collect()
    }

    fn read(&mut self, _: usize, from: u64) -> Result<Piece, NotRead> {
        let from = usize::try_from(from).unwrap();
        let octets = self.text.get(from..self.readable).filter(|octets| !octets.is_empty()).ok_or(NotRead)?;
        Ok(Piece { octets: octets.into(), last: false })
    }

    fn commit(self: Box<Self>, marked: &[bool]) -> Result<(), NotRemoved> {
        assert_eq!(marked, [true]);
        Err(NotRemoved)
    }
}

/// The second half of its message cannot be read.
pub(super) fn breaking_off() -> World {
    let source = Stubborn { text: "ten octetsand eighteen more\r\n", readable: 10 };
    World { source: Arc::new(source), ..World::new(&[]) }
}

/// P3-081, P3-083: where messages could not be removed QUIT says so, and the session ends all the same.
#[test]
fn p3_083_quit_ends_the_session_even_where_update_fails() {
    let world = World { source: Arc::new(Stubborn { text: "a", readable: 0 }), ..World::new(&[]) };
    let mut session = world.connect();
    session.play(
        "
        S: +OK POP3 server ready
        C: USER kcope
        S: +OK
        C: PASS secret
        S: +OK kcope's maildrop has 1 message (3 octets)
        C: RETR 1
        S: -ERR [SYS/TEMP] message cannot be read
        C: DELE 1
        S: +OK message 1 deleted
        C: QUIT
        S: -ERR some deleted messages not removed
        * closed
        ",
        Way::AtOnce,
    );
}
