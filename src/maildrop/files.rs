//! Files that hold one message each: measured once, then served and removed only as long as they are what was
//! measured.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::Text;
use super::normal::Measure;

/// By what a file is known to be unchanged: its length and when it was modified, in seconds and nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) length: u64,
    modified: (i64, i64),
}

impl Stamp {
    pub(super) fn of(file: &Metadata) -> Self {
        Self { length: file.len(), modified: (file.mtime(), file.mtime_nsec()) }
    }
}

/// A message's file as it was when it was measured.
#[derive(Debug)]
pub(super) struct Seen {
    /// What it is known by as long as it exists; its path may change.
    pub(super) name: OsString,
    pub(super) path: PathBuf,
    pub(super) stamp: Stamp,
    pub(super) measure: Measure,
}

impl Seen {
    /// The octets at a path, if they are those that were measured.
    pub(super) fn text(&self, path: &Path) -> io::Result<Text> {
        let file = File::open(path).map_err(at(path))?;
        self.check(path, &file.metadata().map_err(at(path))?)?;
        Ok(Text::Stored(Box::new(Exactly { input: file, left: self.stamp.length })))
    }

    /// Unlinks a path if what is there was measured; nothing there is no failure.
    pub(super) fn unlink(&self, path: &Path) -> io::Result<()> {
        let unlinked = fs::metadata(path)
            .map_err(at(path))
            .and_then(|file| self.check(path, &file))
            .and_then(|()| fs::remove_file(path).map_err(at(path)));
        unlinked.or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
    }

    fn check(&self, path: &Path, file: &Metadata) -> io::Result<()> {
        let same = file.is_file() && Stamp::of(file) == self.stamp;
        if same { Ok(()) } else { Err(changed(path)) }
    }
}

/// What is known of the files of a store, kept from one snapshot to the next.
#[derive(Debug, Default)]
pub(super) struct Index(Mutex<HashMap<OsString, (Stamp, Measure)>>);

/// What a look at the files showed.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) seen: Vec<Seen>,
    /// Some were not at their paths any more. They are left out.
    pub(super) vanished: bool,
}

impl Index {
    /// Looks at files, given by name and path; only what is new or has changed is read. What is no regular file
    /// is left out. Sessions that come meanwhile wait, and then need not read.
    pub(super) fn look(&self, files: Vec<(OsString, PathBuf)>) -> io::Result<Look> {
        // Entries are whole between any two statements, so a panic elsewhere has left them sound.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut look = Look { seen: Vec::with_capacity(files.len()), vanished: false };
        for (name, path) in files {
            let of_before = known.get(&name).copied();
            match measured(&path, of_before) {
                Ok(Some((stamp, measure))) => {
                    if of_before != Some((stamp, measure)) {
                        known.insert(name.clone(), (stamp, measure));
                    }
                    look.seen.push(Seen { name, path, stamp, measure });
                }
                Ok(None) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => look.vanished = true,
                Err(error) => return Err(error),
            }
        }
        if !look.vanished && known.len() > look.seen.len() {
            let there: HashSet<_> = look.seen.iter().map(|seen| seen.name.as_os_str()).collect();
            known.retain(|name, _| there.contains(name.as_os_str()));
        }
        Ok(look)
    }
}

/// Stamp and measure of a file, read only if it is not what it was before; None where it is no regular file.
fn measured(path: &Path, before: Option<(Stamp, Measure)>) -> io::Result<Option<(Stamp, Measure)>> {
    let file = fs::metadata(path).map_err(at(path))?;
    if !file.is_file() {
        return Ok(None);
    }
    if let Some(before) = before.filter(|&(stamp, _)| stamp == Stamp::of(&file)) {
        return Ok(Some(before));
    }
    let open = File::open(path).map_err(at(path))?;
    // Taken before the reading: a file that changes during it is read again next time.
    let stamp = Stamp::of(&open.metadata().map_err(at(path))?);
    let measure = Measure::read(Exactly { input: open, left: stamp.length }).map_err(at(path))?;
    Ok(Some((stamp, measure)))
}

/// The entries of a folder that are not hidden: name and path. Names that begin with a dot belong to programs.
pub(super) fn entries(folder: &Path) -> io::Result<Vec<(OsString, PathBuf)>> {
    let entries = fs::read_dir(folder).map_err(at(folder))?.map(|entry| {
        let entry = entry.map_err(at(folder))?;
        Ok((entry.file_name(), entry.path()))
    });
    let visible = |entry: &io::Result<(OsString, PathBuf)>| {
        !entry.as_ref().is_ok_and(|(name, _)| name.as_bytes().starts_with(b"."))
    };
    entries.filter(visible).collect()
}

