//! Standard output and standard error that are closed, full, or a terminal on which nobody reads.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::{Kept, as_client, short_session};
use crate::support::{Proxy, Server, eventually, expect, poptape, recordings, rest};

/// Lines that make more than any pipe or terminal holds.
const LINES: usize = 20_000;

fn message() -> Vec<u8> {
    let body = b"The quick brown fox jumps over the lazy dog, sixty-two of it.\r\n".repeat(LINES);
    [&b"+OK\r\n"[..], &body, b".\r\n"].concat()
}

fn server() -> Server {
    let message = message();
    Server::answering(move |line| if line == "RETR 1" { message.clone() } else { b"+OK\r\n".to_vec() })
}

/// Runs it with a redirection of the shell.
fn with(redirection: &str) {
    let server = server();
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec \"$@\" {redirection}"), "sh", env!("CARGO_BIN_EXE_poptape")]);
    let proxy = Proxy::start_as(command, server.address, &["--sessions", "2", "-vv"]);
    let mut client = proxy.connect();
    expect(&mut client, b"+OK ready\r\n");
    client.write_all(b"RETR 1\r\n").unwrap();
    expect(&mut client, &message());
    drop(client);
    short_session(&proxy);
    let left = proxy.wait();
    assert_eq!(left.code, Some(0), "{redirection}: {}", left.stderr);
    let recordings = left.recordings();
    assert_eq!(recordings.len(), 2, "{redirection}");
    assert!(recordings.iter().all(|path| Kept::read(path).whole), "{redirection}");
}

#[test]
fn standard_output_is_closed() {
    with(">&-");
}

#[test]
fn standard_output_is_full() {
    with(">/dev/full");
}

/// A terminal, and its two ends: the one that nobody reads is kept so that it does not hang up.
fn terminal() -> (OwnedFd, File) {
    let keeper = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&keeper).unwrap();
    unlockpt(&keeper).unwrap();
    let name = ptsname(&keeper, Vec::new()).unwrap();
    let terminal = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    (keeper, terminal)
}

/// Somebody pressed ^S, and then something goes wrong that is worth a warning: the sessions go on, and poptape ends
/// when it is told to.
#[test]
fn a_terminal_that_blocks_takes_neither_the_sessions_nor_the_end() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let (output, ready) = (folder.path().join("recordings"), folder.path().join("ready"));
    let (keeper, terminal) = terminal();
    let mut command = poptape();
    command.args(["record", "-vv", "-l", "127.0.0.1:0", "-u", &format!("pop3://{}", server.address), "-o"]);
    command.arg(&output).arg("--ready-file").arg(&ready);
    command.stdout(Stdio::from(terminal.try_clone().unwrap()));
    command.stderr(Stdio::from(terminal.try_clone().unwrap()));
    let mut child = crate::support::Running(command.spawn().unwrap());
    eventually("it listens", || ready.exists());
    let line = std::fs::read_to_string(&ready).unwrap();
    let address = line.trim().strip_prefix("ready pop3://").unwrap().parse().unwrap();
    rustix::termios::tcflow(&terminal, rustix::termios::Action::OOff).unwrap();
    let session = || {
        let mut client = crate::support::connect(address);
        expect(&mut client, b"+OK ready\r\n");
        client.write_all(b"RETR 1\r\n").unwrap();
        expect(&mut client, &message());
        as_client(&mut client, &[("QUIT\r\n", "+OK\r\n")]);
        rest(&mut client).unwrap();
    };
    session();
    eventually("the recording is whole", || Kept::read(&recordings(&output)[0]).whole);
    // From now on the recorder has something to warn of, on the same terminal.
    std::fs::remove_dir_all(&output).unwrap();
    session();
    session();
    let pid = rustix::process::Pid::from_child(&child.0);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.0.wait().unwrap().code(), Some(3));
    drop(keeper);
}
