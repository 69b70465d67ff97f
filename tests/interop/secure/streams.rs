//! Under TLS nothing waits for a whole message, and an end is passed on as the kind of end that it is.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use super::pki::Pki;
use super::raw::{TlsServer, accept, begin, end, hear, say, server_config};
use super::{Authority, finish, json};
use crate::support::{Left, PATIENCE, Proxy, Server, text};

/// An upstream that does `script` under TLS, and poptape before it.
fn before(script: impl Fn(TlsServer) + Send + Sync + Clone + 'static, tls: &str) -> (Pki, Authority, Proxy) {
    let (pki, authority) = (Pki::new(), Authority::new());
    let config = server_config(&pki.server());
    let server = Server::start(move |stream: TcpStream| script(accept(stream, &config)));
    let ca = pki.ca().display().to_string();
    let url = format!("pop3s://localhost:{}", server.address.port());
    let proxy = authority.record(&url, tls, &["--upstream-ca", &ca]);
    (pki, authority, proxy)
}

#[test]
fn half_a_message_arrives_before_the_other_half_is_sent() {
    const HALF: usize = 512 * 1024;
    let line = format!("{}\r\n", "x".repeat(62));
    let half = line.repeat(HALF / line.len());
    let (arrived, other_half) = channel::<()>();
    let other_half = Arc::new(Mutex::new(other_half));
    let sent = half.clone();
    let (_pki, authority, proxy) = before(
        move |mut stream| {
            say(&mut stream, "+OK ready\r\n");
            hear(&mut stream, "RETR 1\r\n");
            say(&mut stream, "+OK\r\n");
            say(&mut stream, &sent);
            other_half.lock().unwrap().recv_timeout(PATIENCE).expect("the first half does not arrive");
            say(&mut stream, &sent);
            say(&mut stream, ".\r\n");
            hear(&mut stream, "QUIT\r\n");
            close(stream, true);
        },
        "implicit",
    );
    let mut client = begin(proxy.connect(), &authority.pem());
    hear(&mut client, "+OK ready\r\n");
    say(&mut client, "RETR 1\r\n");
    hear(&mut client, "+OK\r\n");
    hear(&mut client, &half);
    arrived.send(()).unwrap();
    hear(&mut client, &half);
    hear(&mut client, ".\r\n");
    say(&mut client, "QUIT\r\n");
    assert_eq!(end(&mut client), (vec![], true));
    drop(client);
    assert_eq!(proxy.stop().code, Some(0));
}

/// Ends the server's direction, and reads the client's to its end: whether that was said by TLS.
fn close(mut stream: TlsServer, notify: bool) -> bool {
    if notify {
        stream.conn.send_close_notify();
        stream.flush().unwrap();
    }
    stream.sock.shutdown(Shutdown::Write).unwrap();
    end(&mut stream).1
}

/// How the recording ended, and how the server's direction did.
fn ended(left: &Left) -> (String, String) {
    assert_eq!(left.code, Some(0), "{}", left.stderr);
    let recording = json(&left.recording());
    let elements = recording["exchanges"].as_array().unwrap();
    let closed = elements.iter().find(|element| element["closed"] == "server").unwrap();
    (recording["end"]["how"].as_str().unwrap().into(), closed["how"].as_str().unwrap().into())
}

/// The server cuts a message off, or ends it in the same place as if that were all.
fn the_server_ends(notify: bool, tls: &str) -> (bool, Left) {
    let (_pki, authority, proxy) = before(
        move |mut stream| {
            say(&mut stream, "+OK ready\r\n");
            hear(&mut stream, "RETR 1\r\n");
            say(&mut stream, "+OK\r\nSubject: half\r\n");
            close(stream, notify);
        },
        tls,
    );
    let mut stream = proxy.connect();
    let (rest, clean) = if tls == "off" {
        hear(&mut stream, "+OK ready\r\n");
        say(&mut stream, "RETR 1\r\n");
        let ended = end(&mut stream);
        drop(stream);
        ended
    } else {
        let mut client = begin(stream, &authority.pem());
        hear(&mut client, "+OK ready\r\n");
        say(&mut client, "RETR 1\r\n");
        let ended = end(&mut client);
        client.conn.send_close_notify();
        client.flush().unwrap();
        ended
    };
    assert_eq!(text(&rest), "+OK\r\nSubject: half\r\n");
    let end_of_session = finish(proxy);
    (clean, end_of_session)
}

#[test]
fn a_server_that_cuts_off_is_seen_to_by_a_client_under_tls() {
    let (clean, left) = the_server_ends(false, "implicit");
    assert!(!clean, "the client was told that nothing is missing");
    assert_eq!(ended(&left), ("truncated".into(), "truncated".into()), "{}", left.stdout);
    assert!(left.stdout.contains("close_notify"), "{}", left.stdout);
}

