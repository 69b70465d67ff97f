//! What reaches the screen: nothing that the network could do harm with, nothing that is secret.

use std::io::Write;
use std::net::TcpStream;

use rustix::process::Signal;

use crate::support::{Proxy, Server, eventually, expect, poptape, rest, run, text};

/// Sends a line, reads the answer.
fn ask(client: &mut TcpStream, line: &[u8], answer: &[u8]) {
    client.write_all(line).unwrap();
    expect(client, answer);
}

#[test]
fn no_escape_sequence_from_the_network_reaches_any_output() {
    let hostile = b"\x1b[2J\x1b]0;owned\x07\x9b31m\xe2\x80\xaegnp.exe\r\n";
    let server = Server::start(move |mut stream| {
        stream.write_all(&[b"+OK ", &hostile[..]].concat()).unwrap();
        expect(&mut stream, b"USER \x1b[31m\r\n");
        stream.write_all(&[b"-ERR ", &hostile[..]].concat()).unwrap();
        expect(&mut stream, b"RETR 1\r\n");
        stream
            .write_all(&[b"+OK\r\nSubject: ", &hostile[..], b"\r\n", &hostile[..], b".\r\n"].concat())
            .unwrap();
        let _ = rest(&mut stream);
    });
    let proxy = Proxy::start(server.address, &["--sessions", "1", "-vv"]);
    let mut client = proxy.connect();
    ask(&mut client, b"USER \x1b[31m\r\n", &[b"+OK ", &hostile[..], b"-ERR ", &hostile[..]].concat());
    client.write_all(b"RETR 1\r\n").unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    rest(&mut client).unwrap();
    let left = proxy.wait();
    let recording = left.recording();
    let path = recording.to_str().unwrap();
    let mut outputs = vec![left.stdout.clone().into_bytes(), left.stderr.clone().into_bytes()];
    for arguments in [vec!["show", path], vec!["show", "-v", path], vec!["show", "-vv", path]] {
        outputs.push(run(&arguments).stdout);
    }
    for form in ["jsonl", "markdown"] {
        outputs.push(run(&["show", "--format", form, path]).stdout);
    }
    outputs.push(std::fs::read(&recording).unwrap());
    for output in outputs {
        let shown = text(&output);
        let control = |c: char| c.is_control() && c != '\n';
        let bidi = |c: char| ('\u{202a}'..='\u{202e}').contains(&c);
        // JSON may hold what a JSON reader is to take apart; it has no control characters either.
        assert!(!shown.contains(control), "{shown:?}");
        assert!(shown.starts_with('{') || !shown.contains(bidi), "{shown:?}");
    }
}

#[test]
fn no_output_holds_a_secret() {
    let server = Server::start(|mut stream| {
        let mut answers =
            [&b"-ERR no\r\n"[..], b"+ \r\n", b"-ERR no\r\n", b"-ERR no\r\n", b"+OK in\r\n"].into_iter();
        stream.write_all(b"+OK <1@x>\r\n").unwrap();
        let mut lines = std::io::BufReader::new(stream.try_clone().unwrap());
        let mut line = String::new();
        while std::io::BufRead::read_line(&mut lines, &mut line).unwrap() > 0 {
            stream.write_all(answers.next().unwrap_or(b"+OK\r\n")).unwrap();
            line.clear();
        }
    });
    let proxy = Proxy::start(
        server.address,
        &["--sessions", "1", "-vv", "--format", "json", "--format", "transcript"],
    );
    let mut client = proxy.connect();
    expect(&mut client, b"+OK <1@x>\r\n");
    ask(&mut client, b"PASS tr0ub4dor&3\r\n", b"-ERR no\r\n");
    ask(&mut client, b"AUTH PLAIN\r\n", b"+ \r\n");
    ask(&mut client, b"AGtjb3BlAHRyMHViNGRvciYz\r\n", b"-ERR no\r\n");
    ask(&mut client, b"AUTH PLAIN AGtjb3BlAHRyMHViNGRvciYz\r\n", b"-ERR no\r\n");
    ask(&mut client, b"APOP kcope c4c9334bac560ecc979e58001b3e22fb\r\n", b"+OK in\r\n");
    client.shutdown(std::net::Shutdown::Write).unwrap();
    rest(&mut client).unwrap();
    let left = proxy.wait();
    let mut outputs = vec![left.stdout.clone(), left.stderr.clone()];
    assert_eq!(left.recordings().len(), 2);
    for recording in left.recordings() {
        outputs.push(std::fs::read_to_string(&recording).unwrap());
        for form in ["text", "jsonl", "markdown"] {
            outputs.push(text(&run(&["show", "-vv", "--format", form, recording.to_str().unwrap()]).stdout));
        }
    }
    for output in outputs {
        for secret in ["tr0ub", "AGtjb3Bl", "c4c9334b"] {
            assert!(!output.contains(secret), "{secret} in {output}");
        }
    }
    assert!(left.stdout.contains("user kcope"), "who it was is shown: {}", left.stdout);
}

