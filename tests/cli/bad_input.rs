//! Bad input gets a message of what, where and what to do, and its exit code.

use std::net::{Ipv4Addr, TcpListener};

use crate::support::{run, text};

#[track_caller]
fn check(arguments: &[&str], code: i32, says: &[&str]) {
    let output = run(arguments);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    for part in says {
        assert!(stderr.contains(part), "{part:?} is not in: {stderr}");
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn files_that_are_no_recordings() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, octets: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, octets).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let text = file("notes.txt", b"Dear diary");
    let empty = file("empty.json", b"");
    let foreign = file("package.json", b"{\"name\": \"left-pad\", \"version\": \"1.0.0\"}");
    let newer = file("newer.json", b"{\"format\": \"poptape-recording\", \"version\": 99, \"session\": {}}");
    let missing = folder.path().join("missing.json").to_str().unwrap().to_owned();
    for verb in ["show", "convert"] {
        let refused = |path: &str, says: &[&str]| {
            let out = folder.path().join("out.raw").to_str().unwrap().to_owned();
            let arguments = if verb == "show" { vec![verb, path] } else { vec![verb, path, &out] };
            check(&arguments, 2, &[&[path], says].concat());
        };
        refused(&text, &["not a recording"]);
        refused(&empty, &["it is empty"]);
        refused(&foreign, &["not a poptape recording"]);
        refused(&newer, &["version 99", "update poptape"]);
        refused(&missing, &["No such file"]);
    }
}

#[test]
fn a_truncated_and_a_damaged_recording_give_what_is_there() {
    let whole = std::fs::read("recordings/seed.json").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.json");
    let shown = |octets: &[u8]| {
        std::fs::write(&path, octets).unwrap();
        run(&["show", path.to_str().unwrap()])
    };
    let cut = shown(&whole[..whole.len() / 2]);
    assert_eq!(cut.status.code(), Some(1));
    assert!(text(&cut.stderr).contains("incomplete"), "{}", text(&cut.stderr));
    assert!(text(&cut.stdout).contains("USER kcope"), "{}", text(&cut.stdout));
    let at = whole.len() / 2;
    let damaged = shown(&[&whole[..at], b"\0\0\0\0", &whole[at..]].concat());
    assert_eq!(damaged.status.code(), Some(1));
    assert!(text(&damaged.stderr).contains("damaged"), "{}", text(&damaged.stderr));
    assert!(text(&damaged.stdout).contains("USER kcope"), "{}", text(&damaged.stdout));
}

#[test]
fn one_bad_file_does_not_hide_the_others() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.json"), b"").unwrap();
    std::fs::copy("recordings/seed.json", folder.path().join("b.json")).unwrap();
    let shown = run(&["show", folder.path().to_str().unwrap()]);
    assert_eq!(shown.status.code(), Some(1));
    assert!(text(&shown.stderr).contains("a.json is not a recording"), "{}", text(&shown.stderr));
    assert!(text(&shown.stdout).contains("USER kcope"), "{}", text(&shown.stdout));
}

#[test]
fn arrivals_out_of_order_and_times_without_end_are_damage_and_not_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let seed = std::fs::read_to_string("recordings/seed.json").unwrap();
    let start = &seed[..seed.find("\"exchanges\": [").unwrap() + 14];
    for (place, element) in [
        r#"{"opaque": "server", "octets": [{"base64": "AAAAAAAAAAAAAAAA", "arrivals": [[7, 10], [1, 20]]}]}"#,
        r#"{"n": 0, "reply_at_us": 1, "reply": "+OK", "body": [{"text": "abc", "arrivals": [[3, 9], [1, 10]]}]}"#,
        r#"{"n": 0, "reply_at_us": 18446744073709551615, "reply": "+OK"}"#,
    ]
    .iter()
    .enumerate()
    {
        let file = folder.path().join(format!("{place}.json"));
        std::fs::write(&file, format!("{start}{element}], \"end\": null}}")).unwrap();
        let again = folder.path().join("again.json");
        for arguments in [vec!["show", "-vv"], vec!["convert"]] {
            let mut command = crate::support::poptape();
            command.args(&arguments).arg(&file);
            if arguments[0] == "convert" {
                command.arg(&again);
            }
            let output = command.output().unwrap();
            assert_eq!(output.status.code(), Some(1), "{element}: {}", text(&output.stderr));
        }
    }
}

#[test]
fn folders() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().to_str().unwrap();
    check(&["show", empty], 2, &[empty, "no recording"]);
    check(&["show", &format!("{empty}/missing")], 2, &["missing", "No such file"]);
    let file = folder.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let below = file.join("recordings");
    check(
        &["record", "-u", "127.0.0.1:110", "-l", "127.0.0.1:0", "-o", below.to_str().unwrap()],
        3,
        &[below.to_str().unwrap(), "Not a directory"],
    );
}

#[test]
fn addresses() {
    check(&["record", "-u", "pop3://h:110", "-k"], 2, &["there is no TLS to pop3://h:110", "pop3s://"]);
    check(&["record", "-u", "pop3s://h", "--upstream-ca", "missing.pem"], 2, &["missing.pem"]);
    check(&["record", "-u", "h:110", "--tls-fail", "reset"], 2, &["--tls stls"]);
    check(&["record", "-u", "h:110", "--stls-respond", "+OK"], 2, &["-ERR"]);
    let encrypted = ["record", "-u", "h:110", "--pcap-tls", "encrypted"];
    check(&[&encrypted[..], &["--secrets", "keep"]].concat(), 2, &["--format pcapng"]);
    check(&[&encrypted[..], &["--format", "pcapng"]].concat(), 2, &["--secrets keep"]);
    check(&["record", "-u", "imap://pop.example.org"], 2, &["unknown scheme"]);
    check(&["record", "-u", "pop.example.org"], 2, &["pop3://host"]);
    check(&["record", "-u", "h:110", "-l", "1110"], 2, &["127.0.0.1:1110"]);
    check(&["record"], 2, &["--upstream"]);
}

#[test]
fn a_busy_port_and_a_name_that_cannot_be_resolved() {
    let busy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = busy.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().to_str().unwrap();
    check(&["record", "-u", "127.0.0.1:110", "-o", output, "-l", &address], 3, &[&address, "in use", "-l"]);
    let upstream = "pop3://no-such-host.invalid";
    check(&["record", "-u", upstream, "-o", output, "-l", "127.0.0.1:0"], 3, &["no-such-host.invalid", "-u"]);
}

#[test]
fn outputs_that_mean_nothing() {
    check(&["convert", "recordings/seed.json", "out.docx"], 2, &["out.docx", ".eml/"]);
    check(&["convert", "recordings/seed.json", "/nonexistent/out.json"], 3, &["/nonexistent/out.json"]);
}
