//! `poptape serve`: sources, settings, deletions, and messages larger than its memory.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;

use crate::support::{Proxy, connect, run, text};

/// A client that sends a line and reads the whole answer.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(server: &Proxy) -> Self {
        let mut client = Self(BufReader::new(connect(server.address)));
        assert!(client.line().starts_with("+OK"), "no greeting");
        client
    }

    fn logged_in(server: &Proxy) -> Self {
        let mut client = Self::connect(server);
        client.ask("USER kcope");
        assert!(client.ask("PASS secret").starts_with("+OK"));
        client
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line
    }

    /// The status line.
    fn ask(&mut self, command: &str) -> String {
        write!(self.0.get_mut(), "{command}\r\n").unwrap();
        self.line().trim_end().to_owned()
    }

    /// The body as it came, without the terminator.
    fn body(&mut self, command: &str) -> String {
        assert!(self.ask(command).starts_with("+OK"), "{command}");
        let mut body = String::new();
        loop {
            let line = self.line();
            if line == ".\r\n" || line.is_empty() {
                return body;
            }
            body.push_str(&line);
        }
    }
}

fn letters(count: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for n in 1..=count {
        fs::write(folder.path().join(format!("{n}.eml")), format!("Subject: {n}\n\nletter {n}\n")).unwrap();
    }
    folder
}

fn serve(path: &Path, arguments: &[&str]) -> Proxy {
    let path = path.to_str().unwrap();
    Proxy::verb("serve", &[&["--user", "kcope:secret", path], arguments].concat())
}

#[test]
fn deletions_hold_for_the_run_for_a_session_or_for_good() {
    for (arguments, next, files) in
        [(&[][..], "+OK 1 24", 2), (&["--reset", "session"], "+OK 2 48", 2), (&["--writable"], "+OK 1 24", 1)]
    {
        let folder = letters(2);
        let server = serve(folder.path(), arguments);
        let mut first = Client::logged_in(&server);
        assert_eq!(first.ask("DELE 1"), "+OK message 1 deleted");
        assert_eq!(first.ask("QUIT"), "+OK dewey POP3 server signing off (1 message left)");
        let mut dropped = Client::logged_in(&server);
        dropped.ask("DELE 1");
        drop(dropped);
        // The lock goes with the connection: whoever comes next waits for that at most.
        crate::support::eventually("the lock is released", || {
            let mut second = Client::connect(&server);
            second.ask("USER kcope");
            second.ask("PASS secret").starts_with("+OK") && second.ask("STAT") == next
        });
        assert_eq!(server.stop().code, Some(0));
        assert_eq!(folder.path().read_dir().unwrap().count(), files, "{arguments:?}");
    }
}

#[test]
fn a_maildrop_is_open_once_unless_told_otherwise() {
    let folder = letters(1);
    for (arguments, answer) in
        [(&[][..], "-ERR [IN-USE] maildrop already locked"), (&["--no-lock"], "+OK kcope's")]
    {
        let server = serve(folder.path(), arguments);
        let _first = Client::logged_in(&server);
        let mut second = Client::connect(&server);
        second.ask("USER kcope");
        assert!(second.ask("PASS secret").starts_with(answer), "{arguments:?}");
        server.stop();
    }
}

/// The lock of a client that has stopped to read in the middle of a message goes with its patience.
#[test]
fn who_does_not_read_loses_the_maildrop() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("1.eml"), "a line of sixteen\n".repeat(2 << 20)).unwrap();
    let server = serve(folder.path(), &["--quiet", "--idle-timeout", "1"]);
    let mut deaf = Client::logged_in(&server);
    assert!(deaf.ask("RETR 1").starts_with("+OK"));
    crate::support::eventually("the lock is released", || {
        let mut second = Client::connect(&server);
        second.ask("USER kcope");
        second.ask("PASS secret").starts_with("+OK")
    });
    server.stop();
}

