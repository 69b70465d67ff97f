//! Commands: paired, counted, masked where they have to be; with their answers or without.

use bytes::Bytes;
use criterion::Throughput;
use poptape::pop3::{Command, Event};
use poptape::wire::Side;
use sawp::parser::{Direction, Parse};
use sawp_pop3::POP3;

use super::part::{Part, Target};
use super::{bounds, material};

const COUNT: usize = 1000;

/// Commands that come as a client sends them ahead: as one read brings them.
pub fn part(name: &'static str) -> Part {
    let ahead = Bytes::from(material::commands(COUNT).concat());
    let (a, b, c) = (ahead.clone(), ahead.clone(), ahead.clone());
    Part::new(name, Throughput::Elements(COUNT as u64))
        .work("dissect", move || {
            let (mut dissector, mut sum) = (material::logged_in(), 0);
            dissector.feed(Side::Client, 10, a.clone(), &mut |event| sum += u64::from(number(&event)));
            sum
        })
        .work("parse", move || {
            let (mut rest, mut sum) = (&b[..], 0);
            while let Some(end) = memchr::memchr(b'\n', rest) {
                let command = Command::parse(&rest[..=end]);
                sum += command.keyword as u64 + command.arguments.len() as u64;
                rest = &rest[end + 1..];
            }
            sum
        })
        .work("memchr and match", move || bounds::commands(&c))
        .work("sawp-pop3", move || {
            let (mut rest, mut sum) = (&ahead[..], 0);
            while !rest.is_empty() {
                let (after, message) = POP3 {}.parse(rest, Direction::ToServer).unwrap();
                sum += u64::from(message.is_some());
                rest = after;
            }
            sum
        })
        .compare("dissect", "memchr and match", Target::Time(2.7))
        .compare("parse", "memchr and match", Target::Time(2.7))
        .compare("dissect", "sawp-pop3", Target::Open)
}

/// Commands in lock-step: a read a command, a read an answer.
pub fn exchanges(name: &'static str) -> Part {
    let commands: Vec<_> = material::commands(COUNT).into_iter().map(Bytes::from).collect();
    let both: Vec<u8> =
        commands.iter().flat_map(|command| [&command[..], b"-ERR no such message\r\n"].concat()).collect();
    Part::new(name, Throughput::Elements(COUNT as u64))
        .work("dissect", move || {
            let (mut dissector, mut sum) = (material::logged_in(), 0);
            let mut take = |event: Event| sum += u64::from(number(&event));
            for (at, command) in (10..).step_by(2).zip(&commands) {
                dissector.feed(Side::Client, at, command.clone(), &mut take);
                let answer = Bytes::from_static(b"-ERR no such message\r\n");
                dissector.feed(Side::Server, at + 1, answer, &mut take);
            }
            sum
        })
        .work("memchr and match", move || bounds::commands(&both))
        .compare("dissect", "memchr and match", Target::Open)
}

fn number(event: &Event) -> u32 {
    match event {
        Event::Request { n, .. } | Event::Status { n, .. } => *n,
        _ => 0,
    }
}
