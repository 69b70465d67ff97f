//! Sessions made up by chance: plausible lines of both sides, with everything that real peers get wrong.

use bytes::Bytes;
use poptape::wire::{Micros, Side};
use proptest::prelude::*;

/// The octets of both sides in order of arrival.
pub type Chunks = Vec<(Side, Micros, Bytes)>;

fn client_line() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        24 => prop::sample::select(vec![
            "USER kcope", "PASS secret", "PASS", "pass  two words ", "STAT", "LIST", "LIST 2", "list", "UIDL", "UIDL 1",
            "RETR 1", "RETR", "TOP 1 10", "TOP 10", "DELE 1", "NOOP", "RSET", "QUIT", "CAPA", "LANG", "LANG *", "UTF8",
            "APOP mrose c4c9334bac560ecc979e58001b3e22fb", "AUTH", "AUTH PLAIN", "AUTH PLAIN AGtjb3BlAHNlY3JldA==",
            "AUTH LOGIN", "AUTH CRAM-MD5", "a2NvcGU=", "*", "=", "", "XTND XMIT", "LAST", "XFOO bar", "STLS", ".",
        ]).prop_map(|line| line.as_bytes().to_vec()),
        4 => prop::collection::vec(any::<u8>(), 0..20),
        1 => (60_000usize..140_000).prop_map(|len| [b"PASS ".to_vec(), vec![b'x'; len]].concat()),
    ];
    ended(line)
}

fn server_line() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        24 => prop::sample::select(vec![
            "+OK", "+OK ready <1896.697170952@dewey>", "+OK 2 320", "-ERR no", "-ERR", "+ ", "+", "+ VXNlcm5hbWU6",
            "+ok", "OK", "", ".", "..", ".x", "...", "1 120", "2 200", "From: Ada", "Subject: x", "body", "+OK in a body",
        ]).prop_map(|line| line.as_bytes().to_vec()),
        4 => prop::collection::vec(any::<u8>(), 0..20),
        1 => (60_000usize..140_000).prop_map(|len| vec![b'y'; len]),
    ];
    ended(line)
}

fn ended(line: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (line, prop_oneof![8 => Just(&b"\r\n"[..]), 1 => Just(&b"\n"[..]), 1 => Just(&b""[..])])
        .prop_map(|(line, end)| [&line, end].concat())
}

/// A session in whole lines, most of the time in lock-step.
pub fn lines() -> impl Strategy<Value = Vec<(Side, Vec<u8>)>> {
    let line = prop_oneof![
        1 => client_line().prop_map(|line| (Side::Client, line)),
        2 => server_line().prop_map(|line| (Side::Server, line)),
    ];
    prop::collection::vec(line, 0..40)
}

/// The same octets cut anew: the side's turns stay, `cuts` says how long the pieces are.
pub fn cut(lines: &[(Side, Vec<u8>)], cuts: &[usize]) -> Chunks {
    let mut chunks = Vec::new();
    let mut cuts = cuts.iter().copied().cycle();
    let mut at = 0;
    for (side, octets) in turns(lines) {
        let mut rest = &octets[..];
        while !rest.is_empty() {
            let len = cuts.next().unwrap_or(usize::MAX).clamp(1, rest.len());
            at += 10;
            chunks.push((side, at, Bytes::copy_from_slice(&rest[..len])));
            rest = &rest[len..];
        }
    }
    chunks
}

/// Neighbours of one side joined.
fn turns(lines: &[(Side, Vec<u8>)]) -> Vec<(Side, Vec<u8>)> {
    let mut turns: Vec<(Side, Vec<u8>)> = Vec::new();
    for (side, octets) in lines {
        match turns.last_mut() {
            Some((last, all)) if last == side => all.extend_from_slice(octets),
            _ => turns.push((*side, octets.clone())),
        }
    }
    turns
}

/// Lengths of pieces: often one octet, sometimes a lot.
pub fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![Just(1usize), 1usize..8, 1usize..2000, Just(usize::MAX)], 1..6)
}

/// What happens to a session beside its octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Missing(Side, u64),
    /// TLS begins, readable or not.
    Tls(bool),
}

/// Stretches of a session, each with what happens at its end.
pub type Stretches = Vec<(Vec<(Side, Vec<u8>)>, Option<Mark>)>;

pub type Marks = Vec<(prop::sample::Index, prop::sample::Index, Mark)>;

/// Marks anywhere, also in the middle of lines.
pub fn marks() -> impl Strategy<Value = Marks> {
    let side = prop_oneof![1 => Just(Side::Client), 2 => Just(Side::Server)];
    let mark = prop_oneof![
        12 => (side, prop_oneof![1u64..3000, Just(0)]).prop_map(|(side, octets)| Mark::Missing(side, octets)),
        1 => any::<bool>().prop_map(Mark::Tls),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), mark), 0..6)
}

/// A session cut where its marks are.
pub fn stretches(lines: &[(Side, Vec<u8>)], marks: &Marks) -> Stretches {
    let mut places: Vec<(usize, usize, Mark)> = marks
        .iter()
        .map(|(line, within, mark)| {
            let line = line.index(lines.len() + 1);
            (line, lines.get(line).map_or(0, |(_, octets)| within.index(octets.len().max(1))), *mark)
        })
        .collect();
    places.sort_by_key(|&(line, within, _)| (line, within));
    let mut places = places.into_iter().peekable();
    let (mut stretches, mut stretch) = (Vec::new(), Vec::new());
    for (number, (side, octets)) in lines.iter().enumerate() {
        let mut from = 0;
        while let Some((_, within, mark)) = places.next_if(|place| place.0 == number) {
            stretch.push((*side, octets[from..within].to_vec()));
            stretches.push((std::mem::take(&mut stretch), Some(mark)));
            from = within;
        }
        stretch.push((*side, octets[from..].to_vec()));
    }
    for (.., mark) in places {
        stretches.push((std::mem::take(&mut stretch), Some(mark)));
    }
    stretches.push((stretch, None));
    stretches
}
