//! An mbox: one file that holds messages one after the other, each behind a line that begins with `From `.
//!
//! Such a line begins a message where it is the first line or follows a blank line (RFC 4155 appendix A). Neither
//! that line nor the blank line before the next one belongs to a message.

mod rewrite;
mod unquoted;

use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use self::rewrite::Lock;
pub use self::unquoted::Quoting;
use self::unquoted::{FROM, Unquoted};
use super::files::{Exactly, Stamp, at, changed, no_such_message};
use super::normal::{ContentIds, Measure, PIECE};
use super::{Listing, Snapshot, Store, Text};

/// The messages of an mbox.
#[derive(Debug)]
pub struct Mbox {
    path: PathBuf,
    quoting: Quoting,
    index: Mutex<Option<(Identity, Arc<Index>)>>,
}

/// By what a file is known to be the same and unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    stamp: Stamp,
}

impl Identity {
    fn of(file: &Metadata) -> Self {
        Self { device: file.dev(), inode: file.ino(), stamp: Stamp::of(file) }
    }

    fn is_same_file(self, other: Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

#[derive(Debug)]
struct Index {
    places: Vec<Place>,
    listing: Listing,
}

/// Where a message is in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    /// Where its From line begins.
    start: u64,
    /// Where its text begins.
    text: u64,
    /// Where the next message begins or the file ended.
    end: u64,
    measure: Measure,
}

impl Mbox {
    /// Of a file; fails where it cannot be opened. Where the path is a link, the file that it leads to now is
    /// meant from here on.
    pub fn open(path: &Path, quoting: Quoting) -> io::Result<Self> {
        let path = path.canonicalize().map_err(at(path))?;
        File::open(&path).map_err(at(&path))?;
        Ok(Self { path, quoting, index: Mutex::default() })
    }

    /// Whether a path is a file that begins as an mbox does, or an empty one: that is what is left of a mailbox
    /// when all messages have been removed, whatever its name.
    pub fn recognizes(path: &Path) -> bool {
        let mut beginning = Vec::new();
        let mut read = |file: File| file.take(FROM.len() as u64).read_to_end(&mut beginning);
        path.is_file()
            && File::open(path).and_then(&mut read).is_ok()
            && matches!(&beginning[..], b"" | b"From ")
    }
}

impl Store for Mbox {
    fn snapshot(&self) -> io::Result<Box<dyn Snapshot>> {
        // It is replaced as a whole, so a panic elsewhere has left it sound.
        let mut known = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let file = Arc::new(File::open(&self.path).map_err(at(&self.path))?);
        let identity = Identity::of(&file.metadata().map_err(at(&self.path))?);
        let index = match &*known {
            Some((before, index)) if *before == identity => Arc::clone(index),
            _ => {
                let places = places(&file, identity.stamp.length, self.quoting).map_err(at(&self.path))?;
                let mut ids = ContentIds::default();
                let scans = places.iter().map(|Place { measure, .. }| measure.scan(ids.next(measure.digest)));
                let index = Arc::new(Index { listing: scans.collect(), places });
                *known = Some((identity, Arc::clone(&index)));
                index
            }
        };
        let (path, quoting) = (self.path.clone(), self.quoting);
        Ok(Box::new(Then { path, quoting, file, identity, index }))
    }
}

/// Finds and measures the messages in the first octets of a file, in one pass.
fn places(file: &Arc<File>, length: u64, quoting: Quoting) -> io::Result<Vec<Place>> {
    let mut places = Vec::new();
    let mut input = stretch(file, 0, length);
    let mut beginning = Vec::new();
    input.by_ref().take(FROM.len() as u64).read_to_end(&mut beginning)?;
    if length == 0 {
        return Ok(places);
    }
    if beginning != FROM {
        return Err(io::Error::new(ErrorKind::InvalidData, "is no mbox: it does not begin with a From line"));
    }
    let mut start = 0;
    loop {
        let text = start + FROM.len() as u64 + skip_line(&mut input)?;
        let mut message = Unquoted::new(&mut input, quoting);
        let measure = Measure::read(&mut message)?;
        let end = text + message.length();
        places.push(Place { start, text, end, measure });
        if !message.has_next() {
            return Ok(places);
        }
        start = end;
    }
}

/// Skips the rest of a line; tells how long it was.
fn skip_line(input: &mut impl BufRead) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let buffer = match input.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let end = memchr::memchr(b'\n', buffer);
        let length = end.map_or(buffer.len(), |end| end + 1);
        input.consume(length);
        skipped += length as u64;
        if end.is_some() || length == 0 {
            return Ok(skipped);
        }
    }
}

/// The octets of a file from one place to another.
fn stretch(file: &Arc<File>, from: u64, to: u64) -> impl BufRead + Send + use<> {
    let input = At { file: Arc::clone(file), position: from };
    BufReader::with_capacity(PIECE, Exactly { input, left: to - from })
}

/// Reads a file without moving a position that others use.
#[derive(Debug)]
struct At {
    file: Arc<File>,
    position: u64,
}

impl Read for At {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(out, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

/// The messages at one time. The file stays open: when another takes its place, this one is still there.
#[derive(Debug)]
struct Then {
    path: PathBuf,
    quoting: Quoting,
    file: Arc<File>,
    identity: Identity,
    index: Arc<Index>,
}

impl Then {
    fn message(&self, place: &Place) -> impl Read + Send + use<> {
        Unquoted::new(stretch(&self.file, place.text, place.end), self.quoting)
    }
}

impl Snapshot for Then {
    fn scans(&self) -> Listing {
        Listing::clone(&self.index.listing)
    }

    fn text(&self, place: usize) -> io::Result<Text> {
        let place = self.index.places.get(place).ok_or_else(no_such_message)?;
        let now = Identity::of(&self.file.metadata().map_err(at(&self.path))?);
        // Mail may have been added, or the file written anew. What is announced is served, so it is read twice.
        if now != self.identity && Measure::read(self.message(place)).ok() != Some(place.measure) {
            return Err(changed(&self.path));
        }
        Ok(Text::Stored(Box::new(self.message(place))))
    }

    fn remove(&self, marked: &[bool]) -> io::Result<()> {
        if !marked.contains(&true) {
            return Ok(());
        }
        let lock = Lock::take(&self.path)?;
        let identity = || lock.file.metadata().map(|file| Identity::of(&file)).map_err(at(&self.path));
        let now = identity()?;
        if !now.is_same_file(self.identity) {
            return Err(changed(&self.path));
        }
        let mut kept = self.index.places.clone();
        if now != self.identity {
            // Where mail was added, the messages before it are the same; only where the last one ends is not.
            kept = places(&self.file, now.stamp.length, self.quoting).map_err(at(&self.path))?;
            let what = |place: &Place| (place.start, place.text, place.measure);
            let before = self.index.places.iter().map(what);
            if kept.len() < before.len() || !before.eq(kept.iter().map(what).take(self.index.places.len())) {
                return Err(changed(&self.path));
            }
        }
        let mut marks = marked.iter().copied();
        kept.retain(|_| !marks.next().unwrap_or(false));
        let parts = kept.iter().map(|place| place.start..place.end);
        lock.replace(parts, || if identity()? == now { Ok(()) } else { Err(changed(&self.path)) })
    }
}

#[cfg(test)]
mod tests;