#[test]
fn a_server_that_ends_in_order_is_seen_to() {
    let (clean, left) = the_server_ends(true, "implicit");
    assert!(clean, "the client cannot know that nothing is missing");
    assert_eq!(ended(&left), ("finished".into(), "finished".into()), "{}", left.stdout);
}

#[test]
fn a_client_in_clear_sees_an_end_alone() {
    for (notify, how) in [(true, "finished"), (false, "truncated")] {
        let (_, left) = the_server_ends(notify, "off");
        assert_eq!(ended(&left), (how.into(), how.into()), "{}", left.stdout);
    }
}

/// The client's end reaches the server as what it is.
fn the_client_ends(notify: bool) -> (bool, String) {
    let (tell, told) = channel();
    let (_pki, authority, proxy) = before(
        move |mut stream| {
            say(&mut stream, "+OK ready\r\n");
            let (rest, clean) = end(&mut stream);
            assert_eq!(text(&rest), "RETR 1\r\n");
            say(&mut stream, "-ERR none\r\n");
            tell.send(clean).unwrap();
            close(stream, true);
        },
        "implicit",
    );
    let mut client = begin(proxy.connect(), &authority.pem());
    hear(&mut client, "+OK ready\r\n");
    say(&mut client, "RETR 1\r\n");
    if notify {
        client.conn.send_close_notify();
        client.flush().unwrap();
    }
    client.sock.shutdown(Shutdown::Write).unwrap();
    // It only ended its own direction.
    hear(&mut client, "-ERR none\r\n");
    let clean = told.recv_timeout(PATIENCE).unwrap();
    assert!(end(&mut client).1);
    drop(client);
    let left = finish(proxy);
    let how = json(&left.recording())["end"]["how"].as_str().unwrap().to_owned();
    (clean, how)
}

#[test]
fn a_client_that_ends_in_order_does_so_before_the_server() {
    assert_eq!(the_client_ends(true), (true, "finished".to_owned()));
}

#[test]
fn a_client_that_cuts_off_does_so_before_the_server() {
    assert_eq!(the_client_ends(false), (false, "truncated".to_owned()));
}

#[test]
fn a_record_that_was_tampered_with_ends_both_legs() {
    let (_pki, authority, proxy) = before(
        |mut stream| {
            say(&mut stream, "+OK ready\r\n");
            hear(&mut stream, "NOOP\r\n");
            // A record that nobody has sealed.
            stream.sock.write_all(&[23, 3, 3, 0, 20]).unwrap();
            stream.sock.write_all(&[7; 20]).unwrap();
            // TLS or the connection ends here, one way or another.
            let _ = stream.read(&mut [0; 100]);
        },
        "implicit",
    );
    let mut client = begin(proxy.connect(), &authority.pem());
    hear(&mut client, "+OK ready\r\n");
    say(&mut client, "NOOP\r\n");
    let ended = client.read(&mut [0; 100]).map_err(|error| error.kind());
    assert!(!matches!(ended, Ok(1..)), "octets came out of it: {ended:?}");
    assert!(ended.is_err(), "the client was told that nothing is missing");
    drop(client);
    let left = finish(proxy);
    assert_eq!(json(&left.recording())["end"]["how"], "reset", "{}", left.stdout);
}

/// A client that sends all that it has and ends its direction before poptape has TLS with the server: nothing overtakes.
#[test]
fn a_client_that_says_all_at_once_is_heard_to_its_end() {
    let (pki, authority) = (Pki::new(), Authority::new());
    let config = server_config(&pki.server());
    let (end_it, ended) = channel::<()>();
    let ended = Arc::new(Mutex::new(ended));
    let server = Server::start(move |mut stream: TcpStream| {
        ended.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        say(&mut stream, "+OK ready\r\n");
        hear(&mut stream, "STLS\r\n");
        say(&mut stream, "+OK begin\r\n");
        let mut stream = accept(stream, &config);
        let (heard, clean) = end(&mut stream);
        assert_eq!((text(&heard).as_str(), clean), ("NOOP\r\nQUIT\r\n", true));
        say(&mut stream, "+OK\r\n+OK bye\r\n");
        close(stream, true);
    });
    let ca = pki.ca().display().to_string();
    let url = format!("pop3+stls://localhost:{}", server.address.port());
    let proxy = authority.record(&url, "off", &["--upstream-ca", &ca]);
    let mut client = proxy.connect();
    say(&mut client, "NOOP\r\nQUIT\r\n");
    client.shutdown(Shutdown::Write).unwrap();
    end_it.send(()).unwrap();
    let (got, _) = end(&mut client);
    assert_eq!(text(&got), "+OK ready\r\n+OK\r\n+OK bye\r\n");
    drop(client);
    assert_eq!(finish(proxy).code, Some(0));
}
