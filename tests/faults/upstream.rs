//! The server dies, resets the connection or hangs, wherever the session is.

use std::io::{ErrorKind, Write};
use std::sync::{Arc, Barrier};

use poptape::wire::Side;

use super::{Kept, STATES, Steps, as_client, as_server, reset, said};
use crate::support::{Proxy, Server, rest};

/// A server that says its part and, once the client has read it, does what it does.
fn server(steps: Steps, seen: &Arc<Barrier>, then: fn(std::net::TcpStream, &Barrier)) -> Server {
    let seen = Arc::clone(seen);
    Server::start(move |mut stream| {
        as_server(&mut stream, steps);
        seen.wait();
        then(stream, &seen);
    })
}

/// What was said up to there is in the recording, and who ended it.
#[track_caller]
fn kept(proxy: Proxy, state: &str, steps: Steps, end: &str) {
    let left = proxy.wait();
    assert_eq!(left.code, Some(0), "{state}: {}", left.stderr);
    let kept = Kept::read(&left.recording());
    assert!(kept.whole, "{state}");
    assert_eq!(kept.end.as_deref(), Some(end), "{state}");
    assert_eq!(String::from_utf8_lossy(&kept.client), said(steps, Side::Client), "{state}");
    assert_eq!(String::from_utf8_lossy(&kept.server), said(steps, Side::Server), "{state}");
}

const ARGUMENTS: &[&str] = &["--sessions", "1", "--quiet", "--secrets", "keep"];

#[test]
fn it_dies_in_every_state() {
    for (state, steps) in STATES {
        let seen = Arc::new(Barrier::new(2));
        let server = server(steps, &seen, |stream, _| drop(stream));
        let proxy = Proxy::start(server.address, ARGUMENTS);
        let mut client = proxy.connect();
        as_client(&mut client, steps);
        seen.wait();
        assert_eq!(rest(&mut client).unwrap(), b"", "{state}");
        drop(client);
        kept(proxy, state, steps, "Server Finished");
    }
}

#[test]
fn it_resets_in_every_state() {
    // Not in the first one: a connection that is reset at once may never have been one.
    for (state, steps) in &STATES[1..] {
        let seen = Arc::new(Barrier::new(2));
        let server = server(steps, &seen, |stream, _| reset(stream));
        let proxy = Proxy::start(server.address, ARGUMENTS);
        let mut client = proxy.connect();
        as_client(&mut client, steps);
        seen.wait();
        assert_eq!(rest(&mut client).unwrap_err().kind(), ErrorKind::ConnectionReset, "{state}");
        kept(proxy, state, steps, "Server Reset");
    }
}

/// It neither answers nor ends: the client gives up.
#[test]
fn it_hangs_in_every_state() {
    for (state, steps) in STATES {
        let seen = Arc::new(Barrier::new(2));
        let server = server(steps, &seen, |stream, over| {
            over.wait();
            drop(stream);
        });
        let proxy = Proxy::start(server.address, ARGUMENTS);
        let mut client = proxy.connect();
        as_client(&mut client, steps);
        seen.wait();
        reset(client);
        kept(proxy, state, steps, "Client Reset");
        seen.wait();
    }
}

/// It hangs, and so does the client: whoever runs poptape can still end it, and nothing is lost.
#[test]
fn it_hangs_and_poptape_is_told_to_end() {
    for (state, steps) in STATES {
        let seen = Arc::new(Barrier::new(2));
        let server = server(steps, &seen, |stream, over| {
            over.wait();
            drop(stream);
        });
        let proxy = Proxy::start(server.address, ARGUMENTS);
        let mut client = proxy.connect();
        as_client(&mut client, steps);
        seen.wait();
        proxy.signal(rustix::process::Signal::TERM);
        kept(proxy, state, steps, "Poptape Stopped");
        seen.wait();
    }
}

/// It dies while the client is still sending to it: the client is not left writing into nothing.
#[test]
fn it_dies_while_it_is_written_to() {
    let server = Server::start(|mut stream| {
        stream.write_all(b"+OK\r\n").unwrap();
        // Unread octets make this a reset.
        crate::support::expect(&mut stream, b"x");
    });
    let proxy = Proxy::start(server.address, ARGUMENTS);
    let mut client = proxy.connect();
    crate::support::expect(&mut client, b"+OK\r\n");
    let chunk = vec![b'x'; 65_536];
    let failed = std::iter::repeat_with(|| client.write_all(&chunk)).find_map(Result::err).unwrap();
    assert!(matches!(failed.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{failed}");
    let left = proxy.wait();
    let kept = Kept::read(&left.recording());
    assert!(kept.whole && kept.client.starts_with(b"xxxx"), "{:?}", kept.end);
}