#[test]
fn flags_count_more_than_the_profile_and_that_more_than_the_personality() {
    let folder = letters(1);
    let profile = folder.path().join("profile.toml");
    fs::write(&profile, "host = \"a\"\nlogin-delay = 9\n[wording]\nnoop = \"yes\"\n[users]\nada = \"x\"\n")
        .unwrap();
    let profile = profile.to_str().unwrap();
    let server = serve(
        folder.path(),
        &["--profile", profile, "--host", "b", "--disable", "UIDL", "--expire", "30", "--no-response-codes"],
    );
    let mut client = Client::logged_in(&server);
    assert_eq!(client.ask("NOOP"), "+OK yes");
    assert_eq!(client.ask("UIDL"), "-ERR UIDL is not implemented");
    let capabilities = client.body("CAPA");
    assert!(
        capabilities.contains("LOGIN-DELAY 9\r\n") && capabilities.contains("EXPIRE 30\r\n"),
        "{capabilities}"
    );
    assert!(!capabilities.contains("UIDL") && !capabilities.contains("RESP-CODES"), "{capabilities}");
    assert_eq!(client.ask("QUIT"), "+OK b POP3 server signing off (1 message left)");
    let mut again = Client::connect(&server);
    again.ask("USER kcope");
    assert_eq!(again.ask("PASS secret"), "-ERR logged in too recently");
    again.ask("USER ada");
    assert!(again.ask("PASS x").starts_with("+OK"));
    server.stop();
}

#[test]
fn what_is_wrong_is_said_with_exit_code_2() {
    let folder = letters(1);
    let path = folder.path().to_str().unwrap();
    let bad = folder.path().join("bad.toml");
    fs::write(&bad, "hots = 1").unwrap();
    let ids = folder.path().join("ids.toml");
    fs::write(&ids, "unique-ids = [\"a\"]").unwrap();
    let ids = ids.to_str().unwrap();
    for (arguments, says) in [
        (&["serve", path][..], "nobody could log in"),
        (&["serve", "--user", "kcope", path], "NAME:PASSWORD"),
        (&["serve", "--user", "any", "no/such/place"], "no/such/place"),
        (&["serve", "--user", "any", "Cargo.toml"], "neither a Maildir"),
        (&["serve", "--user", "any", "--profile", bad.to_str().unwrap(), path], "hots"),
        (&["serve", "--user", "any", "--disable", "XYZZY", path], "XYZZY"),
        (&["serve", "--user", "any", "--writable", "recordings/seed.json"], "seed.json is a recording"),
        (&["serve", "--user", "any", "--writable", "--profile", ids, path], "unique-ids go by position"),
        (&["serve", "--user", "any", "--expire", "soon", path], "days or \"never\""),
        (&["serve", "--user", "any", "--personality", "exchange", path], "possible values"),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(says), "{arguments:?}: {}", text(&output.stderr));
    }
    // A mistake in a flag shows no password.
    let stderr = text(&run(&["serve", "--user", ":hunter2", path]).stderr);
    assert!(stderr.contains("NAME:PASSWORD") && !stderr.contains("hunter2"), "{stderr}");
}

#[test]
fn sources_are_put_one_behind_the_other() {
    let (one, two) = (letters(2), letters(1));
    let server = serve(one.path(), &[two.path().to_str().unwrap()]);
    let mut client = Client::logged_in(&server);
    assert_eq!(client.ask("STAT"), "+OK 3 72");
    let ids = client.body("UIDL");
    let mut ids: Vec<_> = ids.lines().filter_map(|line| line.split(' ').nth(1)).collect();
    ids.dedup();
    assert_eq!(ids.len(), 3, "{ids:?}");
    server.stop();
}

