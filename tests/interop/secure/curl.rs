//! What `record` changes for a test of a client's TLS policy, with curl as the client: it goes on, or it refuses to.

use std::io::{ErrorKind, Read as _};
use std::process::{Output, Stdio};

use rustls::ClientConnection;

use super::pki::Pki;
use super::raw::client_config;
use super::{Authority, finish, handshakes, json, notes};
use crate::interop::corpus::CORPUS;
use crate::interop::process::program;
use crate::interop::servers::{Kind, Server};
use crate::support::{Left, Proxy, Server as Scripted, text};

/// curl's exit codes: `CURLE_SSL_CONNECT_ERROR`, `CURLE_PEER_FAILED_VERIFICATION`, `CURLE_USE_SSL_FAILED`.
const NO_TLS: i32 = 35;
const NOT_TRUSTED: i32 = 60;
const TLS_REQUIRED: i32 = 64;

fn curl(proxy: &Proxy, scheme: &str, authority: &Authority, arguments: &[&str]) -> Output {
    let pem = authority.pem().display().to_string();
    program("curl")
        .args(["-q", "--silent", "--show-error", "--max-time", "20", "--cacert", &pem])
        .args(["--user", "kcope:two words"])
        .args(arguments)
        .arg(format!("{scheme}://{}/1", proxy.address))
        .output()
        .unwrap()
}

/// What curl said, and what was left, of one session with Dovecot, which offers STLS.
fn session(policy: &[&str], arguments: &[&str]) -> (Output, Left) {
    let (pki, authority) = (Pki::new(), Authority::new());
    let server = Server::start_secure(CORPUS, &pki.server());
    let ca = pki.ca().display().to_string();
    let url = format!("pop3://localhost:{}", server.addr.port());
    let proxy = authority.record(&url, "stls", &[&["--upstream-ca", &ca], policy].concat());
    let said = curl(&proxy, "pop3", &authority, arguments);
    (said, finish(proxy))
}

#[test]
fn a_client_that_insists_on_stls_does_not_go_on_without() {
    for policy in [&["--strip-stls"][..], &["--stls-respond", "-ERR [SYS/PERM] not today"]] {
        let (said, left) = session(policy, &["--ssl-reqd"]);
        assert_eq!(said.status.code(), Some(TLS_REQUIRED), "{policy:?}: {}", text(&said.stderr));
        let recording = json(&left.recording());
        let (client, server) = left.raw();
        assert!(!text(&client).contains("USER") && !text(&client).contains("AUTH"), "{policy:?}");
        assert!(!text(&server).contains("STLS"), "{policy:?}: {}", text(&server));
        assert_eq!(notes(&recording, "stls-hidden").len(), 1, "{policy:?}: {recording}");
        assert_eq!(handshakes(&recording).len(), 0, "{policy:?}");
    }
}

#[test]
fn a_client_that_does_not_insist_says_its_password_in_clear() {
    let (said, left) = session(&["--strip-stls", "--secrets", "keep"], &["--ssl"]);
    assert_eq!(said.status.code(), Some(0), "{}", text(&said.stderr));
    assert_eq!(text(&said.stdout).replace("\r\n", "\n"), CORPUS[0].octets);
    let (_, server) = left.raw();
    assert!(text(&server).contains(CORPUS[0].octets.lines().next().unwrap()));
    assert_eq!(handshakes(&json(&left.recording())).len(), 0);
}

#[test]
fn stls_is_answered_as_it_was_told_to_be() {
    // openssl asks for it whether it is offered or not.
    for (policy, answer) in [
        (&["--strip-stls"][..], "-ERR STLS is not available"),
        (&["--stls-respond", "-ERR [SYS/PERM] not today"], "-ERR [SYS/PERM] not today"),
    ] {
        let (pki, authority) = (Pki::new(), Authority::new());
        let server = Server::start_secure(CORPUS, &pki.server());
        let url = format!("pop3://localhost:{}", server.addr.port());
        let proxy = authority.record(&url, "stls", &[&["-k"], policy].concat());
        let said = program("openssl")
            .args(["s_client", "-starttls", "pop3", "-connect", &proxy.address.to_string()])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(!said.status.success());
        let left = finish(proxy);
        let (_, server) = left.raw();
        assert!(text(&server).contains(&format!("{answer}\r\n")), "{policy:?}: {}", text(&server));
        let recording = json(&left.recording());
        assert_eq!(notes(&recording, "stls-answered").len(), 1, "{recording}");
        assert_eq!(handshakes(&recording).len(), 0);
    }
}

