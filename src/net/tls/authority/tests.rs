use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::UnixTime;
use rustls::{CertificateError, Error, RootCertStore};

use super::*;

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// What a client that trusts `authority` finds of a certificate, `later` than now.
fn verdict(authority: &Authority, shown: &CertifiedKey, name: &str, later: Duration) -> Result<(), Error> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), default_provider().into());
    let now = clock::wall().timestamp().cast_unsigned();
    let at = UnixTime::since_unix_epoch(Duration::from_secs(now) + later);
    let (server, rest) = shown.cert.split_first().unwrap();
    let name = ServerName::try_from(name).unwrap();
    verifier.build().unwrap().verify_server_cert(server, rest, &name, &[], at).map(|_| ())
}

fn why(verdict: Result<(), Error>) -> CertificateError {
    match verdict {
        Err(Error::InvalidCertificate(why)) => why,
        other => panic!("{other:?}"),
    }
}

const NOW: Duration = Duration::ZERO;

fn days(days: u64) -> Duration {
    Duration::from_secs(days * 24 * 3600)
}

#[test]
fn who_trusts_the_authority_trusts_what_it_issues() {
    let authority = Authority::ephemeral().unwrap();
    let long = format!("{}.example.org", "a".repeat(63));
    let asked = names(&[
        "POP.example.org.",
        "127.0.0.1",
        "::1",
        "pop.example.org",
        &long,
        "no name",
        "",
        "*.example.org",
    ]);
    let shown = authority.issue(&asked, None).unwrap();
    shown.keys_match().unwrap();
    for name in ["pop.example.org", "127.0.0.1", "::1", &long] {
        assert_eq!(verdict(&authority, &shown, name, NOW), Ok(()), "{name}");
        assert_eq!(verdict(&authority, &shown, name, days(395)), Ok(()), "{name}");
    }
    let CertificateError::NotValidForNameContext { presented, .. } =
        why(verdict(&authority, &shown, "other.example.org", NOW))
    else {
        panic!()
    };
    assert_eq!(presented.len(), 4, "{presented:?}");
    let CertificateError::ExpiredContext { time, not_after } =
        why(verdict(&authority, &shown, "::1", days(397)))
    else {
        panic!()
    };
    assert!(time > not_after);
    // Where nothing remains of the names, it is for nobody.
    let shown = authority.issue(&names(&["no name"]), None).unwrap();
    let found = why(verdict(&authority, &shown, "poptape", NOW));
    assert!(matches!(found, CertificateError::NotValidForNameContext { .. }), "{found:?}");
    // The length of a common name has a limit, that of what it is for is another.
    let shown = authority.issue(&names(&[&long]), None).unwrap();
    assert_eq!(certificate::facts(&shown.cert[0]).subject, format!("CN={}.", "a".repeat(63)));
}

#[test]
fn each_flaw_is_the_only_one() {
    let authority = Authority::ephemeral().unwrap();
    let asked = names(&["pop.example.org"]);
    let finds = |flaw, name| verdict(&authority, &authority.issue(&asked, Some(flaw)).unwrap(), name, NOW);
    assert!(matches!(why(finds(Flaw::Expired, "pop.example.org")), CertificateError::ExpiredContext { .. }));
    assert!(matches!(
        why(finds(Flaw::WrongHost, "pop.example.org")),
        CertificateError::NotValidForNameContext { .. }
    ));
    assert_eq!(finds(Flaw::WrongHost, WRONG_HOST), Ok(()));
    assert_eq!(why(finds(Flaw::Untrusted, "pop.example.org")), CertificateError::UnknownIssuer);
    // One who trusts the stranger finds nothing wrong.
    let shown = authority.issue(&asked, Some(Flaw::Untrusted)).unwrap();
    let again = authority.issue(&names(&["other.example.org"]), Some(Flaw::Untrusted)).unwrap();
    assert_eq!(shown.cert[1], again.cert[1]);
    let mut roots = RootCertStore::empty();
    roots.add(shown.cert[1].clone()).unwrap();
    let name = ServerName::try_from("pop.example.org").unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(clock::wall().timestamp().cast_unsigned()));
    WebPkiServerVerifier::builder_with_provider(roots.into(), default_provider().into())
        .build()
        .unwrap()
        .verify_server_cert(&shown.cert[0], &shown.cert[1..], &name, &[], now)
        .unwrap();
}

#[test]
fn a_certificate_is_made_once_and_forgotten_in_time() {
    let authority = Authority::ephemeral().unwrap();
    let first = authority.issue(&names(&["0.example.org"]), None).unwrap();
    let again = authority.issue(&names(&["0.EXAMPLE.org", "no name"]), None).unwrap();
    assert!(Arc::ptr_eq(&first, &again));
    let flawed = authority.issue(&names(&["0.example.org"]), Some(Flaw::Expired)).unwrap();
    assert_ne!(first.cert[0], flawed.cert[0]);
    for number in 0..KEPT {
        authority.issue(&names(&[&format!("{number}.example.org")]), None).unwrap();
        assert!(authority.issued.lock().unwrap().len() <= KEPT);
    }
    assert!(!Arc::ptr_eq(&first, &authority.issue(&names(&["0.example.org"]), None).unwrap()));
}

