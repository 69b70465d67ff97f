//! Every combination of the two legs, with every client that can speak it: the messages are those of the maildrop, and
//! the recording has the very octets and the facts of each handshake.

use serde_json::Value;
use tempfile::TempDir;

use super::pki::Pki;
use super::{Authority, finish, handshakes, json, notes};
use crate::interop::clients::{self, Account, Client, Tls};
use crate::interop::corpus::CORPUS;
use crate::interop::delivered::assert_delivered;
use crate::interop::letters::Letter;
use crate::interop::servers::{Kind, Server};
use crate::interop::{assert_octets, difference};
use crate::support::{Left, raw};

/// Those that speak TLS; Perl's needs a module of its own for it.
const STLS: &[Client] =
    &[Client::Curl, Client::Fetchmail, Client::Mpop, Client::Mutt, Client::OpenSsl, Client::Python];

/// getmail knows no STLS.
const IMPLICIT: &[Client] = &[
    Client::Curl,
    Client::Fetchmail,
    Client::Getmail,
    Client::Mpop,
    Client::Mutt,
    Client::OpenSsl,
    Client::Python,
];

const CLEAR: &[Client] = &[Client::Curl, Client::Mutt];

/// How TLS comes to the upstream's leg, beside `pop3s` and `pop3+stls`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Upstream {
    /// `pop3://`, and the server has no STLS.
    Plain,
    /// `pop3://`, and the server has STLS: it is asked for it where the client asks.
    Offering,
    Stls,
    Implicit,
}

// A test a server, and the clients of each one after the other.

#[test]
fn a_server_without_tls() {
    check(Upstream::Plain);
}

#[test]
fn a_server_that_offers_stls() {
    check(Upstream::Offering);
}

#[test]
fn stls_to_the_server() {
    check(Upstream::Stls);
}

#[test]
fn implicit_tls_to_the_server() {
    check(Upstream::Implicit);
}

fn check(upstream: Upstream) {
    let (pki, authority) = (Pki::new(), Authority::new());
    let server = match upstream {
        Upstream::Plain => Server::start(Kind::Dovecot, CORPUS),
        _ => Server::start_secure(CORPUS, &pki.server()),
    };
    let port = server.addr.port();
    let url = match upstream {
        Upstream::Plain | Upstream::Offering => format!("pop3://localhost:{port}"),
        Upstream::Stls => format!("pop3+stls://localhost:{port}"),
        Upstream::Implicit => format!("pop3s://localhost:{}", server.secure.unwrap().port()),
    };
    for (tls, clients) in [("off", CLEAR), ("stls", STLS), ("implicit", IMPLICIT)] {
        for &client in clients {
            let case = format!("{client:?} with --tls {tls}, {upstream:?}");
            let ca = pki.ca().display().to_string();
            let follows = upstream != Upstream::Plain || tls == "stls";
            let trusting: &[&str] = if follows && !(upstream == Upstream::Offering && tls != "stls") {
                &["--upstream-ca", &ca]
            } else {
                &[]
            };
            let proxy = authority.record(&url, tls, &[trusting, &["--secrets", "keep"]].concat());
            let (home, pem) = (TempDir::new().unwrap(), authority.pem());
            let tls_of_client = (tls != "off").then_some(Tls { implicit: tls == "implicit", ca: &pem });
            let account =
                Account { tls: tls_of_client, ..Account::new(proxy.address, &server.user, &server.password) };
            let outcome = clients::fetch(client, account, true, home.path());
            let left = finish(proxy);
            assert!(outcome.ok, "{case}: {}\n{}\n{}{}", outcome.said, server.log(), left.stdout, left.stderr);
            assert_eq!(left.code, Some(0), "{case}: {}", left.stderr);
            assert_delivered(&case, client, &letters(), &outcome.messages);
            assert_recorded(&case, &left, tls, upstream);
            if client == Client::OpenSsl {
                assert_seen(&case, &left, tls, &outcome.said);
            }
        }
    }
}

fn letters() -> Vec<Letter> {
    let octets = CORPUS.iter().map(|message| message.octets);
    octets.map(|octets| Letter { name: "of the corpus", octets: octets.into() }).collect()
}

