//! Octets and closes pass as what they are.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};

use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};

use crate::support::{Proxy, Server, expect, jsonl, rest, text};

/// An RST instead of a FIN.
fn reset(stream: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&stream, Some(std::time::Duration::ZERO)).unwrap();
    drop(stream);
}

#[test]
fn every_octet_passes_both_ways() {
    // All octets, no line ends to lean on, in sizes that do not fit any buffer.
    let up: Vec<u8> = (0..300_001u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let down: Vec<u8> = up.iter().rev().copied().collect();
    let (expected_up, answer) = (up.clone(), down.clone());
    let server = Server::start(move |mut stream| {
        let mut writing = stream.try_clone().unwrap();
        let answer = answer.clone();
        let writer = std::thread::spawn(move || writing.write_all(&answer).unwrap());
        let mut got = vec![0; expected_up.len()];
        stream.read_exact(&mut got).unwrap();
        assert!(got == expected_up, "changed on the way up");
        writer.join().unwrap();
    });
    let proxy = Proxy::start(server.address, &["--secrets", "keep", "--sessions", "1", "--quiet"]);
    let mut client = proxy.connect();
    let mut writing = client.try_clone().unwrap();
    let sent = up.clone();
    let writer = std::thread::spawn(move || {
        for chunk in sent.chunks(7_001) {
            writing.write_all(chunk).unwrap();
        }
    });
    let mut got = vec![0; down.len()];
    client.read_exact(&mut got).unwrap();
    assert!(got == down, "changed on the way down");
    writer.join().unwrap();
    drop(client);
    let left = proxy.wait();
    assert_eq!(left.code, Some(0), "{}", left.stderr);
    let (client_octets, server_octets) = left.raw();
    assert!(client_octets == up && server_octets == down, "changed in the recording");
}

#[test]
fn a_half_close_leaves_the_other_direction_open() {
    let server = Server::start(|mut stream| {
        // The answer is sent only once the client's end has been seen.
        let got = rest(&mut stream).unwrap();
        stream.write_all(b"+OK after ").unwrap();
        stream.write_all(&got).unwrap();
    });
    let proxy = Proxy::start(server.address, &["--sessions", "1"]);
    let mut client = proxy.connect();
    client.write_all(b"QUIT\r\n").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(text(&rest(&mut client).unwrap()), "+OK after QUIT\r\n");
    let left = proxy.wait();
    let file = std::fs::read_to_string(left.recording()).unwrap();
    assert!(file.contains(r#""closed":"client","how":"finished""#), "{file}");
    assert!(file.contains(r#""by":"client","how":"finished""#), "{file}");
}

#[test]
fn the_servers_half_close_leaves_the_client_talking() {
    let server = Server::start(|mut stream| {
        stream.write_all(b"+OK bye\r\n").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(text(&rest(&mut stream).unwrap()), "NOOP\r\n");
    });
    let proxy = Proxy::start(server.address, &["--sessions", "1"]);
    let mut client = proxy.connect();
    assert_eq!(text(&rest(&mut client).unwrap()), "+OK bye\r\n");
    client.write_all(b"NOOP\r\n").unwrap();
    drop(client);
    let left = proxy.wait();
    assert_eq!(text(&left.raw().0), "NOOP\r\n");
}

#[test]
fn a_reset_by_the_server_is_a_reset_to_the_client() {
    let server = Server::start(|mut stream| {
        stream.write_all(b"+OK\r\n").unwrap();
        expect(&mut stream, b"STAT\r\n");
        reset(stream);
    });
    let proxy = Proxy::start(server.address, &["--sessions", "1"]);
    let mut client = proxy.connect();
    expect(&mut client, b"+OK\r\n");
    client.write_all(b"STAT\r\n").unwrap();
    assert_eq!(rest(&mut client).unwrap_err().kind(), ErrorKind::ConnectionReset);
    let left = proxy.wait();
    let file = std::fs::read_to_string(left.recording()).unwrap();
    assert!(file.contains(r#""by":"server","how":"reset""#), "{file}");
    let stat = &jsonl(&left.recording())[1];
    assert_eq!((&stat["command"], &stat["status"]), (&"STAT".into(), &serde_json::Value::Null));
}

#[test]
fn a_reset_by_the_client_is_a_reset_to_the_server() {
    let (sender, seen) = std::sync::mpsc::channel();
    let server = Server::start(move |mut stream| {
        stream.write_all(b"+OK\r\n").unwrap();
        sender.send(rest(&mut stream).map_err(|error| error.kind())).unwrap();
    });
    let proxy = Proxy::start(server.address, &["--sessions", "1"]);
    let mut client = proxy.connect();
    expect(&mut client, b"+OK\r\n");
    reset(client);
    assert_eq!(seen.recv().unwrap(), Err(ErrorKind::ConnectionReset));
    proxy.wait();
}

#[test]
fn a_refused_upstream_is_told_to_the_client_and_recorded() {
    // Bound and not listening: nobody else is given the port, and who connects to it is refused.
    let reserved = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&reserved, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let address: SocketAddr = getsockname(&reserved).unwrap().try_into().unwrap();
    let proxy = Proxy::start(address, &["--sessions", "1"]);
    let mut client = proxy.connect();
    // What it sends before it reads must not cost it the answer.
    client.write_all(b"USER kcope\r\n").unwrap();
    let answer = text(&rest(&mut client).unwrap());
    assert!(answer.starts_with("-ERR [SYS/TEMP] ") && answer.ends_with("\r\n"), "{answer:?}");
    assert!(answer.contains(&address.to_string()) && answer.contains("refused"), "{answer:?}");
    let left = proxy.wait();
    assert_eq!(left.code, Some(3), "{}", left.stderr);
    assert!(left.stderr.contains("1 session could not be connected"), "{}", left.stderr);
    let file = std::fs::read_to_string(left.recording()).unwrap();
    assert!(file.contains(r#""note":"connect-failed""#), "{file}");
    assert!(file.contains(r#""by":"poptape","how":"connect-failed""#), "{file}");
    assert_eq!(jsonl(&left.recording())[0]["status"], "-ERR");
}

#[test]
fn a_slow_reader_slows_its_peer_and_memory_stays_bounded() {
    const SIZE: usize = 64 << 20;
    let server = Server::start(|mut stream| {
        // Ends early only where the test does.
        let chunk = vec![b'x'; 65_536];
        let _ = (0..SIZE / chunk.len()).try_for_each(|_| stream.write_all(&chunk));
    });
    let proxy = Proxy::start(server.address, &["--sessions", "1", "--quiet"]);
    let mut client = proxy.connect();
    let mut buffer = vec![0; 1 << 20];
    client.read_exact(&mut buffer).unwrap();
    // Nothing is read meanwhile: what poptape has taken from the server must be little.
    let resident = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", proxy.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let mut left = SIZE - buffer.len();
    while left > 0 {
        let read = client.read(&mut buffer).unwrap();
        assert!(read > 0, "{left} octets are missing");
        left -= read;
    }
    assert!(resident() < 64 << 10, "{} kB resident", resident());
    drop(client);
    assert_eq!(proxy.wait().code, Some(0));
}
