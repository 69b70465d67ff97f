//! The verbs that need no peers.

use std::process::Stdio;

use crate::support::{poptape, run, text};

#[test]
fn the_schema_is_a_schema() {
    let output = run(&["schema"]);
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(schema["title"], "poptape recording, version 1");
}

#[test]
fn completions_name_every_verb() {
    let script = text(&run(&["completions", "bash"]).stdout);
    for verb in ["record", "replay", "serve", "show", "convert", "demo", "ca", "schema"] {
        assert!(script.contains(verb), "{verb}");
    }
}

#[test]
fn the_demo_leaves_a_recording_that_shows_again() {
    let folder = tempfile::tempdir().unwrap();
    let demo = poptape().arg("demo").current_dir(folder.path()).output().unwrap();
    assert_eq!(demo.status.code(), Some(0), "{}", text(&demo.stderr));
    let said = text(&demo.stderr);
    let path = said.lines().find_map(|line| line.strip_prefix("The recording is ")).unwrap();
    let shown = poptape().args(["show", path]).current_dir(folder.path()).output().unwrap();
    assert_eq!(shown.status.code(), Some(0), "{}", text(&shown.stderr));
    let live = text(&demo.stdout);
    let (live, announced) = live.trim_end().rsplit_once('\n').unwrap();
    assert_eq!(text(&shown.stdout).trim_end(), live, "offline differs from live");
    assert_eq!(announced, format!("#1  recorded in {path}"));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let mut child = poptape().args(["show", "recordings/seed.json"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// A device is written to, and stays one: this once replaced /dev/null.
#[test]
fn what_is_no_file_is_not_replaced() {
    use std::os::unix::fs::FileTypeExt as _;
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.json");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    for arguments in
        [&["convert", "recordings/seed.json"][..], &["replay", "recordings/seed.json", "--quiet", "--report"]]
    {
        let mut command = poptape();
        command.args(arguments).arg(&pipe);
        if arguments[0] == "replay" {
            command.args(["--", "true"]);
        }
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        // Opening it waits for the writer, and reading for what it writes.
        let read = std::fs::read_to_string(&pipe).unwrap();
        assert!(read.starts_with('{'), "{read}");
        assert_eq!(child.wait().unwrap().code(), Some(0));
        assert!(pipe.metadata().unwrap().file_type().is_fifo());
    }
}

#[test]
fn standard_input_is_a_recording_too() {
    let file = std::fs::File::open("recordings/seed.json").unwrap();
    let output = poptape().args(["show", "-"]).stdin(file).output().unwrap();
    assert!(text(&output.stdout).contains("USER kcope"), "{}", text(&output.stderr));
}
