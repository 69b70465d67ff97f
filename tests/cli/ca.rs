//! poptape's own authority: its files, what other programs find of it, and whether what is said of trusting it is so.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use poptape::net::tls::authority::{Authority, Flaw};
use rustls::crypto::ring::default_provider;
use rustls::sign::SingleCertAndKey;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::{PATIENCE, poptape, text};

/// `poptape ca` with its folder, nothing in the environment.
fn ca(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = poptape();
    command.env_remove("POPTAPE_CA_DIR").args(["ca", "--ca-dir"]).arg(folder).args(arguments);
    command.output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn openssl(arguments: &[&str], folder: &Path) -> String {
    let output = Command::new("openssl").args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn it_is_made_once_and_shown() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("authority");
    let first = ca(&folder, &[]);
    assert!(
        text(&first.stderr).starts_with("made a new certificate authority in "),
        "{}",
        text(&first.stderr)
    );
    let again = ca(&folder, &[]);
    assert_eq!(text(&again.stderr), "");
    let shown = stdout(&again);
    assert_eq!(stdout(&first), shown);
    let key = folder.join("poptape-ca.key.pem");
    assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!shown.contains("PRIVATE KEY") && shown.contains(key.to_str().unwrap()), "{shown}");
    // OpenSSL says the same of it.
    let pem = folder.join("poptape-ca.pem");
    let facts =
        ["x509", "-in", pem.to_str().unwrap(), "-noout", "-fingerprint", "-sha256", "-nameopt", "RFC2253"];
    let found = openssl(&[&facts[..], &["-subject"]].concat(), &folder);
    let digest = found.lines().find_map(|line| line.split_once("ingerprint=")).unwrap().1;
    assert!(shown.contains(&format!("SHA-256      {digest}\n")), "{shown}{found}");
    let subject = found.lines().find_map(|line| line.strip_prefix("subject=")).unwrap();
    assert!(shown.contains(&format!("subject      {}\n", subject.replace(',', ", "))), "{shown}{found}");
    // A program's way alone is a part of it.
    let way = stdout(&ca(&folder, &["--for", "java"]));
    assert!(way.starts_with("Java (--for java)\n  keytool ") && shown.contains(&way), "{way}");
}

#[test]
fn the_environment_says_where_it_is_and_the_flag_counts_more() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    let run = |arguments: &[&str], told: Option<&str>| {
        let mut command = poptape();
        command.arg("ca").args(arguments).env("XDG_CONFIG_HOME", path("config")).env_remove("POPTAPE_CA_DIR");
        if let Some(told) = told {
            command.env("POPTAPE_CA_DIR", told);
        }
        stdout(&command.current_dir(home.path()).output().unwrap())
    };
    for (arguments, told, place) in [
        (&[][..], None, path("config/poptape")),
        (&[], Some(""), path("config/poptape")),
        (&[], Some("told"), path("told")),
        (&["--ca-dir", "flag"], Some("told"), path("flag")),
    ] {
        let shown = run(arguments, told);
        // Of use from any folder.
        assert!(shown.contains(&format!("--cacert {}/poptape-ca.pem ", place.display())), "{shown}");
        assert!(place.join("poptape-ca.key.pem").exists());
    }
}

#[test]
fn it_is_exported_without_its_key() {
    let home = tempfile::tempdir().unwrap();
    let pem = stdout(&ca(home.path(), &["--export", "pem"]));
    assert_eq!(pem, std::fs::read_to_string(home.path().join("poptape-ca.pem")).unwrap());
    let der = ca(home.path(), &["--export", "der"]).stdout;
    let file = home.path().join("ca.der");
    let to_file = ca(home.path(), &["--export", "der", "-o", file.to_str().unwrap()]);
    assert_eq!(stdout(&to_file), "");
    assert_eq!(std::fs::read(&file).unwrap(), der);
    assert_eq!(openssl(&["x509", "-inform", "der", "-in", "ca.der"], home.path()), pem);
    let lost = ca(home.path(), &["-o", file.to_str().unwrap()]);
    assert_eq!(lost.status.code(), Some(2));
    // A terminal makes nothing of octets.
    let mut terminal = Command::new("script");
    let line =
        format!("'{}' ca --ca-dir '{}' --export der", env!("CARGO_BIN_EXE_poptape"), home.path().display());
    terminal.args(["-qec", &line, "/dev/null"]).stdin(Stdio::null());
    let refused = terminal.output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stdout).contains("name a file with -o"), "{}", text(&refused.stdout));
}

#[test]
fn a_new_one_takes_the_place_of_one_that_is_kept() {
    let home = tempfile::tempdir().unwrap();
    let first = stdout(&ca(home.path(), &["--export", "pem"]));
    let renewed = ca(home.path(), &["--new", "--export", "pem"]);
    assert_ne!(stdout(&renewed), first);
    let said = text(&renewed.stderr);
    let kept = home.path().join("poptape-ca.pem.old-1");
    assert!(said.contains(&format!("the old one is kept as {}\n", kept.display())), "{said}");
    assert_eq!(std::fs::read_to_string(kept).unwrap(), first);
    assert_eq!(stdout(&ca(home.path(), &["--export", "pem"])), text(&renewed.stdout));

    std::fs::write(home.path().join("poptape-ca.key.pem"), "spilt tea").unwrap();
    let damaged = ca(home.path(), &[]);
    assert_eq!(damaged.status.code(), Some(2));
    let said = text(&damaged.stderr);
    assert!(said.contains("poptape-ca.key.pem is damaged") && said.contains("poptape ca --new"), "{said}");
    stdout(&ca(home.path(), &["--new"]));

    std::fs::write(home.path().join("file"), "").unwrap();
    let nowhere = ca(&home.path().join("file"), &[]);
    assert_eq!((nowhere.status.code(), text(&nowhere.stdout)), (Some(3), String::new()));
}

