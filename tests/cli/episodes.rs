//! `poptape record --mode`: recorded the first time, replayed from then on.

use std::path::Path;
use std::process::Output;

use crate::support::{Server, poptape, recordings, text};

const CLIENT: &str = "
import os, poplib
p = poplib.POP3(os.environ['POP3_HOST'], int(os.environ['POP3_PORT']))
p.user('ada'); p.pass_('secret'); print(p.stat()); p.quit()
";

fn upstream() -> Server {
    Server::answering(|line| match line {
        "STAT" => b"+OK 7 700\r\n".to_vec(),
        _ => b"+OK\r\n".to_vec(),
    })
}

/// Runs the client before `upstream`, or one that refuses.
fn run(mode: &str, upstream: Option<&Server>, folder: &Path, environment: &[(&str, &str)]) -> Output {
    // Port 1 on loopback: nobody listens there.
    let url = upstream.map_or("127.0.0.1:1".to_owned(), |server| server.address.to_string());
    let mut command = poptape();
    command.env_remove("CI").env_remove("POPTAPE_MODE").envs(environment.iter().copied());
    command.args(["record", "--mode", mode, "-u", &url, "-l", "127.0.0.1:0", "--quiet", "-o"]).arg(folder);
    command.args(["--", "python3", "-c", CLIENT]).output().unwrap()
}

#[test]
fn once_records_the_first_time_and_replays_after() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("mail");
    let server = upstream();
    let first = run("once", Some(&server), &folder, &[]);
    assert_eq!(
        (first.status.code(), text(&first.stdout)),
        (Some(0), "(7, 700)\n".to_owned()),
        "{}",
        text(&first.stderr)
    );
    assert_eq!(recordings(&folder).len(), 1);
    for environment in [&[][..], &[("CI", "true")]] {
        let again = run("once", None, &folder, environment);
        assert_eq!(
            (again.status.code(), text(&again.stdout)),
            (Some(0), "(7, 700)\n".to_owned()),
            "{}",
            text(&again.stderr)
        );
        assert!(text(&again.stderr).contains("4 of 4 exchanges"), "{}", text(&again.stderr));
    }
    assert_eq!(recordings(&folder).len(), 1);
}

#[test]
fn under_ci_nothing_is_recorded_unless_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("mail");
    let server = upstream();
    let refused = run("once", Some(&server), &folder, &[("CI", "true")]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("under CI nothing is recorded"), "{}", text(&refused.stderr));
    let told = run("once", Some(&server), &folder, &[("CI", "true"), ("POPTAPE_MODE", "once")]);
    assert_eq!(told.status.code(), Some(0), "{}", text(&told.stderr));
    assert_eq!(recordings(&folder).len(), 1);
}

#[test]
fn new_episodes_are_recorded_behind_the_old_ones() {
    let folder = tempfile::tempdir().unwrap();
    let server = upstream();
    for sessions in [1, 2] {
        let output = poptape()
            .env_remove("CI")
            .env_remove("POPTAPE_MODE")
            .args(["record", "--mode", "new-episodes", "-l", "127.0.0.1:0", "--quiet"])
            .args(["-u", &server.address.to_string(), "-o"])
            .arg(folder.path())
            .args(["--", "python3", "-c", &CLIENT.repeat(sessions)])
            .output()
            .unwrap();
        assert_eq!(text(&output.stdout), "(7, 700)\n".repeat(sessions), "{}", text(&output.stderr));
        assert_eq!(recordings(folder.path()).len(), sessions);
    }
}

#[test]
fn none_asks_no_server() {
    let folder = tempfile::tempdir().unwrap();
    let server = upstream();
    assert_eq!(run("none", Some(&server), folder.path(), &[]).status.code(), Some(2));
    run("all", Some(&server), folder.path(), &[]);
    assert_eq!(text(&run("none", None, folder.path(), &[]).stdout), "(7, 700)\n");
    // A session more than there are is refused, and the client says so.
    let twice = poptape()
        .env_remove("POPTAPE_MODE")
        .args(["record", "--mode", "none", "-l", "127.0.0.1:0", "--quiet", "-o"])
        .arg(folder.path())
        .args(["--", "python3", "-c", &CLIENT.repeat(2)])
        .output()
        .unwrap();
    assert!(text(&twice.stderr).contains("every recorded session was served"), "{}", text(&twice.stderr));
    assert_eq!(twice.status.code(), Some(1));
}
