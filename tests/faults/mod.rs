//! Faults survived: whatever dies, hangs, fills up or goes away, the sessions that can go on do, and what was recorded
//! stays readable.

mod client;
mod clock;
mod descriptors;
mod disk;
mod killed;
mod screen;
mod signals;
mod slow;
mod upstream;

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;

use poptape::recording::Entry;
use poptape::recording::file::Input;
use poptape::recording::format::{Integrity, ReadError, Reading};
use poptape::wire::Side;

use crate::support::{Proxy, expect, rest};

/// What a recording holds.
#[derive(Debug, Default)]
pub struct Kept {
    pub client: Vec<u8>,
    pub server: Vec<u8>,
    /// When each entry that has a time came, in the file's order.
    pub times: Vec<u64>,
    /// Who ended it, and how.
    pub end: Option<String>,
    pub whole: bool,
}

impl Kept {
    /// Of a file that may be cut off, but is not damaged.
    #[track_caller]
    pub fn read(path: &Path) -> Self {
        let (kept, integrity) = Self::try_read(path);
        assert!(
            matches!(integrity, Integrity::Whole | Integrity::Unfinished),
            "{}: {integrity:?}",
            path.display()
        );
        kept
    }

    /// Of a file whatever it is.
    #[track_caller]
    pub fn try_read(path: &Path) -> (Self, Integrity) {
        let mut kept = Self::default();
        let mut take = |_, entry: &Entry| {
            match entry {
                Entry::Event(event) => {
                    let Some((side, run)) = event.octets() else { return Ok(()) };
                    let octets = if side == Side::Client { &mut kept.client } else { &mut kept.server };
                    octets.extend_from_slice(&run.bytes);
                    kept.times.extend(run.arrivals.iter().map(|arrival| arrival.1));
                }
                Entry::Ended(end) => {
                    kept.end = Some(format!("{:?} {:?}", end.by, end.how));
                    kept.times.push(end.at);
                }
                _ => {}
            }
            Ok(())
        };
        let read = Input::open(path).and_then(|input| input.play(&Reading::default(), &mut take));
        let integrity = match read {
            Ok(summary) => summary.integrity,
            // A capture that was cut before anything showed that it is of POP3.
            Err(ReadError::NoSession(_)) => return (Self::default(), Integrity::Unfinished),
            Err(error) => panic!("{}: {error}", path.display()),
        };
        kept.whole = integrity == Integrity::Whole;
        (kept, integrity)
    }
}

/// A conversation: what the client says, what the server answers; either may be nothing.
pub type Steps = &'static [(&'static str, &'static str)];

/// Where a session can be when something happens to it; in some of them a line or a body is only begun.
pub const STATES: &[(&str, Steps)] = &[
    ("connected", &[("", "")]),
    ("within the greeting", &[("", "+OK rea")]),
    ("greeted", &[("", "+OK\r\n")]),
    ("within a command", &[("", "+OK\r\n"), ("USER kc", "")]),
    ("asked for the user", &[("", "+OK\r\n"), ("USER kcope\r\n", "")]),
    ("between USER and PASS", &[("", "+OK\r\n"), ("USER kcope\r\n", "+OK\r\n")]),
    ("within the answer to PASS", &[("", "+OK\r\n"), ("USER kcope\r\nPASS x\r\n", "+OK\r\n+O")]),
    ("challenged", &[("", "+OK\r\n"), ("AUTH PLAIN\r\n", "+ \r\n")]),
    ("within a response to a challenge", &[("", "+OK\r\n"), ("AUTH PLAIN\r\n", "+ \r\n"), ("AGtjb3", "")]),
    ("logged in", &[("", "+OK\r\n"), ("USER kcope\r\nPASS x\r\n", "+OK\r\n+OK\r\n")]),
    (
        "asked for a message",
        &[("", "+OK\r\n"), ("USER a\r\nPASS x\r\n", "+OK\r\n+OK\r\n"), ("RETR 1\r\n", "")],
    ),
    ("within a message", &[("", "+OK\r\n"), ("RETR 1\r\n", "+OK\r\nSubject: tea\r\n\r\nAt fi")]),
    ("within a terminator", &[("", "+OK\r\n"), ("LIST\r\n", "+OK\r\n1 120\r\n.\r")]),
    ("in a pipeline", &[("", "+OK\r\n"), ("STAT\r\nLIST\r\nQUIT\r\n", "+OK 0 0\r\n")]),
    ("asked to quit", &[("", "+OK\r\n"), ("QUIT\r\n", "")]),
    ("saying good-bye", &[("", "+OK\r\n"), ("QUIT\r\n", "+OK b")]),
];

/// All that a side says in a conversation.
pub fn said(steps: Steps, side: Side) -> String {
    steps.iter().map(|step| if side == Side::Client { step.0 } else { step.1 }).collect()
}

/// The client's part.
#[track_caller]
pub fn as_client(client: &mut TcpStream, steps: Steps) {
    for (asked, answer) in steps {
        client.write_all(asked.as_bytes()).unwrap();
        expect(client, answer.as_bytes());
    }
}

/// The server's part.
#[track_caller]
pub fn as_server(server: &mut TcpStream, steps: Steps) {
    for (asked, answer) in steps {
        expect(server, asked.as_bytes());
        server.write_all(answer.as_bytes()).unwrap();
    }
}

/// RST instead of FIN.
pub fn reset(stream: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&stream, Some(std::time::Duration::ZERO)).unwrap();
    drop(stream);
}

/// A line of `/proc/PID/status`, in kB.
pub fn memory(pid: u32, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let found = status.lines().find_map(|found| found.strip_prefix(line)).unwrap();
    found.trim_start_matches(':').split_whitespace().next().unwrap().parse().unwrap()
}

/// A whole session in which every command is answered by `+OK`.
#[track_caller]
pub fn short_session(proxy: &Proxy) {
    let mut client = proxy.connect();
    as_client(&mut client, &[("", "+OK ready\r\n"), ("NOOP\r\n", "+OK\r\n"), ("QUIT\r\n", "+OK\r\n")]);
    assert_eq!(rest(&mut client).unwrap(), b"");
}