/// Reads as many octets as it should, and fails where there are fewer: a message is never cut in silence.
#[derive(Debug)]
pub(super) struct Exactly<R> {
    pub(super) input: R,
    pub(super) left: u64,
}

impl<R: Read> Read for Exactly<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(out.len());
        let read = self.input.read(&mut out[..room])?;
        if read == 0 && room > 0 {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "became shorter while it was read"));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

/// Puts the path before an error's text.
pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// The error of a file that is not what it was.
pub(super) fn changed(path: &Path) -> io::Error {
    io::Error::other(format!("{}: has changed since the session began", path.display()))
}

/// The error of a place that no message of the snapshot has.
pub(super) fn no_such_message() -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, "no such message")
}

/// The order of names in which digits count as numbers: `2.eml` comes before `10.eml`.
pub(super) fn natural(one: &OsStr, other: &OsStr) -> Ordering {
    let (mut left, mut right) = (one.as_bytes(), other.as_bytes());
    loop {
        let (digits, more) = (leading_digits(left), leading_digits(right));
        if digits > 0 && more > 0 {
            let (number, another) = (significant(&left[..digits]), significant(&right[..more]));
            match number.len().cmp(&another.len()).then_with(|| number.cmp(another)) {
                Ordering::Equal => (left, right) = (&left[digits..], &right[more..]),
                unequal => return unequal,
            }
            continue;
        }
        match (left.split_first(), right.split_first()) {
            (Some((octet, rest)), Some((another, tail))) if octet == another => (left, right) = (rest, tail),
            (Some((octet, _)), Some((another, _))) => return octet.cmp(another),
            // `01` and `1` are the same number, and yet two names.
            (None, None) => return one.cmp(other),
            (rest, tail) => return rest.is_some().cmp(&tail.is_some()),
        }
    }
}

fn leading_digits(octets: &[u8]) -> usize {
    octets.iter().take_while(|octet| octet.is_ascii_digit()).count()
}

fn significant(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
    &digits[zeros..]
}

/// What the tests of the stores have in common.
#[cfg(test)]
pub(super) mod testing {
    use super::super::normal::normal;
    use super::super::{Snapshot, Store};
    use super::*;

    /// A message as it is sent.
    pub(in super::super) fn sent(snapshot: &dyn Snapshot, place: usize) -> io::Result<String> {
        let mut octets = Vec::new();
        match snapshot.text(place)? {
            Text::Whole(whole) => octets.extend_from_slice(&whole),
            Text::Stored(mut stored) => drop(stored.read_to_end(&mut octets)?),
        }
        let octets = normal(octets.into());
        assert_eq!(octets.len() as u64, snapshot.scans()[place].size, "what is announced is what is sent");
        Ok(String::from_utf8(octets.to_vec()).unwrap())
    }

    /// Every message as it is sent.
    pub(in super::super) fn all(store: &dyn Store) -> Vec<String> {
        let snapshot = store.snapshot().unwrap();
        (0..snapshot.scans().len()).map(|place| sent(&*snapshot, place).unwrap()).collect()
    }

    /// The unique-ids.
    pub(in super::super) fn ids(store: &dyn Store) -> Vec<String> {
        store.snapshot().unwrap().scans().iter().map(|scan| scan.unique_id.to_string()).collect()
    }

    /// Other octets in a file that looks unchanged: who still knows the old ones has not read it again.
    pub(in super::super) fn replace_unseen(path: &Path, octets: &str) {
        let before = fs::metadata(path).unwrap();
        assert_eq!(before.len(), octets.len() as u64);
        fs::write(path, octets).unwrap();
        File::options().write(true).open(path).unwrap().set_modified(before.modified().unwrap()).unwrap();
        assert_eq!(Stamp::of(&fs::metadata(path).unwrap()), Stamp::of(&before));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_count_as_numbers() {
        let sorted = [
            "",
            "1",
            "01a",
            "1a",
            "2",
            "10",
            "10.M5P7",
            "10.M12P3",
            "999999999999999999999999",
            "a",
            "a2",
            "a10",
            "a10b",
        ];
        for (place, one) in sorted.iter().enumerate() {
            for (another_place, another) in sorted.iter().enumerate() {
                let order = natural(OsStr::new(one), OsStr::new(another));
                assert_eq!(order, place.cmp(&another_place), "{one} {another}");
            }
        }
    }

    #[test]
    fn a_file_that_shrinks_fails() {
        let mut out = Vec::new();
        Exactly { input: &b"abc"[..], left: 2 }.read_to_end(&mut out).unwrap();
        assert_eq!(out, b"ab");
        assert!(Exactly { input: &b"abc"[..], left: 4 }.read_to_end(&mut out).is_err());
    }
}
