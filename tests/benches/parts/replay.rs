//! Replay: a session answered from a recording, command by command.

use std::io::Cursor;

use bytes::Bytes;
use criterion::Throughput;
use poptape::recording::file::Input;
use poptape::recording::format::Reading;
use poptape::replay::{AfterLast, Options, Replay, Tape};
use poptape::wire::{Security, Side};

use super::engine::Session;
use super::json::write;
use super::part::{Part, Target};
use super::{bounds, material};

const COUNT: usize = 1000;

pub fn part(name: &'static str) -> Part {
    let commands: Vec<_> = (1..=COUNT).map(|message| format!("LIST {message}\r\n")).collect();
    let mut script: Vec<_> =
        material::LOGIN.iter().map(|&(side, line)| (side, Bytes::from_static(line))).collect();
    for (message, command) in (1..).zip(&commands) {
        script.push((Side::Client, Bytes::from(command.clone())));
        script.push((Side::Server, Bytes::from(format!("+OK {message} 120\r\n"))));
    }
    let mut file = Vec::new();
    write("json", &material::recorded(script), &mut file);
    let mut tape = Tape::default();
    let input = Input::recognize(Cursor::new(file)).unwrap();
    tape.read("a recording", input, &Reading::default()).unwrap();
    let options = Options { after_last: AfterLast::Repeat, ..Options::default() };
    let replay = Replay::new(tape, options);
    let ahead = Bytes::from(commands.concat());
    let same = ahead.clone();
    let session = move || {
        let mut session = Session::new(replay.scene(Security::Plain));
        session.send(ahead.clone());
        session
    };
    Part::new(name, Throughput::Elements(COUNT as u64))
        .work("match", move || session().said)
        .work("memchr and match", move || bounds::commands(&same))
        .compare("match", "memchr and match", Target::Open)
}
