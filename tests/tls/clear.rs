//! What is said in clear where TLS is due: nobody takes it as if it had come under TLS (RFC 2595 section 4; CVE-2011-0411
//! and its kin).

use std::io::Write as _;
use std::net::Shutdown;

use super::peer::{Secure, asked, line, trusting};
use super::{Recorded, serving};
use crate::support::rest;

/// In the packet of STLS: refused, and the session ends.
#[test]
fn octets_in_the_packet_of_stls_end_the_session() {
    let server = serving(&["--tls", "stls"]);
    let mut stream = server.proxy.connect();
    line(&mut stream);
    stream.write_all(b"STLS\r\nUSER mallory\r\nPASS x\r\n").unwrap();
    assert_eq!(line(&mut stream), "-ERR octets in clear follow STLS");
    assert!(rest(&mut stream).unwrap().is_empty());
    let left = server.proxy.stop();
    assert!(left.stdout.contains("octets in clear follow STLS"), "{}", left.stdout);
    // All of it was seen to come in clear, and no TLS was begun.
    assert!(!Recorded::of(&left).commands().contains(&"TLS"));
}

/// In a packet of their own, before the client's hello: TLS comes, and they are no part of the session.
#[test]
fn octets_before_the_hello_are_thrown_away_and_told() {
    let server = serving(&["--tls", "stls"]);
    let mut stream = asked(&server, b"STLS\r\n");
    stream.write_all(b"USER mallory\r\nCAPA\r\n").unwrap();
    let mut client = Secure::begin(stream, trusting(&server.authority, rustls::DEFAULT_VERSIONS)).unwrap();
    // Whatever is answered here is answered to what came under TLS alone.
    assert_eq!(client.ask("PASS x"), "-ERR USER comes first");
    assert_eq!(client.ask("USER kcope"), "+OK");
    assert!(client.ask("PASS x").starts_with("+OK kcope's maildrop"));
    assert!(client.ask("QUIT").starts_with("+OK"));
    assert!(client.rest().unwrap().is_empty());
    let left = server.proxy.stop();
    assert!(left.stdout.contains("the client sent 20 octets in clear between STLS"), "{}", left.stdout);
    let recorded = Recorded::of(&left);
    let notes = recorded.notes("octets-in-clear");
    assert!(matches!(notes[..], [note] if note.contains("USER mallory")), "{notes:?}");
    assert_eq!(
        recorded.commands(),
        ["STLS", "TLS", "PASS ********", "USER kcope", "PASS ********", "QUIT"],
        "{}",
        left.stdout
    );
}

/// Where TLS comes first, a client in clear is answered nothing that could be taken for an answer.
#[test]
fn a_client_in_clear_before_a_listener_with_tls_is_told_of() {
    let server = serving(&["--tls", "implicit"]);
    let mut stream = server.proxy.connect();
    stream.write_all(b"CAPA\r\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert!(rest(&mut stream).unwrap().is_empty());
    let left = server.proxy.stop();
    assert!(left.stdout.contains("does not speak TLS here"), "{}", left.stdout);
    assert!(left.stdout.contains("listen with --tls stls or --tls off"), "{}", left.stdout);
    let recorded = Recorded::of(&left);
    assert_eq!((recorded.commands(), recorded.end()), (vec!["TLS"], ("client", "tls-failed")));
    assert!(recorded.tls()["failure"]["reason"].as_str().unwrap().contains("CAPA"));
}

/// And the other way round: TLS where a line in clear is due.
#[test]
fn tls_before_a_listener_in_clear_fails() {
    for arguments in [&[][..], &["--tls", "stls"]] {
        let server = serving(arguments);
        let config = trusting(&server.authority, rustls::DEFAULT_VERSIONS);
        assert!(Secure::begin(server.proxy.connect(), config).is_err());
        assert_eq!(server.proxy.stop().code, Some(0));
    }
}
