//! TLS that OpenSSL speaks to itself, as an onlooker with its key log sees it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use poptape::capture::KeyLog;
use poptape::capture::tls::{Out, Tap};
use poptape::wire::{Side, Tls};

use super::process::program;

const GREETING: &str = "+OK POP3 ready\n";
const QUIT: &str = "QUIT\n";

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(command: &mut Command) -> (Running, impl Write + use<>, BufReader<impl Read + use<>>) {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = piped.spawn().unwrap();
    let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    (Running(child), input, output)
}

/// Reads up to a line that holds the text.
fn line(output: &mut impl BufRead, text: &str) -> String {
    loop {
        let mut line = String::new();
        assert_ne!(output.read_line(&mut line).unwrap(), 0, "it ended before it said {text:?}");
        if line.contains(text) {
            return line;
        }
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, side: Side, seen: &Sender<(Side, Vec<u8>)>) {
    let mut octets = [0; 4096];
    while let Ok(read) = from.read(&mut octets) {
        let octets = octets.get(..read).unwrap();
        // What is seen before it is sent is seen in order.
        seen.send((side, octets.to_vec())).unwrap();
        if octets.is_empty() || to.write_all(octets).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// What an onlooker makes of a session: the facts, what each said, the notes.
fn look(server: &[&str], client: &[&str]) -> (Tls, [String; 2], Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (key, certificate, log) = (path("key.pem"), path("certificate.pem"), path("keys.txt"));
    let made = program("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=pop.example"])
        .args(["-keyout", &key, "-out", &certificate])
        .stderr(Stdio::null())
        .status();
    assert!(made.unwrap().success());
    let (_server, mut to_server, mut from_server) = start(
        program("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-key", &key, "-cert", &certificate])
            .args(server),
    );
    let accept = line(&mut from_server, "ACCEPT ");
    let upstream = accept.trim().trim_start_matches("ACCEPT ").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (seen, wire) = channel();
    let relay = thread::spawn(move || {
        let (client, _) = listener.accept().unwrap();
        let server = TcpStream::connect(upstream).unwrap();
        let (from, to, back) = (client.try_clone().unwrap(), server.try_clone().unwrap(), seen.clone());
        let there = thread::spawn(move || copy(from, to, Side::Client, &seen));
        copy(server, client, Side::Server, &back);
        there.join().unwrap();
    });
    let (running, mut to_client, mut from_client) = start(
        program("openssl")
            .args(["s_client", "-connect", &address, "-servername", "pop.example", "-quiet"])
            .args(["-keylogfile", &log])
            .args(client),
    );
    to_server.write_all(GREETING.as_bytes()).unwrap();
    line(&mut from_client, GREETING.trim_end());
    to_client.write_all(QUIT.as_bytes()).unwrap();
    line(&mut from_server, QUIT.trim_end());
    drop(running);
    relay.join().unwrap();

    let mut keys = KeyLog::default();
    keys.add(&std::fs::read(log).unwrap());
    let (mut tls, mut said, mut notes) = (None, [String::new(), String::new()], Vec::new());
    let mut take = |out| match out {
        Out::Started(facts) => tls = Some(facts),
        Out::Plain(side, _, octets) => {
            said[usize::from(side == Side::Server)].push_str(std::str::from_utf8(&octets).unwrap());
        }
        Out::Opaque(..) => {}
        Out::Note(_, kind, text) => notes.push(format!("{kind}: {text}")),
    };
    let mut tap = Tap::new();
    for (side, octets) in wire {
        match octets.as_slice() {
            [] => tap.close(side, 0, &mut take),
            octets => tap.octets(&keys, side, 0, octets, &mut take),
        }
    }
    (*tls.unwrap(), said, notes)
}

#[test]
fn an_onlooker_with_the_key_log_sees_what_openssl_says() {
    let suites: &[(&str, &[&str], &[&str])] = &[
        ("TLS_AES_128_GCM_SHA256", &[], &["-ciphersuites", "TLS_AES_128_GCM_SHA256"]),
        ("TLS_CHACHA20_POLY1305_SHA256", &[], &["-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"]),
        // The client's first key share is none of the server's: it is asked to try again.
        ("TLS_AES_256_GCM_SHA384", &["-groups", "P-384"], &["-groups", "X25519:P-384"]),
        ("TLS_RSA_WITH_AES_128_GCM_SHA256", &[], &["-tls1_2", "-cipher", "AES128-GCM-SHA256"]),
        (
            "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            &[],
            &["-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384"],
        ),
        (
            "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
            &[],
            &["-tls1_2", "-cipher", "DHE-RSA-CHACHA20-POLY1305"],
        ),
    ];
    for (suite, server, client) in suites {
        let (tls, said, mut notes) = look(server, client);
        // What openssl says where a client is gone without a word.
        notes.retain(|note| note != "tls-alert: the server sent the alert decode_error (50)");
        assert_eq!((tls.cipher.as_deref(), tls.server_name.as_deref()), (Some(*suite), Some("pop.example")));
        assert_eq!((said, tls.readable, notes), ([QUIT.into(), GREETING.into()], true, vec![]), "{suite}");
    }
}

#[test]
fn an_onlooker_says_which_openssl_it_cannot_understand() {
    let (tls, said, notes) = look(&[], &["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA256"]);
    assert!(!tls.readable && said.concat().is_empty());
    let suite = "tls-unreadable: TLSv1.2 with TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256 cannot be decrypted here";
    assert!(notes.iter().any(|note| note.starts_with(suite)), "{notes:?}");
}
