//! Captures as a user has them: recorded, converted, shown, replayed and served.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{
    Proxy, Server, Serving, connect, eventually, expect, jsonl, poptape, recordings, rest, run, text,
};

/// Four sessions of curl with Dovecot, three of them in TLS, with their secrets.
const SAMPLE: &str = "recordings/curl-dovecot.pcapng";

fn server() -> Server {
    Server::answering(|line| match line {
        "RETR 1" => b"+OK 6 octets\r\nx: y\r\n.\r\n".to_vec(),
        _ => b"+OK\r\n".to_vec(),
    })
}

fn talk(stream: &mut TcpStream, lines: &[&str]) {
    expect(stream, b"+OK ready\r\n");
    for line in lines {
        stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
        expect(stream, if line.starts_with("RETR") { b"+OK 6 octets\r\nx: y\r\n.\r\n" } else { b"+OK\r\n" });
    }
}

/// The commands of each session of a file.
fn sessions(path: &Path) -> Vec<Vec<String>> {
    let mut sessions: Vec<Vec<String>> = Vec::new();
    for exchange in jsonl(path) {
        let session = usize::try_from(exchange["session"].as_u64().unwrap()).unwrap();
        sessions.resize(sessions.len().max(session), Vec::new());
        sessions[session - 1].extend(exchange["command"].as_str().map(str::to_owned));
    }
    sessions
}

fn named(folder: &Path, end: &str) -> Vec<PathBuf> {
    recordings(folder).into_iter().filter(|path| path.to_string_lossy().ends_with(end)).collect()
}

#[test]
fn a_run_is_one_capture_or_one_a_session() {
    let server = server();
    let formats = ["--quiet", "--format", "pcapng", "--format", "pcap", "--format", "json"];
    for per in ["session", "run"] {
        let proxy = Proxy::start(server.address, &[&formats[..], &["--pcap-per", per]].concat());
        // At the same time: their packets are interleaved.
        let (mut first, mut second) = (proxy.connect(), proxy.connect());
        talk(&mut first, &["USER ada"]);
        talk(&mut second, &["USER bob", "PASS tulips"]);
        for (of_first, line) in [(true, "PASS tulips"), (false, "QUIT"), (true, "QUIT")] {
            let stream = if of_first { &mut first } else { &mut second };
            stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
            expect(stream, b"+OK\r\n");
        }
        assert_eq!(rest(&mut first).unwrap(), b"");
        assert_eq!(rest(&mut second).unwrap(), b"");
        drop((first, second));
        let left = proxy.stop();
        let folder = left.folder.path().join("recordings");
        let expected =
            |name: &str| vec![format!("USER {name}"), "PASS ********".to_owned(), "QUIT".to_owned()];
        for format in [".pcap", ".pcapng"] {
            let files = named(&folder, format);
            let said: Vec<_> =
                files.iter().flat_map(|path| sessions(path)).filter(|one| !one.is_empty()).collect();
            assert_eq!(files.len(), if per == "run" { 1 } else { 2 }, "{files:?}");
            assert_eq!(said, [expected("ada"), expected("bob")], "{per} {format}");
        }
        assert_eq!(named(&folder, ".json").len(), 2);
        // The folder holds two sessions, whatever it holds them in.
        let shown = text(&run(&["show", &folder.display().to_string()]).stdout);
        assert_eq!(shown.matches(" opened ").count(), 2, "{shown}");
        for path in recordings(&folder) {
            let octets = std::fs::read(&path).unwrap();
            assert!(memchr::memmem::find(&octets, b"tulips").is_none(), "a secret in {}", path.display());
        }
    }
}

