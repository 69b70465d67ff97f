//! Every real client fetches from every real server through `record`, and then the same from the `replay` of it.

use std::net::SocketAddr;
use std::path::Path;

use tempfile::TempDir;

use super::clients::{self, Account, Client, Outcome};
use super::corpus::CORPUS;
use super::servers::{Kind, Server};
use super::{CLIENTS, assert_bodies, assert_same, changed};
use crate::support::Proxy;

#[test]
fn courier_replayed() {
    check(Kind::Courier);
}

#[test]
fn dovecot_replayed() {
    check(Kind::Dovecot);
}

#[test]
fn mailutils_replayed() {
    check(Kind::Mailutils);
}

#[test]
fn popa3d_replayed() {
    check(Kind::Popa3d);
}

fn check(kind: Kind) {
    for client in CLIENTS {
        let case = format!("{client:?} with {kind:?}");
        let server = Server::start(kind, CORPUS);
        let tape = Proxy::start(server.addr, &["--quiet"]);
        let recorded = fetch(client, tape.address, &server.user, &server.password);
        assert!(recorded.ok, "{case}: {}\n{}", recorded.said, server.log());
        assert_bodies(&case, &recorded.messages, CORPUS.len());
        let left = tape.stop();
        let user = server.user.clone();
        drop(server);
        let recordings = left.folder.path().join("recordings");
        for mode in ["match", "exact"] {
            let case = format!("{case}, {mode}");
            let replayed = replay(&case, mode, client, &user, &recordings);
            assert_eq!(recorded.codes, replayed.codes, "{case}: {}", replayed.said);
            assert_same(&case, &recorded.messages, &replayed.messages);
        }
        // Those that ask in one session for all that there is.
        if matches!(client, Client::Getmail | Client::Mpop | Client::Perl | Client::Python) {
            changed::check(&case, &user, &left.recording());
        }
    }
}

/// Runs the client against the replay of its own sessions: it must use all of them, and nothing else. The password
/// is another one, since the recorded one was masked.
fn replay(case: &str, mode: &str, client: Client, user: &str, recordings: &Path) -> Outcome {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("report.json");
    let (recordings, report) = (recordings.display().to_string(), file.display().to_string());
    let replay = Proxy::verb("replay", &["--mode", mode, "--require-all", "--report", &report, &recordings]);
    let outcome = fetch(client, replay.address, user, "another password");
    let left = replay.stop();
    let text = std::fs::read_to_string(file).unwrap();
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    let sessions = report["sessions"].as_array().unwrap();
    let strayed =
        |session: &serde_json::Value| session["divergences"].as_array().is_none_or(|all| !all.is_empty());
    assert!(!sessions.is_empty() && !sessions.iter().any(strayed), "{case}: {}\n{text}", outcome.said);
    assert_eq!(left.code, Some(0), "{case}: not all was used: {text}");
    outcome
}

fn fetch(client: Client, addr: SocketAddr, user: &str, password: &str) -> Outcome {
    let home = TempDir::new().unwrap();
    clients::fetch(client, Account::new(addr, user, password), false, home.path())
}
