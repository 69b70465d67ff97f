//! tcpdump looks on while clients fetch through `record`: what is imported of its capture is what `record` saw.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::clients::{self, Account, Client};
use super::corpus::CORPUS;
use super::process::program;
use super::servers::{Kind, Server};
use crate::support::{Proxy, eventually, jsonl, run, text};

/// tcpdump at work.
pub struct Tcpdump {
    child: Child,
    file: PathBuf,
}

impl Tcpdump {
    /// What passes to and from servers, on loopback.
    pub fn start(servers: &[SocketAddr], file: PathBuf) -> Self {
        let ports: Vec<String> = servers.iter().map(|server| format!("tcp port {}", server.port())).collect();
        // At once: a test ends sooner than tcpdump looks into a block of packets. With room, since without blocks a
        // packet takes the place of the longest, and while others keep the machine busy the usual room is for eight.
        let mut child = program("tcpdump")
            .args(["-i", "lo", "--immediate-mode", "-B", "65536", "-U", "-Z", "root", "-w"])
            .arg(&file)
            .arg(ports.join(" or "))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("listening on") {
            line.clear();
            assert!(said.read_line(&mut line).unwrap() > 0, "tcpdump does not start; it takes root");
        }
        // Who does not read is no reason for it to stop.
        std::thread::spawn(move || said.read_to_end(&mut Vec::new()));
        Self { child, file }
    }

    /// The capture, once it holds the end of so many sessions, as `show` finds with further arguments.
    pub fn capture(mut self, sessions: usize, arguments: &[&str]) -> PathBuf {
        eventually("tcpdump has seen every session to its end", || {
            let file = self.file.display().to_string();
            let output = run(&[&["show", &file], arguments].concat());
            let shown = text(&output.stdout);
            let ends =
                shown.lines().filter(|line| line.contains(" octets up, ") && !line.contains("still open"));
            // A packet may be written behind one that came later: all is there once nothing is missing.
            ends.count() == sessions && output.status.success()
        });
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        self.child.wait().unwrap();
        std::mem::take(&mut self.file)
    }
}

impl Drop for Tcpdump {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Exchanges without their times, which are another's.
pub fn exchanges(recording: &Path) -> Vec<Value> {
    let mut all = jsonl(recording);
    for exchange in &mut all {
        let members = exchange.as_object_mut().unwrap();
        for time in ["at_us", "took_us", "session"] {
            assert!(members.remove(time).is_some(), "{time} in {members:?}");
        }
    }
    all
}

/// The messages that were retrieved, sorted.
fn messages(input: &Path, folder: &Path) -> Vec<Vec<u8>> {
    let out = folder.with_extension("eml");
    let converted = run(&["convert", &input.display().to_string(), &out.display().to_string()]);
    assert_eq!(converted.status.code(), Some(0), "{}", text(&converted.stderr));
    let mut all: Vec<Vec<u8>> =
        out.read_dir().unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect();
    all.sort();
    all
}

#[test]
fn a_capture_of_curl_says_what_the_recording_says() {
    check(Client::Curl);
}

#[test]
fn a_capture_of_fetchmail_says_what_the_recording_says() {
    check(Client::Fetchmail);
}

fn check(client: Client) {
    let server = Server::start(Kind::Dovecot, CORPUS);
    let folder = TempDir::new().unwrap();
    let tcpdump = Tcpdump::start(&[server.addr], folder.path().join("seen.pcap"));
    let proxy = Proxy::start(server.addr, &["--quiet", "--format", "json", "--format", "pcapng"]);
    let account = Account::new(proxy.address, &server.user, &server.password);
    let home = TempDir::new().unwrap();
    let fetched = clients::fetch(client, account, false, home.path());
    assert!(fetched.ok, "{client:?}: {}\n{}", fetched.said, server.log());
    let left = proxy.stop();
    let all = left.recordings();
    let of = |extension: &str| -> Vec<PathBuf> {
        all.iter().filter(|path| path.extension().unwrap() == extension).cloned().collect()
    };
    let recordings = of("json");
    let seen = tcpdump.capture(recordings.len(), &[]);

    // A recording a session, from the capture of somebody else.
    let imported = folder.path().join("imported");
    let out = format!("{}/", imported.display());
    let converted = run(&["convert", &seen.display().to_string(), &out]);
    assert_eq!(converted.status.code(), Some(0), "{}", text(&converted.stderr));
    let imported = crate::support::recordings(&imported);
    assert_eq!(imported.len(), recordings.len(), "{}", text(&converted.stderr));
    let own = of("pcapng");
    for ((recorded, imported), own) in recordings.iter().zip(&imported).zip(&own) {
        let expected = exchanges(recorded);
        assert!(expected.len() > 3, "{client:?}: {expected:?}");
        assert_eq!(exchanges(imported), expected, "{client:?}: what tcpdump saw");
        assert_eq!(exchanges(own), expected, "{client:?}: what was recorded as packets");
    }

    // The messages of all sessions at once, octet for octet.
    let delivered = messages(&seen, &folder.path().join("delivered"));
    let mut expected = Vec::new();
    for (place, recorded) in recordings.iter().enumerate().filter(|(_, recorded)| retrieves(recorded)) {
        expected.extend(messages(recorded, &folder.path().join(place.to_string())));
    }
    expected.sort();
    assert_eq!(delivered.len(), CORPUS.len(), "{client:?}");
    assert_eq!(delivered, expected, "{client:?}");
}

fn retrieves(recording: &Path) -> bool {
    let is_retr =
        |exchange: &Value| exchange["command"].as_str().is_some_and(|line| line.starts_with("RETR"));
    jsonl(recording).iter().any(is_retr)
}
