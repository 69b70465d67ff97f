//! `kill -9`, a hundred times, at moments that nobody chose.

use std::io::{Read, Write};

use poptape::recording::format::Integrity;
use rustix::process::Signal;

use super::Kept;
use crate::support::{Proxy, Server, recordings};

const TIMES: u64 = 100;

/// Answers RETR with a message of so many lines, and all else by `+OK`.
fn answer(line: &str) -> Vec<u8> {
    let Some(lines) = line.strip_prefix("RETR ") else { return format!("+OK {line}\r\n").into_bytes() };
    let body = "..a line of a message, stuffed, and as long as most of them are\r\n";
    format!("+OK\r\n{}.\r\n", body.repeat(lines.parse().unwrap())).into_bytes()
}

/// The n-th session's commands: its number makes it short or long.
fn commands(n: u64) -> String {
    let sizes = (0..50).map(|step| (n * 7919 + step * 104_729) % 3000);
    sizes.flat_map(|size| ["NOOP ".to_owned(), size.to_string(), format!("\r\nRETR {size}\r\n")]).collect()
}

#[test]
fn each_recording_is_readable_whenever_it_was_killed() {
    let server = Server::answering(answer);
    let (mut readable, mut damaged) = (0, 0);
    for n in 0..TIMES {
        let formats = ["--format", "json", "--format", "pcapng"];
        let arguments = [&["--quiet"][..], if n % 4 == 0 { &formats } else { &[] }].concat();
        let proxy = Proxy::start(server.address, &arguments);
        let commands = commands(n);
        // Two sessions that take turns at the writer, one a step ahead.
        let mut clients = [proxy.connect(), proxy.connect()];
        for client in &mut clients {
            client.write_all(commands.as_bytes()).unwrap();
        }
        // What was read until then differs from run to run, and what poptape's thread was at is anybody's guess.
        let mut octets = vec![0; 1 + (n * n * 977) as usize % 1_000_000];
        clients[0].read_exact(&mut octets).unwrap();
        proxy.signal(Signal::KILL);
        let left = proxy.wait();
        for path in recordings(&left.folder.path().join("recordings")) {
            // Made, and killed before its first octet: nothing was flushed.
            if path.metadata().unwrap().len() == 0 {
                continue;
            }
            let (kept, integrity) = Kept::try_read(&path);
            // A write that was under way may have got no further than over a part of the tail that it was to overwrite; what
            // is left of that follows, and is damage. All that comes before it is there.
            damaged += usize::from(matches!(integrity, Integrity::Damaged(_)));
            let expected = expected(&commands);
            assert!(expected.starts_with(&kept.server), "{n}: what was kept is not what was sent");
            assert!(
                commands.as_bytes().starts_with(&kept.client),
                "{n}: what was kept is not what was asked"
            );
            readable += usize::from(!kept.server.is_empty());
        }
    }
    assert!(damaged < 10, "{damaged} were damaged: that is more than chance");
    assert!(readable as u64 > TIMES / 2, "only {readable} recordings had anything to read");
}

/// What the server says in a whole session.
fn expected(commands: &str) -> Vec<u8> {
    let answers = commands.lines().map(answer);
    [b"+OK ready\r\n".to_vec()].into_iter().chain(answers).flatten().collect()
}
