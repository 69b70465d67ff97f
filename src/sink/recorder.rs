//! The recorder: a file a session and a format, or one for all sessions of a run where the format holds several.
//! After each flush a file is whole: it ends with a tail that the next octets overwrite, so that even `kill -9`
//! leaves what every reader accepts.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::mem::take;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::Sink;
use crate::recording::file::RUN;
use crate::recording::format::{Format, Writer, Writing};
use crate::recording::{Entry, Header};

/// Octets that are held for one session before they are written without waiting for a flush.
const BUFFER: usize = 256 * 1024;

/// Octets that are held for all sessions together before those of each are written, however few.
const HELD: usize = 16 << 20;

/// Files that are kept open, at most. The others are opened again when their session goes on, so that an idle one
/// needs no descriptor.
const OPEN_FILES: usize = 64;

/// How many files a recorder keeps open, which are fewer where descriptors are few.
pub fn open_files() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit.map_or(OPEN_FILES, |limit| OPEN_FILES.min((limit / 4) as usize))
}

/// What files are made.
#[derive(Default)]
pub struct Files {
    /// In which formats.
    pub formats: Vec<&'static dyn Format>,
    /// How those are written that can be written in several ways.
    pub writing: Writing,
    /// What one file is for.
    pub per: Per,
}

/// What one file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Per {
    /// A session.
    #[default]
    Session,
    /// All sessions of the run, where the format holds several.
    Run,
}

/// See the [module](self).
pub struct Recorder {
    folder: PathBuf,
    files: Files,
    sessions: HashMap<u32, Vec<Recording>>,
    /// The files for the run, once it has a session.
    run: Vec<Recording>,
    run_dirty: bool,
    dirty: HashSet<u32>,
    /// Octets that were taken since the last flush: no fewer than are held.
    taken: usize,
    /// The sessions whose files are open, the one used last at the end.
    open: VecDeque<u32>,
    /// How many may be.
    open_files: usize,
    announce: Option<Announce>,
    finished: Finished,
}

/// Is told where a session that has ended was recorded: session, path.
pub type Announce = Box<dyn Fn(u32, &Path) + Send>;

/// The finished recordings; that of a run from its beginning on. They are counted and not listed: there can be any
/// number.
#[derive(Debug, Clone, Default)]
pub struct Finished(Arc<Mutex<(u64, Option<PathBuf>)>>);

impl Finished {
    /// How many there are so far.
    pub fn count(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// The last one.
    pub fn last(&self) -> Option<PathBuf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    fn add(&self, path: PathBuf) {
        let mut finished = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *finished = (finished.0 + 1, Some(path));
    }
}

/// One file.
struct Recording {
    path: PathBuf,
    writer: Box<dyn Writer>,
    file: Option<File>,
    /// Taken, not written.
    buffer: Vec<u8>,
    /// Where the buffer's place in the file is.
    end: u64,
    /// The file's length, with the tail.
    length: u64,
}

impl Recorder {
    /// Records into `folder`, which is made where it is missing.
    pub fn new(folder: &Path, files: Files, announce: Option<Announce>) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        if !fs::metadata(folder)?.is_dir() {
            return Err(io::Error::new(ErrorKind::NotADirectory, "it is not a folder"));
        }
        // Better said now than in the middle of the first session.
        rustix::fs::access(folder, rustix::fs::Access::WRITE_OK)?;
        let (sessions, run, run_dirty, dirty, taken, open, finished) = Default::default();
        let (folder, open_files) = (folder.to_owned(), open_files());
        Ok(Self {
            folder,
            files,
            sessions,
            run,
            run_dirty,
            dirty,
            taken,
            open,
            open_files,
            announce,
            finished,
        })
    }

    /// What is said of the finished recordings.
    pub fn finished(&self) -> Finished {
        self.finished.clone()
    }

    fn begin(&mut self, session: u32, header: &Header) -> io::Result<()> {
        let Files { formats, writing, per } = &self.files;
        let of_run = |format: &&dyn Format| *per == Per::Run && format.holds_several();
        let make = |format: &dyn Format, name: &str| {
            let (path, file) = create(&self.folder, header, name, format.extension())?;
            Ok::<_, io::Error>(Recording {
                path,
                writer: format.writer(writing),
                file: Some(file),
                buffer: Vec::new(),
                end: 0,
                length: 0,
            })
        };
        if self.run.is_empty() {
            for format in formats.iter().copied().filter(of_run) {
                let recording = make(format, RUN)?;
                self.finished.add(recording.path.clone());
                self.run.push(recording);
            }
        }
        let mut recordings = Vec::new();
        for format in formats.iter().copied().filter(|format| !of_run(format)) {
            recordings.push(make(format, &format!("{:04}", header.session))?);
        }
        self.sessions.insert(session, recordings);
        self.used(session);
        Ok(())
    }

    /// Notes that a session's files are open; closes those of the one that was used longest ago.
    fn used(&mut self, session: u32) {
        if self.open.back() == Some(&session) {
            return;
        }
        self.open.retain(|&open| open != session);
        self.open.push_back(session);
        if self.open.len() * self.files.formats.len().max(1) > self.open_files
            && let Some(oldest) = self.open.pop_front()
        {
            for recording in self.sessions.get_mut(&oldest).into_iter().flatten() {
                recording.file = None;
            }
        }
    }