#[test]
fn a_client_is_failed_in_each_way() {
    for (how, code, said_by_curl, recorded) in [
        ("handshake", NO_TLS, "handshake failure", "refused on purpose: --tls-fail handshake"),
        ("reset", NO_TLS, "Connection reset by peer", "reset on purpose: --tls-fail reset"),
        ("cert-expired", NOT_TRUSTED, "expired", "expired"),
        ("cert-wrong-host", NOT_TRUSTED, "no alternative certificate subject name matches", ""),
        ("cert-untrusted", NOT_TRUSTED, "SSL certificate problem", "does not trust"),
    ] {
        for (tls, scheme) in [("stls", "pop3"), ("implicit", "pop3s")] {
            let case = format!("{how}, {tls}");
            let authority = Authority::new();
            let server = Server::start(Kind::Dovecot, CORPUS);
            let proxy = authority.record(&format!("pop3://{}", server.addr), tls, &["--tls-fail", how]);
            let said = curl(&proxy, scheme, &authority, &["--ssl-reqd"]);
            assert_eq!(said.status.code(), Some(code), "{case}: {}", text(&said.stderr));
            assert!(text(&said.stderr).contains(said_by_curl), "{case}: {}", text(&said.stderr));
            let left = finish(proxy);
            assert_eq!(left.code, Some(0), "{case}: {}", left.stderr);
            let recording = json(&left.recording());
            let tls = handshakes(&recording)[0];
            if how != "cert-wrong-host" {
                let failure = &tls["failure"];
                assert!(failure["reason"].as_str().unwrap().contains(recorded), "{case}: {failure}");
                assert!(left.stdout.contains(recorded), "{case}: {}", left.stdout);
                assert_eq!(recording["end"]["how"], "tls-failed", "{case}");
            }
            if how.starts_with("cert") {
                assert!(
                    left.stdout.contains("as it should: --tls-fail")
                        || left.stdout.contains("as it should be: --tls-fail"),
                    "{case}: {}",
                    left.stdout
                );
            }
            let (client, _) = left.raw();
            assert!(!text(&client).contains("USER") && !text(&client).contains("AUTH"), "{case}");
        }
    }
}

/// A client that takes anything is found out.
#[test]
fn a_client_that_takes_a_bad_certificate_is_told_of() {
    for (how, what) in [
        ("cert-expired", "has expired"),
        ("cert-wrong-host", "is for another host"),
        ("cert-untrusted", "is signed by nobody whom anybody trusts"),
    ] {
        let authority = Authority::new();
        let server = Server::start(Kind::Dovecot, CORPUS);
        let proxy = authority.record(&format!("pop3://{}", server.addr), "implicit", &["--tls-fail", how]);
        let said = curl(&proxy, "pop3s", &authority, &["--insecure"]);
        assert_eq!(said.status.code(), Some(0), "{how}: {}", text(&said.stderr));
        let left = finish(proxy);
        assert_eq!(left.code, Some(1), "{how} is a finding: {}", left.stderr);
        let told = format!("the client took a certificate that {what} (--tls-fail)");
        assert_eq!(notes(&json(&left.recording()), "flaw-taken"), [told.as_str()]);
        assert!(left.stdout.contains(&told), "{how}: {}", left.stdout);
    }
}

#[test]
fn mechanisms_that_bind_to_the_channel_are_hidden() {
    let server = Scripted::answering(|line| match line {
        "CAPA" => b"+OK\r\nTOP\r\nSASL PLAIN SCRAM-SHA-256-PLUS SCRAM-SHA-256\r\nUSER\r\n.\r\n".to_vec(),
        line if line.starts_with("RETR") => b"+OK\r\nSubject: x\r\n\r\n.\r\n".to_vec(),
        _ => b"+OK\r\n".to_vec(),
    });
    for (policy, list) in [
        (&["--strip-plus"][..], "SASL PLAIN SCRAM-SHA-256\r\n"),
        (&[], "SASL PLAIN SCRAM-SHA-256-PLUS SCRAM-SHA-256\r\n"),
    ] {
        let authority = Authority::new();
        let proxy = authority.record(&format!("pop3://{}", server.address), "implicit", policy);
        let said = curl(&proxy, "pop3s", &authority, &["--sasl-ir"]);
        let left = finish(proxy);
        let (_, server) = left.raw();
        assert!(text(&server).contains(list), "{policy:?}: {}\n{}", text(&server), text(&said.stderr));
        let recording = json(&left.recording());
        let (hidden, warned) =
            (notes(&recording, "plus-hidden").len(), notes(&recording, "channel-binding").len());
        assert_eq!((hidden, warned), if policy.is_empty() { (0, 1) } else { (1, 0) }, "{recording}");
        let shown = if policy.is_empty() {
            "--strip-plus hides it"
        } else {
            "SCRAM-SHA-256-PLUS; the client is not told"
        };
        assert!(left.stdout.contains(shown), "{policy:?}: {}", left.stdout);
    }
}

/// curl does not tell a reset from an end.
#[test]
fn a_client_that_is_reset_is_reset() {
    let authority = Authority::new();
    let server = Server::start(Kind::Dovecot, CORPUS);
    let proxy = authority.record(&format!("pop3://{}", server.addr), "implicit", &["--tls-fail", "reset"]);
    let mut stream = proxy.connect();
    let config = client_config(&authority.pem());
    let mut connection = ClientConnection::new(config, "localhost".try_into().unwrap()).unwrap();
    connection.write_tls(&mut stream).unwrap();
    let ended = stream.read(&mut [0]).map_err(|error| error.kind());
    assert_eq!(ended, Err(ErrorKind::ConnectionReset));
    drop(stream);
    finish(proxy);
}
