//! What goes wrong with TLS, each with what a tired person reads about it: on the screen, in the client's error, and in
//! the recording.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::process::{Child, ChildStdin, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::pki::{Flaw, Pair, Pki};
use super::{Authority, finish, handshakes, json, notes};
use crate::interop::clients::{self, Account, Client, Tls};
use crate::interop::corpus::CORPUS;
use crate::interop::process::program;
use crate::interop::servers::{Kind, Server};
use crate::support::{Left, Proxy, rest, text};

/// `openssl s_server`, which greets whoever gets through its handshake.
struct SServer {
    child: Child,
    address: SocketAddr,
    // It ends with its input.
    _input: ChildStdin,
}

impl SServer {
    fn start(pair: &Pair, arguments: &[&str]) -> Self {
        let mut child = program("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-key"])
            .arg(&pair.key)
            .arg("-cert")
            .arg(&pair.certificate)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("ACCEPT ") {
            line.clear();
            assert!(output.read_line(&mut line).unwrap() > 0, "openssl s_server does not start");
        }
        let address = line.trim_start_matches("ACCEPT ").trim().parse().unwrap();
        // Who does not read is no reason for it to stop.
        std::thread::spawn(move || output.read_to_end(&mut Vec::new()));
        let mut input = child.stdin.take().unwrap();
        input.write_all(b"+OK ready\r\n").unwrap();
        Self { child, address, _input: input }
    }

    fn url(&self) -> String {
        format!("pop3s://localhost:{}", self.address.port())
    }
}

impl Drop for SServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What came of one session.
struct Session {
    /// What the client in clear got.
    got: String,
    recording: Value,
    left: Left,
}

impl Session {
    /// The first handshake.
    fn tls(&self) -> &Value {
        handshakes(&self.recording)[0]
    }

    /// The person at the screen, the client and the recording are told of it: what is wrong, what to do, the alert.
    #[track_caller]
    fn assert_refused(&self, reason: &str, hint: &str) {
        let failure = &self.tls()["failure"];
        assert!(failure["reason"].as_str().unwrap().contains(reason), "{failure}");
        assert!(failure["hint"].as_str().unwrap_or_default().contains(hint), "{failure}");
        assert!(self.left.stdout.contains(reason) && self.left.stdout.contains(hint), "{}", self.left.stdout);
        assert!(self.got.starts_with("-ERR [SYS/TEMP] ") && self.got.contains(reason), "{}", self.got);
        assert_eq!(self.recording["end"]["how"], "tls-failed", "{}", self.recording["end"]);
        assert_eq!(self.left.code, Some(3), "nothing came of the only session: {}", self.left.stderr);
        assert!(self.left.stderr.contains("1 session could not be connected"), "{}", self.left.stderr);
    }
}

/// A client in clear that says QUIT where it is greeted.
fn session(url: &str, arguments: &[&str]) -> Session {
    let authority = Authority::new();
    let proxy = authority.record(url, "off", arguments);
    let mut client = proxy.connect();
    client.write_all(b"QUIT\r\n").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    // An upstream that resets is passed on.
    let got = rest(&mut client).map_or_else(|error| error.to_string(), |got| text(&got));
    drop(client);
    let left = finish(proxy);
    Session { got, recording: json(&left.recording()), left }
}

