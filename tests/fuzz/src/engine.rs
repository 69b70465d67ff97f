//! Any octets of a client to the built-in server.

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use poptape::engine::{Birth, Engine, PERSONALITIES, Policy, Profile, Server};
use poptape::maildrop::{Attendant, Maildrops, Memory, load};
use poptape::wire::{Action, Close, Handshake, Input, Machine, Micros, Security, Side, Tls};

use super::script::{Step, joined, octet_by_octet, steps};

/// Time passes, a little or a lot; the client finishes or breaks off; poptape is stopped.
const MARKS: &[u8] = b"wWFRP";

/// The longest status line with its ending (RFC 2449 section 4).
const MAX_STATUS: usize = 512;

/// What messages may do to whoever sends them.
const MAIL: [&str; 5] =
    ["From: a\n\n.\n..\nb", ".", "", "c: d\r\n\r\ne\rf\n", "Subject: \u{434}\n\n.\u{434}"];

/// Settings that no personality has.
const PROFILES: &[&str] = &[
    "apop = false\nplaintext = true",
    "[quirks]\nblanks = \"anywhere\"\nnumbers = \"atoi\"\ntop-numbers = \"leading\"\nname-is-rest-of-line = true\n\
     name-lasts = \"login\"\nutf8-after-login = true\ndele-again = true\nauth-lists = true\ntop-gap = true\n\
     extra-arguments = [\"RETR\", \"LIST\", \"UIDL\"]\nempty-arguments = [\"PASS\", \"USER\"]\n\
     command-limit = { before-login = 40, after-login = 2000 }",
    "disabled = []\nlogin-delay = 5\nexpire = 0\nidle-timeout = 20\nresponse-codes = false\nexternal = \"kcope\"\n\
     [quirks]\nnumbers = \"signed\"\nfirst-name-stays = true\nonly-pass-after-user = true\nlast-without-top = true\n\
     closes-after-long-line = true\nbad-commands = { before-login = 3, after-login = 4 }",
];

const SECURITIES: [Security; 3] = [Security::Plain, Security::Stls, Security::Implicit];

/// Every personality, and every setting from above.
static POLICIES: LazyLock<Vec<Policy>> = LazyLock::new(|| {
    let personalities = PERSONALITIES.iter().map(|row| ("", Some(row.name)));
    let all = personalities.chain(PROFILES.iter().map(|text| (*text, None)));
    all.map(|(text, name)| Profile::parse(text, name).expect("it is a profile").policy).collect()
});

/// Each line has one answer, each answer is well-formed, and neither depends on how the octets are cut. The first
/// octet says what the server is.
pub fn engine(script: &[u8]) {
    let [server, script @ ..] = script else { return };
    let server = usize::from(*server);
    let policy = &POLICIES[server % POLICIES.len()];
    let security = SECURITIES[server / POLICIES.len() % SECURITIES.len()];
    let cut = steps(script, MARKS);
    let in_turn = Session::play(policy, security, &lines(&cut));
    assert_eq!(Session::play(policy, security, &octet_by_octet(&cut)), in_turn, "octet by octet");
    // What comes behind STLS in the same read is another story (RFC 2595 section 4).
    if !in_turn.began_tls {
        assert_eq!(Session::play(policy, security, &cut), in_turn, "cut as the script says");
        assert_eq!(Session::play(policy, security, &joined(&cut)), in_turn, "in as few reads as can be");
    }
}

/// The steps with a read for each line.
fn lines(steps: &[Step]) -> Vec<Step> {
    let lines = |step: &Step| match step {
        Step::Octets(side, octets) => octets
            .split_inclusive(|&octet| octet == b'\n')
            .map(|line| Step::Octets(*side, line.to_vec()))
            .collect(),
        Step::Mark(letter) => vec![Step::Mark(*letter)],
    };
    joined(steps).iter().flat_map(lines).collect()
}

/// What came of a session.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    said: String,
    closed: bool,
    reset: bool,
    began_tls: bool,
}

/// A session and a driver that keeps to the engine's terms.
struct Session {
    engine: Engine,
    attendant: Option<Attendant>,
    now: Micros,
    alarm: Option<Micros>,
    said: Vec<u8>,
    told: Told,
}

impl Session {
    fn play(policy: &Policy, security: Security, steps: &[Step]) -> Told {
        let accounts = [("kcope", "secret"), ("\u{434}", " a b ")].into_iter().collect();
        let server = Arc::new(Server { policy: policy.clone(), accounts });
        let birth = Birth { nonce: "1896.697170952".to_owned(), at: 0, security };
        let source = Maildrops::new(vec![Arc::new(Memory::new(load(MAIL)))]);
        let mut session = Self {
            engine: Engine::new(server, birth),
            attendant: Some(Attendant::new(Arc::new(source))),
            now: 0,
            alarm: None,
            said: Vec::new(),
            told: Told::default(),
        };
        session.input(Input::Opened);
        status(&session.said);
        session.drain();
        let mut leaves = false;
        for step in steps {
            match step {
                Step::Octets(_, octets) if !leaves => {
                    session.input(Input::Received(Side::Client, Bytes::copy_from_slice(octets)));
                    session.answered(octets);
                }
                Step::Mark(b'w') => session.pass(1_500_000),
                Step::Mark(b'W') => session.pass(3_600_000_000),
                Step::Mark(b'P') => session.input(Input::Stop),
                Step::Mark(letter) if !leaves => {
                    leaves = true;
                    let how = if *letter == b'F' { Close::Finished } else { Close::Reset };
                    session.input(Input::Closed(Side::Client, how));
                }
                Step::Octets(..) | Step::Mark(_) => {}
            }
            session.drain();
        }
        session.input(Input::Stop);
        session.drain();
        assert!(session.told.closed, "stopped, and not over");
        session.told
    }

