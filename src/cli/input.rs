//! Recordings and captures as input: opened, recognized, played.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use rustix::fs::{FileType, fstat};
use tokio::signal::unix::{SignalKind, signal};

use super::failure::{Failure, Verdict};
use super::output::{reader_gone, say, warn};
use crate::recording::file::{Input, recordings};
use crate::recording::format::{Integrity, ReadError, Reading};
use crate::recording::playback::Take;

/// A file that is longer takes long enough for a progress bar.
const LONG: u64 = 32 << 20;

/// Stands for standard input.
const STDIN: &str = "-";

/// Shows itself on a terminal only.
fn bar(length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {binary_bytes} of {binary_total_bytes}, {eta} left");
    let bar = ProgressBar::new(length);
    style.map_or(bar.clone(), |style| bar.with_style(style))
}

/// The files that a user named: a folder stands for the recordings in it, in order of their names.
pub(super) fn files(named: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in named {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let found = recordings(path)
            .map_err(|error| Failure::usage(format!("cannot read the folder {}: {error}", path.display())))?;
        if found.is_empty() {
            return Err(Failure::usage(format!(
                "there is no recording in the folder {}; `poptape record -o` makes some",
                path.display()
            )));
        }
        files.extend(found);
    }
    Ok(files)
}

/// Whether a path stands for standard input.
pub(super) fn is_stdin(path: &Path) -> bool {
    path == Path::new(STDIN)
}

/// Refuses it where a verb takes files alone.
pub(super) fn refuse_stdin(verb: &str, paths: &[PathBuf]) -> Result<(), Failure> {
    if paths.iter().any(|path| is_stdin(path)) {
        return Err(Failure::usage(format!(
            "{verb} does not read standard input: write it into a file first, and name that"
        )));
    }
    Ok(())
}

/// Where standard input is a pipe, an interrupt at the terminal reaches its writer too: what that one has left to say
/// is read, and the pipe's end is ours. A second interrupt ends the process at once.
fn leave_interrupts_to_the_writer() -> io::Result<()> {
    let kind = FileType::from_raw_mode(fstat(io::stdin())?.st_mode);
    if !matches!(kind, FileType::Fifo | FileType::Socket) {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let mut interrupts = {
        let _inside = runtime.enter();
        signal(SignalKind::interrupt())?
    };
    let wait = async move {
        interrupts.recv().await;
        interrupts.recv().await;
        std::process::exit(130)
    };
    std::thread::Builder::new().name("interrupts".to_owned()).spawn(move || runtime.block_on(wait))?;
    Ok(())
}

/// Plays one file; `-` is standard input. What can be read only in part is a finding, said on standard error, and so is
/// what there is to say of a capture. With `progress`, a bar on a terminal's standard error where it takes a while.
pub(super) fn play_file(
    path: &Path,
    reading: &Reading,
    progress: bool,
    take: &mut Take<'_>,
) -> Result<Verdict, Failure> {
    let name = if is_stdin(path) { "standard input".to_owned() } else { path.display().to_string() };
    let cannot = |error: io::Error| Failure::usage(format!("cannot read {name}: {error}"));
    let source: Box<dyn Read> = if is_stdin(path) {
        leave_interrupts_to_the_writer().map_err(cannot)?;
        Box::new(io::stdin())
    } else {
        let file = File::open(path).map_err(cannot)?;
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        if progress && length > LONG { Box::new(bar(length).wrap_read(file)) } else { Box::new(file) }
    };
    let input = Input::recognize(source).map_err(|error| match error {
        ReadError::Foreign(what) => Failure::usage(format!("{name} is not a recording: {what}")),
        other => Failure::usage(format!("cannot read {name}: {other}")),
    })?;
    let origin = path.file_name().filter(|_| !is_stdin(path)).map(|name| name.to_string_lossy().into_owned());
    let reading = Reading { name: origin.or(Some(name.clone())), ..reading.clone() };
    let mut failed = false;
    let summary =
        input.play(&reading, &mut |session, entry| take(session, entry).inspect_err(|_| failed = true));
    let summary = match summary {
        Ok(summary) => summary,
        Err(ReadError::Io(error)) if failed => return reader_gone(error).map(|()| Verdict::Clean),
        Err(ReadError::Io(error)) => return Err(cannot(error)),
        Err(error) => return Err(Failure::usage(format!("cannot read {name}: {error}"))),
    };
    for remark in &summary.remarks {
        say(&format!("poptape: {name}: {remark}"));
    }
    match summary.integrity {
        Integrity::Whole => Ok(Verdict::Clean),
        Integrity::Unfinished => {
            warn(&format!(
                "{name} is incomplete: it is still being written, or its writer was killed. All that was flushed is shown"
            ));
            Ok(Verdict::Finding)
        }
        Integrity::Damaged(how) => {
            warn(&format!("{name} is damaged: {how}. What comes before is shown"));
            Ok(Verdict::Finding)
        }
        Integrity::Lacking(what) => {
            warn(&format!("{name} does not hold all: {what}"));
            Ok(Verdict::Finding)
        }
    }
}
