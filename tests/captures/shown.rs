//! What the program shows of a capture, for a program to read.

use std::path::Path;

use serde_json::Value;

use super::files::{Packet, plain};
use crate::support::{raw, run, text};

/// What came of `show --format jsonl`.
pub struct Shown {
    pub code: Option<i32>,
    /// A line an exchange.
    pub rows: Vec<Value>,
    pub stderr: String,
}

impl Shown {
    pub fn of(file: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.pcap");
        std::fs::write(&path, file).unwrap();
        let output = run(&["show", "--format", "jsonl", path.to_str().unwrap()]);
        let stderr = text(&output.stderr);
        assert!(!stderr.contains("panicked"), "{stderr}");
        let rows = text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        Self { code: output.status.code(), rows, stderr }
    }

    /// Of every exchange: command, status with text, and how much its body is.
    pub fn exchanges(&self) -> Vec<String> {
        let word = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let body = |row: &Value| match (&row["lines"], &row["octets"]) {
            (Value::Number(lines), Value::Number(octets)) => format!("{lines} lines, {octets} octets"),
            _ => String::new(),
        };
        let line = |row: &Value| {
            let status = format!("{} {}", word(row, "status"), word(row, "text"));
            let parts = [word(row, "command"), status.trim_end().to_owned(), body(row)];
            parts.join(" | ").trim_end_matches(" | ").to_owned()
        };
        self.rows.iter().map(line).collect()
    }
}

/// The exchanges of a capture that is whole.
#[track_caller]
pub fn exchanges(packets: &[Packet]) -> Vec<String> {
    let shown = Shown::of(&plain(packets));
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    shown.exchanges()
}

/// The octets of both sides of the only session.
pub fn streams(packets: &[Packet]) -> (Vec<u8>, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.pcap");
    std::fs::write(&path, plain(packets)).unwrap();
    let out = folder.path().join("kept.json");
    let path: [&Path; 2] = [&path, &out];
    let [path, out] = path.map(|path| path.to_str().unwrap());
    let output = run(&["convert", "--secrets", "keep", path, out]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    raw(Path::new(out))
}
