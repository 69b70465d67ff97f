//! `poptape replay` under TLS: what was recorded in clear, and what was recorded inside of TLS.

use std::path::PathBuf;

use super::run;
use crate::support::text;

const CURL: [&str; 8] = ["curl", "-sS", "--ssl-reqd", "--cacert", "{ca}", "-u", "kcope:secret", "{url}/2"];

/// curl with Dovecot, by STLS: the second session of the sample.
fn by_stls(folder: &tempfile::TempDir) -> PathBuf {
    let sessions = format!("{}/sessions/", folder.path().display());
    let convert = ["convert", "recordings/curl-dovecot.pcapng", &sessions];
    let output = crate::support::run(&convert);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    crate::support::recordings(sessions.as_ref()).remove(1)
}

/// The same program again, with TLS as it was, with another one, and with none: it gets what it got, and the whole
/// recording is used.
#[test]
fn the_recorded_client_comes_again_however_tls_comes() {
    let folder = tempfile::tempdir().unwrap();
    let recording = by_stls(&folder);
    let recording = recording.to_str().unwrap();
    let clear = ["curl", "-sS", "-u", "kcope:secret", "{url}/2"];
    for (tls, client) in [("stls", &CURL[..]), ("implicit", &CURL), ("off", &clear)] {
        let arguments = [recording, "--mode", "exact", "--require-all", "--tls", tls, "--quiet"];
        let ran = run("replay", &arguments, client);
        let said = ran.stderr();
        assert_eq!(ran.output.status.code(), Some(0), "{tls}: {said}");
        assert!(ran.stdout().contains("Subject: dots"), "{tls}: {}", ran.stdout());
        assert!(said.contains("session 1: 4 of 4 exchanges"), "{tls}: {said}");
        assert!(!said.contains("off the recording") && !said.contains("not used"), "{tls}: {said}");
    }
}

/// Where STLS is offered, a client that does without it is off script, and gets nothing that was recorded under TLS.
#[test]
fn who_does_without_tls_is_off_script() {
    let folder = tempfile::tempdir().unwrap();
    let recording = by_stls(&folder);
    let arguments = [recording.to_str().unwrap(), "--mode", "exact", "--tls", "stls", "--quiet"];
    let ran = run("replay", &arguments, &["curl", "-sS", "-u", "kcope:secret", "{url}/2"]);
    assert!(!ran.output.status.success() && ran.stdout().is_empty(), "{}", ran.stdout());
    assert!(ran.stderr().contains("recorded, but under TLS: STLS comes first"), "{}", ran.stderr());
}

/// A session in clear is replayed under TLS: STLS takes nobody off script.
#[test]
fn a_recording_in_clear_is_replayed_under_tls() {
    let folder = tempfile::tempdir().unwrap();
    let transcript = folder.path().join("clear.transcript");
    let lines = "S: +OK ready\nC: CAPA\nS: +OK\nS: USER\nS: .\nC: USER kcope\nS: +OK\nC: PASS ********\nS: +OK in\n\
                 C: RETR 2\nS: +OK\nS: Subject: in clear\nS: \nS: .\nC: QUIT\nS: +OK\n";
    std::fs::write(&transcript, lines).unwrap();
    for tls in ["stls", "implicit"] {
        let arguments =
            [transcript.to_str().unwrap(), "--mode", "exact", "--require-all", "--tls", tls, "--quiet"];
        let ran = run("replay", &arguments, &CURL);
        assert_eq!(ran.output.status.code(), Some(0), "{tls}: {}", ran.stderr());
        assert!(ran.stdout().starts_with("Subject: in clear"), "{tls}: {}", ran.stdout());
        assert_eq!(ran.recorded().commands().contains(&"STLS"), tls == "stls");
    }
}