/// Both handshakes are in each recording, and all messages in one of them.
fn assert_recorded(case: &str, left: &Left, tls: &str, upstream: Upstream) {
    let recordings = left.recordings();
    let client_is_curt = case.starts_with("Getmail") || case.starts_with("Python");
    for recording in &recordings {
        let recording = json(recording);
        let legs: Vec<&str> = handshakes(&recording).iter().map(|tls| tls["leg"].as_str().unwrap()).collect();
        let wanted: &[&str] = match (tls, upstream) {
            ("off", Upstream::Plain | Upstream::Offering) => &[],
            ("off", Upstream::Stls | Upstream::Implicit) => &["server"],
            (_, Upstream::Plain) | ("implicit", Upstream::Offering) => &["client"],
            ("implicit", _) => &["client", "server"],
            _ => &["server", "client"],
        };
        assert_eq!(legs, wanted, "{case}");
        for handshake in handshakes(&recording) {
            assert_facts(case, handshake);
        }
        let answered = notes(&recording, "stls-answered");
        let by_poptape = tls == "stls" && upstream != Upstream::Offering;
        assert_eq!(answered.len(), usize::from(by_poptape), "{case}: {answered:?}");
        assert_eq!(notes(&recording, "octets-in-clear").len(), 0, "{case}");
        let end = &recording["end"];
        // Python closes the socket of TLS without a word; often enough the server has ended before that.
        let curt = client_is_curt && end["by"] == "client" && end["how"] == "truncated";
        assert!(curt || end["how"] == "finished", "{case}: {end}");
    }
    let said: Vec<Vec<u8>> = recordings.iter().map(|recording| raw(recording).1).collect();
    for letter in letters() {
        let wire = stuffed(&letter.wire());
        let found = said.iter().any(|said| said.windows(wire.len()).any(|window| window == wire));
        assert!(found, "{case}: no recording has\n{}", wire.escape_ascii());
    }
}

fn assert_facts(case: &str, tls: &Value) {
    assert_eq!(tls["version"], "TLSv1.3", "{case}: {tls}");
    assert!(tls["cipher"].as_str().unwrap().starts_with("TLS_"), "{case}: {tls}");
    assert_eq!(tls["readable"], true, "{case}: {tls}");
    assert!(tls["took_us"].as_u64().unwrap() > 0, "{case}: {tls}");
    if tls["leg"] == "server" {
        assert_eq!(
            (&tls["server_name"], &tls["trust"]),
            (&"localhost".into(), &"verified".into()),
            "{case}: {tls}"
        );
        let leaf = &tls["chain"][0];
        assert_eq!(
            (&leaf["subject"], &leaf["issuer"]),
            (&"CN=localhost".into(), &"CN=Authority of the tests".into())
        );
        assert_eq!(leaf["names"], serde_json::json!(["localhost", "127.0.0.1"]), "{case}");
        assert_eq!(leaf["sha256"].as_str().unwrap().len(), 64, "{case}");
    } else if !case.starts_with("Curl") && !case.starts_with("Mutt") {
        // curl was given an address, and says none.
        assert_eq!(tls["server_name"], "localhost", "{case}: {tls}");
    }
}

/// What `openssl s_client` showed is what the recording has of the server, inside of TLS.
fn assert_seen(case: &str, left: &Left, tls: &str, said: &str) {
    let (client, server) = left.raw();
    let lines = if tls == "implicit" { 0 } else { 2 };
    let before = server.split_inclusive(|octet| *octet == b'\n').take(lines).map(<[u8]>::len).sum();
    let (before, inside) = server.split_at(before);
    assert!(said.as_bytes().starts_with(inside), "{case}: {:?}", difference(inside, said.as_bytes()));
    let typed = format!(
        "USER kcope\r\nPASS two words\r\nLIST\r\n{}QUIT\r\n",
        (1..=CORPUS.len()).map(|n| format!("RETR {n}\r\n")).collect::<Vec<_>>().concat()
    );
    if tls == "implicit" {
        assert_octets(case, typed.as_bytes(), &client);
    } else {
        assert_octets(case, format!("STLS\r\n{typed}").as_bytes(), &client);
        let before = String::from_utf8_lossy(before);
        let statuses: Vec<&str> = before.lines().map(|line| &line[..3]).collect();
        assert_eq!(statuses, ["+OK", "+OK"], "{case}: {before}");
    }
}

/// As a message passes: lines that begin with a dot have another one.
fn stuffed(wire: &[u8]) -> Vec<u8> {
    let mut stuffed = Vec::new();
    for line in wire.split_inclusive(|octet| *octet == b'\n') {
        if line.starts_with(b".") {
            stuffed.push(b'.');
        }
        stuffed.extend(line);
    }
    stuffed.extend(b".\r\n");
    stuffed
}
