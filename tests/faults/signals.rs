//! Signals, in the middle of work.

use std::io::{Read, Write};

use rustix::process::Signal;

use super::Kept;
use crate::support::{Proxy, Server, expect};

/// What the message is announced to be.
const SIZE: usize = 1 << 30;

/// What the client has read of it when the signal comes.
const SEEN: usize = 100 << 20;

/// Lines of one message after another, each of them different.
fn line(n: usize) -> String {
    format!("line {n:10} of a message of a gigabyte, and not the last of it.\r\n")
}

#[test]
fn sigterm_and_sigint_in_a_message_of_a_gigabyte() {
    for signal in [Signal::TERM, Signal::INT] {
        let server = Server::start(|mut stream| {
            stream.write_all(b"+OK ready\r\n").unwrap();
            expect(&mut stream, b"RETR 1\r\n");
            stream.write_all(format!("+OK {SIZE} octets\r\n").as_bytes()).unwrap();
            let mut chunks = (0..SIZE / 64).step_by(1000);
            // Until it is over.
            let _ = chunks.try_for_each(|first| {
                let chunk: String = (first..first + 1000).map(line).collect();
                stream.write_all(chunk.as_bytes())
            });
        });
        let proxy = Proxy::start(server.address, &["--quiet"]);
        let mut client = proxy.connect();
        client.write_all(b"RETR 1\r\n").unwrap();
        let mut seen = vec![0; SEEN];
        client.read_exact(&mut seen).unwrap();
        proxy.signal(signal);
        let left = proxy.wait();
        assert_eq!(left.code, Some(0), "{}", left.stderr);
        assert!(left.stderr.contains("1 session, "), "{}", left.stderr);
        let kept = Kept::read(&left.recording());
        assert_eq!((kept.whole, kept.end.as_deref()), (true, Some("Poptape Stopped")));
        assert!(kept.server.len() >= SEEN, "{} octets were kept", kept.server.len());
        assert!(kept.server[..SEEN] == seen, "what was kept is not what was sent");
        let shown = crate::support::jsonl(&left.recording());
        assert_eq!(shown[1]["command"], "RETR 1");
    }
}
