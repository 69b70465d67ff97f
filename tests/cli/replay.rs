//! `poptape replay`: exit codes, the report, and no connection to anywhere.

use std::io::{Read, Write};

use crate::support::{Proxy, connect, expect, rest, run, text};

const SEED: &str = "recordings/seed.json";

/// A client in a shell's words, so that a command is at hand: Python is there with the interop tests.
fn suite(lines: &str) -> [&str; 3] {
    ["python3", "-c", lines]
}

fn replay<'a>(arguments: &[&'a str], command: &[&'a str]) -> std::process::Output {
    let start = ["replay", SEED, "-l", "127.0.0.1:0", "--quiet"];
    run(&[&start[..], arguments, &["--"], command].concat())
}

const WHOLE: &str = "
import os, socket
s = socket.create_connection((os.environ['POP3_HOST'], int(os.environ['POP3_PORT'])))
f = s.makefile('rw', newline='\\r\\n')
f.readline()
for line in '''USER kcope
PASS x
STAT
LIST
LIST 2
LIST 3
TOP 1 10
TOP 100 3
NOOP
RETR 1
DELE 1
DELE 2
DELE 2
STAT
RSET
STAT
QUIT'''.splitlines():
    f.write(line + '\\n')
    f.flush()
    status = f.readline()
    if status.startswith('+OK') and line in ('LIST', 'TOP 1 10', 'RETR 1'):
        while f.readline() != '.\\r\\n': pass
";

#[test]
fn strictness_is_an_exit_code() {
    let early = WHOLE.replace("STAT\nLIST\n", "STAT\n");
    // Refused, it ends where it began.
    let twice = format!("{WHOLE}\ntry:\n{}\nexcept OSError: pass\n", WHOLE.replace('\n', "\n    "));
    for (arguments, client, code) in [
        (&["--mode", "exact"][..], WHOLE, 0),
        (&["--require-all"], WHOLE, 0),
        (&["--mode", "exact", "--require-all"], WHOLE, 0),
        (&[], &early, 0),
        (&["--require-all"], &early, 1),
        (&["--mode", "exact"], &early, 1),
        (&["--mode", "engine"], &early, 0),
        (&["--require-all"], "raise SystemExit(7)", 7),
        // A session more than was recorded.
        (&["--mode", "exact"], &twice, 1),
        (&["--require-all"], &twice, 1),
        (&["--require-all", "--after-last", "refuse"], &twice, 1),
        (&[], &twice, 0),
    ] {
        let output = replay(arguments, &suite(client));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn the_report_is_text_or_json() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let early = WHOLE.replace("STAT\nLIST\n", "STAT\n");
    let output = replay(&["--report", file.to_str().unwrap()], &suite(&early));
    assert_eq!(output.status.code(), Some(0));
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(report["mode"], "match");
    let session = &report["sessions"][0];
    assert_eq!(session["recording"], SEED);
    assert_eq!(session["unused"][0]["command"], "LIST");
    assert_eq!(session["used"].as_u64(), session["recorded"].as_u64().map(|recorded| recorded - 1));
    let on_stderr = text(&replay(&[], &suite(&early)).stderr);
    assert!(on_stderr.contains("not used: LIST (exchange 4)"), "{on_stderr}");
    let on_stdout = text(&replay(&["--report", "-"], &suite(&early)).stdout);
    assert!(on_stdout.contains("not used: LIST (exchange 4)"), "{on_stdout}");
}

#[test]
fn a_reset_is_given_as_a_reset() {
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("reset.json");
    std::fs::write(
        &recording,
        r#"{"format": "poptape-recording", "version": 1, "generator": "by hand",
"session": {"number":1,"started":"1970-01-01T00:00:00.000000Z","client":"c","listener":"","upstream":"s","server":null,"secrets":"kept"},
"exchanges": [
{"n": 0, "reply_at_us": 1000, "reply": "+OK"},
{"n": 1, "at_us": 2000, "command": "NOOP", "reply_at_us": 3000, "reply": "-ERR going"},
{"at_us": 4000, "closed": "server", "how": "reset"}
], "end": {"at_us":4000,"by":"server","how":"reset"}}
"#,
    )
    .unwrap();
    let server = Proxy::verb("replay", &[recording.to_str().unwrap(), "--quiet"]);
    let mut stream = connect(server.address);
    expect(&mut stream, b"+OK\r\n");
    stream.write_all(b"NOOP\r\n").unwrap();
    // The last words may be overtaken by the reset, as they may with the real server.
    let end = stream.read_to_end(&mut Vec::new());
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    server.stop();
}

#[test]
fn sessions_are_served_in_order_and_then_refused() {
    let server = Proxy::verb(
        "replay",
        &["recordings/seed-quit-before-login.json", "recordings/popa3d.json", "--after-last", "refuse"],
    );
    let mut first = connect(server.address);
    expect(&mut first, b"+OK POP3 server ready\r\n");
    let mut second = connect(server.address);
    expect(&mut second, b"+OK\r\n");
    let mut third = connect(server.address);
    assert_eq!(text(&rest(&mut third).unwrap()), "-ERR [SYS/TEMP] every recorded session was served\r\n");
    server.stop();
}

#[test]
fn what_cannot_be_replayed_is_said_with_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().to_str().unwrap();
    for (arguments, says) in [
        (&["replay", "Cargo.toml"][..], "Cargo.toml"),
        (&["replay", empty], "no recorded session"),
        (&["replay", "no/such.json"], "no/such.json"),
        (&["replay", SEED, "--timing", "soon"], "x10"),
        (&["replay", SEED, "--timing", "x0"], "x10"),
        (&["replay", SEED, "--user", "kcope"], "NAME:PASSWORD"),
        (&["replay", SEED, "--mode", "engine", "--require-all"], "leave one of the two out"),
        (&["replay", SEED, "--report", "no/such/report.json"], "no/such"),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(says), "{arguments:?}: {}", text(&output.stderr));
    }
    // One that was cut off is used as far as it goes, and is a finding.
    let cut = run(&["replay", "recordings/cut-off.json", "-l", "127.0.0.1:0", "--quiet", "--", "true"]);
    assert_eq!(cut.status.code(), Some(1), "{}", text(&cut.stderr));
}
