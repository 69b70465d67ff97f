//! Sessions against a tiny model of their maildrop: which messages there are, which are marked, and that a QUIT,
//! and nothing else, removes those.

use proptest::prelude::*;

use super::properties::Pair;
use super::{World, quiet};
use crate::maildrop::{Maildrops, Memory, Message, load};
use crate::wire::{Close, Input, Side};
use std::sync::Arc;

/// Dots, bare CRs, nothing at all, two of a kind, and one for UTF8 mode.
const MAIL: [&str; 7] = [
    "From: a\n\n.\n..\nb",
    ".",
    "",
    "c: d\r\n\r\ne\rf\n\n.g\n",
    "Subject: \u{43f}\n\nx\ny\n",
    "From: a\n\n.\n..\nb",
    "no: body\n",
];

/// What a client does after login.
#[derive(Debug, Clone)]
enum Step {
    Stat,
    List(Option<usize>),
    Uidl(Option<usize>),
    Retr(usize),
    Top(usize, usize),
    Dele(usize),
    Rset,
    /// Succeeds and changes nothing.
    Idle(&'static str),
    /// Is refused and changes nothing.
    Wrong(&'static str),
    Quit,
    /// The client goes without a word.
    Vanish,
}

/// What stands before login: lines in lock-step.
type Prelude = &'static [&'static str];

const PRELUDES: &[Prelude] = &[
    &["UTF8"],
    &["LANG en"],
    &["CAPA"],
    &["STAT"],
    &["RSET"],
    &["DELE 1"],
    &["QUIT now"],
    &["USER kcope", "PASS wrong"],
    &["AUTH PLAIN", "*"],
    &["AUTH PLAIN AGtjb3BlAHg="],
    &["AUTH LOGIN", "a2NvcGU=", "*"],
    &["AUTH CRAM-MD5", "AAAA"],
    &["AUTH SCRAM-SHA-256", "biwsbj1rY29wZSxyPWFiYw==", "AAAA"],
    &["AUTH XOAUTH2", "eA==", ""],
];

const LOGINS: &[Prelude] = &[
    &["USER kcope", "PASS secret"],
    &["AUTH PLAIN AGtjb3BlAHNlY3JldA=="],
    &["AUTH PLAIN", "AGtjb3BlAHNlY3JldA=="],
    &["AUTH LOGIN", "a2NvcGU=", "c2VjcmV0"],
];

fn step() -> impl Strategy<Value = Step> {
    let n = || 0..MAIL.len() + 2;
    let idle = prop::sample::select(vec!["NOOP", "CAPA", "LANG", "LANG *", "noop"]);
    let wrong = prop::sample::select(vec![
        "USER x",
        "PASS x",
        "AUTH PLAIN",
        "APOP a b",
        "STLS",
        "UTF8",
        "XYZZY",
        "",
        "RETR",
        "DELE x",
        "TOP 1",
        "RETR -1",
        "RETR 1 1",
        "STAT 1",
        "QUIT x",
        "LANG xx",
        "LAST",
        "DELE 18446744073709551617",
    ]);
    prop_oneof![
        2 => Just(Step::Stat),
        3 => prop::option::of(n()).prop_map(Step::List),
        3 => prop::option::of(n()).prop_map(Step::Uidl),
        4 => n().prop_map(Step::Retr),
        3 => (n(), 0usize..5).prop_map(|(n, lines)| Step::Top(n, lines)),
        5 => n().prop_map(Step::Dele),
        1 => Just(Step::Rset),
        1 => idle.prop_map(Step::Idle),
        2 => wrong.prop_map(Step::Wrong),
        2 => Just(Step::Quit),
        1 => Just(Step::Vanish),
    ]
}

/// A session and what it must be like.
struct Model<'a> {
    messages: &'a [Message],
    /// Which of them the session has, in order: the place is the number less one.
    listed: Vec<usize>,
    marked: Vec<bool>,
    utf8: bool,
    pair: Pair,
}

impl<'a> Model<'a> {
    fn log_in(world: &World, messages: &'a [Message], there: &[usize], preludes: &[Prelude]) -> Self {
        let (listed, marked) = (there.to_vec(), vec![false; there.len()]);
        let mut pair = Pair::new(world.connect());
        let mut last = String::new();
        for line in preludes.iter().copied().flatten() {
            last = pair.send(format!("{line}\r\n").as_bytes());
        }
        let model =
            Self { messages, listed, marked, utf8: preludes.iter().any(|lines| lines == &["UTF8"]), pair };
        let count = format!("+OK kcope's maildrop has {} message", there.len());
        assert!(last.starts_with(&count), "{last}");
        model
    }

    fn ask(&mut self, line: &str) -> String {
        self.pair.send(format!("{line}\r\n").as_bytes())
    }

    /// The messages that are left, each with its number.
    fn left(&self) -> Vec<(usize, &'a Message)> {
        let all = self.listed.iter().enumerate();
        all.filter(|&(at, _)| !self.marked[at]).map(|(at, &which)| (at + 1, &self.messages[which])).collect()
    }

