//! Standard output and standard error: the only place that prints.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use super::failure::{Failure, Verdict};

/// How long a line for standard error waits to be taken.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many may wait; more are dropped.
const LINES: usize = 64;

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

/// One line on standard error. There is nobody to tell where that fails; and where nobody takes it, as on a terminal that
/// was stopped, neither the sessions nor the end of the program wait for it.
pub(super) fn say(line: &str) {
    /// Whether the last line was not taken in time.
    static STUCK: AtomicBool = AtomicBool::new(false);
    /// To the thread that speaks: it alone is held up.
    static VOICE: LazyLock<SyncSender<(String, SyncSender<()>)>> = LazyLock::new(|| {
        let (voice, lines) = sync_channel::<(String, SyncSender<()>)>(LINES);
        std::thread::spawn(move || {
            for (line, said) in lines {
                let _ = io::stderr().lock().write_all(line.as_bytes());
                STUCK.store(false, Ordering::Relaxed);
                let _ = said.send(());
            }
        });
        voice
    });
    let (said, is_said) = sync_channel(1);
    let taken = VOICE.try_send((format!("{line}\n"), said)).is_ok();
    if taken && !STUCK.load(Ordering::Relaxed) && is_said.recv_timeout(PATIENCE).is_err() {
        STUCK.store(true, Ordering::Relaxed);
    }
}

/// An error.
pub(super) fn complain(message: &str) {
    say(&format!("poptape: {message}"));
}

/// Something that does not end the run.
pub(super) fn warn(message: &str) {
    say(&format!("poptape: warning: {message}"));
}

/// Writes a file that is seen whole or not at all. What is there and is no file, a device or a pipe, is written to as it
/// is and never replaced.
pub(super) fn whole_file<T>(
    path: &Path,
    create: fn(&Path) -> io::Result<File>,
    write: impl FnOnce(&mut dyn Write) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let cannot = |error: io::Error| Failure::writing(path, &error);
    if path.metadata().is_ok_and(|found| !found.is_file()) {
        let mut device = OpenOptions::new().write(true).open(path).map_err(cannot)?;
        return write(&mut device);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let draft = folder.join(format!(".{name}.{}", std::process::id()));
    let result = create(&draft).map_err(cannot).and_then(|file| {
        let mut file = BufWriter::new(file);
        let written = write(&mut file)?;
        file.flush().and_then(|()| std::fs::rename(&draft, path)).map_err(cannot)?;
        Ok(written)
    });
    if result.is_err() {
        // What is left behind is only a draft.
        let _ = std::fs::remove_file(&draft);
    }
    result
}

/// The same with all that there is to write.
pub(super) fn write_whole(path: &Path, octets: &[u8]) -> Result<(), Failure> {
    whole_file(
        path,
        |path| File::create(path),
        |file| file.write_all(octets).map_err(|error| Failure::writing(path, &error)),
    )
}

/// Fills a folder, which is made where it is missing. Where that fails, `files` are removed from it, and so is the
/// folder, if it was made here and is empty.
pub(super) fn filled_folder<T>(
    folder: &Path,
    files: &[&str],
    fill: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let ours = !folder.exists();
    let result = fill();
    if result.is_err() {
        // What cannot be removed was not made, or holds what others need.
        for file in files {
            let _ = std::fs::remove_file(folder.join(file));
        }
        if ours {
            let _ = std::fs::remove_dir(folder);
        }
    }
    result
}
