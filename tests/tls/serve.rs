//! `poptape serve` under TLS, before clients that do it right.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rustls::version::{TLS12, TLS13};

use super::peer::{Secure, asked, trusting};
use super::{Recorded, listening, run, serving};
use crate::support::text;

const LETTERS: [&str; 3] = ["--user", "any", "tests/readme/letters"];

#[test]
fn every_version_comes_both_ways_and_is_recorded() {
    for (tls, scheme, way) in [("stls", "pop3", &["STLS", "TLS"][..]), ("implicit", "pop3s", &["TLS"])] {
        for (version, name) in [(&TLS12, "TLSv1.2"), (&TLS13, "TLSv1.3")] {
            let ready = tempfile::tempdir().unwrap();
            let file = ready.path().join("ready");
            let server = serving(&["--tls", tls, "--ready-file", file.to_str().unwrap()]);
            let said = std::fs::read_to_string(&file).unwrap();
            assert_eq!(said, format!("ready {scheme}://{}\n", server.proxy.address));
            let config = trusting(&server.authority, &[version]);
            let stream = if tls == "stls" { asked(&server, b"STLS\r\n") } else { server.proxy.connect() };
            let mut client = Secure::begin(stream, config).unwrap();
            if tls == "implicit" {
                assert!(client.line().starts_with("+OK POP3 server ready"));
            }
            let capabilities = client.body("CAPA");
            assert!(!capabilities.contains(&"STLS".to_owned()) && capabilities.contains(&"USER".to_owned()));
            assert_eq!(client.ask("USER kcope"), "+OK");
            assert!(client.ask("PASS x").starts_with("+OK"));
            assert!(client.body("RETR 1").contains(&"Subject: tea".to_owned()));
            assert!(client.ask("QUIT").starts_with("+OK"));
            assert!(client.rest().unwrap().is_empty());

            let left = server.proxy.stop();
            let shown = name.replacen("TLSv", "TLS ", 1);
            assert!(left.stdout.contains(&shown), "{}", left.stdout);
            assert_eq!(left.code, Some(0));
            let recorded = Recorded::of(&left);
            let rest = ["CAPA", "USER kcope", "PASS ********", "RETR 1", "QUIT"];
            assert_eq!(recorded.commands(), [way, &rest].concat());
            let facts = recorded.tls();
            assert_eq!(
                (facts["version"].as_str(), facts["server_name"].as_str()),
                (Some(name), Some("localhost"))
            );
            assert_eq!(recorded.end(), ("server", "finished"));
        }
    }
}

/// With STLS passwords wait for TLS, and it is announced as long as it can be used.
#[test]
fn a_password_in_clear_is_refused_where_stls_is_offered() {
    let server = serving(&["--tls", "stls"]);
    let mut stream = server.proxy.connect();
    super::peer::line(&mut stream);
    stream.write_all(b"USER kcope\r\n").unwrap();
    assert!(super::peer::line(&mut stream).starts_with("-ERR STLS comes first"));
    let plain = listening("serve", &LETTERS);
    let mut stream = plain.proxy.connect();
    super::peer::line(&mut stream);
    stream.write_all(b"STLS\r\n").unwrap();
    assert!(super::peer::line(&mut stream).starts_with("-ERR"), "without --tls");
}

#[test]
fn curl_and_openssl_come_both_ways() {
    let letter = "From: Ada <ada@example.org>\r\nSubject: tea\r\n\r\nAt five, at my place.\r\n";
    for tls in ["stls", "implicit"] {
        let curl = ["curl", "-sS", "--ssl-reqd", "--cacert", "{ca}", "-u", "kcope:x", "{url}/1"];
        let ran = run("serve", &[&LETTERS[..], &["--tls", tls, "--quiet"]].concat(), &curl);
        assert_eq!((ran.stdout().as_str(), ran.output.status.code()), (letter, Some(0)), "{}", ran.stderr());
        assert_eq!(ran.recorded().end(), ("server", "finished"));

        let server = serving(&["--tls", tls]);
        let mut openssl = Command::new("openssl");
        openssl.args([
            "s_client",
            "-quiet",
            "-crlf",
            "-verify_return_error",
            "-verify_hostname",
            "pop.example.org",
        ]);
        openssl.args([
            "-servername",
            "pop.example.org",
            "-connect",
            &server.proxy.address.to_string(),
            "-CAfile",
        ]);
        openssl.arg(server.proxy.folder.path().join("ca/poptape-ca.pem"));
        if tls == "stls" {
            openssl.args(["-starttls", "pop3"]);
        }
        let mut openssl =
            openssl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        openssl.stdin.as_mut().unwrap().write_all(b"USER kcope\nPASS x\nQUIT\n").unwrap();
        let output = openssl.wait_with_output().unwrap();
        let said = text(&output.stdout);
        assert!(said.contains("signing off (2 messages left)"), "{said}{}", text(&output.stderr));
        let left = server.proxy.stop();
        assert_eq!(Recorded::of(&left).tls()["server_name"], "pop.example.org", "{}", left.stdout);
    }
}

