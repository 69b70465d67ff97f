//! No descriptor is left: whoever comes then waits, and is served once somebody leaves.

use std::io::Write;
use std::net::TcpStream;
use std::process::Command;

use super::Kept;
use crate::support::{Proxy, Server, expect, poptape, rest};

/// Clients that come at once; each proxied one needs two descriptors.
const CLIENTS: usize = 300;

/// So few descriptors that a tenth of them is served at a time, or less.
fn few(limit: u32) -> Command {
    let mut command = Command::new("prlimit");
    command.arg(format!("--nofile={limit}:{limit}")).arg(poptape().get_program());
    command
}

/// All come, and each leaves when it was served; gives how many warnings there were.
#[track_caller]
fn crowd(proxy: &Proxy, greeting: &[u8], last: &[u8]) {
    let clients: Vec<_> = (0..CLIENTS).map(|_| proxy.connect()).collect();
    // In the order in which they came: that is the order in which they are let in.
    for mut client in clients {
        expect(&mut client, greeting);
        client.write_all(b"QUIT\r\n").unwrap();
        assert!(rest(&mut client).unwrap().ends_with(last));
    }
}

#[test]
fn a_recording_proxy_lets_the_others_wait() {
    let server = Server::answering(|_| b"+OK bye\r\n".to_vec());
    for limit in [24, 64, 200] {
        let sessions = (2 * CLIENTS).to_string();
        let proxy =
            Proxy::start_as(few(limit), server.address, &["--quiet", "--sessions", sessions.as_str()]);
        crowd(&proxy, b"+OK ready\r\n", b"+OK bye\r\n");
        // It has recovered, and does it again.
        crowd(&proxy, b"+OK ready\r\n", b"+OK bye\r\n");
        let left = proxy.wait();
        assert_eq!(left.code, Some(0), "{limit}: {}", left.stderr);
        assert_eq!(left.stderr.matches("warning:").count(), 1, "{limit}: {}", left.stderr);
        let recordings = left.recordings();
        assert_eq!(recordings.len(), 2 * CLIENTS, "{limit}: {}", left.stderr);
        for path in recordings {
            let kept = Kept::read(&path);
            assert!(kept.whole && kept.server == b"+OK ready\r\n+OK bye\r\n", "{limit}: {}", path.display());
        }
    }
}

#[test]
fn a_replay_lets_the_others_wait() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = few(64);
    command.args(["replay", "-l", "127.0.0.1:0", "--quiet", "recordings/seed.json", "-o"]);
    command.arg(folder.path().join("recordings"));
    let proxy = Proxy::run(command, folder);
    crowd(&proxy, b"+OK POP3 server ready", b"\r\n");
    let left = proxy.stop();
    assert_eq!(left.stderr.matches("warning:").count(), 1, "{}", left.stderr);
    assert_eq!(left.recordings().len(), CLIENTS);
    assert!(left.recordings().iter().all(|path| Kept::read(path).whole));
}

/// Clients that stay keep the others waiting, not out: nobody is refused or served without its recording.
#[test]
fn those_who_wait_are_let_in_when_others_leave() {
    let server = Server::answering(|_| b"+OK\r\n".to_vec());
    let proxy = Proxy::start_as(few(64), server.address, &["--quiet"]);
    let mut clients: Vec<TcpStream> = (0..CLIENTS).map(|_| proxy.connect()).collect();
    expect(&mut clients[0], b"+OK ready\r\n");
    // The first ones go, whether they said anything or not.
    drop(clients.drain(..CLIENTS - 5));
    for client in &mut clients {
        expect(client, b"+OK ready\r\n");
    }
    drop(clients);
    let left = proxy.stop();
    assert_eq!(left.code, Some(0), "{}", left.stderr);
    assert!(left.recordings().iter().all(|path| Kept::read(path).whole));
}