#[test]
fn the_folder_keeps_it() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("a").join("b");
    let first = Authority::open(&folder).unwrap();
    assert!(first.is_new() && first.warnings().is_empty());
    let subject = first.facts().subject;
    let digits = subject.strip_prefix("CN=poptape CA ").and_then(|rest| rest.strip_suffix(", O=poptape"));
    assert!(digits.is_some_and(|digits| digits.len() == 8), "{subject}");
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&first.key_file().unwrap())), (0o700, 0o600));
    assert_eq!(std::fs::read_to_string(first.certificate_file().unwrap()).unwrap(), first.pem());
    assert_eq!(folder.read_dir().unwrap().count(), 2, "a draft was left");

    std::fs::write(first.certificate_file().unwrap(), "something else").unwrap();
    let again = Authority::open(&folder).unwrap();
    assert!(!again.is_new());
    assert_eq!(again.facts(), first.facts());
    assert_eq!(std::fs::read_to_string(again.certificate_file().unwrap()).unwrap(), first.pem());
    // What the one signed, the other vouches for.
    let shown = again.issue(&names(&["localhost"]), None).unwrap();
    assert_eq!(verdict(&first, &shown, "localhost", NOW), Ok(()));

    std::fs::set_permissions(again.key_file().unwrap(), PermissionsExt::from_mode(0o640)).unwrap();
    let warnings = Authority::open(&folder).unwrap().warnings().join("\n");
    assert!(warnings.contains("chmod 600"), "{warnings}");
}

#[test]
fn all_who_begin_at_once_get_the_same() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("new");
    let gate = std::sync::Barrier::new(8);
    let open = || {
        gate.wait();
        let authority = Authority::open(&folder).unwrap();
        (authority.der().clone(), authority.is_new())
    };
    let opened: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(opened.iter().all(|(der, _)| *der == opened[0].0));
    assert_eq!(opened.iter().filter(|(_, is_new)| *is_new).count(), 1);
}

#[test]
fn what_is_damaged_is_said_and_can_be_replaced() {
    let home = tempfile::tempdir().unwrap();
    let (one, two) = (home.path().join("one"), home.path().join("two"));
    let key = Authority::open(&one).unwrap().key_file().unwrap();
    let whole = std::fs::read_to_string(&key).unwrap();
    let (private, certificate) = whole.split_at(whole.find("-----BEGIN CERTIFICATE").unwrap());
    let other = Authority::open(&two).unwrap().pem();
    let leaf = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    for (text, said) in [
        ("", "no private key"),
        (certificate, "no private key"),
        (private, "no certificate"),
        (&whole[..whole.len() - 40], "no certificate"),
        (&format!("{private}{other}"), "not that of its certificate"),
        (&(leaf.signing_key.serialize_pem() + &leaf.cert.pem()), "may not sign others"),
    ] {
        std::fs::write(&key, text).unwrap();
        let error = Authority::open(&one).unwrap_err().to_string();
        assert!(error.contains(said) && error.contains(key.to_str().unwrap()), "{said}: {error}");
        assert!(error.contains(&format!("poptape ca --new --ca-dir {}", one.display())), "{error}");
    }
    let expired = Signer::new(OURS, clock::wall() - TimeDelta::days(4000)).unwrap();
    std::fs::write(&key, expired.secret_pem()).unwrap();
    let error = Authority::open(&one).unwrap_err();
    assert!(matches!(error, AuthorityError::Expired { .. }), "{error}");

    // The old ones stay, each time.
    for number in 1..=2 {
        let before = std::fs::read_to_string(&key).unwrap();
        let (fresh, aside) = Authority::renew(&one).unwrap();
        assert!(fresh.is_new());
        assert_eq!(aside.len(), 2, "{aside:?}");
        assert!(aside.iter().all(|path| path.to_str().unwrap().ends_with(&format!(".old-{number}"))));
        assert_eq!(std::fs::read_to_string(&aside[0]).unwrap(), before);
    }
}

#[test]
fn no_leaf_outlives_its_root() {
    let home = tempfile::tempdir().unwrap();
    let key = Authority::open(home.path()).unwrap().key_file().unwrap();
    let old = Signer::new(OURS, clock::wall() - TimeDelta::days(3640)).unwrap();
    std::fs::write(&key, old.secret_pem()).unwrap();
    let authority = Authority::open(home.path()).unwrap();
    let shown = authority.issue(&names(&["localhost"]), None).unwrap();
    assert_eq!(certificate::facts(&shown.cert[0]).not_after, authority.facts().not_after);
    assert_eq!(verdict(&authority, &shown, "localhost", days(9)), Ok(()));
}

#[test]
fn nothing_tells_the_key() {
    let authority = Authority::ephemeral().unwrap();
    let secret = authority.signer.secret_pem();
    let key = secret.lines().nth(1).unwrap();
    assert!(!format!("{authority:?}").contains(key));
}
