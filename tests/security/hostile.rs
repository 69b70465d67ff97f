//! A server, a client and a file that mean harm: memory does not grow with what they say, nothing is written but where it
//! was asked for, and a page shows their words and does not obey them.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::faults::memory;
use crate::support::{Proxy, Server, expect, rest, run, text};

/// What a hostile peer says in all.
const SIZE: usize = 48 << 20;

/// In kB: what poptape may take of memory meanwhile, whatever is said.
const MEMORY: u64 = 72 << 10;

/// All that takes what was said.
const EVERYTHING: [&str; 9] =
    ["-vv", "--format", "json", "--format", "pcapng", "--format", "pcap", "--format", "transcript"];

/// What is said, over and over, after a beginning.
#[track_caller]
fn server_says(beginning: &'static str, over_and_over: &'static [u8], kilobytes: u64) {
    let server = Server::start(move |mut stream| {
        expect(&mut stream, b"CAPA\r\n");
        stream.write_all(beginning.as_bytes()).unwrap();
        let chunk = over_and_over.repeat((1 << 16) / over_and_over.len());
        (0..SIZE / chunk.len()).for_each(|_| stream.write_all(&chunk).unwrap());
    });
    let proxy = Proxy::start(server.address, &[&EVERYTHING[..], &["--sessions", "2"]].concat());
    let mut client = proxy.connect();
    client.write_all(b"CAPA\r\n").unwrap();
    let mut sink = std::io::sink();
    let came = std::io::copy(&mut client, &mut sink).unwrap();
    assert!(came > SIZE as u64 / 100 * 99, "{came}");
    let most = memory(proxy.pid(), "VmHWM");
    assert!(most < kilobytes, "{most} kB for {}", text(&over_and_over[..over_and_over.len().min(20)]));
    drop(client);
    proxy.stop();
}

#[test]
fn a_greeting_without_end() {
    server_says("+OK ", b"x", MEMORY);
}

#[test]
fn a_list_without_end() {
    server_says("+OK\r\n+OK\r\n", b"CAPABILITY\r\n", MEMORY);
}

#[test]
fn empty_lines_without_end() {
    server_says("+OK\r\n+OK\r\n", b"\r\n", MEMORY);
}

#[test]
fn answers_without_end_that_nobody_asked_for() {
    // Each of them costs more than its octets, in all that waits for it.
    server_says("+OK\r\n", b"-ERR\r\n", 2 * MEMORY);
}

#[test]
fn a_header_without_end() {
    server_says("+OK\r\n+OK\r\n", b"X-Header: of a message\r\n y\r\n", MEMORY);
}

#[test]
fn a_client_that_says_a_line_without_end() {
    let server = Server::start(|mut stream| {
        stream.write_all(b"+OK\r\n").unwrap();
        std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
    });
    for (beginning, over_and_over) in [("PASS ", &b"x"[..]), ("AUTH PLAIN ", b"Ag=="), ("", b"\0")] {
        let proxy = Proxy::start(server.address, &[&EVERYTHING[..], &["--sessions", "1"]].concat());
        let mut client = proxy.connect();
        expect(&mut client, b"+OK\r\n");
        client.write_all(beginning.as_bytes()).unwrap();
        let chunk = over_and_over.repeat(1 << 14);
        (0..SIZE / chunk.len()).for_each(|_| client.write_all(&chunk).unwrap());
        let most = memory(proxy.pid(), "VmHWM");
        assert!(most < MEMORY, "{most} kB for {beginning}");
        client.shutdown(std::net::Shutdown::Write).unwrap();
        rest(&mut client).unwrap();
        drop(client);
        proxy.wait();
    }
}

/// Words that a page, a terminal or a shell would obey.
const WORDS: &str =
    "</code></pre><script>alert(1)</script> ``` <img src=x onerror=alert(1)> [x](javascript:1) \u{1b}[2J";

/// A page of Markdown: which of its lines are code, by the rules of `CommonMark` for blocks; the others are given.
fn text_of(page: &str) -> Vec<&str> {
    let (mut text, mut in_list_or_paragraph) = (Vec::new(), false);
    for line in page.lines() {
        if line.trim().is_empty() {
            // A list goes on behind an empty line; a paragraph does not.
            in_list_or_paragraph =
                in_list_or_paragraph && text.last().is_some_and(|last: &&str| last.starts_with("- "));
        } else if line.starts_with("    ") && !in_list_or_paragraph {
            // Code, which ends no sooner than a line that is less indented.
        } else {
            in_list_or_paragraph = !line.starts_with('#');
            text.push(line);
        }
    }
    text
}