#[test]
fn kill_9_leaves_a_capture_that_every_tool_reads() {
    let (pause, paused) = std::sync::mpsc::sync_channel::<()>(0);
    let paused = std::sync::Arc::new(std::sync::Mutex::new(paused));
    let server = Server::start(move |mut stream| {
        stream.write_all(b"+OK ready\r\n").unwrap();
        expect(&mut stream, b"RETR 1\r\n");
        stream.write_all(b"+OK 1000 octets\r\nthe beginning\r\nhalf a li").unwrap();
        let _ = paused.lock().unwrap().recv();
    });
    for per in ["session", "run"] {
        let proxy = Proxy::start(server.address, &["--quiet", "--format", "pcapng", "--pcap-per", per]);
        let mut client = proxy.connect();
        client.write_all(b"RETR 1\r\n").unwrap();
        expect(&mut client, b"+OK ready\r\n+OK 1000 octets\r\nthe beginning\r\nhalf a li");
        let folder = proxy.folder.path().join("recordings");
        let all = || recordings(&folder).first().map(|path| std::fs::read(path).unwrap()).unwrap_or_default();
        eventually("all that came is in the file", || memchr::memmem::find(&all(), b"half a li").is_some());
        proxy.signal(Signal::KILL);
        let left = proxy.wait();
        let shown = jsonl(&left.recording());
        let retr = shown.last().unwrap();
        assert_eq!((&retr["command"], &retr["octets"]), (&"RETR 1".into(), &24.into()), "{shown:?}");
        let tshark = Command::new("tshark")
            .arg("-r")
            .arg(left.recording())
            .args(["-T", "fields", "-e", "tcp.payload"])
            .output()
            .unwrap();
        assert!(tshark.status.success() && tshark.stdout.len() > 50, "{tshark:?}");
        assert!(!text(&tshark.stderr).contains("cut short"), "{}", text(&tshark.stderr));
    }
    drop(pause);
}

#[test]
fn several_sessions_go_to_a_folder_and_one_to_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let refused = run(&["convert", SAMPLE, &at("all.json")]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("holds several sessions"), "{}", text(&refused.stderr));
    assert!(text(&refused.stderr).contains(&at("all/")), "{}", text(&refused.stderr));
    assert!(recordings(folder.path()).is_empty(), "a draft is left");

    assert_eq!(run(&["convert", SAMPLE, &at("all.raw/")]).status.code(), Some(2));
    for name in ["none.raw/", "none.eml/", "none/"] {
        assert_eq!(run(&["convert", "README.md", &at(name)]).status.code(), Some(2), "{name}");
    }
    assert!(recordings(folder.path()).is_empty(), "something is left");

    let made = run(&["convert", SAMPLE, &at("all/")]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    assert!(text(&made.stderr).contains("4 recordings in"), "{}", text(&made.stderr));
    let files = recordings(&folder.path().join("all"));
    assert_eq!(files.len(), 4);
    let header: serde_json::Value = serde_json::from_slice(&std::fs::read(&files[1]).unwrap()).unwrap();
    assert_eq!(header["session"]["origin"], "curl-dovecot.pcapng");

    // Packets again: each session in a file of its own, all in one.
    assert!(run(&["convert", SAMPLE, &at("each.pcap/")]).status.success());
    assert_eq!(named(&folder.path().join("each.pcap"), ".pcap").len(), 4);
    assert!(run(&["convert", SAMPLE, &at("all.pcapng")]).status.success());
    assert_eq!(sessions(&folder.path().join("all.pcapng")), sessions(Path::new(SAMPLE)));

    // Messages of all sessions, pages one behind the other.
    assert!(run(&["convert", SAMPLE, &at("all.eml/")]).status.success());
    assert_eq!(recordings(&folder.path().join("all.eml")).len(), 4);
    assert!(run(&["convert", SAMPLE, &at("all.md")]).status.success());
    let page = std::fs::read_to_string(folder.path().join("all.md")).unwrap();
    let titles: Vec<_> = page.lines().filter(|line| line.starts_with("# ")).collect();
    assert_eq!(titles, ["# POP3 session 1", "# POP3 session 2", "# POP3 session 3", "# POP3 session 4"]);
    let place = |text: &str| page.find(text).unwrap();
    assert!(
        place("C: STLS") < place("S: +OK Begin TLS") && place("S: +OK Begin TLS") < place("TLS 1.3"),
        "{page}"
    );
    let bare = |filter| run(&["show", "--format", "markdown", "-f", filter, SAMPLE]);
    assert_eq!(text(&bare("~c DELE").stdout), "", "a page without an exchange");
    let one = text(&bare("~c STLS").stdout);
    assert_eq!((one.matches("# POP3 session").count(), one.matches("Started").count()), (1, 1), "{one}");
    assert!(one.find("Started") < one.find("STLS") && one.contains("Ended after"), "{one}");
}