#[test]
fn colour_is_for_terminals_and_for_those_who_ask() {
    let show = |arguments: &[&str], no_color: bool| {
        let mut command = poptape();
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let output = command.args(["show", "recordings/seed.json"]).args(arguments).output().unwrap();
        text(&output.stdout).contains('\u{1b}')
    };
    assert!(!show(&[], false));
    assert!(show(&["--color", "always"], false));
    assert!(show(&["--color", "always"], true));
    assert!(!show(&["--color", "never"], false));
}

#[test]
fn interleaved_sessions_can_be_told_apart() {
    let server = Server::answering(|line| format!("+OK {line}\r\n").into_bytes());
    let proxy = Proxy::start(server.address, &["--sessions", "2"]);
    let mut clients = [proxy.connect(), proxy.connect()];
    for client in &mut clients {
        expect(client, b"+OK ready\r\n");
    }
    for n in 0..3 {
        for (place, client) in clients.iter_mut().enumerate() {
            ask(
                client,
                format!("NOOP {place}{n}\r\n").as_bytes(),
                format!("+OK NOOP {place}{n}\r\n").as_bytes(),
            );
        }
    }
    drop(clients);
    let left = proxy.wait();
    for line in left.stdout.lines().filter(|line| line.contains("NOOP")) {
        let session = &line[..2];
        let of = line.split("NOOP ").nth(1).unwrap().chars().next();
        // Which of the two was accepted first is not known, but they keep their numbers.
        let other = if session == "#1" { "#2" } else { "#1" };
        let mine = |other_line: &&str| other_line.contains(&format!("NOOP {}", of.unwrap()));
        assert!(left.stdout.lines().filter(mine).all(|line| !line.starts_with(other)), "{}", left.stdout);
    }
}

#[test]
fn a_closed_standard_output_ends_the_showing_and_not_the_recording() {
    let server = Server::answering(|_| b"+OK\r\n".to_vec());
    let mut command = std::process::Command::new("sh");
    // Its standard output is a pipe that nobody reads any more.
    command.args(["-c", "exec \"$@\" | true", "sh", env!("CARGO_BIN_EXE_poptape")]);
    let proxy = Proxy::start_as(command, server.address, &["--sessions", "1"]);
    let mut client = proxy.connect();
    expect(&mut client, b"+OK ready\r\n");
    for _ in 0..10 {
        ask(&mut client, b"NOOP\r\n", b"+OK\r\n");
    }
    ask(&mut client, b"QUIT\r\n", b"+OK\r\n");
    drop(client);
    let left = proxy.wait();
    assert_eq!(left.raw().0.len(), 10 * 6 + 6, "{}", left.stderr);
}