#[test]
fn certificates_that_are_not_to_be_trusted() {
    for (flaw, reason, hint, alert) in [
        (
            Flaw::WrongHost,
            "the certificate is for other.example, not for localhost",
            "--upstream-sni",
            "bad_certificate",
        ),
        (Flaw::Expired, "the certificate has expired", "new certificate", "certificate_expired"),
        (
            Flaw::SelfSigned,
            "the certificate is signed by nobody who is trusted here",
            "--upstream-ca",
            "unknown_ca",
        ),
    ] {
        let pki = Pki::new();
        let pair = pki.flawed(flaw);
        let ca = pki.ca().display().to_string();

        let server = SServer::start(&pair, &[]);
        let refused = session(&server.url(), &["--upstream-ca", &ca]);
        refused.assert_refused(reason, hint);
        let told = &refused.tls()["failure"]["alert"];
        assert_eq!((&told["name"], &told["sent"]), (&alert.into(), &true.into()), "{flaw:?}");
        assert!(refused.tls()["chain"][0]["subject"].is_string(), "{flaw:?}: {}", refused.tls());

        for trust in [&["-k"][..], &["-k", "--upstream-ca", &ca]] {
            let server = SServer::start(&pair, &[]);
            let taken = session(&server.url(), trust);
            assert_eq!(taken.got, "+OK ready\r\n", "{flaw:?}: {}", taken.left.stdout);
            assert!(taken.left.stderr.contains("NOT verified"), "{flaw:?}: {}", taken.left.stderr);
            assert!(taken.left.stdout.contains("NOT VERIFIED"), "{flaw:?}: {}", taken.left.stdout);
            let found = taken.tls()["trust"]["overruled"].as_str().unwrap();
            // Without the tests' authority nobody is trusted, and that comes first.
            let wanted = if trust.len() > 1 { reason } else { "the certificate" };
            assert!(found.contains(wanted), "{flaw:?}: {found}");
            assert_eq!(taken.left.code, Some(0), "{}", taken.left.stderr);
        }
    }
}

#[test]
fn a_self_signed_certificate_is_trusted_where_it_is_named() {
    let pki = Pki::new();
    let pair = pki.flawed(Flaw::SelfSigned);
    let server = SServer::start(&pair, &[]);
    let taken = session(&server.url(), &["--upstream-ca", &pair.certificate.display().to_string()]);
    assert_eq!((taken.got.as_str(), &taken.tls()["trust"]), ("+OK ready\r\n", &"verified".into()));
}

#[test]
fn another_name_may_be_asked_for() {
    let pki = Pki::new();
    let server = SServer::start(&pki.flawed(Flaw::WrongHost), &[]);
    let ca = pki.ca().display().to_string();
    let taken = session(&server.url(), &["--upstream-ca", &ca, "--upstream-sni", "other.example"]);
    assert_eq!((taken.got.as_str(), &taken.tls()["trust"]), ("+OK ready\r\n", &"verified".into()));
    assert_eq!(taken.tls()["server_name"], "other.example");
}

#[test]
fn a_server_of_tls_1_0_alone() {
    let pki = Pki::new();
    let server = SServer::start(&pki.server(), &["-tls1", "-cipher", "ALL:@SECLEVEL=0"]);
    let refused = session(&server.url(), &["--upstream-ca", &pki.ca().display().to_string()]);
    refused.assert_refused("neither TLS 1.2 nor TLS 1.3", "has to be updated");
}

#[test]
fn tls_1_2_alone_on_either_side() {
    let (pki, authority) = (Pki::new(), Authority::new());
    let ca = pki.ca().display().to_string();
    let server = SServer::start(&pki.server(), &["-tls1_2"]);
    let proxy = authority.record(&server.url(), "implicit", &["--upstream-ca", &ca]);
    let url = format!("pop3s://{}/", proxy.address);
    let pem = authority.pem().display().to_string();
    let said = program("curl")
        .args(["-q", "--silent", "--show-error", "--cacert", &pem, "--tls-max", "1.2", "--max-time", "20"])
        .args(["--request", "QUIT", &url])
        .output()
        .unwrap();
    let left = finish(proxy);
    let recording = json(&left.recording());
    let versions: Vec<_> = handshakes(&recording).iter().map(|tls| (&tls["leg"], &tls["version"])).collect();
    let wanted = [("client".into(), "TLSv1.2".into()), ("server".into(), "TLSv1.2".into())];
    assert_eq!(
        versions,
        wanted.iter().map(|(leg, version): &(Value, Value)| (leg, version)).collect::<Vec<_>>(),
        "{}{}",
        text(&said.stderr),
        left.stdout
    );
}

