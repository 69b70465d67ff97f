//! The sample recordings of real servers: each server still says what its sample says.
//! `UPDATE_EXPECT=1` records them anew.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::clients::{self, Account, Client, Tls};
use super::corpus::CORPUS;
use super::secure::{Authority, finish, pki::Pki};
use super::servers::{Kind, Server};
use crate::support::{Proxy, jsonl, text};

/// What is the same in every run: commands, statuses, and how many lines came back.
fn outline(recording: &Path) -> Vec<String> {
    let rows = jsonl(recording);
    rows.iter().map(|row| format!("{} {} {}", row["command"], row["status"], row["lines"])).collect()
}

/// Without the names of the machine and the folder that it was recorded in: they are nobody's business.
fn anonymous(file: &str) -> String {
    let host = text(&Command::new("hostname").output().unwrap().stdout);
    let mut file = file.replace(&format!("@{}>", host.trim()), "@mail.example.org>");
    if let Some(at) = file.find(" in .tmp") {
        let end = at + file[at..].find('"').unwrap();
        file.replace_range(at..end, "");
    }
    file
}

fn check(kind: Kind) {
    let server = Server::start(kind, &CORPUS[..3]);
    let proxy = Proxy::start(server.addr, &["--quiet"]);
    let account = Account::new(proxy.address, &server.user, &server.password);
    let home = TempDir::new().unwrap();
    let outcome = clients::fetch(Client::Python, account, true, home.path());
    assert!(outcome.ok, "{}", outcome.said);
    compare(&proxy.stop().recording(), &format!("{kind:?}.json").to_lowercase());
}

/// Judges a sample by what was recorded just now, or makes it from that.
fn compare(fresh: &Path, sample: &str) {
    let sample = Path::new("recordings").join(sample);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        let file = anonymous(&std::fs::read_to_string(fresh).unwrap());
        std::fs::write(&sample, file).unwrap();
    }
    assert_eq!(outline(fresh), outline(&sample), "{} is not what is said today", sample.display());
}

#[test]
fn stls_on_both_legs_is_as_recorded() {
    let (pki, authority, home) = (Pki::new(), Authority::new(), TempDir::new().unwrap());
    let server = Server::start_secure(&CORPUS[..3], &pki.server());
    let (url, ca) = (format!("pop3://localhost:{}", server.addr.port()), pki.ca().display().to_string());
    let proxy = authority.record(&url, "stls", &["--quiet", "--upstream-ca", &ca]);
    let account = Account {
        tls: Some(Tls { implicit: false, ca: &authority.pem() }),
        ..Account::new(proxy.address, &server.user, &server.password)
    };
    let outcome = clients::fetch(Client::Python, account, true, home.path());
    assert!(outcome.ok, "{}", outcome.said);
    compare(&finish(proxy).recording(), "stls.json");
}

#[test]
fn courier_is_as_recorded() {
    check(Kind::Courier);
}

#[test]
fn dovecot_is_as_recorded() {
    check(Kind::Dovecot);
}

#[test]
fn mailutils_is_as_recorded() {
    check(Kind::Mailutils);
}

#[test]
fn popa3d_is_as_recorded() {
    check(Kind::Popa3d);
}
