//! The client vanishes, wherever the session is.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::sync::mpsc::channel;

use poptape::wire::Side;

use super::{Kept, STATES, as_client, as_server, reset, said};
use crate::support::{Proxy, Server, expect, rest};

/// Runs a session in each state up to there, lets the client go, and looks at what the server and the recording have.
fn vanishes(go: fn(TcpStream), seen_as: Result<usize, ErrorKind>, end: &str) {
    for (state, steps) in STATES {
        let (sender, seen) = channel();
        let server = Server::start(move |mut stream| {
            as_server(&mut stream, steps);
            let end = rest(&mut stream).map(|octets| octets.len()).map_err(|error| error.kind());
            sender.send(end).unwrap();
        });
        let proxy = Proxy::start(server.address, &["--sessions", "1", "--quiet", "--secrets", "keep"]);
        let mut client = proxy.connect();
        as_client(&mut client, steps);
        go(client);
        assert_eq!(seen.recv().unwrap(), seen_as, "{state}");
        let left = proxy.wait();
        assert_eq!(left.code, Some(0), "{state}: {}", left.stderr);
        let kept = Kept::read(&left.recording());
        assert_eq!((kept.whole, kept.end.as_deref()), (true, Some(end)), "{state}");
        assert_eq!(String::from_utf8_lossy(&kept.client), said(steps, Side::Client), "{state}");
        assert_eq!(String::from_utf8_lossy(&kept.server), said(steps, Side::Server), "{state}");
    }
}

#[test]
fn it_closes_in_every_state() {
    vanishes(drop, Ok(0), "Client Finished");
}

#[test]
fn it_resets_in_every_state() {
    vanishes(reset, Err(ErrorKind::ConnectionReset), "Client Reset");
}

/// The server is not left sending a message into nothing.
#[test]
fn it_vanishes_while_it_is_written_to() {
    let (sender, seen) = channel();
    let server = Server::start(move |mut stream| {
        stream.write_all(b"+OK\r\n").unwrap();
        expect(&mut stream, b"RETR 1\r\n");
        let chunk = b"sixty-four octets, with the ending, that are sent over and over\r\n".repeat(1000);
        let failed = std::iter::repeat_with(|| stream.write_all(&chunk)).find_map(Result::err);
        sender.send(failed.unwrap().kind()).unwrap();
    });
    let proxy = Proxy::start(server.address, &["--sessions", "1", "--quiet"]);
    let mut client = proxy.connect();
    client.write_all(b"RETR 1\r\n").unwrap();
    // It leaves with octets that it has not read.
    expect(&mut client, b"+OK\r\nsixty-four");
    drop(client);
    let failed = seen.recv().unwrap();
    assert!(matches!(failed, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{failed}");
    let left = proxy.wait();
    assert!(Kept::read(&left.recording()).server.starts_with(b"+OK\r\nsixty-four"));
}

/// Before the upstream has taken the connection.
#[test]
fn it_vanishes_before_anything_was_said() {
    let server = Server::start(|mut stream| drop(rest(&mut stream)));
    let proxy = Proxy::start(server.address, &["--sessions", "50", "--quiet"]);
    for _ in 0..25 {
        drop(proxy.connect());
        reset(proxy.connect());
    }
    let left = proxy.wait();
    assert_eq!(left.code, Some(0), "{}", left.stderr);
    assert_eq!(left.recordings().len(), 50);
    assert!(left.recordings().iter().all(|path| Kept::read(path).whole));
}

/// A peer that lost its power says nothing any more: the system asks it now and then, on both legs.
#[test]
fn a_silent_peer_is_looked_after() {
    let server = Server::answering(|_| b"+OK\r\n".to_vec());
    let proxy = Proxy::start(server.address, &["--quiet"]);
    let mut client = proxy.connect();
    expect(&mut client, b"+OK ready\r\n");
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    // Local and remote address, state, queues, and which timer runs: 02 is the one that looks.
    for (place, port) in [(1, proxy.address.port()), (2, server.address.port())] {
        let mut rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let of_port = |row: &Vec<&str>| row[place].ends_with(&format!(":{port:04X}")) && row[3] == "01";
        let row = rows.find(of_port).unwrap();
        assert!(row[5].starts_with("02:"), "{row:?}");
    }
}
