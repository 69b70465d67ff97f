//! A Maildir: a folder in which each message is a file, in `new` until a mail program has seen it, then in
//! `cur` with its flags in its name.
//!
//! A file's base name, what precedes the colon, stays the same for the life of its message
//! (<https://cr.yp.to/proto/maildir.html>). Nothing is moved or renamed here.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::files::{Index, Seen, at, entries, natural, no_such_message};
use super::normal::ContentIds;
use super::{Listing, Snapshot, Store, Text, UniqueId};

/// How often a message is looked up again that a mail program renames while we look.
const ROUNDS: usize = 4;

/// The messages of a Maildir, not those of its subfolders.
#[derive(Debug)]
pub struct Maildir {
    folder: PathBuf,
    index: Index,
}

impl Maildir {
    /// Of a folder; fails where its `new` or `cur` cannot be listed.
    pub fn open(folder: &Path) -> io::Result<Self> {
        list(folder)?;
        Ok(Self { folder: folder.to_owned(), index: Index::default() })
    }

    /// Whether a path is a folder with `new` or `cur` in it.
    pub fn recognizes(path: &Path) -> bool {
        ["new", "cur"].iter().any(|part| path.join(part).is_dir())
    }
}

/// The files by base name. `new` comes first, so that a message that moves to `cur` meanwhile is seen at least
/// once; where it is seen twice it is in `cur`.
fn list(folder: &Path) -> io::Result<HashMap<OsString, PathBuf>> {
    let mut files = HashMap::new();
    let mut missing = 0;
    for part in ["new", "cur"] {
        match entries(&folder.join(part)) {
            Ok(entries) => {
                files.extend(entries.into_iter().map(|(name, path)| (base(&name).to_owned(), path)));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => missing += 1,
            Err(error) => return Err(error),
        }
    }
    if missing == 2 {
        let gone = io::Error::new(ErrorKind::NotFound, "is no Maildir: it has neither new nor cur");
        return Err(at(folder)(gone));
    }
    Ok(files)
}

/// What precedes the colon of a file name.
fn base(name: &OsStr) -> &OsStr {
    let octets = name.as_bytes();
    OsStr::from_bytes(memchr::memchr(b':', octets).map_or(octets, |colon| &octets[..colon]))
}

/// Whether a message is in the trash: flag T, "the user has moved this message to the trash; the trash will be
/// emptied by a later user action". Who trashed a message in a mail program does not expect to download it again,
/// and does not want it removed for good by a POP3 client either. A choice: Courier's POP3 server does serve them.
fn is_trashed(path: &Path) -> bool {
    let octets = path.file_name().map_or(&b""[..], OsStr::as_bytes);
    memchr::memmem::find(octets, b":2,").is_some_and(|at| octets[at + 3..].contains(&b'T'))
}

impl Store for Maildir {
    fn snapshot(&self) -> io::Result<Box<dyn Snapshot>> {
        let mut round = 1;
        let seen = loop {
            let files = list(&self.folder)?.into_iter().filter(|(_, path)| !is_trashed(path));
            let mut files: Vec<_> = files.collect();
            // A base name begins with the time of delivery.
            files.sort_by(|(one, _), (other, _)| natural(one, other));
            let look = self.index.look(files)?;
            // What vanished may have been renamed.
            if !look.vanished || round == ROUNDS {
                break look.seen;
            }
            round += 1;
        };
        let mut ids = ContentIds::default();
        let scans = seen.iter().map(|seen| {
            let own = seen.name.to_str().and_then(UniqueId::new);
            seen.measure.scan(own.unwrap_or_else(|| ids.next(seen.measure.digest)))
        });
        let listing = scans.collect();
        Ok(Box::new(Then { folder: self.folder.clone(), seen, listing, moved: Mutex::default() }))
    }
}

/// The messages at one time.
#[derive(Debug)]
struct Then {
    folder: PathBuf,
    seen: Vec<Seen>,
    listing: Listing,
    /// Where messages were when one was last found to be renamed.
    moved: Mutex<HashMap<OsString, PathBuf>>,
}

impl Then {
    /// Where a message was last seen.
    fn path(&self, seen: &Seen) -> PathBuf {
        let moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        moved.get(&seen.name).unwrap_or(&seen.path).clone()
    }

    /// Looks where the messages are now; tells which of these are still there.
    fn refresh(&self, of: &mut Vec<&Seen>) -> io::Result<()> {
        let files = list(&self.folder)?;
        of.retain(|seen| files.contains_key(&seen.name));
        *self.moved.lock().unwrap_or_else(PoisonError::into_inner) = files;
        Ok(())
    }
}

impl Snapshot for Then {
    fn scans(&self) -> Listing {
        Listing::clone(&self.listing)
    }

    fn text(&self, place: usize) -> io::Result<Text> {
        let seen = self.seen.get(place).ok_or_else(no_such_message)?;
        let mut round = 1;
        loop {
            match seen.text(&self.path(seen)) {
                Err(error) if error.kind() == ErrorKind::NotFound && round < ROUNDS => {
                    self.refresh(&mut Vec::new())?;
                    round += 1;
                }
                done => return done,
            }
        }
    }

    fn remove(&self, marked: &[bool]) -> io::Result<()> {
        let marked = self.seen.iter().zip(marked).filter(|&(_, &marked)| marked);
        let mut left: Vec<_> = marked.map(|(seen, _)| seen).collect();
        let mut failed = Ok(());
        for _ in 0..ROUNDS {
            left.retain(|seen| match seen.unlink(&self.path(seen)) {
                Ok(()) => true,
                Err(error) => {
                    // One that fails does not keep the others.
                    failed = Err(error);
                    false
                }
            });
            // Only the names show that a message is gone, and not renamed or linked to `cur` meanwhile.
            self.refresh(&mut left)?;
            if left.is_empty() {
                return failed;
            }
        }
        Err(at(&self.folder)(io::Error::other(
            "messages were renamed again and again while they were removed",
        )))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::{TempDir, tempdir};

    use super::super::files::testing::{all, ids, replace_unseen, sent};
    use super::*;

    fn maildir(files: &[(&str, &str)]) -> (TempDir, Maildir) {
        let folder = tempdir().unwrap();
        for part in ["new", "cur", "tmp"] {
            fs::create_dir(folder.path().join(part)).unwrap();
        }
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let store = Maildir::open(folder.path()).unwrap();
        (folder, store)
    }

    fn rename(folder: &TempDir, from: &str, to: &str) {
        fs::rename(folder.path().join(from), folder.path().join(to)).unwrap();
    }

    fn left(folder: &TempDir) -> Vec<String> {
        let parts = ["new", "cur"].map(|part| entries(&folder.path().join(part)).unwrap());
        let mut names: Vec<_> =
            parts.iter().flatten().map(|(name, _)| name.to_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn both_parts_in_the_order_of_delivery_without_trash_and_hidden_files() {
        let (folder, store) = maildir(&[
            ("new/1000.M5P1.host", "d"),
            ("cur/999.x.host:2,S", "b"),
            ("cur/1000.M40P1.host:2,", "e"),
            ("cur/98.x:2,RS", "a"),
            ("cur/97.x:2,ST", "trash"),
            ("cur/999.y.host", "c"),
            ("new/.hidden", "hidden"),
            ("tmp/1.x", "tmp"),
        ]);
        fs::create_dir(folder.path().join("cur/1.folder")).unwrap();
        for _ in 0..2 {
            assert_eq!(all(&store), ["a\r\n", "b\r\n", "c\r\n", "d\r\n", "e\r\n"]);
        }
        assert_eq!(ids(&store)[..2], ["98.x", "999.x.host"]);
    }

    #[test]
    fn ids_stay_when_messages_move_or_get_flags() {
        let long = "2.".to_owned() + &"x".repeat(80);
        let (folder, store) = maildir(&[("new/1.a", "a"), (&format!("new/{long}"), "b"), ("new/3.c c", "b")]);
        let before = ids(&store);
        assert_eq!(before[0], "1.a");
        assert_eq!(before[2], format!("{}.2", before[1]), "no legal id: made from content");
        rename(&folder, "new/1.a", "cur/1.a:2,");
        rename(&folder, &format!("new/{long}"), &format!("cur/{long}:2,FS"));
        assert_eq!(ids(&store), before);
        rename(&folder, "cur/1.a:2,", "cur/1.a:2,RS");
        assert_eq!(ids(&store), before);
        fs::hard_link(folder.path().join("new/3.c c"), folder.path().join("cur/3.c c:2,")).unwrap();
        assert_eq!(ids(&store), before, "a message on its way is one message");
    }

    #[test]
    fn a_message_is_found_again_wherever_it_went() {
        let (folder, store) = maildir(&[("new/1.a", "a"), ("new/2.b", "b"), ("new/3.c", "c")]);
        let snapshot = store.snapshot().unwrap();
        rename(&folder, "new/1.a", "cur/1.a:2,S");
        assert_eq!(sent(&*snapshot, 0).unwrap(), "a\r\n");
        rename(&folder, "cur/1.a:2,S", "cur/1.a:2,ST");
        assert_eq!(sent(&*snapshot, 0).unwrap(), "a\r\n");
        fs::remove_file(folder.path().join("new/2.b")).unwrap();
        assert_eq!(sent(&*snapshot, 1).unwrap_err().kind(), ErrorKind::NotFound);
        fs::write(folder.path().join("new/3.c"), "changed").unwrap();
        assert!(sent(&*snapshot, 2).is_err(), "other octets than announced");
        assert!(snapshot.text(3).is_err());
    }

    #[test]
    fn removal_is_exact() {
        let (folder, store) = maildir(&[
            ("new/1.a", "a"),
            ("new/2.b", "b"),
            ("cur/3.c:2,", "c"),
            ("cur/4.d:2,", "d"),
            ("new/5.e", "e"),
        ]);
        let snapshot = store.snapshot().unwrap();
        rename(&folder, "new/1.a", "cur/1.a:2,S");
        rename(&folder, "cur/3.c:2,", "cur/3.c:2,FS");
        fs::hard_link(folder.path().join("new/5.e"), folder.path().join("cur/5.e:2,")).unwrap();
        fs::remove_file(folder.path().join("cur/4.d:2,")).unwrap();
        fs::write(folder.path().join("new/6.f"), "f").unwrap();
        fs::write(folder.path().join("cur/1.ab:2,"), "ab").unwrap();
        snapshot.remove(&[true, false, false, true, true]).unwrap();
        assert_eq!(left(&folder), ["1.ab:2,", "2.b", "3.c:2,FS", "6.f"]);
        snapshot.remove(&[true, false, true, true, true]).unwrap();
        assert_eq!(left(&folder), ["1.ab:2,", "2.b", "6.f"]);
    }

    #[test]
    fn what_changed_is_not_removed_and_keeps_no_other() {
        let (folder, store) = maildir(&[("new/1.a", "a"), ("new/2.b", "b")]);
        let snapshot = store.snapshot().unwrap();
        fs::write(folder.path().join("new/1.a"), "changed").unwrap();
        assert!(snapshot.remove(&[true, true]).is_err());
        assert_eq!(left(&folder), ["1.a"]);
    }

    #[test]
    fn a_snapshot_changes_nothing_and_reads_each_message_once() {
        let (folder, store) = maildir(&[("new/1.a", "\n\n\n\n"), ("cur/2.b:2,", "b")]);
        let scans = store.snapshot().unwrap().scans();
        replace_unseen(&folder.path().join("new/1.a"), "four");
        rename(&folder, "new/1.a", "cur/1.a:2,S");
        assert_eq!(store.snapshot().unwrap().scans(), scans);
        assert_eq!(left(&folder), ["1.a:2,S", "2.b:2,"]);
        fs::write(folder.path().join("cur/1.a:2,S"), "changed").unwrap();
        assert_eq!(store.snapshot().unwrap().scans()[0].size, 9);
    }

    #[test]
    fn an_empty_maildir_is_an_empty_maildrop_and_one_part_is_enough() {
        let (folder, store) = maildir(&[]);
        assert!(all(&store).is_empty());
        fs::remove_dir(folder.path().join("cur")).unwrap();
        assert!(all(&store).is_empty());
        assert!(Maildir::recognizes(folder.path()));
        fs::remove_dir(folder.path().join("new")).unwrap();
        assert!(store.snapshot().is_err() && Maildir::open(folder.path()).is_err());
        assert!(!Maildir::recognizes(folder.path()));
    }

    #[test]
    fn many_messages() {
        let (folder, store) = maildir(&[]);
        for number in 0..5_000 {
            fs::write(folder.path().join(format!("new/{number}.x")), format!("{number}\n")).unwrap();
        }
        let snapshot = store.snapshot().unwrap();
        assert_eq!(snapshot.scans().len(), 5_000);
        assert_eq!(sent(&*snapshot, 4_321).unwrap(), "4321\r\n");
        snapshot.remove(&vec![true; 5_000]).unwrap();
        assert!(left(&folder).is_empty());
    }
}
