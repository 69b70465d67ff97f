//! Octets in clear between STLS and the handshake (CVE-2011-0411 and its kin), from either side, in the packet of STLS
//! or in one of their own: nobody gets them, nobody answers them, they are told, and the session goes on inside TLS.

use std::io::Read as _;
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::pki::Pki;
use super::raw::{TlsServer, accept, begin, end, hear, say, server_config};
use super::{Authority, finish, json, notes};
use crate::support::{Server, text};

/// What is injected: a command that does something, and a status that would pass for an answer.
const COMMAND: &str = "DELE 1\r\n";
const STATUS: &str = "-ERR injected\r\n";

/// Who injects, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Injected {
    /// In the packet of STLS.
    Client,
    /// Once it was answered, before the hello.
    ClientApart,
    /// In the packet of its `+OK`.
    Server,
    /// Before its own hello, once it has the client's.
    ServerApart,
    /// Both, in the packet.
    Both,
}

impl Injected {
    fn with_stls(self) -> &'static str {
        if matches!(self, Self::Client | Self::Both) { COMMAND } else { "" }
    }

    fn with_ok(self) -> &'static str {
        if matches!(self, Self::Server | Self::Both) { STATUS } else { "" }
    }

    /// Who is told of.
    fn sides(self) -> &'static [&'static str] {
        match self {
            Self::Client | Self::ClientApart => &["client"],
            Self::Server | Self::ServerApart => &["server"],
            Self::Both => &["server", "client"],
        }
    }
}

#[test]
fn the_client_is_not_heard_where_stls_is_passed_on() {
    for injected in [Injected::Client, Injected::ClientApart] {
        check("pop3", "stls", injected);
    }
}

#[test]
fn the_client_is_not_heard_where_poptape_answers() {
    for injected in [Injected::Client, Injected::ClientApart] {
        check("pop3s", "stls", injected);
        check("pop3+stls", "stls", injected);
    }
}

#[test]
fn the_server_is_not_heard_where_stls_is_passed_on() {
    for injected in [Injected::Server, Injected::ServerApart, Injected::Both] {
        check("pop3", "stls", injected);
    }
}

#[test]
fn the_server_is_not_heard_where_poptape_asks() {
    for injected in [Injected::Server, Injected::ServerApart] {
        check("pop3+stls", "off", injected);
        check("pop3+stls", "implicit", injected);
    }
}

/// A session that says NOOP inside of TLS, with what is injected before it.
fn check(scheme: &str, tls: &str, injected: Injected) {
    let case = format!("{injected:?}, {scheme} and --tls {tls}");
    let (pki, authority) = (Pki::new(), Authority::new());
    let config = server_config(&pki.server());
    let (heard, said) = channel();
    let implicit = scheme == "pop3s";
    let server = Server::start(move |mut stream| {
        let mut stream = if implicit {
            let mut stream = accept(stream, &config);
            say(&mut stream, "+OK ready\r\n");
            stream
        } else {
            say(&mut stream, "+OK ready\r\n");
            hear(&mut stream, "STLS\r\n");
            say(&mut stream, &format!("+OK begin\r\n{}", injected.with_ok()));
            if injected == Injected::ServerApart {
                // The first octet of the hello.
                assert_eq!(stream.peek(&mut [0]).unwrap(), 1);
                say(&mut stream, STATUS);
            }
            accept(stream, &config)
        };
        converse(&mut stream, &heard);
    });
    let ca = pki.ca().display().to_string();
    let url = format!("{scheme}://localhost:{}", server.address.port());
    let proxy = authority.record(&url, tls, &["--upstream-ca", &ca]);
    let mut client = proxy.connect();
    match tls {
        "off" => {
            talk(&case, &mut client);
            drop(client);
        }
        "implicit" => talk(&case, &mut begin(client, &authority.pem())),
        _ => {
            hear(&mut client, "+OK ready\r\n");
            say(&mut client, &format!("STLS\r\n{}", injected.with_stls()));
            let answer = line(&mut client);
            assert!(answer.starts_with("+OK begin"), "{case}: {answer}");
            if injected == Injected::ClientApart {
                say(&mut client, COMMAND);
            }
            let mut client = begin(client, &authority.pem());
            inside(&case, &mut client);
        }
    }
    assert_eq!(heard_by(&said), "NOOP\r\nQUIT\r\n", "{case}");

    let left = finish(proxy);
    assert_eq!(left.code, Some(0), "{case}: {}", left.stderr);
    let recording = json(&left.recording());
    let told = notes(&recording, "octets-in-clear");
    let sides: Vec<&str> =
        told.iter().map(|told| if told.contains("the client") { "client" } else { "server" }).collect();
    assert_eq!(sides, injected.sides(), "{case}: {told:?}");
    for (side, told) in sides.iter().zip(&told) {
        let octets = if *side == "client" { COMMAND } else { STATUS };
        assert!(told.contains(&format!("{} octets", octets.len())), "{case}: {told}");
        assert!(told.contains(octets.trim_end()), "{case}: {told}");
        assert!(left.stdout.contains(told), "{case}: it is not shown: {}", left.stdout);
    }
    let (client, server) = left.raw();
    for octets in [client, server] {
        let octets = text(&octets);
        assert!(!octets.contains(COMMAND) && !octets.contains(STATUS), "{case}: {octets}");
    }
}

