//! Replays: what clients get from a recording, and what the report says. A case is a file: recorded transcripts, what
//! clients send, and behind `expected:` what came of it, rewritten with `UPDATE_EXPECT=1`.

use std::fmt::Write as _;
use std::path::Path;

use bytes::Bytes;
use poptape::engine::{Birth, Engine, Scene};
use poptape::maildrop::Attendant;
use poptape::pop3::secret::Secret;
use poptape::recording::file::Input;
use poptape::recording::format::Reading;
use poptape::replay::{AfterLast, Mode, Options, Replay, Tape, Timing};
use poptape::wire::{Action, Close, Handshake, Input as Happening, Machine, Micros, Security, Side, Tls};

/// After so many microseconds of silence a session is closed: not while a client of these tests thinks.
const SILENCE: Micros = 600_000_000;

/// A client's session as it is held, with virtual time.
struct Session {
    engine: Engine,
    attendant: Attendant,
    now: Micros,
    alarm: Option<Micros>,
    timed: bool,
    out: String,
    closed: bool,
}

impl Session {
    fn open(scene: Scene, security: Security, timed: bool) -> Self {
        let Scene { server, source, script } = scene;
        let engine = Engine::new(server, Birth { nonce: "1.2".to_owned(), at: 0, security });
        let engine = engine.with_script(script.expect("a replay has a script"));
        let attendant = Attendant::new(source);
        let (out, closed) = (String::new(), false);
        let mut session = Self { engine, attendant, now: 0, alarm: None, timed, out, closed };
        session.happens(Happening::Opened);
        session
    }

    /// Tells the engine, and lets time pass until it has nothing more to send.
    fn happens(&mut self, input: Happening) {
        let mut next = vec![input];
        while !next.is_empty() || self.alarm.is_some() {
            let input = if next.is_empty() {
                // The timer against silence comes only when nothing else does: not here.
                let Some(at) = self.alarm.take().filter(|at| *at - self.now != SILENCE) else { break };
                self.now = at;
                Happening::Woke
            } else {
                next.remove(0)
            };
            let mut actions = Vec::new();
            self.engine.handle(self.now, input, &mut actions);
            for action in actions {
                match action {
                    Action::Send(Side::Client, octets) => self.said(&octets),
                    Action::WakeAt(at) if at <= self.now => next.push(Happening::Woke),
                    Action::WakeAt(at) => self.alarm = Some(at),
                    Action::Ask(ask) => next.push(Happening::Told(self.attendant.perform(ask))),
                    Action::StartTls(side) => {
                        self.out.push_str("* TLS\n");
                        let tls = Tls { at: self.now, readable: true, ..Tls::of(side) };
                        next.push(Happening::Tls(Box::new(Handshake::new(tls))));
                    }
                    Action::Reset(_) => self.out.push_str("* reset\n"),
                    Action::Close => {
                        self.closed = true;
                        self.alarm = None;
                        self.out.push_str("* closed\n");
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    fn said(&mut self, octets: &[u8]) {
        if self.timed {
            writeln!(self.out, "S: {} us: {}", self.now, octets.escape_ascii()).unwrap();
            return;
        }
        for line in poptape::pop3::lines::split(octets) {
            let text = line
                .strip_suffix(b"\r\n")
                .map_or_else(|| line.escape_ascii().to_string(), |text| text.escape_ascii().to_string());
            writeln!(self.out, "S: {text}").unwrap();
        }
    }

    fn send(&mut self, line: &str) {
        if self.closed {
            return;
        }
        writeln!(self.out, "C: {line}").unwrap();
        self.happens(Happening::Received(Side::Client, Bytes::from(format!("{line}\r\n"))));
    }
}

/// How a case is replayed, and how TLS comes to its clients.
fn options(words: &str) -> (Options, Security) {
    let (mut options, mut security) = (Options::default(), Security::Plain);
    for word in words.split_whitespace() {
        match word.split_once('=').unwrap() {
            ("mode", "exact") => options.mode = Mode::Exact,
            ("mode", "engine") => options.mode = Mode::Engine,
            ("tls", "stls") => security = Security::Stls,
            ("tls", "implicit") => security = Security::Implicit,
            ("after-last", "repeat") => options.after_last = AfterLast::Repeat,
            ("after-last", "refuse") => options.after_last = AfterLast::Refuse,
            ("speed", speed) => options.timing = Timing::Times(speed.parse().unwrap()),
            ("user", user) => {
                let (name, password) = user.split_once(':').unwrap();
                options.users.push((name.to_owned(), Secret::new(password)));
            }
            other => panic!("{other:?}"),
        }
    }
    (options, security)
}

/// Plays a case; gives it with what came of it.
fn play(text: &str) -> String {
    let case = text.split("\nexpected:\n").next().unwrap().trim_end();
    let (mut tape, mut clients, mut chosen) = (Tape::default(), Vec::new(), Options::default());
    let (mut security, mut timed) = (Security::Plain, false);
    // Lines up to the next heading belong to the last one.
    let mut sections: Vec<(&str, String)> = Vec::new();
    for line in case.lines().filter(|line| !line.starts_with('#')) {
        match line {
            "recorded:" | "client:" => sections.push((line, String::new())),
            _ if line.starts_with("options:") => {
                (chosen, security) = options(&line["options:".len()..]);
                timed = matches!(chosen.timing, Timing::Times(_));
            }
            _ if line.starts_with("file:") => {
                let path = line["file:".len()..].trim();
                let input = Input::open(Path::new(path)).unwrap();
                tape.read(path, input, &Reading::default()).unwrap();
            }
            line => {
                if let Some((_, section)) = sections.last_mut() {
                    writeln!(section, "{line}").unwrap();
                }
            }
        }
    }
    for (heading, section) in sections {
        if heading == "client:" {
            clients.push(section);
        } else {
            let number = tape.sessions.len() + 1;
            let input = Input::recognize(std::io::Cursor::new(section.into_bytes())).unwrap();
            tape.read(&format!("session-{number}"), input, &Reading::default()).unwrap();
        }
    }
    let replay = Replay::new(tape, chosen);
    let mut out = format!("{case}\n\nexpected:\n");
    for client in clients {
        let mut session = Session::open(replay.scene(security), security, timed);
        for line in client.lines().filter(|line| !line.is_empty()) {
            session.send(line.strip_prefix('|').unwrap_or(line));
        }
        if !session.closed {
            session.happens(Happening::Closed(Side::Client, Close::Finished));
        }
        writeln!(out, "{}", session.out).unwrap();
    }
    write!(out, "{}", replay.report()).unwrap();
    out
}

#[test]
fn replays_give_what_they_should() {
    let mut count = 0;
    for entry in Path::new("tests/replays").read_dir().unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let expected = std::env::current_dir().unwrap().join(&path);
        expect_test::expect_file![expected].assert_eq(&play(&text));
        count += 1;
    }
    assert!(count > 10, "only {count} cases were found");
}
