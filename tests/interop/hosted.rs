//! Every real client fetches messages that are hard to deliver, from `serve` and from a `replay` of it.

use std::path::Path;
use std::thread;

use tempfile::TempDir;

use super::clients::{self, Account, Client};
use super::delivered::{assert_delivered, steady};
use super::letters::{Kind, Letter, big, hard, many, put};
use super::{CLIENTS, assert_same};
use crate::support::Proxy;

const ACCOUNT: &[&str] = &["--user", "kcope:two words"];

// The clients of a test run side by side, each with a server of its own: a maildrop is one session's at a time.

#[test]
fn hard_letters() {
    check(&hard());
}

#[test]
fn a_big_letter() {
    check(&big());
}

#[test]
fn many_letters() {
    check(&many());
}

#[test]
fn every_source() {
    for letters in [hard(), big(), many()] {
        let folder = TempDir::new().unwrap();
        thread::scope(|scope| {
            for kind in [Kind::Maildir, Kind::Mbox] {
                let place = put(kind, &letters, folder.path());
                for client in [Client::Curl, Client::Python] {
                    let (letters, place) = (&letters, place.clone());
                    scope.spawn(move || {
                        fetch_all(&format!("{client:?}, {kind:?}"), client, serve(&place), letters);
                    });
                }
            }
        });
    }
}

fn check(letters: &[Letter]) {
    let folder = TempDir::new().unwrap();
    let place = put(Kind::Eml, letters, folder.path());
    let server = serve(&place);
    let tape = Proxy::start(server.address, &["--quiet"]);
    fetch("Python, recorded", Client::Python, &tape, letters);
    let left = tape.stop();
    let recording = left.recording().display().to_string();
    assert_eq!(server.stop().code, Some(0));
    thread::scope(|scope| {
        for client in CLIENTS {
            let (place, recording) = (&place, &recording);
            scope.spawn(move || {
                let from_serve = fetch_all(&format!("{client:?}, serve"), client, serve(place), letters);
                let replay = Proxy::verb("replay", &[recording]);
                let from_replay = fetch_all(&format!("{client:?}, replay"), client, replay, letters);
                // What the client cannot hold too.
                assert_same(&format!("{client:?}, replay after serve"), &from_serve, &from_replay);
            });
        }
    });
}

fn serve(place: &Path) -> Proxy {
    Proxy::verb("serve", &[ACCOUNT, &[&place.display().to_string()]].concat())
}

fn fetch_all(what: &str, client: Client, server: Proxy, letters: &[Letter]) -> Vec<Vec<u8>> {
    let messages = fetch(what, client, &server, letters);
    let left = server.stop();
    assert_eq!(left.code, Some(0), "{what}: {}", left.stderr);
    messages
}

/// Gives what the client saves alike in every run.
fn fetch(what: &str, client: Client, server: &Proxy, letters: &[Letter]) -> Vec<Vec<u8>> {
    let home = TempDir::new().unwrap();
    let account = Account::new(server.address, "kcope", "two words");
    let outcome = clients::fetch(client, account, true, home.path());
    assert!(outcome.ok, "{what}: {}", outcome.said);
    assert_delivered(what, client, letters, &outcome.messages);
    outcome.messages.iter().map(|message| steady(client, message)).collect()
}
