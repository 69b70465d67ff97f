//! `record` as a program: what it prints, the files it makes, how it ends.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use crate::support::{Proxy, Server, eventually, expect, poptape, recordings, rest, run, text};

fn answers(line: &str) -> Vec<u8> {
    match line.split(' ').next().unwrap_or_default() {
        "LIST" => b"+OK\r\n1 120\r\n.\r\n".to_vec(),
        "BAD" => b"-ERR no\r\n".to_vec(),
        _ => b"+OK\r\n".to_vec(),
    }
}

#[test]
fn a_session_is_shown_recorded_and_summed_up() {
    let server = Server::answering(answers);
    let proxy = Proxy::start(server.address, &["--sessions", "1"]);
    let mut client = proxy.connect();
    expect(&mut client, b"+OK ready\r\n");
    for line in ["USER kcope\r\n", "PASS tr0ub4dor&3\r\n", "BAD\r\n", "QUIT\r\n"] {
        client.write_all(line.as_bytes()).unwrap();
        expect(&mut client, &answers(line.trim_end()));
    }
    rest(&mut client).unwrap();
    drop(client);
    let left = proxy.wait();
    assert_eq!(left.code, Some(0));
    for shown in ["(greeting)", "USER kcope", "PASS ********", "-ERR", "TRANSACTION", "closed"] {
        assert!(left.stdout.contains(shown), "{shown} in {}", left.stdout);
    }
    let path = left.recording();
    assert!(left.stdout.contains(&path.display().to_string()), "{}", left.stdout);
    assert!(left.stderr.contains("1 session, 4 exchanges, 1 -ERR"), "{}", left.stderr);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let file = std::fs::read_to_string(&path).unwrap();
    for output in [&file, &left.stdout, &left.stderr] {
        assert!(!output.contains("tr0ub"), "the password is in {output}");
    }
}

#[test]
fn quiet_prints_no_session() {
    let server = Server::answering(answers);
    let proxy = Proxy::start(server.address, &["--sessions", "1", "--quiet"]);
    let mut client = proxy.connect();
    client.write_all(b"QUIT\r\n").unwrap();
    rest(&mut client).unwrap();
    drop(client);
    let left = proxy.wait();
    assert_eq!(left.stdout, "");
    assert!(left.stderr.contains("1 session"), "{}", left.stderr);
}

#[test]
fn secrets_are_kept_only_when_asked_for() {
    let server = Server::answering(answers);
    let proxy = Proxy::start(server.address, &["--sessions", "1", "--secrets", "keep"]);
    let mut client = proxy.connect();
    client.write_all(b"PASS  two  words \r\nQUIT\r\n").unwrap();
    rest(&mut client).unwrap();
    drop(client);
    let left = proxy.wait();
    assert_eq!(text(&left.raw().0), "PASS  two  words \r\nQUIT\r\n");
}