#[test]
fn plaintext_where_tls_was_expected() {
    let server = Server::start(Kind::Dovecot, CORPUS);
    let url = format!("pop3s://localhost:{}", server.addr.port());
    let pki = Pki::new();
    let refused = session(&url, &["--upstream-ca", &pki.ca().display().to_string()]);
    refused
        .assert_refused("the server does not speak TLS here: it sent \"+OK Dovecot ready", "write pop3://");
}

/// Both wait for the other to begin, until one has no more patience: that is said, too.
#[test]
fn tls_where_plaintext_was_expected() {
    let pki = Pki::new();
    let server = Server::start_secure(CORPUS, &pki.server());
    let url = format!("pop3://{}", server.secure.unwrap());
    for sends in ["", "QUIT\r\n"] {
        let authority = Authority::new();
        let proxy = authority.record(&url, "off", &[]);
        let mut client = proxy.connect();
        client.write_all(sends.as_bytes()).unwrap();
        if sends.is_empty() {
            client.shutdown(Shutdown::Write).unwrap();
        }
        // Dovecot goes without an alert.
        let _ = rest(&mut client);
        drop(client);
        let left = finish(proxy);
        let recording = json(&left.recording());
        let told = notes(&recording, "silent");
        assert_eq!(told.len(), 1, "{sends:?}: {recording}");
        assert!(told[0].contains("pop3s://"), "{told:?}");
        assert!(left.stdout.contains(told[0]), "{}", left.stdout);
    }
}

#[test]
fn a_client_of_tls_where_there_is_none() {
    let server = Server::start(Kind::Dovecot, CORPUS);
    for tls in ["off", "stls"] {
        let authority = Authority::new();
        let proxy = authority.record(&format!("pop3://{}", server.addr), tls, &[]);
        let outcome = fetch(Client::Curl, &proxy, &server, true, &authority);
        assert!(!outcome.ok, "{}", outcome.said);
        let left = finish(proxy);
        let recording = json(&left.recordings()[0]);
        let told = notes(&recording, "tls-unexpected");
        assert_eq!(told.len(), 1, "{tls}: {recording}");
        assert!(told[0].contains("--tls implicit") && left.stdout.contains(told[0]), "{}", left.stdout);
    }
}

#[test]
fn a_client_in_clear_where_tls_is_due() {
    let server = Server::start(Kind::Dovecot, CORPUS);
    for (sends, reason) in [
        ("USER kcope\r\n", "the client does not speak TLS here: it sent \"USER kcope\""),
        // It waits for the greeting, and then no longer.
        ("", "the client said nothing"),
    ] {
        let authority = Authority::new();
        let proxy = authority.record(&format!("pop3://{}", server.addr), "implicit", &[]);
        let mut client = proxy.connect();
        client.write_all(sends.as_bytes()).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let _ = rest(&mut client);
        let left = finish(proxy);
        let recording = json(&left.recording());
        let failure = &handshakes(&recording)[0]["failure"];
        assert!(failure["reason"].as_str().unwrap().contains(reason), "{failure}");
        assert!(failure["hint"].as_str().unwrap().contains("--tls stls or --tls off"), "{failure}");
        assert!(left.stdout.contains(reason), "{}", left.stdout);
    }
}

/// Each client says it in its own way, and some say nothing at all.
#[test]
fn clients_that_do_not_trust_poptape() {
    let server = Server::start(Kind::Dovecot, CORPUS);
    let pki = Pki::new();
    for client in
        [Client::Curl, Client::Fetchmail, Client::Getmail, Client::Mpop, Client::OpenSsl, Client::Python]
    {
        for implicit in [true, false] {
            if client == Client::Getmail && !implicit {
                continue;
            }
            let authority = Authority::new();
            let tls = if implicit { "implicit" } else { "stls" };
            let proxy = authority.record(&format!("pop3://{}", server.addr), tls, &[]);
            let home = TempDir::new().unwrap();
            let ca = pki.ca();
            let account = Account {
                tls: Some(Tls { implicit, ca: &ca }),
                ..Account::new(proxy.address, &server.user, &server.password)
            };
            let outcome = clients::fetch(client, account, true, home.path());
            assert!(!outcome.ok, "{client:?} took a certificate of nobody: {}", outcome.said);
            let left = finish(proxy);
            let recording = json(&left.recordings()[0]);
            assert!(left.stdout.contains("run `poptape ca`"), "{client:?}: {}", left.stdout);
            if client == Client::Mpop {
                // GnuTLS looks at the certificate once the handshake is over, and goes without an alert.
                assert!(notes(&recording, "tls")[0].contains("poptape ca"), "{recording}");
                continue;
            }
            let failure = &handshakes(&recording)[0]["failure"];
            assert!(failure["hint"].as_str().unwrap().contains("poptape ca"), "{client:?}: {recording}");
            assert_eq!(recording["end"]["how"], "tls-failed", "{client:?}");
        }
    }
}

