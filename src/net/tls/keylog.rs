//! The key log: the secrets of both legs in the form that Wireshark and others read (`SSLKEYLOGFILE`).

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustls::KeyLog;

/// A file that secrets are appended to, a line each. Whoever reads it can read the sessions.
#[derive(Debug)]
pub struct KeyLogFile(Mutex<File>);

impl KeyLogFile {
    /// Opens it for appending; a new one is for its owner alone.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(Mutex::new(OpenOptions::new().create(true).append(true).mode(0o600).open(path)?)))
    }
}

impl KeyLog for KeyLogFile {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let line = line(label, client_random, secret);
        // One write a line, so that several programs may share the file. Without the line the session goes on.
        let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes());
    }
}

/// A secret as a line: label, client random and secret in hexadecimal.
pub fn line(label: &str, client_random: &[u8], secret: &[u8]) -> String {
    let mut line = label.to_owned();
    for octets in [client_random, secret] {
        line.push(' ');
        for octet in octets {
            // Writing to a String cannot fail.
            let _ = write!(line, "{octet:02x}");
        }
    }
    line.push('\n');
    line
}
