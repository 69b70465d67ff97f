//! TLS towards clients, from outside: `serve` and `replay` before real clients, and clients that do what they should not.

mod behind;
mod clear;
mod ends;
mod failing;
mod peer;
mod replay;
mod serve;

use std::path::{Path, PathBuf};
use std::process::Output;

use poptape::net::tls::authority::Authority;
use serde_json::Value;

use crate::support::{Left, Proxy, poptape};

/// A verb that listens, with an authority that is known to the test.
pub struct Listening {
    pub proxy: Proxy,
    pub authority: Authority,
}

/// Runs a verb and records into its folder.
pub fn listening(verb: &str, arguments: &[&str]) -> Listening {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::open(&folder.path().join("ca")).unwrap();
    let mut command = command(verb, folder.path());
    command.args(arguments);
    Listening { proxy: Proxy::run(command, folder), authority }
}

/// `poptape serve` of two letters, to everybody.
pub fn serving(arguments: &[&str]) -> Listening {
    listening("serve", &[&["--user", "any", "tests/readme/letters"], arguments].concat())
}

fn command(verb: &str, folder: &Path) -> std::process::Command {
    let mut command = poptape();
    command.args([verb, "-l", "127.0.0.1:0", "--ca-dir"]).arg(folder.join("ca"));
    command.arg("-o").arg(folder.join("recordings"));
    command
}

/// A verb with a client that is run against it, to the end of both. `{ca}` in its arguments is the authority's certificate.
pub struct Ran {
    pub output: Output,
    folder: tempfile::TempDir,
}

pub fn run(verb: &str, arguments: &[&str], client: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    Authority::open(&folder.path().join("ca")).unwrap();
    let ca = folder.path().join("ca/poptape-ca.pem");
    let mut command = command(verb, folder.path());
    command.args(arguments).arg("--");
    command.args(client.iter().map(|word| word.replace("{ca}", ca.to_str().unwrap())));
    Ran { output: command.output().unwrap(), folder }
}

impl Ran {
    pub fn stdout(&self) -> String {
        crate::support::text(&self.output.stdout)
    }

    pub fn stderr(&self) -> String {
        crate::support::text(&self.output.stderr)
    }

    /// The only recording.
    pub fn recorded(&self) -> Recorded {
        let all = crate::support::recordings(&self.folder.path().join("recordings"));
        assert_eq!(all.len(), 1, "{}", self.stderr());
        Recorded::read(&all[0])
    }
}

/// A recording as it stands in its file.
pub struct Recorded(Value);

impl Recorded {
    pub fn of(left: &Left) -> Self {
        Self::read(&left.recording())
    }

    fn read(path: &PathBuf) -> Self {
        Self(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
    }

    fn elements(&self) -> impl Iterator<Item = &Value> {
        self.0["exchanges"].as_array().unwrap().iter()
    }

    /// The only handshake.
    pub fn tls(&self) -> &Value {
        let mut all = self.elements().filter_map(|element| element.get("tls"));
        let first = all.next().expect("there is a handshake");
        assert!(all.next().is_none(), "one handshake");
        first
    }

    /// The commands, in order, however they came in pieces; a handshake is `TLS`.
    pub fn commands(&self) -> Vec<&str> {
        self.elements().filter_map(asked_or_tls).collect()
    }

    /// The texts of the notes of a kind.
    pub fn notes(&self, kind: &str) -> Vec<&str> {
        let of_kind = self.elements().filter(|element| element["note"] == kind);
        of_kind.filter_map(|element| element["text"].as_str()).collect()
    }

    /// How a side ended its direction.
    pub fn closed(&self, side: &str) -> Option<&str> {
        self.elements().find(|element| element["closed"] == side)?["how"].as_str()
    }

    /// Who ended it, and how.
    pub fn end(&self) -> (&str, &str) {
        let end = &self.0["end"];
        (end["by"].as_str().unwrap(), end["how"].as_str().unwrap())
    }
}

/// The command of an element.
fn asked_or_tls(element: &Value) -> Option<&str> {
    match &element["command"] {
        _ if element.get("tls").is_some() => Some("TLS"),
        Value::Object(pieces) => pieces["text"].as_str(),
        command => command.as_str(),
    }
}