#[test]
fn openssl_finds_nothing_wrong() {
    let home = tempfile::tempdir().unwrap();
    stdout(&ca(home.path(), &[]));
    let authority = Authority::open(home.path()).unwrap();
    let shown = authority.issue(&["pop.example.org".to_owned(), "::1".to_owned()], None).unwrap();
    std::fs::write(home.path().join("leaf.der"), &shown.cert[0]).unwrap();
    openssl(&["x509", "-inform", "der", "-in", "leaf.der", "-out", "leaf.pem"], home.path());
    let verify = ["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "poptape-ca.pem"];
    for name in [["-verify_hostname", "pop.example.org"], ["-verify_ip", "::1"]] {
        openssl(&[&verify[..], &name, &["leaf.pem"]].concat(), home.path());
    }
    let root = openssl(&["x509", "-in", "poptape-ca.pem", "-noout", "-text"], home.path());
    let leaf = openssl(&["x509", "-in", "leaf.pem", "-noout", "-text"], home.path());
    for said in ["CA:TRUE, pathlen:0", "Certificate Sign, CRL Sign", "Subject Key Identifier"] {
        assert!(root.contains(said), "{said}: {root}");
    }
    for said in
        ["TLS Web Server Authentication", "Authority Key Identifier", "Subject Key Identifier", "CA:FALSE"]
    {
        assert!(leaf.contains(said), "{said}: {leaf}");
    }
}

/// What clients are to do, as `poptape ca` says it, does make them trust it, and nobody else.
#[test]
fn the_ways_to_trust_it_work() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("it's \"here\" $HOME");
    let shown = stdout(&ca(&folder, &[]));
    std::fs::write(home.path().join("fetch.py"), PYTHON).unwrap();
    // Fetchmail and curl would ask for a password.
    let netrc = home.path().join(".netrc");
    std::fs::write(
        &netrc,
        "machine 127.0.0.1 login ada password secret\nmachine localhost login ada password secret\n",
    )
    .unwrap();
    std::fs::set_permissions(&netrc, PermissionsExt::from_mode(0o600)).unwrap();
    let authority = Authority::open(&folder).unwrap();
    for (program, blank, filled) in [
        ("curl", "NAME", "ada:secret"),
        ("openssl", "1110", "{port}"),
        ("fetchmail", "NAME", "ada"),
        ("mpop", "1110", "{port}"),
        ("python", "PROGRAM", "fetch.py {port}"),
        (
            "others",
            "PROGRAM",
            "openssl s_client -verify_return_error -starttls pop3 -connect 127.0.0.1:{port}",
        ),
    ] {
        let way = stdout(&ca(&folder, &["--for", program]));
        assert!(shown.contains(&way), "{way}");
        let line = way.lines().skip(1).find(|line| !line.starts_with("  #")).unwrap();
        let line = line.replace(blank, filled);
        for flaw in [None, Some(Flaw::Untrusted)] {
            let (output, trusted) = meets_server(&authority, flaw, |port| {
                let mut shell = Command::new("sh");
                let line = line.replace("1110", "{port}").replace("{port}", &port.to_string());
                shell.args(["-c", &line]).env("HOME", home.path()).env_remove("FETCHMAILHOME");
                shell.current_dir(home.path()).stdin(Stdio::null()).output().unwrap()
            });
            let said = text(&output.stdout) + &text(&output.stderr);
            assert_eq!(trusted, flaw.is_none(), "{flaw:?}: {line}: {said}");
        }
    }
}

const PYTHON: &str = "\
import poplib, ssl, sys
box = poplib.POP3('127.0.0.1', int(sys.argv[1]))
box.stls(context=ssl.create_default_context())
box.quit()
";

/// Runs a client against a server that offers STLS; gives whether the client went on inside TLS.
fn meets_server(
    authority: &Authority,
    flaw: Option<Flaw>,
    client: impl FnOnce(u16) -> Output,
) -> (Output, bool) {
    let shown = authority.issue(&["localhost".to_owned(), "127.0.0.1".to_owned()], flaw).unwrap();
    let config = ServerConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut stream = BufReader::new(stream);
        stream.get_mut().write_all(b"+OK ready\r\n").unwrap();
        if !converse(&mut stream).is_some_and(|last| last.starts_with("STLS")) {
            return false;
        }
        let connection = ServerConnection::new(Arc::new(config)).unwrap();
        let mut inside = BufReader::new(StreamOwned::new(connection, stream.into_inner()));
        converse(&mut inside).is_some()
    });
    let output = client(address.port());
    // Where the client did not come, somebody has to.
    drop(TcpStream::connect(address));
    (output, server.join().unwrap())
}

/// Answers until STLS, QUIT or the client's end; gives the last line. None: the client broke off.
fn converse<S: Read + Write>(stream: &mut BufReader<S>) -> Option<String> {
    loop {
        let mut line = String::new();
        let octets = stream.read_line(&mut line).ok()?;
        let ends = octets == 0 || line.starts_with("STLS") || line.starts_with("QUIT");
        let answer: &[u8] = match line.trim_end() {
            "CAPA" => b"+OK\r\nSTLS\r\nUSER\r\n.\r\n",
            _ if ends => b"+OK\r\n",
            _ => b"-ERR\r\n",
        };
        let answered = stream.get_mut().write_all(answer);
        if ends {
            return Some(line);
        }
        answered.ok()?;
    }
}