/// Listeners of one run, each by its scheme.
#[test]
fn listeners_differ() {
    let folder = tempfile::tempdir().unwrap();
    let ready = folder.path().join("ready");
    let more = ["-l", "pop3s://127.0.0.1:0", "-l", "pop3+stls://127.0.0.1:0", "--ready-file"];
    let server = serving(&[&more[..], &[ready.to_str().unwrap()]].concat());
    let said = std::fs::read_to_string(&ready).unwrap();
    let urls: Vec<_> = said.lines().map(|line| line.strip_prefix("ready ").unwrap()).collect();
    assert!(
        matches!(urls[..], [plain, first, stls] if plain.starts_with("pop3://") && first.starts_with("pop3s://")
        && stls.starts_with("pop3://"))
    );
    let connect = |url: &str| crate::support::connect(url.split_once("://").unwrap().1.parse().unwrap());
    let config = || trusting(&server.authority, rustls::DEFAULT_VERSIONS);
    assert!(Secure::begin(connect(urls[1]), config()).unwrap().line().starts_with("+OK"));
    for (url, answer) in [(urls[0], "-ERR"), (urls[2], "+OK begin")] {
        let mut stream = connect(url);
        super::peer::line(&mut stream);
        stream.write_all(b"STLS\r\n").unwrap();
        assert!(super::peer::line(&mut stream).starts_with(answer), "{url}");
    }
}

#[test]
fn a_certificate_of_ones_own_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let make = |name: &str| {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(path(&format!("{name}.pem")), made.cert.pem()).unwrap();
        std::fs::write(path(&format!("{name}.key")), made.signing_key.serialize_pem()).unwrap();
        made.cert.der().clone()
    };
    let (mine, _) = (make("mine"), make("other"));
    let (cert, key) = (path("mine.pem"), path("mine.key"));
    let server = serving(&["--tls", "implicit", "--cert", &cert, "--key", &key]);
    // It does not trust it, and sees it all the same.
    let openssl = Command::new("openssl")
        .args(["s_client", "-showcerts", "-connect", &server.proxy.address.to_string()])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let pem = std::fs::read_to_string(&cert).unwrap().replace('\r', "");
    assert!(text(&openssl.stdout).contains(pem.trim_end()), "{}", text(&openssl.stdout));
    assert!(!mine.is_empty());
    server.proxy.stop();

    let other = path("other.key");
    let none = path("none.pem");
    for (arguments, says) in [
        (&["--tls", "stls", "--cert", &cert][..], "--key"),
        (&["--cert", &cert, "--key", &key], "add --tls stls or --tls implicit"),
        (&["--tls-fail", "reset"], "add --tls stls or --tls implicit"),
        (&["--tls", "stls", "--cert", &cert, "--key", &other], "does not belong to"),
        (&["--tls", "stls", "--cert", &none, "--key", &key], "none.pem"),
        (&["--tls", "stls", "--cert", &key, "--key", &key], "holds no certificate"),
        (
            &["--tls", "stls", "--cert", &cert, "--key", &key, "--tls-fail", "cert-expired"],
            "leave --cert out",
        ),
    ] {
        let ran = run("serve", &[&LETTERS[..], arguments].concat(), &["true"]);
        assert_eq!(ran.output.status.code(), Some(2), "{arguments:?}: {}", ran.stderr());
        assert!(ran.stderr().contains(says), "{arguments:?}: {}", ran.stderr());
    }
    assert!(Path::new(&cert).exists());
}