#[test]
fn a_screen_that_takes_nothing_stops_neither_the_session_nor_the_recording() {
    const LINES: usize = 40_000;
    let message = b"The quick brown fox jumps over the lazy dog, sixty-two of it.\r\n".repeat(LINES);
    let answer = [&b"+OK\r\n"[..], &message, b".\r\n"].concat();
    let sent = answer.clone();
    let server =
        Server::answering(move |line| if line == "RETR 1" { sent.clone() } else { b"+OK\r\n".to_vec() });
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("screen");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    // Held open and never read.
    let _reader = std::fs::File::options().read(true).write(true).open(&fifo).unwrap();
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "exec \"$@\" > \"$0\""]).arg(&fifo).arg(env!("CARGO_BIN_EXE_poptape"));
    let proxy = Proxy::start_as(command, server.address, &["-vv"]);
    let mut client = proxy.connect();
    expect(&mut client, b"+OK ready\r\n");
    ask(&mut client, b"RETR 1\r\n", &answer);
    ask(&mut client, b"QUIT\r\n", b"+OK\r\n");
    rest(&mut client).unwrap();
    drop(client);
    let left = proxy.stop();
    assert_eq!(left.code, Some(0), "{}", left.stderr);
    let (_, server_octets) = left.raw();
    assert!(server_octets.ends_with(&[&answer[..], b"+OK\r\n"].concat()), "the recording is not whole");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let server = Server::answering(|_| b"+OK\r\n".to_vec());
    let folder = tempfile::tempdir().unwrap();
    let deaf = folder.path().join("deaf");
    // Ignores the signals, says so, and goes when poptape is gone.
    let script = format!("trap '' TERM INT; : > {}; exec tail -f /dev/null --pid=$PPID", deaf.display());
    let proxy = Proxy::start(server.address, &["--", "sh", "-c", &script]);
    eventually("the command is deaf", || deaf.exists());
    proxy.signal(Signal::INT);
    // The command does not listen, so the first signal alone does not end it.
    eventually("the listener is gone", || TcpStream::connect(proxy.address).is_err());
    proxy.signal(Signal::INT);
    assert_eq!(proxy.wait().code, Some(130));
}

#[test]
fn what_follows_stls_passes_and_is_kept() {
    let hello = b"\x16\x03\x01\x00\x05hello";
    let server = Server::start(move |mut stream| {
        stream.write_all(b"+OK\r\n").unwrap();
        expect(&mut stream, b"STLS\r\n");
        stream.write_all(b"+OK begin\r\n").unwrap();
        expect(&mut stream, hello);
        stream.write_all(b"\x16\x03\x03\r\n.\r\n").unwrap();
        let _ = rest(&mut stream);
    });
    let proxy = Proxy::start(server.address, &["--sessions", "1"]);
    let mut client = proxy.connect();
    ask(&mut client, b"STLS\r\n", b"+OK\r\n+OK begin\r\n");
    ask(&mut client, hello, b"\x16\x03\x03\r\n.\r\n");
    drop(client);
    let left = proxy.wait();
    assert_eq!(
        left.raw(),
        (
            b"STLS\r\n\x16\x03\x01\x00\x05hello".to_vec(),
            b"+OK\r\n+OK begin\r\n\x16\x03\x03\r\n.\r\n".to_vec()
        )
    );
    assert!(left.stdout.contains("no POP3"), "{}", left.stdout);
}

#[test]
fn several_listeners_and_an_ipv6_one() {
    let server = Server::answering(|_| b"+OK\r\n".to_vec());
    let proxy = Proxy::start(server.address, &["--sessions", "2", "-l", "[::1]:0", "--quiet"]);
    let mut first = proxy.connect();
    expect(&mut first, b"+OK ready\r\n");
    drop(first);
    let left = proxy.stop();
    assert!(left.stderr.contains("ready pop3://[::1]:"), "{}", left.stderr);
}

/// A session with TLS on both legs, and certificates that mean harm.
const BOTH_LEGS: &str = r#"{"format": "poptape-recording", "version": 1, "generator": "poptape 0.1.0",
"session": {"number": 1, "started": "2026-11-24T06:13:02Z", "client": "127.0.0.1:51034", "listener": "127.0.0.1:1995",
  "upstream": "pop3s://pop.example.org", "server": "192.0.2.1:995", "secrets": "redacted"},
