//! Whatever a client sends, in whatever pieces: the engine answers each line once, and the dissector, which
//! knows the engine only by its octets, agrees with it.

use bytes::Bytes;
use memchr::memchr_iter;
use proptest::prelude::*;

use super::{Session, World};
use crate::maildrop::{Message, load};
use crate::pop3::dissect::{Outcome, Request};
use crate::pop3::{Dissector, Event, Keyword, Secrets, State, Status};
use crate::wire::Side;

const MAIL: [&str; 4] = ["From: a\n\n.\n..\nb", ".", "", "c: d\r\n\r\ne\rf\n"];

fn command() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![8 => 0u64..6, 1 => Just(u64::MAX)];
    let keyword = prop::sample::select(vec![
        "USER", "PASS", "APOP", "STAT", "LIST", "retr", "DELE", "noop", "RSET", "TOP", "UIDL", "CAPA",
        "Capa", "AUTH", "STLS", "UTF8", "LANG", "LAST", "XTND", "XYZZY", "", " ",
    ]);
    let odd = prop::sample::select(vec![
        "AUTH PLAIN",
        "AUTH PLAIN AGEAYg==",
        "AGEAYg==",
        "AUTH PLAIN AGtjb3BlAHNlY3JldA==",
        "AGtjb3BlAHNlY3JldA==",
        "AUTH LOGIN",
        "AUTH CRAM-MD5",
        "AUTH XOAUTH2 =",
        "*",
        "",
        "AUTH LOGIN a2NvcGU=",
        "a2NvcGU=",
        "c2VjcmV0",
        "AUTH SCRAM-SHA-1",
        "AUTH SCRAM-SHA-256 biwsbj1rY29wZSxyPWFiYw==",
        "biwsbj1rY29wZSxyPWFiYw==",
        "Yz1iaXdzLHI9eCxwPXg=",
        "AUTH OAUTHBEARER",
        "AQ==",
        "AUTH EXTERNAL =",
        "UTF8 x",
        "LANG *",
        "LANG en-GB",
        "LANG xx",
        "USER \u{43a}",
        "XTND XMIT",
        ".",
    ]);
    prop_oneof![
        4 => Just(b"USER kcope\r\nPASS secret\r\n".to_vec()),
        6 => (keyword.clone(), number.clone()).prop_map(|(word, n)| format!("{word} {n}\r\n").into_bytes()),
        3 => (number.clone(), number).prop_map(|(n, lines)| format!("TOP {n} {lines}\r\n").into_bytes()),
        6 => keyword.prop_map(|word| format!("{word}\r\n").into_bytes()),
        2 => odd.prop_map(|line| format!("{line}\n").into_bytes()),
        1 => Just(b"QUIT\r\n".to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..300),
        1 => (200usize..400).prop_map(|len| [&vec![b'x'; len][..], b"\r\n"].concat()),
    ]
}

/// The engine under test, and the dissector that looks on.
pub(super) struct Pair {
    pub(super) session: Session,
    dissector: Dissector,
    pub(super) outcomes: Vec<Outcome>,
}

impl Pair {
    pub(super) fn new(session: Session) -> Self {
        let dissector = Dissector::new(Secrets::Redact);
        let mut pair = Self { session, dissector, outcomes: Vec::new() };
        pair.observe();
        pair
    }

    /// Sends octets; gives what is answered.
    pub(super) fn send(&mut self, chunk: &[u8]) -> String {
        // What a session that is over receives is not asked of it.
        if self.session.closed {
            return String::new();
        }
        self.feed(Side::Client, Bytes::copy_from_slice(chunk));
        self.session.send(chunk);
        self.observe()
    }

    fn feed(&mut self, side: Side, octets: Bytes) {
        let outcomes = &mut self.outcomes;
        self.dissector.feed(side, 0, octets, &mut |event| {
            if let Event::End(outcome) = event {
                outcomes.push(*outcome);
            }
        });
    }

    fn observe(&mut self) -> String {
        let said = Bytes::from(std::mem::take(&mut self.session.said));
        self.feed(Side::Server, said.clone());
        let state = match self.session.engine.state() {
            State::Update if !self.logged_in() => State::Authorization,
            state => state,
        };
        assert_eq!(self.dissector.state(), state);
        String::from_utf8_lossy(&said).into_owned()
    }

    fn logged_in(&self) -> bool {
        self.outcomes.iter().any(|outcome| outcome.after == State::Transaction)
    }
}

proptest! {
    #[test]
    fn each_line_is_answered_once_and_the_dissector_agrees(
        commands in prop::collection::vec(command(), 0..40),
        cuts in prop::collection::vec(1usize..60, 1..20),
    ) {
        let octets = commands.concat();
        let mut pair = Pair::new(World::new(&MAIL).connect());
        let (mut rest, mut cuts) = (&octets[..], cuts.iter().cycle());
        while let (false, Some(&cut)) = (rest.is_empty(), cuts.next()) {
            // SASL cannot be pipelined (RFC 5034 section 4): what follows AUTH waits for its answer.
            let line = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            let most = if octets.windows(4).any(|word| word.eq_ignore_ascii_case(b"AUTH")) { line } else { rest.len() };
            let (chunk, tail) = rest.split_at(cut.min(most));
            pair.send(chunk);
            rest = tail;
        }
        // The greeting and an answer to each line, up to QUIT.
        let lines = memchr_iter(b'\n', &octets).count();
        let answered = pair.outcomes.len() - 1;
        let cut_off = pair.session.closed && answered <= lines;
        prop_assert!(answered == lines || cut_off, "{} of {}", answered, lines);
        let sizes = load(MAIL).iter().map(Message::size).collect::<Vec<_>>();
        for outcome in &pair.outcomes {
            prop_assert!(outcome.complete, "{:?}", outcome);
            prop_assert!(outcome.status.is_some(), "{:?}", outcome);
            prop_assert!(outcome.n == 0 || outcome.request.is_some(), "{:?}", outcome);
            let retr = outcome.request == Some(Request::Command(Keyword::Retr));
            if retr && outcome.status == Some(Status::Ok) {
                prop_assert!(outcome.octets.is_some_and(|size| sizes.contains(&size)), "{:?}", outcome);
            }
        }
    }

    #[test]
    fn the_cut_changes_nothing(
        commands in prop::collection::vec(command(), 0..20),
        cut in 1usize..30,
    ) {
        let octets = commands.concat();
        let world = World::new(&MAIL);
        let at_once = world.connect().ask(&octets);
        let world = World::new(&MAIL);
        let mut session = world.connect();
        session.said.clear();
        octets.chunks(cut).for_each(|chunk| session.send(chunk));
        prop_assert_eq!(String::from_utf8_lossy(&session.said), at_once);
    }
}
