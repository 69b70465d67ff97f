//! The built-in server: commands answered, a message sent.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use criterion::Throughput;
use poptape::engine::{Accounts, Birth, Engine, Scene, Server};
use poptape::maildrop::{Attendant, Maildrops, Memory, load};
use poptape::pop3::lines::Unstuffer;
use poptape::wire::{Action, Input, Machine, Security, Side};

use super::part::{Part, Target};
use super::{bounds, material};

const COUNT: usize = 1000;
const OCTETS: usize = 4 * 1024 * 1024;

/// A session that its driver does everything for.
pub struct Session {
    engine: Engine,
    attendant: Attendant,
    /// How many octets it said.
    pub said: u64,
}

impl Session {
    pub fn new(scene: Scene) -> Self {
        let birth = Birth { nonce: "1896.697170952".to_owned(), at: 0, security: Security::Plain };
        let engine = Engine::new(scene.server, birth);
        let engine = match scene.script {
            Some(script) => engine.with_script(script),
            None => engine,
        };
        let mut session = Self { engine, attendant: Attendant::new(scene.source), said: 0 };
        session.input(Input::Opened);
        for line in ["USER kcope\r\n", "PASS secret\r\n"] {
            session.send(Bytes::from_static(line.as_bytes()));
        }
        session
    }

    pub fn send(&mut self, octets: Bytes) {
        self.input(Input::Received(Side::Client, octets));
    }

    fn input(&mut self, input: Input) {
        let (mut next, mut actions) = (VecDeque::from([input]), Vec::new());
        while let Some(input) = next.pop_front() {
            self.engine.handle(0, input, &mut actions);
            for action in actions.drain(..) {
                match action {
                    Action::Send(_, octets) => self.said += octets.len() as u64,
                    Action::Ask(ask) => next.push_back(Input::Told(self.attendant.perform(ask))),
                    Action::WakeAt(0) => next.push_back(Input::Woke),
                    Action::WakeAt(_) => {}
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

/// A server with these messages.
fn scene(messages: impl IntoIterator<Item = Vec<u8>>) -> Scene {
    let accounts: Accounts = [("kcope", "secret")].into_iter().collect();
    let maildrops = Maildrops::new(vec![Arc::new(Memory::new(load(messages)))]);
    Scene { server: Arc::new(Server::new(accounts)), source: Arc::new(maildrops), script: None }
}

pub fn part(name: &'static str) -> Part {
    let mut session = Session::new(scene((0..4).map(|_| material::body(1000))));
    let commands =
        ["STAT\r\n", "LIST 2\r\n", "UIDL 2\r\n", "NOOP\r\n", "DELE 1\r\n", "LIST 5\r\n", "RSET\r\n"];
    let ahead = Bytes::from(commands.iter().cycle().take(COUNT).copied().collect::<String>());
    let same = ahead.clone();
    Part::new(name, Throughput::Elements(COUNT as u64))
        .work("answer", move || {
            session.send(ahead.clone());
            session.said
        })
        .work("memchr and match", move || bounds::commands(&same))
        .compare("answer", "memchr and match", Target::Open)
}

pub fn sending(name: &'static str) -> Part {
    let mut text = Vec::new();
    Unstuffer::default().push(&material::body(OCTETS), &mut text);
    let mut session = Session::new(scene([text.clone()]));
    let mut out = Vec::new();
    Part::new(name, Throughput::Bytes(OCTETS as u64))
        .work("RETR", move || {
            session.send(Bytes::from_static(b"RETR 1\r\n"));
            session.said
        })
        .work("stuff line by line", move || bounds::stuff(&text, &mut out))
        .compare("RETR", "stuff line by line", Target::Open)
}
