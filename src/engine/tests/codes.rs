//! Response codes (protocol rules P3-098 to P3-100) and the delay between logins (P3-093, P3-094).

use std::io;
use std::sync::Arc;

use super::sasl::LOGGED_IN;
use super::{LOGIN, Policy, World, check_policy, quiet};
use crate::maildrop::{Listing, Maildrops, Message, Snapshot, Store, Text, load};

const SECOND: u64 = 1_000_000;

/// A store that cannot be read, or whose messages cannot.
#[derive(Debug, Clone, Copy)]
struct Broken {
    opens: bool,
}

impl Store for Broken {
    fn snapshot(&self) -> io::Result<Box<dyn Snapshot>> {
        if self.opens { Ok(Box::new(*self)) } else { Err(io::ErrorKind::PermissionDenied.into()) }
    }
}

impl Snapshot for Broken {
    fn scans(&self) -> Listing {
        load(["a"]).iter().map(Message::scan).cloned().collect()
    }

    fn text(&self, _: usize) -> io::Result<Text> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn remove(&self, _: &[bool]) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

fn broken(opens: bool, policy: Policy) -> World {
    let maildrops = Maildrops::new(vec![Arc::new(Broken { opens })]).writable(true);
    World { source: Arc::new(maildrops), ..World::with(&[], policy) }
}

/// The ways to log in, and their last line with right and with wrong credentials.
const WAYS: [(&str, &str); 3] = [
    ("USER kcope\r\nPASS secret\r\n", "USER kcope\r\nPASS x\r\n"),
    ("AUTH PLAIN AGtjb3BlAHNlY3JldA==\r\n", "AUTH PLAIN AGtjb3BlAHg=\r\n"),
    ("AUTH LOGIN\r\na2NvcGU=\r\nc2VjcmV0\r\n", "AUTH LOGIN\r\na2NvcGU=\r\neA==\r\n"),
];

/// What the last of these commands is answered.
fn last(world: &World, octets: &str) -> String {
    let replies = world.connect().ask(octets.as_bytes());
    replies.trim_end().rsplit("\r\n").next().unwrap_or_default().to_owned()
}

/// P3-099: each code stands where it may, in every way to log in.
#[test]
fn p3_099_codes_of_a_login() {
    let refused = [("kcope".to_owned(), "[SYS/PERM] mailbox is damaged".to_owned())].into();
    let damaged = World::with(&["a"], Policy { refused, ..quiet() });
    for (right, wrong) in WAYS {
        let world = World::with(&["a"], quiet());
        assert_eq!(last(&world, wrong), "-ERR [AUTH] invalid user name or password");
        let mut open = world.connect();
        open.ask(right.as_bytes());
        assert_eq!(last(&world, right), "-ERR [IN-USE] maildrop already locked");
        assert_eq!(last(&broken(false, quiet()), right), "-ERR [SYS/TEMP] maildrop cannot be read");
        assert_eq!(last(&damaged, right), "-ERR [SYS/PERM] mailbox is damaged");
        // Who has a wrong password learns no more than that.
        assert_eq!(last(&damaged, wrong), "-ERR [AUTH] invalid user name or password");
    }
}

/// A name that is refused need not be one that could log in; nobody can prove to be it.
#[test]
fn whom_nobody_knows_can_be_refused() {
    let refused = [("eve".to_owned(), "[SYS/PERM] mailbox is damaged".to_owned())].into();
    let world = World::with(&["a"], Policy { refused, ..quiet() });
    assert_eq!(last(&world, "USER eve\r\nPASS x\r\n"), "-ERR [SYS/PERM] mailbox is damaged");
    assert!(last(&world, "USER bob\r\nPASS x\r\n").starts_with("-ERR [AUTH]"));
}

/// P3-083, P3-099: a message that cannot be read, one that cannot be removed; the lock is gone all the same.
#[test]
fn p3_099_codes_after_login() {
    let world = broken(true, quiet());
    for command in ["RETR 1", "TOP 1 0"] {
        let reply = last(&world, &format!("USER kcope\r\nPASS secret\r\n{command}\r\n"));
        assert_eq!(reply, "-ERR [SYS/TEMP] message cannot be read");
    }
    let reply = last(&world, "USER kcope\r\nPASS secret\r\nDELE 1\r\nQUIT\r\n");
    assert_eq!(reply, "-ERR some deleted messages not removed");
    assert_eq!(last(&world, WAYS[0].0), LOGGED_IN);
}

/// P3-098: a text that begins with a bracket is a code in the form of RFC 2449; without RESP-CODES there is none.
#[test]
fn p3_098_codes_are_well_formed_or_absent() {
    let silent = || Policy { response_codes: false, ..quiet() };
    for (right, wrong) in WAYS {
        for (on, policy) in [(true, quiet()), (false, silent())] {
            let world = World::with(&["a"], policy.clone());
            let mut open = world.connect();
            open.ask(right.as_bytes());
            for reply in [last(&world, wrong), last(&world, right), last(&broken(false, policy), right)] {
                let text = reply.strip_prefix("-ERR ").unwrap();
                let code = text.strip_prefix('[').and_then(|rest| rest.split_once("] "));
                assert_eq!(code.is_some(), on, "{reply}");
                let well = |code: &str| code.bytes().all(|b| b.is_ascii_uppercase() || b"-/".contains(&b));
                assert!(code.is_none_or(|(code, text)| well(code) && !text.is_empty()), "{reply}");
                assert!(on || !text.contains(['[', ']']), "{reply}");
            }
        }
    }
}

/// P3-098, P3-100: codes are announced where they are used, and not where they are not.
#[test]
fn p3_100_codes_are_announced() {
    let capa = |policy| World::with(&["a"], policy).connect().ask(b"CAPA\r\n");
    assert!(capa(quiet()).contains("\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n"));
    assert!(!capa(Policy { response_codes: false, ..quiet() }).contains("RESP-CODE"));
}

/// P3-100: with AUTH-RESP-CODE every wrong credential is told so, and USER never is.
#[test]
fn p3_100_auth_is_said_of_every_credential() {
    let policy = Policy { apop_only: ["mrose".to_owned()].into(), ..Policy::default() };
    let world =
        World::with(&["a"], policy).of([("kcope", "secret"), ("mrose", "tanstaaf")].into_iter().collect());
    for line in [
        "USER nobody\r\nPASS secret",
        "USER mrose\r\nPASS tanstaaf",
        "APOP kcope c4c9334bac560ecc979e58001b3e22fb",
        "APOP nobody c4c9334bac560ecc979e58001b3e22fb",
        "AUTH PLAIN AG1yb3NlAHRhbnN0YWFm",
        "AUTH CRAM-MD5\r\nbm9ib2R5IHg=",
        "AUTH SCRAM-SHA-1 eCx4",
        "AUTH XOAUTH2 eA==\r\n",
    ] {
        let reply = last(&world, &format!("{line}\r\n"));
        assert!(reply.starts_with("-ERR [AUTH] "), "{line}: {reply}");
    }
    for line in ["USER", "USER a b", "USER nobody", "AUTH NTLM", "AUTH PLAIN x", "PASS secret"] {
        assert!(!last(&world, &format!("{line}\r\n")).contains('['), "{line}");
    }
}

/// P3-093, P3-094: the delay is announced in whole seconds, the same before and after login, and enforced.
#[test]
fn p3_094_a_login_that_comes_too_soon() {
    let policy = Policy { login_delay: 10, ..quiet() };
    let list = "S: +OK ...\nS: TOP\nS: UIDL\nS: USER\nS: SASL ...\nS: RESP-CODES\nS: AUTH-RESP-CODE\n\
                S: LOGIN-DELAY 10\nS: PIPELINING\nS: UTF8 USER\nS: LANG\nS: IMPLEMENTATION ...\nS: .\n";
    check_policy(&policy, &format!("C: CAPA\n{list}{LOGIN}C: CAPA\n{list}"));
    let world = World::with(&["a"], policy);
    let try_at = |at: u64, login: &str| {
        let replies = world.connect_at(at).ask(login.as_bytes());
        replies.trim_end().rsplit("\r\n").next().unwrap_or_default().to_owned()
    };
    let early = "-ERR [LOGIN-DELAY] logged in too recently";
    assert_eq!(try_at(0, WAYS[0].0), LOGGED_IN);
    for (right, _) in WAYS {
        assert_eq!(try_at(10 * SECOND - 1, right), early);
    }
    assert_eq!(try_at(10 * SECOND, WAYS[1].0), LOGGED_IN);
    assert_eq!(try_at(19 * SECOND, WAYS[0].0), early);
    assert_eq!(try_at(20 * SECOND, WAYS[0].0), LOGGED_IN);
}

/// P3-094: what is not a login starts no delay: neither a wrong password nor a maildrop that is open already.
#[test]
fn p3_094_only_logins_count() {
    let world = World::with(&["a"], Policy { login_delay: 10, ..quiet() });
    assert_eq!(last(&world, WAYS[0].1), "-ERR [AUTH] invalid user name or password");
    let mut first = world.connect();
    assert!(first.ask(WAYS[0].0.as_bytes()).ends_with(&format!("{LOGGED_IN}\r\n")));
    let mut second = world.connect_at(20 * SECOND);
    assert!(second.ask(WAYS[0].0.as_bytes()).contains("[IN-USE]"));
    first.ask(b"QUIT\r\n");
    assert!(second.ask(WAYS[0].0.as_bytes()).ends_with(&format!("{LOGGED_IN}\r\n")));
}