#[test]
fn a_server_that_demands_a_client_certificate() {
    let pki = Pki::new();
    let ca = pki.ca().display().to_string();
    let Pair { certificate, key } = pki.client();
    let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
    for version in ["-tls1_2", "-tls1_3"] {
        let start = || {
            SServer::start(&pki.server(), &[version, "-Verify", "1", "-verify_return_error", "-CAfile", &ca])
        };
        let server = start();
        let refused = session(&server.url(), &["--upstream-ca", &ca]);
        let shown = &refused.left.stdout;
        assert!(!refused.got.starts_with("+OK"), "{version}: {}", refused.got);
        assert!(shown.contains("client certificate"), "{version}: {shown}");
        assert!(shown.contains("--upstream-cert FILE --upstream-key FILE"), "{version}: {shown}");

        let server = start();
        let arguments = ["--upstream-ca", &ca, "--upstream-cert", &certificate, "--upstream-key", &key];
        let taken = session(&server.url(), &arguments);
        assert_eq!(taken.got, "+OK ready\r\n", "{version}: {}", taken.left.stdout);
    }
}

#[test]
fn a_server_that_refuses_stls() {
    let server = Server::start(Kind::Dovecot, CORPUS);
    let pki = Pki::new();
    let url = format!("pop3+stls://localhost:{}", server.addr.port());
    let refused = session(&url, &["--upstream-ca", &pki.ca().display().to_string()]);
    assert!(
        refused.got.starts_with("-ERR [SYS/TEMP] the upstream server refused STLS: -ERR"),
        "{}",
        refused.got
    );
    let told = notes(&refused.recording, "stls-refused");
    assert_eq!(told.len(), 1, "{}", refused.recording);
    assert!(
        told[0].contains("write pop3://") && refused.left.stdout.contains(told[0]),
        "{}",
        refused.left.stdout
    );
    assert_eq!(refused.left.code, Some(3), "{}", refused.left.stderr);
}

fn fetch(
    client: Client,
    proxy: &Proxy,
    server: &Server,
    implicit: bool,
    authority: &Authority,
) -> clients::Outcome {
    let (home, pem) = (TempDir::new().unwrap(), authority.pem());
    let account = Account {
        tls: Some(Tls { implicit, ca: &pem }),
        ..Account::new(proxy.address, &server.user, &server.password)
    };
    clients::fetch(client, account, true, home.path())
}

/// A client of TLS 1.0 is told by an alert, and a person by words.
#[test]
fn a_client_of_tls_1_0_alone() {
    let server = Server::start(Kind::Dovecot, CORPUS);
    let authority = Authority::new();
    let proxy = authority.record(&format!("pop3://{}", server.addr), "stls", &[]);
    let said = program("openssl")
        .args(["s_client", "-tls1", "-cipher", "ALL:@SECLEVEL=0", "-starttls", "pop3", "-connect"])
        .arg(proxy.address.to_string())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!said.status.success());
    let left = finish(proxy);
    let recording = json(&left.recording());
    let failure = &handshakes(&recording)[0]["failure"];
    assert!(failure["reason"].as_str().unwrap().contains("neither TLS 1.2 nor TLS 1.3"), "{failure}");
    assert!(left.stdout.contains("neither TLS 1.2 nor TLS 1.3"), "{}", left.stdout);
    assert!(text(&said.stderr).contains("alert"), "{}", text(&said.stderr));
}