#[test]
fn many_sessions_at_once_get_a_file_each() {
    let server = Server::answering(answers);
    let proxy = Proxy::start(server.address, &["--sessions", "100", "--quiet"]);
    let mut clients: Vec<_> = (0..100).map(|_| proxy.connect()).collect();
    for client in &mut clients {
        client.write_all(b"LIST\r\n").unwrap();
    }
    for client in &mut clients {
        expect(client, b"+OK ready\r\n+OK\r\n1 120\r\n.\r\n");
        client.write_all(b"QUIT\r\n").unwrap();
    }
    for client in &mut clients {
        assert_eq!(text(&rest(client).unwrap()), "+OK\r\n");
    }
    drop(clients);
    let left = proxy.wait();
    assert_eq!(left.recordings().len(), 100);
    for recording in left.recordings() {
        let file = std::fs::read_to_string(&recording).unwrap();
        assert!(file.ends_with("\"end\": {\"at_us\":0") || file.contains(r#""how":"finished"}}"#), "{file}");
    }
}

#[test]
fn a_stop_finishes_the_recordings() {
    let server = Server::answering(answers);
    let proxy = Proxy::start(server.address, &[]);
    let mut client = proxy.connect();
    expect(&mut client, b"+OK ready\r\n");
    let folder = proxy.folder.path().join("recordings");
    eventually("the greeting is in the file", || {
        recordings(&folder)
            .first()
            .is_some_and(|path| text(&std::fs::read(path).unwrap()).contains("+OK ready"))
    });
    let left = proxy.stop();
    assert_eq!(left.code, Some(0), "{}", left.stderr);
    assert_eq!(rest(&mut client).ok(), Some(Vec::new()));
    let file = std::fs::read_to_string(left.recording()).unwrap();
    assert!(file.contains(r#""by":"poptape","how":"stopped""#), "{file}");
    assert!(left.stderr.contains("1 session"), "{}", left.stderr);
}

#[test]
fn a_ready_file_holds_the_ready_line() {
    let folder = tempfile::tempdir().unwrap();
    let ready = folder.path().join("ready");
    let server = Server::answering(answers);
    let proxy = Proxy::start(server.address, &["--ready-file", ready.to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(&ready).unwrap(), format!("ready pop3://{}\n", proxy.address));
    proxy.stop();
    assert_eq!(folder.path().read_dir().unwrap().count(), 1, "no draft is left behind");
}

#[test]
fn a_command_is_run_and_its_failure_is_ours() {
    let server = Server::answering(answers);
    let folder = tempfile::tempdir().unwrap();
    let record = |script: &str| {
        let upstream = format!("pop3://{}", server.address);
        let output = folder.path().to_str().unwrap();
        run(&[
            "record",
            "-u",
            &upstream,
            "-l",
            "127.0.0.1:0",
            "-o",
            output,
            "--",
            "sh",
            "-c",
            script,
            "sh",
            "{url}",
        ])
    };
    let output =
        record("test \"$1\" = \"$POP3_URL\" && test \"pop3://$POP3_HOST:$POP3_PORT\" = \"$POP3_URL\"");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(record("exit 7").status.code(), Some(7));
    assert_eq!(record("kill -9 $$").status.code(), Some(137));
}

#[test]
fn what_the_command_did_is_recorded_whole() {
    let server = Server::answering(answers);
    let folder = tempfile::tempdir().unwrap();
    let output = poptape()
        .args(["record", "-u", &format!("pop3://{}", server.address), "-l", "127.0.0.1:0", "--quiet", "-o"])
        .arg(folder.path())
        .args(["--", "python3", "-c"])
        .arg("import poplib, os; p = poplib.POP3(os.environ['POP3_HOST'], int(os.environ['POP3_PORT'])); p.user('a'); p.quit()")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let file = std::fs::read_to_string(&recordings(folder.path())[0]).unwrap();
    assert!(file.contains("QUIT") && file.contains(r#""how":"finished"}}"#), "{file}");
}

#[test]
fn what_is_not_to_be_recorded_leaves_no_file() {
    let server = Server::answering(|_| b"+OK\r\n".to_vec());
    let folder = tempfile::tempdir().unwrap();
    let mut command = poptape();
    command.current_dir(folder.path()).args([
        "record",
        "-l",
        "127.0.0.1:0",
        "--no-record",
        "--sessions",
        "1",
    ]);
    command.args(["-u", &format!("pop3://{}", server.address)]);
    let proxy = Proxy::run(command, folder);
    let mut client = proxy.connect();
    expect(&mut client, b"+OK ready\r\n");
    client.write_all(b"QUIT\r\n").unwrap();
    expect(&mut client, b"+OK\r\n");
    drop(client);
    let left = proxy.wait();
    assert!(left.stdout.contains("QUIT"), "{}", left.stdout);
    assert!(left.stderr.contains("1 session, 1 exchange, 0 -ERR, 6 octets up, 16 down"), "{}", left.stderr);
    assert!(!left.stderr.contains("poptape show"), "{}", left.stderr);
    assert_eq!(left.folder.path().read_dir().unwrap().count(), 0);
}
