//! A response of 64 MB: where it ends, how many lines and how many octets it has.

use bytes::Bytes;
use criterion::Throughput;
use poptape::pop3::Event;
use poptape::wire::Side;
use sawp::parser::{Direction, Parse};
use sawp_pop3::POP3;

use super::part::{Part, Target};
use super::{bounds, material};

const OCTETS: usize = 64 * 1024 * 1024;

/// Of events, what a reader of them would take.
fn octets(event: &Event) -> u64 {
    event.octets().map_or(0, |(_, run)| run.bytes.len() as u64)
}

fn dissect(response: &Bytes, chunk: usize) -> u64 {
    let mut dissector = material::logged_in();
    let mut sum = 0;
    let mut take = |event: Event| sum += octets(&event);
    dissector.feed(Side::Client, 10, Bytes::from_static(b"RETR 1\r\n"), &mut take);
    for (at, chunk) in (11..).zip(material::chunks(response, chunk)) {
        dissector.feed(Side::Server, at, chunk, &mut take);
    }
    assert!(dissector.is_quiet(), "the response is over");
    sum
}

pub fn part(name: &'static str) -> Part {
    let mut response = b"+OK\r\n".to_vec();
    response.extend_from_slice(&material::body(OCTETS));
    response.extend_from_slice(b".\r\n");
    let response = Bytes::from(response);
    let again = || response.clone();
    let mut part = Part::new(name, Throughput::Bytes(response.len() as u64));
    for (work, chunk) in [("dissect", material::CHUNK), ("dissect in 16 kB", 16 * 1024)] {
        let response = again();
        part = part.work(work, move || dissect(&response, chunk));
    }
    let [whole, lined, stuffed, octets, foreign] = std::array::from_fn(|_| again());
    let mut out = Vec::with_capacity(response.len());
    part.work("memmem", move || bounds::terminator(&whole))
        .work("memchr a line", move || bounds::every_line(&lined))
        .work("unstuff by copy", move || bounds::unstuff(&stuffed, &mut out))
        .work("octet by octet", move || bounds::every_octet(&octets))
        .work("sawp-pop3", move || {
            let (rest, message) = POP3 {}.parse(&foreign, Direction::ToClient).unwrap();
            assert!(rest.is_empty() && message.is_some(), "it has read all of it");
            0
        })
        .compare("dissect", "memmem", Target::Open)
        .compare("dissect", "memchr a line", Target::Speed(0.6))
        .compare("dissect in 16 kB", "memchr a line", Target::Speed(0.6))
        .compare("dissect", "octet by octet", Target::Open)
        .compare("dissect", "sawp-pop3", Target::Speed(8.0))
}
