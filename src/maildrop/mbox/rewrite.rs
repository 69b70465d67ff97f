//! Replaces a mailbox file by a draft that holds parts of it, all at once, while no one else writes to it.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Gid, Uid, fchown, fcntl_lock, flock};

use super::super::files::{Exactly, at};

/// A file that goes away when its work is done or has failed.
#[derive(Debug)]
struct Passing(PathBuf);

impl Drop for Passing {
    fn drop(&mut self) {
        // There is no one to tell, and the next to come will say that it is there.
        drop(fs::remove_file(&self.0));
    }
}

/// The sole right to write to a mailbox, as long as it lives.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    /// The mailbox; closing it releases the kernel's locks.
    pub(super) file: File,
    _dot: Passing,
}

impl Lock {
    /// Takes all three locks that programs use for mailboxes, without waiting: `<file>.lock`, which is never
    /// stolen, and those of `fcntl` and `flock`. The first is the one to rely on: that of `fcntl` ends when any
    /// session closes the mailbox.
    pub(super) fn take(path: &Path) -> io::Result<Self> {
        let dot_path = beside(path, ".lock");
        let mut dot = File::options().write(true).create_new(true).open(&dot_path).map_err(|error| {
            if error.kind() == ErrorKind::AlreadyExists {
                let text = "is there: another program writes to the mailbox, or one that did has crashed; \
                            in that case delete it";
                return at(&dot_path)(io::Error::new(ErrorKind::AlreadyExists, text));
            }
            at(&dot_path)(error)
        })?;
        let guard = Passing(dot_path);
        // Who waits for it can see whether its owner is still alive.
        write!(dot, "{}", std::process::id()).map_err(at(&guard.0))?;
        let file = File::options().read(true).write(true).open(path).map_err(at(path))?;
        for locked in [
            fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive),
            flock(&file, FlockOperation::NonBlockingLockExclusive),
        ] {
            locked.map_err(|error| at(path)(error.into()))?;
        }
        Ok(Self { path: path.to_owned(), file, _dot: guard })
    }

    /// Puts these parts of the mailbox in its place. Until the rename the mailbox is as it was, after it as it
    /// should be. `unchanged` is asked last of all whether someone has written to it without a lock.
    pub(super) fn replace(
        &self,
        parts: impl IntoIterator<Item = Range<u64>>,
        unchanged: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let draft_path = beside(&self.path, ".draft");
        // With the lock, one that is there was left by a crash. It is removed, not written to: it could be a link.
        match fs::remove_file(&draft_path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(at(&draft_path)(error)),
            _ => {}
        }
        let opened = File::options().write(true).create_new(true).mode(0o600).open(&draft_path);
        let mut draft = opened.map_err(at(&draft_path))?;
        let guard = Passing(draft_path);
        self.copy(parts, &mut draft).map_err(at(&guard.0))?;
        unchanged()?;
        fs::rename(&guard.0, &self.path).map_err(at(&self.path))?;
        // It has its place now.
        std::mem::forget(guard);
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(at(folder))
    }

    /// Fills the draft, down to the disk.
    fn copy(&self, parts: impl IntoIterator<Item = Range<u64>>, draft: &mut File) -> io::Result<()> {
        let before = self.file.metadata()?;
        let owner = |file: &fs::Metadata| (file.uid(), file.gid());
        if owner(&draft.metadata()?) != owner(&before) {
            // Mailboxes in /var/mail belong to their user and the group `mail`.
            fchown(&*draft, Some(Uid::from_raw(before.uid())), Some(Gid::from_raw(before.gid())))?;
        }
        let mut mailbox = &self.file;
        for part in parts {
            mailbox.seek(SeekFrom::Start(part.start))?;
            let mut part = Exactly { input: mailbox, left: part.end - part.start };
            io::copy(&mut part.by_ref(), draft)?;
        }
        draft.set_permissions(Permissions::clone(&before.permissions()))?;
        draft.sync_all()
    }
}

/// The path with something after the file's name.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}
