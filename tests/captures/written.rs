//! Captures that poptape writes, as tshark shows them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use poptape::pop3::dissect::Request;
use poptape::pop3::lines::Unstuffer;
use poptape::pop3::{Event, Keyword, Status};
use poptape::recording::Entry;
use poptape::recording::file::Input;
use poptape::recording::format::pcap::Segments;
use poptape::recording::format::{self, Reading, Writing};
use poptape::sink::Sink as _;
use poptape::sink::messages::Messages;

use super::made;

/// What tshark should show of sessions.
#[derive(Debug, Default, PartialEq)]
struct Shown {
    /// Commands and statuses, in order.
    lines: Vec<String>,
    /// Messages as they are on the wire. A challenge counts as one: no reply to Wireshark.
    messages: Vec<Vec<u8>>,
    /// Those of RETR with byte-stuffing undone.
    letters: Vec<Vec<u8>>,
}

impl Shown {
    fn of(entries: &[Entry]) -> Self {
        let (mut asked, mut exchanges) = (BTreeMap::new(), BTreeMap::<u32, Vec<String>>::new());
        let (mut statuses, mut complete) = (BTreeMap::new(), BTreeMap::new());
        // What stands in segments that begin with no status: exchange, octets, whether they are its body.
        let mut texts: Vec<(u32, Vec<u8>, bool)> = Vec::new();
        for event in entries
            .iter()
            .filter_map(|entry| if let Entry::Event(event) = entry { Some(event) } else { None })
        {
            match event {
                Event::Request { n, run, request, .. } => {
                    asked.insert(*n, *request);
                    exchanges.entry(*n).or_default().push(word(&run.bytes));
                }
                Event::Status { n, run, status: Some(Status::Ok | Status::Err), .. } => {
                    exchanges.entry(*n).or_default().push(word(&run.bytes));
                    statuses.insert(*n, run.bytes.to_vec());
                    texts.push((*n, Vec::new(), true));
                }
                Event::Status { n, run, .. } => texts.push((*n, run.bytes.to_vec(), false)),
                Event::Body { n, run } | Event::Terminator { n, run } => {
                    let body = !complete.contains_key(n);
                    if texts.last().unwrap().2 != body {
                        texts.push((*n, Vec::new(), body));
                    }
                    texts.last_mut().unwrap().1.extend_from_slice(&run.bytes);
                }
                Event::End(outcome) => drop(complete.insert(outcome.n, outcome.complete)),
                _ => {}
            }
        }
        let is = |n, keyword| asked.get(&n) == Some(&Request::Command(keyword));
        let mut messages = Vec::new();
        for (n, octets, body) in texts {
            let status = statuses.get(&n).map_or(&b""[..], Vec::as_slice);
            let text = String::from_utf8_lossy(status.get(4..).unwrap_or_default()).into_owned();
            let promised = text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0);
            if body && is(n, Keyword::Stls) && status.starts_with(b"+OK ") {
                // It must not be seen as the beginning of TLS.
                messages.push((n, status[3..].to_vec()));
            }
            if octets.is_empty() || (body && !is(n, Keyword::Retr) && !is(n, Keyword::Top)) {
                continue;
            }
            if body && promised > octets.len() {
                if !complete[&n] {
                    continue;
                }
                // The number must not be seen.
                messages.push((n, text.into_bytes()));
            }
            messages.push((n, octets));
        }
        let mut letters: Vec<_> = messages
            .iter()
            .filter(|(n, octets)| is(*n, Keyword::Retr) && octets.ends_with(b".\r\n"))
            .map(|(_, octets)| {
                let mut letter = Vec::new();
                Unstuffer::default().push(&octets[..octets.len() - 3], &mut letter);
                letter
            })
            .collect();
        letters.sort();
        let mut messages: Vec<_> = messages.into_iter().map(|(_, octets)| octets).collect();
        messages.sort();
        Self { lines: exchanges.into_values().flatten().collect(), messages, letters }
    }
}

fn word(line: &[u8]) -> String {
    let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
    String::from_utf8_lossy(&line[..end]).into_owned()
}