fn talk(case: &str, stream: &mut (impl std::io::Read + std::io::Write)) {
    hear(stream, "+OK ready\r\n");
    inside(case, stream);
}

/// The first reply is that of the first command, and nothing comes behind the last.
fn inside(case: &str, stream: &mut (impl std::io::Read + std::io::Write)) {
    say(stream, "NOOP\r\n");
    hear(stream, "+OK inside\r\n");
    say(stream, "QUIT\r\n");
    let (rest, _) = end(stream);
    assert_eq!(text(&rest), "+OK bye\r\n", "{case}");
}

/// Answers, and tells all that it heard.
fn converse(stream: &mut TlsServer, heard: &Sender<String>) {
    let first = line(stream);
    say(stream, "+OK inside\r\n");
    let second = line(stream);
    say(stream, "+OK bye\r\n");
    heard.send(first + &second).unwrap();
    stream.conn.send_close_notify();
    // It says so, and waits for the client to have heard it.
    let _ = stream.conn.write_tls(&mut stream.sock);
    let _ = stream.sock.shutdown(std::net::Shutdown::Write);
    let _ = end(stream);
}

fn heard_by(said: &Receiver<String>) -> String {
    said.recv_timeout(crate::support::PATIENCE).unwrap()
}

/// A line, and no octet of what follows.
fn line(stream: &mut impl std::io::Read) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        let mut octet = [0];
        stream.read_exact(&mut octet).unwrap();
        line.push(octet[0]);
    }
    text(&line)
}

/// A client that gives up in the middle, after octets in clear: no TLS comes of it, and that is said too.
#[test]
fn octets_in_clear_and_no_handshake() {
    let (pki, authority) = (Pki::new(), Authority::new());
    let config = server_config(&pki.server());
    let server = Server::start(move |mut stream: TcpStream| {
        say(&mut stream, "+OK ready\r\n");
        hear(&mut stream, "STLS\r\n");
        say(&mut stream, "+OK begin\r\n");
        let mut stream = accept(stream, &config);
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert_eq!(text(&rest), "");
    });
    let ca = pki.ca().display().to_string();
    let url = format!("pop3://localhost:{}", server.address.port());
    let proxy = authority.record(&url, "stls", &["--upstream-ca", &ca]);
    let mut client = proxy.connect();
    hear(&mut client, "+OK ready\r\n");
    say(&mut client, "STLS\r\n");
    hear(&mut client, "+OK begin\r\n");
    say(&mut client, "USER kcope\r\nPASS secret\r\n");
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(text(&end(&mut client).0), "");
    let left = finish(proxy);
    let recording = json(&left.recording());
    let told = notes(&recording, "octets-in-clear");
    assert_eq!(told.len(), 1, "{recording}");
    assert!(!told[0].contains("secret") && !left.stdout.contains("secret"), "{}", left.stdout);
    assert_eq!(recording["end"]["how"], "tls-failed");
}