    fn input(&mut self, input: Input) {
        let mut next = VecDeque::from([input]);
        while let Some(input) = next.pop_front() {
            let mut actions = Vec::new();
            self.engine.handle(self.now, input, &mut actions);
            for action in actions {
                assert!(!self.told.closed, "{action:?} after the end");
                match action {
                    Action::Send(Side::Client, octets) => self.said.extend_from_slice(&octets),
                    Action::Close => (self.told.closed, self.attendant) = (true, None),
                    Action::Reset(Side::Client) => self.told.reset = true,
                    Action::WakeAt(at) if at <= self.now => next.push_back(Input::Woke),
                    Action::WakeAt(at) => self.alarm = Some(at),
                    Action::Ask(ask) => {
                        let attendant = self.attendant.as_mut().expect("asked before the end");
                        next.push_back(Input::Told(attendant.perform(ask)));
                    }
                    Action::StartTls(Side::Client) => {
                        assert!(!self.told.began_tls, "TLS begins twice");
                        self.told.began_tls = true;
                        let tls = Tls { readable: true, ..Tls::of(Side::Client) };
                        next.push_back(Input::Tls(Box::new(Handshake::new(tls))));
                    }
                    other => panic!("{other:?} of a server"),
                }
            }
        }
    }

    /// Lets time pass, waking the engine when it wants to be woken. Nobody says anything meanwhile.
    fn pass(&mut self, micros: Micros) {
        let then = self.now + micros;
        while let Some(at) = self.alarm.take_if(|at| *at <= then) {
            self.now = at;
            self.input(Input::Woke);
        }
        self.now = then;
        assert!(self.said.is_empty(), "said in the silence: {}", text(&self.said));
    }

    /// Looks at the answers to what came in one read.
    fn answered(&self, octets: &[u8]) {
        let ends = octets.split(|&octet| octet == b'\n').count() - 1;
        match ends {
            // Only the end of the session can be told in the middle of a line.
            0 if self.said.is_empty() => {}
            0 => {
                assert!(self.told.closed, "half a line is answered: {}", text(&self.said));
                status(&self.said);
            }
            1 if octets.ends_with(b"\n") => self.answer(),
            // These are judged by being the same as one by one.
            _ => {}
        }
    }

    /// Looks at the answer to a line.
    fn answer(&self) {
        let Some(end) = memchr(b'\n', &self.said) else {
            assert!(self.told.closed && self.said.is_empty(), "no answer but {:?}", text(&self.said));
            return;
        };
        let (line, rest) = self.said.split_at(end + 1);
        status(line);
        if rest.is_empty() {
            return;
        }
        if !line.starts_with(b"+OK") {
            assert!(
                self.told.closed && rest.starts_with(b"-ERR"),
                "more than one answer: {}",
                text(&self.said)
            );
            return status(rest);
        }
        let body = rest.strip_suffix(b".\r\n").unwrap_or_else(|| panic!("no end: {}", text(&self.said)));
        assert!(body.is_empty() || body.ends_with(b"\r\n"), "the end is not at the beginning of a line");
        for line in body.split_inclusive(|&octet| octet == b'\n') {
            assert!(line.ends_with(b"\r\n"), "a bare LF: {}", text(line));
            assert!(!line.starts_with(b".") || line.starts_with(b".."), "not stuffed: {}", text(line));
        }
    }

    fn drain(&mut self) {
        self.told.said.push_str(&text(&std::mem::take(&mut self.said)));
    }
}

/// A status line, and nothing else.
fn status(line: &[u8]) {
    let shown = text(line);
    let known = ["+OK", "-ERR"].iter().any(|status| {
        let rest = shown.strip_prefix(status);
        rest.is_some_and(|rest| rest.starts_with([' ', '\r']))
    });
    assert!(known || shown.starts_with("+ "), "no status: {shown:?}");
    // A challenge is as long as its mechanism makes it (RFC 5034 section 4).
    assert!(!known || line.len() <= MAX_STATUS, "{} octets in {shown:?}", line.len());
    let inside = shown.strip_suffix("\r\n");
    assert!(inside.is_some_and(|inside| !inside.contains(char::is_control)), "{shown:?}");
}

fn memchr(octet: u8, octets: &[u8]) -> Option<usize> {
    octets.iter().position(|&one| one == octet)
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}