"exchanges": [
{"at_us": 1000, "tls": {"leg": "server", "took_us": 900, "version": "TLSv1.2", "readable": true,
  "server_name": "pop.example.org", "trust": {"overruled": "it is for other.example"},
  "chain": [{"subject": "CN=\u001b[2J\u202e", "issuer": "CN=Example CA", "names": ["other.example"],
    "not_before": "2026-01-01T00:00:00Z", "not_after": "2027-01-01T00:00:00Z", "sha256": "0123456789abcdef0123"}]}},
{"at_us": 2000, "tls": {"leg": "client", "took_us": 800, "version": "TLSv1.3", "cipher": "TLS_AES_128_GCM_SHA256", "readable": true}},
{"n": 0, "reply_at_us": 3000, "reply": "+OK ready"},
{"n": 1, "at_us": 4000, "command": "NOOP", "reply_at_us": 5000, "reply": "+OK"},
{"at_us": 6000, "tls": {"leg": "server", "readable": false, "failure": {"reason": "the server gave up",
  "alert": {"name": "internal_error", "sent": false}, "hint": "ask \u001b[31mwhoever runs it"}}},
{"at_us": 7000, "closed": "client", "how": "truncated"}
], "end": {"at_us": 8000, "by": "client", "how": "truncated"}}"#;

#[test]
fn tls_of_both_legs_is_seen_wherever_a_session_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tls.json");
    std::fs::write(&file, BOTH_LEGS).unwrap();
    let path = file.to_str().unwrap();
    let shown = |arguments: &[&str]| {
        let output = run(&[&["show", path], arguments].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let shown = text(&output.stdout);
        assert!(!shown.contains(|c: char| c.is_control() && c != '\n' || c == '\u{202e}'), "{shown:?}");
        shown
    };
    let all = [
        "with the server, pop.example.org",
        "with the client, TLS_AES_128_GCM_SHA256",
        "NOT VERIFIED: it is for other.example",
        r"certificate CN=\x1b[2J\u{202e} by CN=Example CA",
        "with the server: the server gave up (alert internal_error received)",
        r"ask \x1b[31mwhoever runs it",
    ];
    for (arguments, more) in [
        (
            &[][..],
            &[
                "SHA-256 0123456789abcdef…",
                "the client ended TLS without close_notify",
                "cut off by the client",
            ][..],
        ),
        (&["-v"], &["for other.example", "SHA-256 0123456789abcdef0123"]),
        (&["--format", "markdown"], &["for other.example", "SHA-256 0123456789abcdef0123", "truncated"]),
    ] {
        let shown = shown(arguments);
        for word in all.iter().chain(more) {
            assert!(shown.contains(word), "{word} in {shown}");
        }
    }
    assert_eq!(shown(&["--format", "jsonl"]).lines().count(), 2);
}

#[test]
fn tls_of_both_legs_is_told_in_a_capture() {
    let folder = tempfile::tempdir().unwrap();
    let (file, capture) = (folder.path().join("tls.json"), folder.path().join("tls.pcapng"));
    std::fs::write(&file, BOTH_LEGS).unwrap();
    let output = run(&["convert", file.to_str().unwrap(), capture.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let octets = std::fs::read(&capture).unwrap();
    for remark in [
        "TLS with the server begins (TLSv1.2, server name pop.example.org)",
        "the certificate of the server is NOT VERIFIED: it is for other.example",
        "TLS begins (TLSv1.3, TLS_AES_128_GCM_SHA256); what follows is the plaintext, as poptape saw it",
        "the server's port was 995",
        "TLS with the server failed: the server gave up (alert internal_error received)",
        "the client ended TLS without close_notify",
    ] {
        assert!(memchr::memmem::find(&octets, remark.as_bytes()).is_some(), "{remark}");
    }
    let back = text(&run(&["show", "--format", "jsonl", capture.to_str().unwrap()]).stdout);
    assert!(back.contains(r#""command":"NOOP""#), "what is inside is read as plaintext: {back}");
}
