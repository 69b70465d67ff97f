//! A session under TLS that was recorded: Wireshark shows it as POP in clear, and it is replayed with and without TLS.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::pki::Pki;
use super::{Authority, finish};
use crate::interop::clients::{self, Account, Client, Outcome, Tls};
use crate::interop::corpus::CORPUS;
use crate::interop::servers::Server;
use crate::interop::{assert_bodies, assert_same};
use crate::support::{Proxy, jsonl, text};

#[test]
fn recorded_with_implicit_tls() {
    check("implicit", "pop3s");
}

#[test]
fn recorded_with_stls() {
    check("stls", "pop3");
}

fn check(tls: &str, scheme: &str) {
    let (pki, authority) = (Pki::new(), Authority::new());
    let server = Server::start_secure(CORPUS, &pki.server());
    let upstream = if scheme == "pop3s" { server.secure.unwrap() } else { server.addr };
    let (url, ca) = (format!("{scheme}://localhost:{}", upstream.port()), pki.ca().display().to_string());
    let proxy =
        authority.record(&url, tls, &["--upstream-ca", &ca, "--format", "json", "--format", "pcapng"]);
    let recorded = fetch(&proxy, &authority, tls);
    assert!(recorded.ok, "{}", recorded.said);
    assert_bodies(tls, &recorded.messages, CORPUS.len());
    let left = finish(proxy);
    drop(server);
    let all = left.recordings();
    let of = |extension: &str| all.iter().find(|path| path.extension().unwrap() == extension).unwrap();
    let (json, packets) = (of("json"), of("pcapng"));

    let commands: Vec<String> = jsonl(json)
        .iter()
        .filter_map(|exchange| exchange["command"].as_str())
        .filter_map(|line| Some(line.split(' ').next()?.to_owned()))
        .collect();
    assert!(commands.len() > CORPUS.len(), "{commands:?}");
    let shown = |filter, field| tshark(packets, upstream.port(), filter, field);
    assert_eq!(shown("pop.request", "pop.request.command"), commands, "{tls}");
    // Below that are comments, and that a connection ends.
    let complaints = "_ws.malformed || _ws.expert.severity >= 0x600000";
    assert_eq!(shown(complaints, "_ws.expert.message"), [""; 0], "{tls}");
    assert_eq!(shown("tls", "frame.number"), [""; 0], "{tls}: there is TLS in it");

    let recording = json.display().to_string();
    let dir = authority.dir();
    for again in ["off", "stls", "implicit"] {
        let arguments = ["--tls", again, "--ca-dir", &dir, "--mode", "match", &recording];
        let replay = Proxy::verb("replay", &arguments);
        let replayed = fetch(&replay, &authority, again);
        let left = replay.stop();
        let case = format!("recorded with {tls}, replayed with {again}");
        assert!(replayed.ok, "{case}: {}\n{}", replayed.said, left.stdout);
        assert_same(&case, &recorded.messages, &replayed.messages);
        assert_eq!(left.code, Some(0), "{case}: {}", left.stderr);
    }
}

fn fetch(proxy: &Proxy, authority: &Authority, tls: &str) -> Outcome {
    let (home, pem) = (TempDir::new().unwrap(), authority.pem());
    let account = Account {
        tls: (tls != "off").then_some(Tls { implicit: tls == "implicit", ca: &pem }),
        ..Account::new(proxy.address, "kcope", "two words")
    };
    clients::fetch(Client::Python, account, true, home.path())
}

/// A field of the frames that pass a filter. A port that is not POP3's has to be told to Wireshark.
fn tshark(file: &Path, port: u16, filter: &str, field: &str) -> Vec<String> {
    let output = Command::new("tshark")
        .args(["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-r"])
        .arg(file)
        .args(["-d", &format!("tcp.port=={port},pop"), "-Y", filter, "-T", "fields", "-e", field])
        .output()
        .expect("tshark is installed by tests/interop/setup.sh");
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).lines().map(str::to_owned).collect()
}
