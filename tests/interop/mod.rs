//! Every real client meets every real server, with poptape between them and without.
//!
//! A proxy that changes nothing can be told from no proxy by nobody: the client delivers the same
//! messages, the server is left with the same mailbox, and the recording holds the very octets that
//! a tap on either side of poptape saw pass. The programs come from the distribution; setup.sh
//! installs them, and a missing one fails the tests.

mod captured;
mod changed;
mod clients;
mod corpus;
mod delivered;
mod hosted;
mod letters;
mod mailbox;
mod onlooker;
mod personalities;
mod probe;
mod pace;
mod pop;
mod process;
mod recorded;
mod samples;
mod secure;
mod servers;
mod tap;

use tempfile::TempDir;

use self::clients::{Account, Client, Outcome};
use self::corpus::{CORPUS, body};
use self::servers::{Kind, Server};
use self::tap::{Session, Tap};
use crate::support::{Left, Proxy, raw};

const CLIENTS: [Client; 7] = [
    Client::Curl,
    Client::Fetchmail,
    Client::Getmail,
    Client::Mpop,
    Client::Mutt,
    Client::Perl,
    Client::Python,
];

// A test a server, since a server's mailbox is one client's at a time: they run side by side.

#[test]
fn courier() {
    meet_all_clients(Kind::Courier);
}

#[test]
fn dovecot() {
    meet_all_clients(Kind::Dovecot);
}

#[test]
fn mailutils() {
    meet_all_clients(Kind::Mailutils);
}

#[test]
fn popa3d() {
    meet_all_clients(Kind::Popa3d);
}

fn meet_all_clients(server: Kind) {
    for client in CLIENTS {
        for keep in [true, false] {
            check(client, server, keep);
        }
    }
}

fn check(client: Client, kind: Kind, keep: bool) {
    let case = format!("{client:?} with {kind:?}, {}", if keep { "keeping" } else { "deleting" });

    let server = Server::start(kind, CORPUS);
    let direct = run(client, &server, server.addr, keep);
    let left = server.mailbox();
    assert!(direct.ok, "{case}: {}\n{}", direct.said, server.log());
    assert_bodies(&format!("{case}: delivered"), &direct.messages, CORPUS.len());
    assert_bodies(&format!("{case}: left on the server"), &left, if keep { CORPUS.len() } else { 0 });
    drop(server);

    let server = Server::start(kind, CORPUS);
    let behind = Tap::start(server.addr);
    let proxy = Proxy::start(behind.addr, &["--quiet", "--secrets", "keep"]);
    let before = Tap::start(proxy.address);
    let through = run(client, &server, before.addr, keep);
    let wire = before.finish();
    let end = proxy.stop();
    let upstream = behind.finish();
    assert_eq!(end.code, Some(0), "{case}, poptape: {}", end.stderr);
    assert!(through.ok, "{case}, through poptape: {}\n{}", through.said, server.log());
    assert_same(&format!("{case}: the messages"), &direct.messages, &through.messages);
    assert_same(&format!("{case}: the mailbox"), &left, &server.mailbox());
    for (what, seen) in [("upstream", &upstream), ("recording", &recorded(&end))] {
        assert_eq!(wire.len(), seen.len(), "{case}: sessions, {what}");
        for (n, (wire, seen)) in (1..).zip(wire.iter().zip(seen)) {
            assert_octets(&format!("{case}: {what}, session {n}, client"), &wire.client, &seen.client);
            assert_octets(&format!("{case}: {what}, session {n}, server"), &wire.server, &seen.server);
        }
    }
}

/// What each side sent, according to the recordings.
fn recorded(left: &Left) -> Vec<Session> {
    let octets = left.recordings().into_iter().map(|recording| raw(&recording));
    octets.map(|(client, server)| Session { client, server }).collect()
}

fn run(client: Client, server: &Server, addr: std::net::SocketAddr, keep: bool) -> Outcome {
    let home = TempDir::new().unwrap();
    let account = Account::new(addr, &server.user, &server.password);
    clients::fetch(client, account, keep, home.path())
}

/// The corpus arrived: without this, two runs that both fetch nothing would be equal.
fn assert_bodies(what: &str, messages: &[Vec<u8>], count: usize) {
    let mut found: Vec<String> = messages.iter().map(|message| body(message)).collect();
    let mut wanted: Vec<String> =
        CORPUS[..count].iter().map(|message| body(message.octets.as_bytes())).collect();
    found.sort();
    wanted.sort();
    assert_eq!(found, wanted, "{what}");
}

fn assert_same(what: &str, direct: &[Vec<u8>], through: &[Vec<u8>]) {
    assert_eq!(direct.len(), through.len(), "{what}: how many");
    for (n, (direct, through)) in (1..).zip(direct.iter().zip(through)) {
        assert_octets(&format!("{what}: {n}"), direct, through);
    }
}

fn assert_octets(what: &str, wanted: &[u8], found: &[u8]) {
    if let Some(difference) = difference(wanted, found) {
        panic!("{what}: {difference}");
    }
}

/// Shows the place where two byte strings part.
fn difference(wanted: &[u8], found: &[u8]) -> Option<String> {
    if wanted == found {
        return None;
    }
    let same = wanted.iter().zip(found).take_while(|(a, b)| a == b).count();
    let around = |octets: &[u8]| {
        let from = same.saturating_sub(60);
        octets[from..octets.len().min(same + 60)].escape_ascii().to_string()
    };
    Some(format!(
        "{} and {} octets, which differ from {same} on\nwanted: {}\nfound:  {}",
        wanted.len(),
        found.len(),
        around(wanted),
        around(found)
    ))
}
