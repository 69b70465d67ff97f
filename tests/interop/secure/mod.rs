//! TLS on both legs, between real peers: every way in which TLS can come to either, with every client that can speak it.

mod curl;
mod encrypted;
mod injected;
mod keys;
mod legs;
pub mod pki;
mod raw;
mod refused;
mod seen;
mod streams;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Left, Proxy, eventually, poptape, recordings, run, text};

/// poptape's own authority, and its certificate where every client can read it.
pub struct Authority {
    folder: TempDir,
}

impl Authority {
    pub fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let made = Self { folder };
        let (dir, pem) = (made.dir(), made.pem().display().to_string());
        let exported = run(&["ca", "--ca-dir", &dir, "--export", "pem", "-o", &pem]);
        assert_eq!(exported.status.code(), Some(0), "{}", text(&exported.stderr));
        made
    }

    pub fn pem(&self) -> PathBuf {
        self.folder.path().join("poptape.pem")
    }

    /// What `--ca-dir` is given.
    pub fn dir(&self) -> String {
        self.folder.path().join("ca").display().to_string()
    }

    /// `record` to `upstream`, with TLS towards clients as `tls` says.
    pub fn record(&self, upstream: &str, tls: &str, arguments: &[&str]) -> Proxy {
        self.record_with(upstream, tls, arguments, &[])
    }

    /// The same with variables in its environment.
    pub fn record_with(
        &self,
        upstream: &str,
        tls: &str,
        arguments: &[&str],
        variables: &[(&str, &Path)],
    ) -> Proxy {
        let folder = TempDir::new().unwrap();
        let mut command = poptape();
        command
            .env_remove("SSLKEYLOGFILE")
            .env_remove("POPTAPE_SSLKEYLOGFILE")
            .envs(variables.iter().copied());
        command.args(["record", "-l", "127.0.0.1:0", "-u", upstream, "--tls", tls, "--ca-dir", &self.dir()]);
        command.arg("-o").arg(folder.path().join("recordings")).args(arguments);
        Proxy::run(command, folder)
    }
}

/// Ends `record` once each of its sessions is over.
pub fn finish(proxy: Proxy) -> Left {
    let folder = proxy.folder.path().join("recordings");
    let is_over = |recording: &PathBuf| {
        // A file is no whole JSON while it is written.
        let text = fs::read_to_string(recording).unwrap();
        serde_json::from_str::<Value>(&text).is_ok_and(|recording| !recording["end"].is_null())
    };
    eventually("every session is over", || {
        let recordings = recordings(&folder);
        let mut jsons = recordings.iter().filter(|path| path.extension().unwrap() == "json");
        !recordings.is_empty() && jsons.all(is_over)
    });
    proxy.stop()
}

/// A recording as JSON.
pub fn json(recording: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(recording).unwrap()).unwrap()
}

/// The handshakes in a recording, in order.
pub fn handshakes(recording: &Value) -> Vec<&Value> {
    let elements = recording["exchanges"].as_array().unwrap().iter();
    elements.map(|element| &element["tls"]).filter(|tls| !tls.is_null()).collect()
}

/// The notes of a kind in a recording, in order.
pub fn notes<'a>(recording: &'a Value, kind: &str) -> Vec<&'a str> {
    let elements = recording["exchanges"].as_array().unwrap().iter();
    elements
        .filter(|element| element["note"] == kind)
        .map(|element| element["text"].as_str().unwrap())
        .collect()
}