fn tshark(file: &Path, arguments: &[&str]) -> String {
    let output = Command::new("tshark")
        .args(["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-r"])
        .arg(file)
        .args(arguments)
        .output()
        .expect("tshark is installed by tests/interop/setup.sh");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Writes sessions into one file, their entries in turns.
fn write(format: &str, segments: Segments, sessions: &[&[Entry]]) -> Vec<u8> {
    let writing = Writing { segments, server_port: Some(110), ..Writing::default() };
    let mut writer = format::named(format).unwrap().writer(&writing);
    let mut octets = Vec::new();
    for at in 0..sessions.iter().map(|entries| entries.len()).max().unwrap_or(0) {
        for (session, entry) in sessions.iter().enumerate() {
            if let Some(entry) = entry.get(at) {
                writer.take(session as u32 + 1, entry, &mut octets);
            }
        }
    }
    writer.tail(&mut octets);
    octets
}

/// Expert information that says neither what is ordinary in a conversation, nor what poptape remarked, nor that a
/// server's reply to RETR holds no number.
fn complaints(file: &Path) -> Vec<String> {
    const ORDINARY: &[&str] = &[
        "Connection establish",
        "Connection finish",
        "Connection reset",
        "This frame initiates the connection closing",
        "This frame undergoes the connection closing",
        "Length must be a string containing an integer",
    ];
    let fields = ["-Y", "_ws.malformed || _ws.expert", "-T", "fields", "-E", "aggregator=|"];
    let shown = tshark(file, &[&fields[..], &["-e", "frame.comment", "-e", "_ws.expert.message"]].concat());
    let mut complaints = Vec::new();
    for frame in shown.lines() {
        let (remarks, messages) = frame.split_once('\t').unwrap();
        let is_remark = |message: &str| remarks.split('|').any(|remark| remark == message);
        let known = |message: &str| ORDINARY.iter().any(|known| message.starts_with(known));
        complaints.extend(messages.split('|').filter(|m| !is_remark(m) && !known(m)).map(str::to_owned));
    }
    complaints
}

fn shown(file: &Path, folder: &Path) -> (Vec<String>, Vec<Vec<u8>>) {
    let fields = ["-Y", "pop", "-T", "fields", "-e", "pop.request.command", "-e", "pop.response.indicator"];
    let lines = tshark(file, &fields);
    let lines = lines.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
    tshark(file, &["-q", "--export-objects", &format!("imf,{}", folder.display())]);
    let mut messages: Vec<_> = folder.read_dir().map_or_else(
        |_| Vec::new(),
        |files| files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect(),
    );
    messages.sort();
    (lines, messages)
}

#[track_caller]
fn check(name: &str, entries: &[Entry]) {
    let folder = tempfile::tempdir().unwrap();
    let expected = Shown::of(entries);
    for format in ["pcap", "pcapng"] {
        let file = folder.path().join(format!("{name}.{format}"));
        std::fs::write(&file, write(format, Segments::Recorded, &[entries])).unwrap();
        assert_eq!(complaints(&file), [""; 0], "{name} {format} as recorded");
        std::fs::write(&file, write(format, Segments::Wireshark, &[entries])).unwrap();
        assert_eq!(complaints(&file), [""; 0], "{name} {format}");
        let (lines, messages) = shown(&file, &folder.path().join(format));
        assert_eq!(lines, expected.lines, "{name} {format}");
        let begin = |messages: &[Vec<u8>]| -> Vec<_> {
            messages
                .iter()
                .map(|m| (m.len(), String::from_utf8_lossy(&m[..m.len().min(60)]).into_owned()))
                .collect()
        };
        assert_eq!(begin(&messages), begin(&expected.messages), "{name} {format}");
        assert!(messages == expected.messages, "{name} {format}: a message differs");
    }
    let mut sink = Messages::new(&folder.path().join("eml")).unwrap();
    for entry in entries {
        sink.take(1, entry).unwrap();
    }
    sink.flush().unwrap();
    let whole = sink.written().iter().filter(|&(_, &whole)| whole);
    let mut letters: Vec<_> =
        whole.map(|(name, _)| std::fs::read(folder.path().join("eml").join(name)).unwrap()).collect();
    letters.sort();
    assert!(letters == expected.letters, "{name}: convert has other messages");
}

fn recorded(name: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let input = Input::open(Path::new("recordings").join(name).as_path()).unwrap();
    let take = &mut |_, entry: &Entry| {
        entries.push(entry.clone());
        Ok(())
    };
    input.play(&Reading::default(), take).unwrap();
    entries
}

#[test]
fn tshark_shows_every_recording() {
    let names: Vec<_> = Path::new("recordings")
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| {
            Path::new(name).extension().is_some_and(|extension| extension == "json") && !name.contains("Z-")
        })
        .collect();
    assert!(names.len() > 5);
    for name in names {
        check(&name, &recorded(&name));
    }
}

#[test]
fn tshark_shows_every_made_session() {
    for (name, entries) in made::sessions() {
        check(name, &entries);
    }
}

#[test]
fn a_file_holds_several_sessions_at_once() {
    let sessions = made::sessions();
    let sessions: Vec<_> = sessions.iter().map(|(_, entries)| &entries[..]).collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("several.pcapng");
    std::fs::write(&file, write("pcapng", Segments::Wireshark, &sessions)).unwrap();
    assert_eq!(complaints(&file), [""; 0]);
    let mut expected: Vec<_> = sessions.iter().flat_map(|entries| Shown::of(entries).messages).collect();
    expected.sort();
    let (_, messages) = shown(&file, &folder.path().join("messages"));
    assert!(messages == expected, "{} messages of {}", messages.len(), expected.len());
}

#[test]
fn a_client_cannot_make_tails_long() {
    for greeted in [true, false] {
        let talk = made::Talk::new(1, "127.0.0.1:5000", "127.0.0.2:110");
        let mut talk = if greeted { talk.s("+OK ready\r\n") } else { talk };
        talk = talk.c(format!("NOOP {}", "x".repeat(950_000)));
        for _ in 0..1000 {
            talk = talk.c("x");
        }
        let mut writer = format::named("pcap").unwrap().writer(&Writing::default());
        let (mut out, mut tails) = (Vec::new(), 0);
        for entry in &talk.entries {
            writer.take(1, entry, &mut out);
            let mut tail = Vec::new();
            writer.tail(&mut tail);
            tails += tail.len();
        }
        assert!(tails < 4_000_000, "{tails} octets of tails, greeted {greeted}");
    }
}
