//! What was recorded is never lost: not by a kill, not by a full disk, not by a folder that went away.

use std::io::{Read, Write};
use std::process::Command;

use rustix::process::Signal;

use crate::support::{Proxy, Server, eventually, expect, poptape, recordings, rest, text};

/// A message without end, in lines of 64 octets.
fn endless(line: &str) -> Vec<u8> {
    if line.starts_with("RETR") { [&b"+OK\r\n"[..], &message(1 << 20)].concat() } else { b"+OK\r\n".to_vec() }
}

fn message(octets: usize) -> Vec<u8> {
    b"The quick brown fox jumps over the lazy dog, sixty-two of it.\r\n"
        .iter()
        .copied()
        .cycle()
        .take(octets)
        .collect()
}

#[test]
fn kill_9_in_the_middle_of_a_message_leaves_all_that_was_flushed() {
    const SIZE: usize = 200 << 20;
    let (pause, paused) = std::sync::mpsc::sync_channel::<()>(0);
    let paused = std::sync::Arc::new(std::sync::Mutex::new(paused));
    let server = Server::start(move |mut stream| {
        stream.write_all(b"+OK ready\r\n").unwrap();
        expect(&mut stream, b"RETR 1\r\n");
        stream.write_all(format!("+OK {SIZE} octets\r\n").as_bytes()).unwrap();
        stream.write_all(&message(SIZE / 2)).unwrap();
        // The second half is kept until the test is over.
        let _ = paused.lock().unwrap().recv();
    });
    let proxy = Proxy::start(server.address, &["--quiet"]);
    let mut client = proxy.connect();
    client.write_all(b"RETR 1\r\n").unwrap();
    let mut left = "+OK ready\r\n".len() + format!("+OK {SIZE} octets\r\n").len() + SIZE / 2;
    let mut buffer = vec![0; 1 << 20];
    while left > 0 {
        left -= client.read(&mut buffer).unwrap();
    }
    let folder = proxy.folder.path().join("recordings");
    // Each line of it costs four octets more in the file: quotes, a comma and the indent for its line end.
    let written = SIZE / 2 + 4 * (memchr::memchr_iter(b'\n', &message(SIZE / 2)).count() - 1);
    eventually("all that came is in the file", || {
        recordings(&folder).first().is_some_and(|path| ends_whole(path, written))
    });
    proxy.signal(Signal::KILL);
    let left = proxy.wait();
    drop(pause);
    let shown = poptape().args(["show", "--format", "jsonl"]).arg(left.recording()).output().unwrap();
    assert_eq!(shown.status.code(), Some(1), "{}", text(&shown.stderr));
    assert!(text(&shown.stderr).contains("incomplete"), "{}", text(&shown.stderr));
    let retr: serde_json::Value = serde_json::from_str(text(&shown.stdout).lines().last().unwrap()).unwrap();
    assert_eq!((&retr["command"], retr["octets"].as_u64()), (&"RETR 1".into(), Some((SIZE / 2) as u64)));
    assert!(left.raw().1.ends_with(&message(SIZE / 2)));
}

/// Whether a flush was the last thing that happened to a file of at least this length.
fn ends_whole(path: &std::path::Path, length: usize) -> bool {
    let mut file = std::fs::File::open(path).unwrap();
    let mut end = String::new();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::End(-20)).unwrap();
    file.read_to_string(&mut end).unwrap();
    path.metadata().unwrap().len() > length as u64 && end.ends_with("\"end\": null}\n")
}

#[test]
fn kill_9_while_octets_are_coming_leaves_a_beginning() {
    let server = Server::start(|mut stream| {
        let _ = stream.write_all(b"+OK ready\r\n");
        expect(&mut stream, b"RETR 1\r\n");
        let _ = stream.write_all(b"+OK\r\n");
        // Until the connection is gone.
        while stream.write_all(&message(1 << 16)).is_ok() {}
    });
    let proxy = Proxy::start(server.address, &["--quiet"]);
    let mut client = proxy.connect();
    client.write_all(b"RETR 1\r\n").unwrap();
    let mut seen = vec![0; 50 << 20];
    client.read_exact(&mut seen).unwrap();
    proxy.signal(Signal::KILL);
    let left = proxy.wait();
    let (_, server_octets) = left.raw();
    let common = server_octets.len().min(seen.len());
    assert!(common > 1 << 20, "only {common} octets were kept");
    assert!(server_octets[..common] == seen[..common], "what was kept is not what came");
}

#[test]
fn a_full_disk_ends_the_recording_and_not_the_session() {
    let server = Server::answering(endless);
    let disk = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c"]);
    command.arg("mount -t tmpfs -o size=4m tmpfs \"$0\" && exec \"$@\"").arg(disk.path());
    command.arg(env!("CARGO_BIN_EXE_poptape"));
    let output = disk.path().to_str().unwrap();
    let proxy = Proxy::start_as(command, server.address, &["--sessions", "1", "--quiet", "-o", output]);
    survives(&proxy, 20);
    let left = proxy.wait();
    assert_eq!(left.code, Some(3), "{}", left.stderr);
    assert_eq!(left.stderr.matches("warning:").count(), 1, "{}", left.stderr);
    assert!(left.stderr.contains("No space left"), "{}", left.stderr);
}

#[test]
fn a_folder_that_goes_away_ends_the_recording_and_not_the_session() {
    let server = Server::answering(endless);
    let proxy = Proxy::start(server.address, &["--sessions", "2", "--quiet"]);
    std::fs::remove_dir_all(proxy.folder.path().join("recordings")).unwrap();
    survives(&proxy, 2);
    survives(&proxy, 2);
    let left = proxy.wait();
    assert_eq!(left.code, Some(3), "{}", left.stderr);
    assert_eq!(left.stderr.matches("warning:").count(), 1, "{}", left.stderr);
    assert!(left.stderr.contains("No such file"), "{}", left.stderr);
}

fn survives(proxy: &Proxy, messages: usize) {
    let mut client = proxy.connect();
    expect(&mut client, b"+OK ready\r\n");
    for _ in 0..messages {
        client.write_all(b"RETR 1\r\n").unwrap();
        expect(&mut client, &endless("RETR 1"));
    }
    client.write_all(b"QUIT\r\n").unwrap();
    assert_eq!(text(&rest(&mut client).unwrap()), "+OK\r\n");
}
