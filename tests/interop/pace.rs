//! A replay keeps a recording's pace and its end, and knows what comes after the last one.

use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::sync::{Arc, Barrier};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::letters::{Kind, Letter, put};
use super::pop::{Pop, Reply};
use crate::support::{Proxy, Server, expect, rest};

/// RETR is answered 100 ms after the command; its second piece comes 200 ms later, its third 200 ms after that.
fn slow(folder: &Path) -> String {
    let file = folder.join("slow.json");
    let recording = json!({
        "format": "poptape-recording", "version": 1, "generator": "by hand",
        "session": {
            "number": 1, "started": "2026-01-01T10:00:00.000000Z", "client": "127.0.0.1:2",
            "listener": "127.0.0.1:1110", "upstream": "pop3://127.0.0.1:110", "server": "127.0.0.1:110",
            "secrets": "redacted",
        },
        "exchanges": [
            { "n": 0, "reply_at_us": 1000, "reply": "+OK ready" },
            { "n": 1, "at_us": 2000, "command": "USER kcope", "reply_at_us": 3000, "reply": "+OK" },
            { "n": 2, "at_us": 4000, "command": "PASS ********", "reply_at_us": 5000, "reply": "+OK in" },
            { "n": 3, "at_us": 10_000, "command": "RETR 1", "reply_at_us": 110_000, "reply": "+OK", "body": [
                "Subject: slow", "",
                { "text": "in pieces", "arrivals": [[3, 310_000]] },
                { "text": "cut anywhere", "arrivals": [[1, 510_000]] },
            ] },
            { "n": 4, "at_us": 600_000, "command": "QUIT", "reply_at_us": 601_000, "reply": "+OK bye" },
        ],
        "end": { "at_us": 602_000, "by": "client", "how": "finished" },
    });
    std::fs::write(&file, recording.to_string()).unwrap();
    file.display().to_string()
}

/// When the pieces of RETR's answer came after the command, in microseconds, each with the octet of its line on which
/// it began, as a recorder before a replay with this timing sees them.
fn pieces(timing: &str) -> Vec<(u64, u64)> {
    let folder = TempDir::new().unwrap();
    let replay = Proxy::verb("replay", &["--timing", timing, &slow(folder.path())]);
    let recorder = Proxy::start(replay.address, &["--quiet"]);
    let mut pop = Pop::login(recorder.address, "kcope");
    assert_eq!(pop.ok("RETR 1").body, b"Subject: slow\r\n\r\nin pieces\r\ncut anywhere\r\n");
    pop.ok("QUIT");
    drop(pop);
    let left = recorder.stop();
    let text = std::fs::read_to_string(left.recording()).unwrap();
    let recording: Value = serde_json::from_str(&text).unwrap();
    let exchanges = recording["exchanges"].as_array().unwrap();
    let mut pieces = Vec::new();
    for exchange in exchanges.iter().filter(|exchange| exchange["n"] == 3) {
        let lines = exchange["body"].as_array().into_iter().flatten();
        let later = lines.flat_map(|line| line["arrivals"].as_array().into_iter().flatten());
        let later = later.map(|arrival| (arrival[0].as_u64().unwrap(), arrival[1].as_u64().unwrap()));
        let first = exchange["reply_at_us"].as_u64().map(|at| (0, at));
        pieces.extend(first.into_iter().chain(later));
    }
    let command = exchanges.iter().find(|exchange| exchange["command"] == "RETR 1").unwrap();
    let command = command["at_us"].as_u64().unwrap();
    assert_eq!(replay.stop().code, Some(0));
    pieces.into_iter().map(|(offset, at)| (offset, at - command)).collect()
}

#[test]
fn recorded_pieces_come_at_recorded_times() {
    let pieces = pieces("recorded");
    // The same pieces, none earlier than it was recorded.
    assert_eq!(pieces.iter().map(|piece| piece.0).collect::<Vec<_>>(), [0, 3, 1], "{pieces:?}");
    let early = pieces.iter().zip([100_000, 300_000, 500_000]).any(|(&(_, at), recorded)| at < recorded);
    assert!(!early, "{pieces:?}");
}

#[test]
fn other_timings_do_not_wait() {
    for timing in ["instant", "x1000"] {
        let pieces = pieces(timing);
        assert!(pieces.iter().all(|piece| piece.1 < 500_000), "{timing}: {pieces:?}");
        assert!(timing != "instant" || pieces.len() == 1, "{timing}: {pieces:?}");
    }
}