#[test]
fn a_page_obeys_nobody() {
    let server = Server::start(|mut stream| {
        stream.write_all(format!("+OK {WORDS}\r\n").as_bytes()).unwrap();
        expect(&mut stream, b"RETR 1\r\n");
        stream.write_all(format!("+OK {WORDS}\r\n{WORDS}\r\n\r\n# {WORDS}\r\n.\r\n").as_bytes()).unwrap();
        let _ = rest(&mut stream);
    });
    let proxy = Proxy::start(server.address, &["--sessions", "1", "--quiet"]);
    let mut client = proxy.connect();
    client.write_all(b"RETR 1\r\n").unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    rest(&mut client).unwrap();
    drop(client);
    let left = proxy.wait();
    let page = text(&run(&["show", "--format", "markdown", left.recording().to_str().unwrap()]).stdout);
    assert!(page.contains("<script>"), "what was said is shown: {page}");
    for line in text_of(&page) {
        let known = ["# POP3 session", "- ", "## Conversation", "Ended after"];
        assert!(known.iter().any(|start| line.starts_with(start)), "{line:?} is no code in {page}");
        assert!(!line.contains('<'), "{line:?}");
    }
    // Without a filter and with one.
    let filtered =
        run(&["show", "--format", "markdown", "-f", "~c RETR", left.recording().to_str().unwrap()]);
    assert!(text_of(&text(&filtered.stdout)).iter().all(|line| !line.contains('<')));
}

/// Every file and folder below.
fn below(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            below(&path, found);
        }
        found.insert(path);
    }
}

/// A recording whose every word is a path that leads elsewhere.
fn climbing(path: &str) -> String {
    let path = serde_json::to_string(path).unwrap();
    let path = path.trim_matches('"');
    format!(
        r#"{{"format": "poptape-recording", "version": 1, "generator": "{path}",
"session": {{"number": 7, "started": "2026-11-24T06:13:02Z", "client": "{path}", "listener": "{path}", "upstream": "{path}",
  "server": "{path}", "secrets": "redacted", "origin": "{path}"}},
"exchanges": [
{{"n": 0, "reply_at_us": 1, "reply": "+OK {path}"}},
{{"n": 1, "at_us": 2, "command": "USER {path}", "reply_at_us": 3, "reply": "+OK {path}"}},
{{"n": 2, "at_us": 4, "command": "RETR {path}", "reply_at_us": 5, "reply": "+OK", "body": ["Subject: {path}", "Message-ID: <{path}>", "", "x"]}},
{{"n": 3, "at_us": 6, "command": "UIDL", "reply_at_us": 7, "reply": "+OK", "body": ["1 {path}"]}},
{{"n": 4, "at_us": 8, "command": "RETR 1", "reply_at_us": 9, "reply": "+OK", "body": ["Subject: {path}", "", "x"]}}
], "end": {{"at_us": 10, "by": "client", "how": "finished"}}}}"#
    )
}

#[test]
fn nothing_is_written_outside_the_folder() {
    let root = tempfile::tempdir().unwrap();
    let (home, out) = (root.path().join("a/b"), root.path().join("a/b/out"));
    let file = home.join("climbing.json");
    for path in [
        "../../climbed",
        "/tmp/climbed-by-poptape",
        "..\\..\\climbed",
        "a\u{0}b",
        "~/climbed",
        "$(touch climbed)",
    ] {
        std::fs::create_dir_all(&out).unwrap();
        std::fs::write(&file, climbing(path)).unwrap();
        let mut before = BTreeSet::new();
        below(root.path(), &mut before);
        for name in ["recordings/", "mail.eml/", "octets.raw/"] {
            let output = run(&["convert", file.to_str().unwrap(), out.join(name).to_str().unwrap()]);
            assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        }
        let mut after = BTreeSet::new();
        below(root.path(), &mut after);
        let mut new = after.difference(&before).filter(|path| **path != out);
        assert!(new.all(|path| path.starts_with(&out)), "{after:?}");
        assert!(
            after.iter().any(|path| path.starts_with(out.join("mail.eml")) && path.is_file()),
            "{after:?}"
        );
        assert!(!Path::new("/tmp/climbed-by-poptape").exists());
        std::fs::remove_dir_all(&out).unwrap();
    }
}

/// Links that lie in the folder already are not followed to what they point at.
#[test]
fn a_recording_goes_through_no_link() {
    use std::os::unix::fs::symlink;
    let root = tempfile::tempdir().unwrap();
    let (victim, out) = (root.path().join("victim"), root.path().join("out"));
    std::fs::write(&victim, "mine").unwrap();
    std::fs::create_dir(&out).unwrap();
    let name = |again: &str| out.join(format!("2026-11-24T06-13-02.000Z-0007{again}.json"));
    symlink(&victim, name("")).unwrap();
    let file = root.path().join("x.json");
    std::fs::write(&file, climbing("x")).unwrap();
    let output = run(&["convert", file.to_str().unwrap(), &format!("{}/", out.display())]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "mine");
    assert!(name("-1").exists(), "{:?}", out.read_dir().unwrap().collect::<Vec<_>>());
}