#[test]
fn secrets_of_a_capture_are_masked_unless_they_are_to_be_kept() {
    let masked = text(&run(&["show", SAMPLE]).stdout);
    assert!(masked.contains("********") && !masked.contains("AGtjb3Bl"), "{masked}");
    let kept = text(&run(&["show", "--secrets", "keep", SAMPLE]).stdout);
    assert_eq!(kept.matches("AGtjb3BlAHR3byB3b3Jkcw==").count(), 4, "{kept}");
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("all.pcapng");
    run(&["convert", SAMPLE, &out.display().to_string()]);
    let octets = std::fs::read(&out).unwrap();
    assert!(memchr::memmem::find(&octets, b"AGtjb3Bl").is_none());
}

#[test]
fn a_key_log_opens_what_is_in_tls() {
    let folder = tempfile::tempdir().unwrap();
    // The same capture without its secrets, as tcpdump writes it.
    let bare = folder.path().join("bare.pcap").display().to_string();
    let made = Command::new("tcpdump").args(["-Z", "root", "-r", SAMPLE, "-w", &bare]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let sample = std::fs::read(SAMPLE).unwrap();
    let lines = sample.split(|octet| *octet == b'\n').filter(|line| line.is_ascii() && line.len() > 100);
    let keys: Vec<u8> = lines.flat_map(|line| [line, b"\n"].concat()).collect();
    let log = folder.path().join("keys.txt");
    std::fs::write(&log, keys).unwrap();
    let commands = |arguments: &[&str]| -> usize {
        let shown = run(&[&["show", "--format", "jsonl", &bare][..], arguments].concat());
        text(&shown.stdout).lines().filter(|line| line.contains("\"RETR ")).count()
    };
    assert_eq!(commands(&[]), 1);
    assert_eq!(commands(&["--keylog", &log.display().to_string()]), 4);
    let said = |arguments: &[&str]| text(&run(&[&["show", &bare], arguments].concat()).stderr);
    let dark = "3 sessions are in TLS that was not opened: --keylog takes their secrets";
    assert!(said(&[]).contains(dark), "{}", said(&[]));
    assert_eq!(said(&["--keylog", &log.display().to_string()]), "");
    let none = run(&["show", &bare, "--keylog", "README.md"]);
    assert!(text(&none.stderr).contains("holds no TLS secret"), "{}", text(&none.stderr));
    assert_eq!(run(&["show", &bare, "--keylog", "no/such"]).status.code(), Some(2));
}

#[test]
fn a_capture_is_replayed_and_served() {
    let replay = Proxy::verb("replay", &["--quiet", "--mode", "exact", "--sessions", "1", SAMPLE]);
    let mut client = replay.connect();
    expect(&mut client, b"+OK Dovecot (Debian) ready.\r\n");
    client.write_all(b"CAPA\r\n").unwrap();
    let mut lines = BufReader::new(client.try_clone().unwrap());
    let mut line = String::new();
    while line != ".\r\n" {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0);
    }
    // As curl did, with another password.
    client.write_all(b"AUTH PLAIN\r\n").unwrap();
    lines.read_line(&mut line).unwrap();
    client.write_all(b"AGtjb3BlAG90aGVy\r\nRETR 1\r\nQUIT\r\n").unwrap();
    let mut all = String::new();
    lines.read_to_string(&mut all).unwrap();
    assert!(all.contains("+OK 164 octets\r\nFrom: Ada") && all.contains("+OK Logging out.\r\n"), "{all}");
    let left = replay.wait();
    assert_eq!(left.code, Some(0), "{}", left.stderr);

    let serving = Serving::start(&["--user", "any", SAMPLE]);
    let mut client = connect(serving.address);
    client.write_all(b"USER kcope\r\nPASS x\r\nSTAT\r\nQUIT\r\n").unwrap();
    let all = text(&rest(&mut client).unwrap());
    assert!(all.contains("+OK 4 "), "{all}");
}