    /// The message that a number names.
    fn named(&self, n: usize) -> Option<&'a Message> {
        self.left().into_iter().find(|&(number, _)| number == n).map(|(_, message)| message)
    }

    /// The lines of a listing, or the one about a message; None where it must be refused.
    fn listing(&self, n: Option<usize>, fact: impl Fn(&Message) -> String) -> Option<Vec<String>> {
        let line = |(number, message): (usize, &Message)| format!("{number} {}", fact(message));
        match n {
            None => Some(self.left().into_iter().map(line).collect()),
            Some(n) => Some(vec![line((n, self.named(n)?))]),
        }
    }

    fn check_listing(&mut self, name: &str, n: Option<usize>, fact: impl Fn(&Message) -> String) {
        let wanted = self.listing(n, fact);
        let reply = self.ask(&n.map_or(name.to_owned(), |n| format!("{name} {n}")));
        match (wanted, n) {
            (None, _) => assert_refused(&reply),
            (Some(lines), Some(_)) => assert_eq!(reply, format!("+OK {}\r\n", lines[0])),
            (Some(lines), None) => {
                let said: Vec<_> = body(&reply).split_terminator("\r\n").collect();
                assert_eq!(said, lines);
            }
        }
    }

    fn check_message(&mut self, line: &str, n: usize, lines: Option<usize>) {
        let wanted = self.named(n).filter(|message| self.utf8 || !message.scan().utf8);
        let reply = self.ask(line);
        let Some(message) = wanted else { return assert_refused(&reply) };
        let whole = String::from_utf8_lossy(message.octets()).into_owned();
        let sent = unstuffed(body(&reply));
        assert!(whole.starts_with(&sent), "{line}: {sent:?} of {whole:?}");
        assert_eq!(sent, lines.map_or(whole.clone(), |lines| top(&whole, lines)), "{line}");
        if lines.is_none() {
            assert_eq!(sent.len() as u64, message.size());
            let outcome = self.pair.outcomes.last().and_then(|outcome| outcome.octets);
            assert_eq!(outcome, Some(message.size()));
        }
    }

    /// Takes a step; says whether the session goes on.
    fn step(&mut self, step: &Step) -> bool {
        match *step {
            Step::Stat => {
                let left = self.left();
                let octets: u64 = left.iter().map(|(_, message)| message.size()).sum();
                assert_eq!(self.ask("STAT"), format!("+OK {} {octets}\r\n", left.len()));
            }
            Step::List(n) => self.check_listing("LIST", n, |message| message.size().to_string()),
            Step::Uidl(n) => self.check_listing("UIDL", n, |message| message.unique_id().to_string()),
            Step::Retr(n) => self.check_message(&format!("RETR {n}"), n, None),
            Step::Top(n, lines) => self.check_message(&format!("TOP {n} {lines}"), n, Some(lines)),
            Step::Dele(n) => {
                let there = self.named(n).is_some();
                let reply = self.ask(&format!("DELE {n}"));
                assert_eq!(reply.starts_with("+OK"), there, "{reply}");
                if there {
                    self.marked[n - 1] = true;
                }
            }
            Step::Rset => {
                assert!(self.ask("RSET").starts_with("+OK"));
                self.marked.fill(false);
            }
            Step::Idle(line) => assert!(self.ask(line).starts_with("+OK"), "{line}"),
            Step::Wrong(line) => assert_refused(&self.ask(line)),
            Step::Quit => {
                assert!(self.ask("QUIT").starts_with("+OK"));
                assert!(self.pair.session.closed);
            }
            Step::Vanish => self.pair.session.input(Input::Closed(Side::Client, Close::Reset)),
        }
        !self.pair.session.closed
    }
}

fn assert_refused(reply: &str) {
    assert!(reply.starts_with("-ERR") && reply.matches("\r\n").count() == 1, "{reply}");
}

/// What stands between the status line and the terminator.
fn body(reply: &str) -> &str {
    let (status, rest) = reply.split_once("\r\n").unwrap();
    assert!(status.starts_with("+OK"), "{reply}");
    assert!(rest == ".\r\n" || rest.ends_with("\r\n.\r\n"), "{reply}");
    &rest[..rest.len() - 3]
}

/// Each line without the dot that was put before its own.
fn unstuffed(body: &str) -> String {
    let lines = body.split_inclusive("\r\n");
    lines
        .map(|line| {
            assert!(!line.starts_with('.') || line.starts_with(".."), "{line:?}");
            line.strip_prefix('.').unwrap_or(line)
        })
        .collect()
}

/// The header, the blank line and so many lines more.
fn top(message: &str, lines: usize) -> String {
    let all: Vec<_> = message.split_inclusive("\r\n").collect();
    let header = all.iter().position(|&line| line == "\r\n").map_or(all.len(), |at| at + 1);
    all.into_iter().take(header + lines).collect()
}

proptest! {
    /// P3-035, P3-036, P3-054, P3-071, P3-078: numbers, sizes and ids stay in a session, ids across sessions;
    /// STAT, LIST, UIDL, RETR and TOP agree. P3-028, P3-081, P3-082: what was marked is gone after QUIT, and
    /// nothing is after anything else.
    #[test]
    fn p3_035_sessions_follow_the_model(
        sessions in prop::collection::vec(
            (
                prop::collection::vec(prop::sample::select(PRELUDES), 0..4),
                prop::sample::select(LOGINS),
                prop::collection::vec(step(), 0..25),
            ),
            1..6,
        ),
        writable in any::<bool>(),
    ) {
        let messages = load(MAIL);
        let maildrops = Maildrops::new(vec![Arc::new(Memory::new(messages.clone()))]).writable(writable);
        let world = World { source: Arc::new(maildrops), ..World::with(&[], quiet()) };
        let mut there: Vec<_> = (0..messages.len()).collect();
        for (mut preludes, login, steps) in sessions {
            preludes.push(login);
            let mut model = Model::log_in(&world, &messages, &there, &preludes);
            let last = steps.iter().find(|step| !model.step(step));
            if matches!(last, Some(Step::Quit)) {
                there = model.left().iter().map(|&(number, _)| model.listed[number - 1]).collect();
            }
        }
    }
}