#[test]
fn the_order_of_sources_holds_also_for_users_with_some_of_their_own() {
    let (common, users) = (letters(1), tempfile::tempdir().unwrap());
    let inbox = users.path().join("kcope@example.org/INBOX");
    fs::create_dir_all(&inbox).unwrap();
    fs::write(inbox.join("1.eml"), "Subject: own\n\n").unwrap();
    let first = |one: &Path, two: &Path| {
        let server = serve(one, &[two.to_str().unwrap()]);
        let first = Client::logged_in(&server).body("RETR 1");
        server.stop();
        first
    };
    assert!(first(common.path(), users.path()).starts_with("Subject: 1"));
    assert!(first(users.path(), common.path()).starts_with("Subject: own"));
}

#[test]
fn a_recording_is_a_source() {
    for (path, stat, subject) in [
        ("recordings/seed.json", "+OK 2 320", "From: Ada"),
        ("recordings/dovecot.json", "+OK 3 751", "From: Ada"),
    ] {
        let server = serve(Path::new(path), &[]);
        let mut client = Client::logged_in(&server);
        assert_eq!(client.ask("STAT"), stat);
        assert!(client.body("RETR 1").starts_with(subject));
        server.stop();
    }
    // Of a folder every message is there once.
    let server = serve(Path::new("recordings"), &[]);
    let ids = Client::logged_in(&server).body("UIDL");
    let mut ids: Vec<_> = ids.lines().filter_map(|line| line.split(' ').nth(1)).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert!(count > 5 && ids.len() == count, "{ids:?}");
    // One of them was cut off, which is a finding.
    assert_eq!(server.stop().code, Some(1));
}

#[test]
fn what_is_served_can_be_recorded() {
    let folder = letters(1);
    let recordings = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), &["-o", recordings.path().to_str().unwrap()]);
    Client::logged_in(&server).ask("QUIT");
    let left = server.stop();
    assert!(left.stdout.contains("PASS ********"), "{}", left.stdout);
    let recording = &crate::support::recordings(recordings.path())[0];
    let commands: Vec<_> =
        crate::support::jsonl(recording).iter().map(|line| line["command"].to_string()).collect();
    assert_eq!(commands, ["null", "\"USER kcope\"", "\"PASS ********\"", "\"QUIT\""]);
}

/// The most memory that a process has had, in kB.
fn peak(server: &Proxy) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Sizes come from an index, bodies are streamed: a message of 256 MB passes through a few.
#[test]
fn a_large_message_is_streamed() {
    const LINES: usize = 4 << 20;
    let folder = tempfile::tempdir().unwrap();
    let mut file = std::io::BufWriter::new(fs::File::create(folder.path().join("1.eml")).unwrap());
    for _ in 0..LINES {
        file.write_all(b".The quick brown fox jumps over the lazy dog, and it does so...\n").unwrap();
    }
    drop(file.into_inner().unwrap());
    let server = serve(folder.path(), &["--quiet"]);
    let mut client = Client::logged_in(&server);
    let size = 65 * LINES;
    assert_eq!(client.ask("LIST 1"), format!("+OK 1 {size}"));
    assert_eq!(client.ask("RETR 1"), format!("+OK {size} octets"));
    let mut left = size + LINES + 3;
    let mut piece = vec![0; 1 << 20];
    while left > 0 {
        let read = client.0.read(&mut piece).unwrap();
        assert!(read > 0 && read <= left, "{left} octets are missing");
        left -= read;
    }
    assert_eq!(client.ask("NOOP"), "+OK");
    let peak = peak(&server);
    assert!(peak < 64_000, "{peak} kB");
    server.stop();
}

/// Whoever waits for the file must not find an earlier run's.
#[test]
fn a_stale_ready_file_goes_before_anything_is_bound() {
    let folder = letters(1);
    let ready = folder.path().join("ready");
    fs::write(&ready, "ready pop3://127.0.0.1:1\n").unwrap();
    let server = serve(folder.path(), &[]);
    let busy = server.address.to_string();
    let (file, path) = (ready.to_str().unwrap(), folder.path().to_str().unwrap());
    let output = run(&["serve", "--user", "any", "-l", &busy, "--ready-file", file, path]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(!ready.exists());
    server.stop();
}
