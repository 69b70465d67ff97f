//! A recording of a gigabyte: read as a stream, in little memory.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::text;

/// The address space that a reader may take, in kB.
const MEMORY: u32 = 200_000;

#[test]
fn a_recording_of_a_gigabyte_is_shown_in_little_memory() {
    const LINES: usize = 16 << 20;
    let mut child = Command::new("sh")
        .args(["-c", &format!("ulimit -v {MEMORY} && exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_poptape")])
        .args(["show", "--format", "jsonl", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = std::io::BufWriter::with_capacity(1 << 20, child.stdin.take().unwrap());
    let writer = std::thread::spawn(move || -> std::io::Result<()> {
        let header = r#"{"format": "poptape-recording", "version": 1, "generator": "test", "session": {"started": "2026-11-24T06:13:02Z"}, "exchanges": [
{"n": 0, "reply_at_us": 1, "reply": "+OK"},
{"n": 1, "at_us": 2, "command": "RETR 1", "reply_at_us": 3, "reply": "+OK", "body": ["#;
        input.write_all(header.as_bytes())?;
        for line in 0..LINES {
            let comma = if line == 0 { "" } else { "," };
            write!(input, "{comma}\n  \"The quick brown fox jumps over the lazy dog, sixty-two of it.\"")?;
        }
        input.write_all(b"\n]}\n], \"end\": {\"at_us\": 9, \"by\": \"client\", \"how\": \"finished\"}}\n")?;
        input.flush()
    });
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    writer.join().unwrap().unwrap();
    let retr: serde_json::Value = serde_json::from_str(text(&output.stdout).lines().last().unwrap()).unwrap();
    assert_eq!(retr["lines"].as_u64(), Some(LINES as u64));
    assert_eq!(retr["octets"].as_u64(), Some(63 * LINES as u64));
}
