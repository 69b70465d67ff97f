//! Sessions of a server: its own mail, or a recording.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::Target::AtMost;
use super::{Row, Work};
use crate::load::Client;
use crate::mail;
use crate::subjects::Around;
use crate::subjects::poptape::record;
use crate::system::settled_cpu;

/// Messages in the maildrop.
const MESSAGES: u64 = 3;

/// Where the body's part of a turn ends: whole lines.
const BODY: usize = 2028;

pub const SERVE: Work = Work {
    name: "serve",
    subjects: &["dovecot", "serve", "replay"],
    tls: false,
    rows: &[
        Row {
            name: "serve, CPU per 1,000 sessions",
            unit: "s",
            reference: &["dovecot"],
            cells: [Some(("serve", AtMost(0.1))), None, None],
        },
        Row {
            name: "replay, CPU per 1,000 sessions",
            unit: "s",
            reference: &["dovecot"],
            cells: [Some(("replay", AtMost(0.1))), None, None],
        },
    ],
    run: |bench, subject| {
        let sessions = bench.load(1000, 10);
        let running = bench.start(subject);
        (0..5).for_each(|_| session(running.address));
        let cpu = bench.cpu_of(&running, || (0..sessions).for_each(|_| session(running.address)));
        vec![cpu * 1000.0 / sessions as f64; 2]
    },
};

/// A message, as it stands in a file.
fn message(number: u64) -> Vec<u8> {
    let mut message = format!("From: a@example.org\r\nSubject: {number}\r\n\r\n").into_bytes();
    // A line that begins with "." would look another way on the wire.
    for line in mail::from(0)[..BODY].split_inclusive(|octet| *octet == b'\n') {
        message.extend_from_slice(if line.starts_with(b".") { &line[2..] } else { line });
    }
    message
}

/// A mailbox for `serve`.
pub fn mailbox(folder: &Path) -> PathBuf {
    let maildir = folder.join("mail");
    self::maildir(&maildir);
    maildir
}

/// Makes a Maildir.
pub fn maildir(maildir: &Path) {
    for part in ["cur", "new", "tmp"] {
        fs::create_dir_all(maildir.join(part)).unwrap();
    }
    for number in 1..=MESSAGES {
        fs::write(maildir.join(format!("new/{number}.bench.example")), message(number)).unwrap();
    }
}

/// Records a session of the same maildrop; gives the file.
pub fn recording(around: &Around<'_>) -> PathBuf {
    let folder = around.folder.join("made");
    fs::create_dir_all(&folder).unwrap();
    let server = crate::subjects::named("serve");
    let serving = (server.start)(&Around { folder: &folder, tls: None, ..*around });
    let around = Around { upstream: serving.address, folder: &folder, tls: None };
    let proxy = record(&around, &[]);
    session(proxy.address);
    settled_cpu(proxy.pid());
    let mut files = folder.join("recordings").read_dir().unwrap();
    files.next().unwrap().unwrap().path()
}

/// A session that fetches the first message and verifies it.
fn session(address: SocketAddr) {
    let mut client = Client::connect(address, None);
    client.yes();
    for command in ["USER kcope\r\n", "PASS secret\r\n", "STAT\r\n"] {
        client.send(command.as_bytes());
        client.yes();
    }
    for command in ["LIST\r\n", "UIDL\r\n"] {
        client.send(command.as_bytes());
        client.yes();
        (0..MESSAGES).for_each(|_| assert_ne!(client.line(), b".\r\n"));
        client.expect(b".\r\n");
    }
    client.send(b"RETR 1\r\n");
    client.yes();
    client.expect(&message(1));
    client.expect(b".\r\n");
    client.send(b"QUIT\r\n");
    client.yes();
    client.end();
}