    fn finish(&mut self, session: u32) -> io::Result<()> {
        self.dirty.remove(&session);
        self.open.retain(|&open| open != session);
        for mut recording in self.sessions.remove(&session).into_iter().flatten() {
            recording.write(false)?;
            if let Some(announce) = &self.announce {
                announce(session, &recording.path);
            }
            self.finished.add(recording.path);
        }
        for (recording, announce) in self.run.iter().zip(self.announce.iter().cycle()) {
            announce(session, &recording.path);
        }
        Ok(())
    }
}

impl Sink for Recorder {
    fn name(&self) -> &'static str {
        "recording"
    }

    fn take(&mut self, session: u32, entry: &Entry) -> io::Result<()> {
        if let Entry::Opened(header) = entry {
            self.begin(session, header)?;
        }
        let Some(recordings) = self.sessions.get_mut(&session) else { return Ok(()) };
        let mut full = false;
        self.run_dirty = true;
        for recording in recordings.iter_mut().chain(&mut self.run) {
            let before = recording.buffer.len();
            recording.writer.take(session, entry, &mut recording.buffer);
            self.taken += recording.buffer.len() - before;
            if recording.buffer.len() > BUFFER {
                recording.write(false)?;
                full = true;
            }
        }
        if full {
            self.used(session);
        }
        if let Entry::Ended(_) = entry {
            return self.finish(session);
        }
        self.dirty.insert(session);
        if self.taken > HELD { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.taken = 0;
        if take(&mut self.run_dirty) {
            self.run.iter_mut().try_for_each(|recording| recording.write(true))?;
        }
        for session in take(&mut self.dirty) {
            for recording in self.sessions.get_mut(&session).into_iter().flatten() {
                recording.write(true)?;
            }
            self.used(session);
        }
        Ok(())
    }
}

impl Recording {
    /// Writes the buffer to its place, with a tail behind it if wanted, in one call.
    fn write(&mut self, tail: bool) -> io::Result<()> {
        let mut octets = take(&mut self.buffer);
        let added = octets.len() as u64;
        if tail {
            self.writer.tail(&mut octets);
        }
        let file = match &self.file {
            Some(file) => file,
            None => {
                self.file.insert(OpenOptions::new().write(true).open(&self.path).map_err(|e| self.at(&e))?)
            }
        };
        let wanted = self.end + octets.len() as u64;
        let result = file.write_all_at(&octets, self.end).and_then(|()| {
            // A shorter end than before would leave part of the old tail behind it.
            if wanted < self.length { file.set_len(wanted) } else { Ok(()) }
        });
        result.map_err(|error| self.at(&error))?;
        self.end += added;
        self.length = wanted;
        if !tail {
            // More than fits comes at once: it is filled again. That of a session which is idle is given back.
            octets.clear();
            self.buffer = octets;
        }
        Ok(())
    }

    fn at(&self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("{}: {error}", self.path.display()))
    }
}

/// Makes a new file, `0600`, whose name sorts by the session's start: never one that is there already.
fn create(folder: &Path, header: &Header, name: &str, extension: &str) -> io::Result<(PathBuf, File)> {
    let start = header.started.format("%Y-%m-%dT%H-%M-%S%.3fZ");
    let mut attempt = 0;
    loop {
        let again = if attempt == 0 { String::new() } else { format!("-{attempt}") };
        let path = folder.join(format!("{start}-{name}{again}.{extension}"));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && attempt < 1000 => attempt += 1,
            Err(error) => return Err(io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pop3::{Event, Secrets};
    use crate::recording::format::named;
    use crate::wire::{Arrivals, Run};

    fn opened(session: u32) -> Entry {
        Entry::Opened(Box::new(Header {
            generator: "poptape".to_owned(),
            session,
            started: chrono::DateTime::UNIX_EPOCH,
            client: "127.0.0.1:5000".to_owned(),
            listener: "127.0.0.1:1110".to_owned(),
            upstream: "pop3://127.0.0.1:110".to_owned(),
            server: None,
            secrets: Secrets::Redact,
            origin: None,
            unknown: serde_json::Map::new(),
            outer: serde_json::Map::new(),
        }))
    }

    #[test]
    fn what_many_sessions_hold_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let formats = vec![named("json").unwrap()];
        let files = Files { formats, writing: Writing::default(), per: Per::Session };
        let mut recorder = Recorder::new(folder.path(), files, None).unwrap();
        let body = "x".repeat(70) + "\r\n";
        let bytes = body.repeat(BUFFER / 80).into();
        let body = Entry::Event(Event::Body { n: 0, run: Run { bytes, arrivals: Arrivals::new() } });
        let sessions = 2 * (HELD / BUFFER) as u32;
        for session in 1..=sessions {
            recorder.take(session, &opened(session)).unwrap();
            recorder.take(session, &body).unwrap();
            let held: usize = recorder.sessions.values().flatten().map(|it| it.buffer.capacity()).sum();
            assert!(held < 2 * (HELD + BUFFER), "{held} octets for {session} sessions");
        }
        assert!(recorder.taken < HELD);
    }
}
