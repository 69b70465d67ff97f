//! What comes in one packet with the end of a client's handshake.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

use rustls::{ClientConnection, StreamOwned};

use super::peer::{Secure, trusting};
use super::{Listening, Recorded, serving};

/// A client whose last word of the handshake is not sent yet.
fn almost(to: &Listening) -> (ClientConnection, TcpStream) {
    let config = trusting(&to.authority, rustls::DEFAULT_VERSIONS);
    let mut connection = ClientConnection::new(config, "localhost".try_into().unwrap()).unwrap();
    let mut stream = to.proxy.connect();
    while connection.is_handshaking() {
        while connection.wants_write() {
            connection.write_tls(&mut stream).unwrap();
        }
        connection.read_tls(&mut stream).unwrap();
        connection.process_new_packets().unwrap();
    }
    (connection, stream)
}

/// All that waits to be sent.
fn waiting(connection: &mut ClientConnection) -> Vec<u8> {
    let mut records = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut records).unwrap();
    }
    records
}

#[test]
fn every_command_behind_the_handshake_is_answered() {
    let server = serving(&["--tls", "implicit"]);
    let (mut connection, mut stream) = almost(&server);
    connection.set_buffer_limit(None);
    let count = 6_000;
    connection.writer().write_all(b"USER kcope\r\nPASS x\r\n").unwrap();
    connection.writer().write_all(&b"NOOP\r\n".repeat(count)).unwrap();
    connection.writer().write_all(b"QUIT\r\n").unwrap();
    stream.write_all(&waiting(&mut connection)).unwrap();
    let answers = BufReader::new(StreamOwned::new(connection, stream)).lines();
    let answers: Vec<_> = answers.map(Result::unwrap).collect();
    // With the greeting.
    assert_eq!(answers.len(), 1 + 2 + count + 1);
    assert!(answers.iter().all(|line| line.starts_with("+OK")));
}

/// A record that cannot be right, or an alert, is told as what it is and not as a reset.
#[test]
fn what_breaks_tls_is_told() {
    let server = serving(&["--tls", "implicit"]);
    let mut client = Secure::implicit(&server);
    client.line();
    client.in_clear(b"NOOP\r\n");
    assert!(client.rest().is_err());
    let left = server.proxy.stop();
    let notes = Recorded::of(&left);
    assert_eq!(notes.notes("tls-broken").len(), 1, "{}", left.stdout);
}

/// Behind the session's end nobody looks any more at what comes.
#[test]
fn what_comes_in_clear_behind_the_end_is_thrown_away() {
    let server = serving(&["--tls", "implicit", "--sessions", "1"]);
    let mut client = Secure::implicit(&server);
    client.line();
    assert!(client.ask("QUIT").starts_with("+OK"));
    client.in_clear(b"NOOP\r\n");
    client.cut_off();
    let left = server.proxy.wait();
    assert_eq!(left.code, Some(0), "{}", left.stderr);
    assert!(!left.stderr.contains("panicked"), "{}", left.stderr);
    assert_eq!(Recorded::of(&left).end().1, "finished");
}

/// Nor does what comes behind the client's last word keep poptape from others.
#[test]
fn nobody_waits_for_a_client_that_goes_on_behind_its_farewell() {
    let server = serving(&["--tls", "implicit"]);
    let (mut connection, mut stream) = almost(&server);
    connection.send_close_notify();
    let mut octets = waiting(&mut connection);
    octets.resize(octets.len() + 100_000, 23);
    stream.write_all(&octets).unwrap();
    assert!(Secure::implicit(&server).ask("USER kcope").starts_with("+OK"));
}
