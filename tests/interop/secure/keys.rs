//! The key log has the secrets of both legs: what tcpdump saw of them, sealed, is what `record` wrote.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::pki::Pki;
use super::{Authority, finish};
use crate::interop::captured::{Tcpdump, exchanges};
use crate::interop::clients::{self, Account, Client, Tls};
use crate::interop::corpus::CORPUS;
use crate::interop::servers::Server;
use crate::support::{recordings, run, text};

#[test]
fn implicit_tls_on_both_legs() {
    check("implicit", "POPTAPE_SSLKEYLOGFILE");
}

#[test]
fn stls_on_both_legs() {
    check("stls", "SSLKEYLOGFILE");
}

fn check(tls: &str, variable: &str) {
    let (pki, authority, folder) = (Pki::new(), Authority::new(), TempDir::new().unwrap());
    let server = Server::start_secure(CORPUS, &pki.server());
    let upstream = if tls == "implicit" { server.secure.unwrap() } else { server.addr };
    let scheme = if tls == "implicit" { "pop3s" } else { "pop3" };
    let (log, ca) = (folder.path().join("keys.txt"), pki.ca().display().to_string());
    // The one that is poptape's alone counts more.
    let other = folder.path().join("other.txt");
    let mut variables = vec![(variable, log.as_path())];
    if variable.starts_with("POPTAPE") {
        variables.push(("SSLKEYLOGFILE", &other));
    }
    let url = format!("{scheme}://localhost:{}", upstream.port());
    let proxy = authority.record_with(&url, tls, &["--upstream-ca", &ca], &variables);
    let tcpdump = Tcpdump::start(&[upstream, proxy.address], folder.path().join("seen.pcap"));
    let (home, pem) = (TempDir::new().unwrap(), authority.pem());
    let account = Account {
        tls: Some(Tls { implicit: tls == "implicit", ca: &pem }),
        ..Account::new(proxy.address, &server.user, &server.password)
    };
    let port = proxy.address.port();
    let fetched = clients::fetch(Client::Python, account, true, home.path());
    assert!(fetched.ok, "{}", fetched.said);
    let left = finish(proxy);
    let keylog = log.display().to_string();
    let seen = tcpdump.capture(2, &["--keylog", &keylog]);

    assert!(!other.exists(), "{variable} counts more");
    assert_eq!(log.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(left.stderr.contains(&log.display().to_string()), "it is said where they go: {}", left.stderr);
    let keys = fs::read_to_string(&log).unwrap();
    let count = |label: &str| keys.lines().filter(|line| line.starts_with(label)).count();
    assert_eq!((count("CLIENT_TRAFFIC_SECRET_0 "), count("SERVER_TRAFFIC_SECRET_0 ")), (2, 2), "{keys}");

    let out = folder.path().join("imported");
    let input = seen.display().to_string();
    let converted = run(&["convert", &input, &format!("{}/", out.display()), "--keylog", &keylog]);
    assert_eq!(converted.status.code(), Some(0), "{}", text(&converted.stderr));
    let (legs, recorded) = (recordings(&out), exchanges(&left.recording()));
    assert_eq!(legs.len(), 2, "{}", text(&converted.stderr));
    assert!(recorded.len() > CORPUS.len(), "{recorded:?}");
    for leg in &legs {
        assert_eq!(exchanges(leg), recorded, "{}", leg.display());
    }
    // Which of the two speaks first has to be told to Wireshark where the port is none of its own.
    let ways: &[String] = &match tls {
        "implicit" => vec![format!("tcp.port=={port},tls"), format!("tls.port=={port},pop")],
        _ => vec![format!("tcp.port=={port},pop")],
    };
    assert_wireshark(&seen, &log, port, ways, &recorded);
}

/// Wireshark decrypts what tcpdump saw of the client's leg, too.
fn assert_wireshark(seen: &Path, log: &Path, port: u16, ways: &[String], recorded: &[Value]) {
    let output = Command::new("tshark")
        .arg("-o")
        .arg(format!("tls.keylog_file:{}", log.display()))
        .args(ways.iter().flat_map(|way| ["-d", way]))
        .arg("-r")
        .arg(seen)
        .args(["-Y", &format!("tcp.port=={port} && pop.request"), "-T", "fields"])
        .args(["-e", "pop.request.command"])
        .output()
        .expect("tshark is installed by tests/interop/setup.sh");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    let shown: Vec<&str> = shown.lines().collect();
    let commands = recorded.iter().filter_map(|exchange| exchange["command"].as_str());
    let commands: Vec<&str> = commands.filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(shown, commands);
}
