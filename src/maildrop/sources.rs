//! The places that messages can be taken from: a kind a row in [`SOURCES`].

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Store;
use super::eml::{self, Eml};
use super::files::at;
use super::maildir::Maildir;
use super::mbox::{Mbox, Quoting};

/// What a place holds.
#[derive(Debug)]
pub enum Opened {
    /// Messages for every user.
    Common(Vec<Arc<dyn Store>>),
    /// Messages of certain users, by user name. Two names can have the same stores.
    Own(BTreeMap<String, Vec<Arc<dyn Store>>>),
}

/// A kind of place.
#[derive(Debug)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// What it is, for people.
    pub what: &'static str,
    /// Whether a path is one.
    pub recognizes: fn(&Path) -> bool,
    /// Opens it; the error names the path.
    pub open: fn(&Path, Quoting) -> io::Result<Opened>,
}

/// Every kind, in the order in which they are tried: a file called `x.eml` is a message whatever it begins with.
pub static SOURCES: &[Row] = &[
    Row {
        name: "maildir",
        what: "a Maildir (a folder with new or cur in it)",
        recognizes: Maildir::recognizes,
        open: |path, _| Ok(common(Maildir::open(path)?)),
    },
    Row {
        name: "eml",
        what: "a .eml file or a folder of them",
        recognizes: Eml::recognizes,
        open: |path, _| Ok(common(Eml::open(path)?)),
    },
    Row {
        name: "users",
        what: "a folder of users (each with .eml files in user@host/INBOX)",
        recognizes: eml::recognizes_users,
        open: |path, _| Ok(Opened::Own(eml::users(path)?)),
    },
    Row {
        name: "mbox",
        what: "an mbox (a file that is empty or begins with \"From \")",
        recognizes: Mbox::recognizes,
        open: |path, quoting| Ok(common(Mbox::open(path, quoting)?)),
    },
];

fn common(store: impl Store + 'static) -> Opened {
    Opened::Common(vec![Arc::new(store)])
}

/// Why nothing was opened.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It, or something in it, is not there or cannot be read. The text names the path.
    #[error("cannot read {0}")]
    Unreadable(#[from] io::Error),
    /// It is of no kind that is known.
    #[error(
        "{path} is neither {}: give the path of one of these; a message alone is recognized by its name, which ends in .eml",
        known()
    )]
    Unknown {
        /// What was to be opened.
        path: PathBuf,
    },
}

fn known() -> String {
    SOURCES.iter().map(|row| row.what).collect::<Vec<_>>().join(", nor ")
}

/// Opens what is at a path; an mbox with this quoting.
pub fn open(path: &Path, quoting: Quoting) -> Result<Opened, SourceError> {
    // This first, so that what cannot be read is not called unknown. A pipe is not opened: that could wait forever.
    let kind = fs::metadata(path).map_err(at(path))?;
    if kind.is_dir() {
        fs::read_dir(path).map_err(at(path))?;
    } else if kind.is_file() {
        File::open(path).map_err(at(path))?;
    }
    let row = SOURCES.iter().find(|row| (row.recognizes)(path));
    let row = row.ok_or_else(|| SourceError::Unknown { path: path.to_owned() })?;
    Ok((row.open)(path, quoting)?)
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::super::files::testing::all;
    use super::*;

    /// The messages at a path; with the user's name before them where they are a user's.
    fn opened(path: &Path) -> Vec<String> {
        match open(path, Quoting::default()).unwrap() {
            Opened::Common(stores) => stores.iter().flat_map(|store| all(&**store)).collect(),
            Opened::Own(own) => {
                let of_each = |(user, stores): (String, Vec<Arc<dyn Store>>)| {
                    stores
                        .iter()
                        .flat_map(|store| all(&**store))
                        .map(|text| format!("{user}: {text}"))
                        .collect()
                };
                own.into_iter().flat_map::<Vec<_>, _>(of_each).collect()
            }
        }
    }

    #[test]
    fn each_kind_is_recognized_and_opened() {
        // row, files and (with a slash at the end) folders, which of them to open, messages
        type Case =
            (&'static str, &'static [(&'static str, &'static str)], &'static str, &'static [&'static str]);
        let cases: &[Case] = &[
            ("maildir", &[("m/new/1", "a"), ("m/cur/2:2,", "b")], "m", &["a\r\n", "b\r\n"]),
            ("maildir", &[("m/cur/", "")], "m", &[]),
            ("maildir", &[("m/new/", ""), ("m/1.eml", "")], "m", &[]),
            ("eml", &[("f/1.eml", "a"), ("f/x", "")], "f", &["a\r\n"]),
            ("eml", &[("f/", "")], "f", &[]),
            ("eml", &[("1.eml", "From a\n")], "1.eml", &["From a\r\n"]),
            ("eml", &[("1.eml", "")], "1.eml", &[""]),
            ("users", &[("u/a@h/INBOX/1.eml", "x"), ("u/b/INBOX/", "")], "u", &["a: x\r\n", "a@h: x\r\n"]),
            ("mbox", &[("box", "From a\n\nx\n")], "box", &["\r\nx\r\n"]),
            ("mbox", &[("box", "")], "box", &[]),
        ];
        for (name, files, path, messages) in cases {
            let folder = tempdir().unwrap();
            for (file, text) in *files {
                let file = folder.path().join(file);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                if file.as_os_str().to_str().unwrap().ends_with('/') {
                    fs::create_dir_all(file).unwrap();
                } else {
                    fs::write(file, text).unwrap();
                }
            }
            let path = folder.path().join(path);
            let row = SOURCES.iter().find(|row| (row.recognizes)(&path)).unwrap();
            assert_eq!(row.name, *name, "{files:?}");
            assert_eq!(opened(&path), *messages, "{files:?}");
        }
        for row in SOURCES {
            assert!(cases.iter().any(|(name, ..)| *name == row.name), "{} has no case", row.name);
        }
    }

    #[test]
    fn errors_say_what_and_where() {
        let folder = tempdir().unwrap();
        let error = |name: &str| open(&folder.path().join(name), Quoting::default()).unwrap_err().to_string();
        fs::write(folder.path().join("x.txt"), "Subject: x\n\n").unwrap();
        let unknown = error("x.txt");
        assert!(
            unknown.starts_with(&format!("{}/x.txt is neither a Maildir", folder.path().display())),
            "{unknown}"
        );
        assert!(SOURCES.iter().all(|row| unknown.contains(row.what)) && unknown.contains(", nor an mbox"));
        assert!(open(folder.path(), Quoting::default()).is_err(), "no .eml file in it");
        let gone = error("gone.eml");
        assert!(gone.starts_with("cannot read ") && gone.contains("gone.eml: No such file"), "{gone}");
        // Not even root can read it.
        std::os::unix::fs::symlink("loop.eml", folder.path().join("loop.eml")).unwrap();
        assert!(error("loop.eml").starts_with("cannot read "));
        let secret = folder.path().join("secret");
        fs::write(&secret, "From a\n").unwrap();
        fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
        if !rustix::process::geteuid().is_root() {
            assert!(error("secret").starts_with("cannot read "));
        }
        fs::create_dir(folder.path().join("maildir")).unwrap();
        std::os::unix::fs::symlink("new", folder.path().join("maildir/new")).unwrap();
        fs::create_dir(folder.path().join("maildir/cur")).unwrap();
        assert!(error("maildir").contains("maildir/new"));
    }
}