/// Records one session with a server that answers a command and then ends in its way; what a client sees of the end
/// is seen of the replay's.
fn ends_alike(reset: bool) {
    let answered = Arc::new(Barrier::new(2));
    let read = Arc::clone(&answered);
    let server = Server::start(move |mut stream| {
        stream.write_all(b"+OK ready\r\n").unwrap();
        expect(&mut stream, b"NOOP\r\n");
        stream.write_all(b"-ERR going\r\n").unwrap();
        // The client has read the answer: nothing of it can be lost to the reset.
        read.wait();
        if reset {
            rustix::net::sockopt::set_socket_linger(&stream, Some(std::time::Duration::ZERO)).unwrap();
        }
    });
    let ask = |address, recorded: bool| {
        let (mut pop, greeting) = Pop::connect(address);
        assert_eq!((greeting.status, pop.ask("NOOP").status), ("+OK ready".into(), "-ERR going".into()));
        if recorded {
            answered.wait();
        }
        pop.stream().get_mut().read(&mut [0]).map_err(|error| error.kind())
    };
    let wanted = if reset { Err(ErrorKind::ConnectionReset) } else { Ok(0) };
    let recorder = Proxy::start(server.address, &["--quiet"]);
    assert_eq!(ask(recorder.address, true), wanted, "recorded");
    let left = recorder.stop();
    let replay = Proxy::verb("replay", &[&left.recording().display().to_string()]);
    assert_eq!(ask(replay.address, false), wanted, "replayed");
    assert_eq!(replay.stop().code, Some(0));
}

#[test]
fn a_recorded_close_closes() {
    ends_alike(false);
}

#[test]
fn a_recorded_reset_resets() {
    ends_alike(true);
}

/// Records two sessions, of which the first deletes the first of three messages.
fn two_sessions() -> crate::support::Left {
    let folder = TempDir::new().unwrap();
    let letters = ["one", "two", "three"];
    let letters = letters.map(|name| Letter { name, octets: format!("Subject: {name}\n\n").into_bytes() });
    let place = put(Kind::Eml, &letters, folder.path()).display().to_string();
    let server = Proxy::verb("serve", &["--user", "any", "--reset", "never", &place]);
    let recorder = Proxy::start(server.address, &["--quiet"]);
    assert_eq!(first(recorder.address), 3);
    assert_eq!(second(recorder.address), 2);
    let left = recorder.stop();
    assert_eq!(left.recordings().len(), 2);
    left
}

/// The sessions that were recorded; each gives the number of messages.
fn first(address: std::net::SocketAddr) -> usize {
    let mut pop = Pop::login(address, "kcope");
    let count = pop.ok("LIST").listing().len();
    pop.ok("DELE 1");
    pop.ok("QUIT");
    count
}

fn second(address: std::net::SocketAddr) -> usize {
    let mut pop = Pop::login(address, "kcope");
    let (count, _) = Reply::numbers(&pop.ok("STAT").status);
    pop.ok("QUIT");
    count
}

/// A replay of the two sessions in which both were had already, and no more was used of them than there is.
fn after_both(after_last: &str, then: impl Fn(&Proxy)) {
    let left = two_sessions();
    let folder = left.folder.path().join("recordings").display().to_string();
    let replay = Proxy::verb("replay", &["--after-last", after_last, "--report", "-", &folder]);
    assert_eq!((first(replay.address), second(replay.address)), (3, 2), "{after_last}");
    then(&replay);
    let left = replay.stop();
    assert_eq!(left.code, Some(0), "{}", left.stderr);
    assert!(!left.stdout.contains("not used") && !left.stdout.contains("not served"), "{}", left.stdout);
}

#[test]
fn after_the_last_the_engine_goes_on() {
    after_both("engine", |replay| {
        assert_eq!(first(replay.address), 2, "what the second session left");
        assert_eq!(second(replay.address), 1, "and the third");
    });
}

#[test]
fn after_the_last_the_first_comes_again() {
    after_both("repeat", |replay| {
        assert_eq!((first(replay.address), second(replay.address)), (3, 2));
        assert_eq!((first(replay.address), second(replay.address)), (3, 2));
    });
}

#[test]
fn after_the_last_nobody_is_served() {
    after_both("refuse", |replay| {
        for _ in 0..2 {
            let (mut pop, greeting) = Pop::connect(replay.address);
            assert!(greeting.status.starts_with("-ERR"), "{}", greeting.status);
            assert_eq!(rest(pop.stream().get_mut()).unwrap(), b"");
        }
    });
}
