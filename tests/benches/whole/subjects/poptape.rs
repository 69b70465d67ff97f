//! poptape, in what it records.

use std::path::Path;
use std::process::Command;

use super::{Around, Running, Subject};
use crate::works::serve;

pub const NOTHING: Subject =
    Subject { name: "nothing", program: None, slow: false, start: |around| record(around, &["--no-record"]) };

pub const JSON: Subject = Subject {
    name: "json",
    program: None,
    slow: false,
    start: |around| record(around, &["--format", "json"]),
};

pub const BOTH: Subject = Subject {
    name: "json+pcapng",
    program: None,
    slow: false,
    start: |around| record(around, &["--format", "json", "--format", "pcapng"]),
};

pub const SERVE: Subject = Subject {
    name: "serve",
    program: None,
    slow: false,
    start: |around| {
        let mbox = serve::mailbox(around.folder);
        let mut command = verb("serve", around.folder);
        command.args(["--user", "kcope:secret"]).arg(mbox);
        Running::ready(command)
    },
};

pub const REPLAY: Subject = Subject {
    name: "replay",
    program: None,
    slow: false,
    start: |around| {
        let recording = serve::recording(around);
        let mut command = verb("replay", around.folder);
        command.args(["--user", "kcope:secret"]).arg(recording);
        Running::ready(command)
    },
};

/// The program.
pub fn poptape() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_poptape"));
    command.env_remove("CI").env_remove("POPTAPE_MODE").env_remove("SSLKEYLOGFILE");
    command
}

fn verb(verb: &str, folder: &Path) -> Command {
    let mut command = poptape();
    command.current_dir(folder).args([verb, "--quiet"]).args(["-l", "127.0.0.1:0"]);
    command
}

/// Before the upstream. Recordings go to the folder.
pub fn record(around: &Around<'_>, arguments: &[&str]) -> Running {
    let mut command = verb("record", around.folder);
    let scheme = if around.tls.is_some() { "pop3s" } else { "pop3" };
    command.args(["-u", &format!("{scheme}://{}", around.upstream)]).args(arguments);
    if !arguments.contains(&"--no-record") {
        command.arg("-o").arg(around.folder.join("recordings"));
    }
    if let Some(pki) = around.tls {
        command.args(["--tls", "implicit", "--upstream-sni", "localhost"]);
        command.arg("--cert").arg(&pki.certificate).arg("--key").arg(&pki.key);
        command.arg("--upstream-ca").arg(&pki.certificate);
    }
    Running::ready(command)
}