#[test]
fn a_running_capture_is_shown_as_it_comes() {
    let file = std::fs::read(SAMPLE).unwrap();
    let mut show =
        poptape().args(["show", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut pipe, out) = (show.stdin.take().unwrap(), show.stdout.take().unwrap());
    // The first session is whole after a third of the file; the pipe stays open.
    pipe.write_all(&file[..file.len() / 2]).unwrap();
    let mut lines = BufReader::new(out).lines();
    let seen = lines.find(|line| line.as_ref().unwrap().starts_with("#1  closed by"));
    assert!(seen.is_some(), "the first session is not shown while the capture runs");
    drop(pipe);
    show.wait().unwrap();
}

#[test]
fn what_cannot_be_read_or_written_is_told_what_can() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let files = [("a.xz", &b"\xfd7zXZ\0"[..]), ("a.bz2", b"BZh91AY"), ("a.zst", b"\x28\xb5\x2f\xfd\x04")];
    for (name, octets) in files {
        std::fs::write(at(name), octets).unwrap();
    }
    for (arguments, says) in [
        (&["convert", "recordings", &at("x.json")][..], "convert takes one recording"),
        (&["show", "README.md"], "json, pcap, pcapng, transcript"),
        (&["show", &at("a.xz")], "compressed by xz: decompress it first"),
        (&["show", &at("a.bz2")], "compressed by bzip2"),
        (&["show", &at("a.zst")], "compressed by zstd"),
        (&["convert", SAMPLE, &at("x.cap")], "must end in .json, .pcap, .pcapng, .transcript, .md"),
        (&["replay", "-"], "replay does not read standard input"),
        (&["serve", "--user", "any", "-"], "serve does not read standard input"),
    ] {
        let refused = run(arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        assert!(text(&refused.stderr).contains(says), "{arguments:?}: {}", text(&refused.stderr));
    }
    assert!(run(&["convert", SAMPLE, &at("x.PCAP")]).status.success());
    assert_eq!(sessions(Path::new(&at("x.PCAP"))), sessions(Path::new(SAMPLE)));
}

/// Ctrl-C in `tcpdump -w - | poptape convert - OUT` reaches both: tcpdump ends in order, and so does the capture.
#[test]
fn an_interrupt_ends_the_writer_of_a_pipe_and_not_us() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("all.pcapng");
    let file = std::fs::read(SAMPLE).unwrap();
    for again in [false, true] {
        let mut convert = poptape().args(["convert", "-"]).arg(&out).stdin(Stdio::piped()).spawn().unwrap();
        let mut pipe = convert.stdin.take().unwrap();
        pipe.write_all(&file[..file.len() / 2]).unwrap();
        eventually("what is in the pipe is read", || rustix::io::ioctl_fionread(&pipe).unwrap() == 0);
        let interrupt = |convert: &_| kill_process(Pid::from_child(convert), Signal::INT).unwrap();
        interrupt(&convert);
        if again {
            // One that comes before the first was taken is the same.
            eventually("a second interrupt ends it", || {
                interrupt(&convert);
                convert.try_wait().unwrap().is_some()
            });
            assert_eq!(convert.wait().unwrap().code(), Some(130));
            continue;
        }
        pipe.write_all(&file[file.len() / 2..]).unwrap();
        drop(pipe);
        assert_eq!(convert.wait().unwrap().code(), Some(0));
        assert_eq!(sessions(&out), sessions(Path::new(SAMPLE)));
    }
}

#[test]
fn other_ports_than_wiresharks_are_said_to_be_such() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("seed.pcapng").display().to_string();
    let made = run(&["convert", "recordings/seed.json", &out]);
    assert!(text(&made.stderr).contains("--server-port 110"), "{}", text(&made.stderr));
    let made = run(&["convert", "recordings/seed.json", &out, "--server-port", "110"]);
    assert_eq!((made.status.code(), text(&made.stderr)), (Some(0), String::new()));
    let tshark = Command::new("tshark").args(["-r", &out, "-Y", "pop.request"]).output().unwrap();
    assert_eq!(text(&tshark.stdout).lines().count(), 17, "{}", text(&tshark.stderr));
}
