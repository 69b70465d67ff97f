//! The folder in which an authority is kept: its key for poptape alone, its certificate for everybody.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::authority::AuthorityError;
use crate::net::dice;

/// Key and certificate in one file, so that there is never one without the other.
const SECRET: &str = "poptape-ca.key.pem";

/// The certificate alone.
const PUBLIC: &str = "poptape-ca.pem";

/// No file of an authority is larger.
const LIMIT: u64 = 1 << 20;

/// An authority's folder, whether it is there or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Vault(pub(super) PathBuf);

impl Vault {
    /// The file with the key.
    pub(super) fn secret(&self) -> PathBuf {
        self.0.join(SECRET)
    }

    /// The file with the certificate alone.
    pub(super) fn public(&self) -> PathBuf {
        self.0.join(PUBLIC)
    }

    /// What the file with the key holds; None: there is none.
    pub(super) fn read(&self) -> Result<Option<Vec<u8>>, AuthorityError> {
        let mut octets = Vec::new();
        match File::open(self.secret()).and_then(|file| file.take(LIMIT).read_to_end(&mut octets)) {
            Ok(_) => Ok(Some(octets)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(AuthorityError::file("read", &self.secret(), error)),
        }
    }

    /// Puts an authority where none is. False: somebody else was faster, and theirs stays.
    pub(super) fn put(&self, secret: &str) -> Result<bool, AuthorityError> {
        let cannot = |path: &Path, error| Err(AuthorityError::file("make", path, error));
        if let Err(error) = DirBuilder::new().recursive(true).mode(0o700).create(&self.0) {
            return cannot(&self.0, error);
        }
        let draft = match self.draft(SECRET, 0o600, secret) {
            Ok(draft) => draft,
            Err(error) => return cannot(&self.secret(), error),
        };
        // Unlike a rename, it takes the place of nothing.
        let linked = std::fs::hard_link(&draft, self.secret());
        // What is left behind where this fails is for its owner's eyes only.
        let _ = std::fs::remove_file(&draft);
        match linked {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => cannot(&self.secret(), error),
        }
    }

    /// Sees to it that the certificate stands beside the key.
    pub(super) fn publish(&self, certificate: &str) -> Result<(), AuthorityError> {
        let path = self.public();
        if std::fs::read(&path).is_ok_and(|found| found == certificate.as_bytes()) {
            return Ok(());
        }
        self.draft(PUBLIC, 0o644, certificate)
            .and_then(|draft| std::fs::rename(draft, &path))
            .map_err(|error| AuthorityError::file("write", &path, error))
    }

    /// Moves the files out of the way, under names that nothing has; gives those.
    pub(super) fn set_aside(&self) -> Result<Vec<PathBuf>, AuthorityError> {
        let mut aside = Vec::new();
        for (name, path) in [(SECRET, self.secret()), (PUBLIC, self.public())] {
            let free = |number: &u32| {
                Some(self.0.join(format!("{name}.old-{number}")))
                    .filter(|path| path.symlink_metadata().is_err())
            };
            let Some(to) = (1..).find_map(|number| free(&number)) else { continue };
            match std::fs::rename(&path, &to) {
                Ok(()) => aside.push(to),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(AuthorityError::file("rename", &path, error)),
            }
        }
        Ok(aside)
    }

    /// Whether others than its owner may read the key.
    pub(super) fn is_open(&self) -> bool {
        self.secret().metadata().is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
    }

    /// A whole file under a name that nobody else has.
    fn draft(&self, name: &str, mode: u32, text: &str) -> io::Result<PathBuf> {
        let path = self.0.join(format!(".{name}.{}", dice::nonce()));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path)?;
        if let Err(error) = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()) {
            // It is only a draft.
            let _ = std::fs::remove_file(&path);
            return Err(error);
        }
        Ok(path)
    }
}
