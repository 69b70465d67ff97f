//! Standard output and standard error: the only place that prints.

use std::io::{self, ErrorKind, Write};

use super::failure::{Failure, Verdict};

/// Prints a whole result.
pub(super) fn print(octets: &[u8]) -> Result<Verdict, Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(octets).and_then(|()| stdout.flush()).or_else(reader_gone)?;
    Ok(Verdict::Clean)
}

/// Whoever read our output has seen enough: that is no failure.
#[expect(clippy::needless_pass_by_value, reason = "stands in or_else")]
pub(super) fn reader_gone(error: io::Error) -> Result<(), Failure> {
    if error.kind() == ErrorKind::BrokenPipe {
        return Ok(());
    }
    Err(Failure::runtime(format!("cannot write the result: {error}")))
}

/// One line on standard error. There is nobody to tell where that fails.
pub(super) fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// An error.
pub(super) fn complain(message: &str) {
    say(&format!("poptape: {message}"));
}

/// Something that does not end the run.
pub(super) fn warn(message: &str) {
    say(&format!("poptape: warning: {message}"));
}
