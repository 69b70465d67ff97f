//! `--tls-fail`: what a client finds, what poptape says of it, and what is recorded.

use std::io::ErrorKind;

use super::peer::{Secure, asked, trusting};
use super::{Recorded, run, serving};

/// A way to fail: what curl finds, the alert with whether poptape sent it, and what poptape says.
type Way = (&'static str, &'static str, Option<(&'static str, bool)>, &'static str);

const WAYS: &[Way] = &[
    (
        "cert-expired",
        "certificate has expired",
        Some(("certificate_expired", false)),
        "showed it a certificate that has expired",
    ),
    (
        "cert-wrong-host",
        "no alternative certificate subject name matches",
        None,
        "showed it a certificate that is for another host",
    ),
    (
        "cert-untrusted",
        "self-signed certificate in certificate chain",
        Some(("unknown_ca", false)),
        "showed it a certificate that is signed by nobody",
    ),
    (
        "handshake",
        "alert handshake failure",
        Some(("handshake_failure", true)),
        "refused on purpose: --tls-fail handshake",
    ),
    // Whether it is sending or reading when the reset comes, curl says it in its own words.
    ("reset", "curl: (35)", None, "reset on purpose: --tls-fail reset"),
];

#[test]
fn curl_finds_it_and_it_is_told_and_recorded() {
    for &(how, found, alert, told) in WAYS {
        for tls in ["stls", "implicit"] {
            let arguments = ["--user", "any", "tests/readme/letters", "--tls", tls, "--tls-fail", how];
            let curl = ["curl", "-sS", "--ssl-reqd", "--cacert", "{ca}", "-u", "kcope:x", "{url}/1"];
            let ran = run("serve", &arguments, &curl);
            let (out, err) = (ran.stdout(), ran.stderr());
            assert!(err.contains(found), "{how} {tls}: {err}");
            let recorded = ran.recorded();
            assert!(!recorded.commands().iter().any(|command| command.starts_with("AUTH")), "{how} {tls}");
            // A name that does not fit curl finds only after the handshake is over on its side.
            if how == "cert-wrong-host" && recorded.tls().get("failure").is_none() {
                assert!(recorded.notes("flaw-taken").is_empty(), "{out}");
                continue;
            }
            assert!(out.contains("TLS failed") && out.contains(told), "{how} {tls}: {out}");
            assert_eq!(recorded.end(), ("client", "tls-failed"), "{how} {tls}");
            let failure = &recorded.tls()["failure"];
            let recorded = failure
                .get("alert")
                .map(|alert| (alert["name"].as_str().unwrap(), alert["sent"].as_bool().unwrap()));
            assert_eq!(recorded, alert, "{how} {tls}: {failure}");
        }
    }
}

/// A client of another library, which names the flaw itself.
#[test]
fn rustls_finds_it_too() {
    for (how, finds) in [
        ("cert-expired", "certificate expired"),
        ("cert-wrong-host", "not valid for name"),
        ("cert-untrusted", "UnknownIssuer"),
        ("handshake", "HandshakeFailure"),
    ] {
        let server = serving(&["--tls", "stls", "--tls-fail", how]);
        let config = trusting(&server.authority, rustls::DEFAULT_VERSIONS);
        let error = Secure::begin(asked(&server, b"STLS\r\n"), config).err().expect(how).to_string();
        assert!(error.contains(finds), "{how}: {error}");
        let left = server.proxy.stop();
        let recorded = Recorded::of(&left);
        assert_eq!(recorded.commands(), ["STLS", "TLS"]);
        assert_eq!(recorded.end(), ("client", "tls-failed"), "{how}: {}", left.stdout);
    }
}

/// A reset is one, whatever came before it.
#[test]
fn a_reset_is_a_reset() {
    let server = serving(&["--tls", "implicit", "--tls-fail", "reset"]);
    let config = trusting(&server.authority, rustls::DEFAULT_VERSIONS);
    let error = Secure::begin(server.proxy.connect(), config).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
    assert_eq!(Recorded::of(&server.proxy.stop()).end(), ("client", "tls-failed"));
}

/// A client that does not trust the authority is told of, with what to do.
#[test]
fn who_does_not_trust_the_authority_is_told_how() {
    let server = serving(&["--tls", "implicit"]);
    let stranger = poptape::net::tls::authority::Authority::ephemeral().unwrap();
    let config = trusting(&stranger, rustls::DEFAULT_VERSIONS);
    assert!(Secure::begin(server.proxy.connect(), config).is_err());
    let left = server.proxy.stop();
    assert!(left.stdout.contains("run `poptape ca`"), "{}", left.stdout);
    assert_eq!(Recorded::of(&left).tls()["failure"]["alert"]["sent"], false);
}

/// The finding: a client that takes what it must not take.
#[test]
fn who_takes_a_flawed_certificate_is_a_finding() {
    let arguments = [
        "--user",
        "any",
        "tests/readme/letters",
        "--tls",
        "implicit",
        "--tls-fail",
        "cert-untrusted",
        "--quiet",
    ];
    let ran = run("serve", &arguments, &["curl", "-sS", "-k", "-u", "kcope:x", "{url}/1"]);
    assert_eq!(ran.output.status.code(), Some(1), "{}", ran.stderr());
    assert_eq!(ran.recorded().notes("flaw-taken").len(), 1);
    let careful = ["curl", "-sS", "-u", "kcope:x", "{url}/1"];
    // curl's own code: poptape has found nothing.
    assert_eq!(run("serve", &arguments, &careful).output.status.code(), Some(60));
}
