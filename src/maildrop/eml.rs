//! Messages in `.eml` files: one, a folder of them, or a folder for each user.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::{Index, Seen, at, entries, natural, no_such_message};
use super::normal::ContentIds;
use super::{Listing, Snapshot, Store, Text};

/// The folder that holds a user's messages.
const INBOX: &str = "INBOX";

/// A `.eml` file or the `.eml` files of a folder.
#[derive(Debug)]
pub struct Eml {
    path: PathBuf,
    is_folder: bool,
    index: Index,
}

impl Eml {
    /// Of a file or a folder; fails where it cannot be opened or listed.
    pub fn open(path: &Path) -> io::Result<Self> {
        let is_folder = std::fs::metadata(path).map_err(at(path))?.is_dir();
        if is_folder {
            entries(path)?;
        } else {
            std::fs::File::open(path).map_err(at(path))?;
        }
        Ok(Self { path: path.to_owned(), is_folder, index: Index::default() })
    }

    /// Whether a path is a `.eml` file, a folder with some, or a folder with nothing in it: that is what is left
    /// when all messages have been removed.
    pub fn recognizes(path: &Path) -> bool {
        if path.is_dir() {
            let held = entries(path).unwrap_or_default();
            entries(path).is_ok() && (held.is_empty() || held.iter().any(|(_, path)| is_message(path)))
        } else {
            is_message(path)
        }
    }
}

fn is_message(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("eml")) && path.is_file()
}

/// Whether a path is a folder with a folder for each user, as in `kcope@example.org/INBOX/1.eml`: every folder
/// in it holds one that is called INBOX.
pub fn recognizes_users(path: &Path) -> bool {
    users_in(path).is_ok_and(|users| !users.is_empty() && users.iter().all(|user| user.join(INBOX).is_dir()))
}

fn users_in(path: &Path) -> io::Result<Vec<PathBuf>> {
    let folders = entries(path)?.into_iter().map(|(_, path)| path).filter(|path| path.is_dir());
    Ok(folders.collect())
}

/// The stores of such a folder by user name: the folder's name, and for `user@host` also `user` where it is the
/// only one.
pub fn users(path: &Path) -> io::Result<BTreeMap<String, Vec<Arc<dyn Store>>>> {
    let mut stores: BTreeMap<String, Vec<Arc<dyn Store>>> = BTreeMap::new();
    for folder in users_in(path)? {
        let Some(name) = folder.file_name().and_then(OsStr::to_str) else {
            return Err(at(&folder)(io::Error::new(ErrorKind::InvalidData, "a user name that is not UTF-8")));
        };
        stores.insert(name.to_owned(), vec![Arc::new(Eml::open(&folder.join(INBOX))?)]);
    }
    let mut short: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in stores.keys() {
        if let Some((user, _)) = name.rsplit_once('@').filter(|(user, _)| !user.is_empty()) {
            short.entry(user.to_owned()).or_default().push(name.clone());
        }
    }
    for (user, names) in short {
        if let ([name], false) = (&names[..], stores.contains_key(&user)) {
            let same = stores[name].clone();
            stores.insert(user, same);
        }
    }
    Ok(stores)
}

impl Store for Eml {
    fn snapshot(&self) -> io::Result<Box<dyn Snapshot>> {
        let mut files = if self.is_folder {
            entries(&self.path)?
        } else {
            vec![(self.path.clone().into_os_string(), self.path.clone())]
        };
        if self.is_folder {
            files.retain(|(_, path)| is_message(path));
            files.sort_by(|(one, _), (other, _)| natural(one, other));
        }
        let seen = self.index.look(files)?.seen;
        let mut ids = ContentIds::default();
        let listing = seen.iter().map(|seen| seen.measure.scan(ids.next(seen.measure.digest))).collect();
        Ok(Box::new(Then { seen, listing }))
    }
}

/// The messages at one time.
#[derive(Debug)]
struct Then {
    seen: Vec<Seen>,
    listing: Listing,
}

impl Snapshot for Then {
    fn scans(&self) -> Listing {
        Listing::clone(&self.listing)
    }

    fn text(&self, place: usize) -> io::Result<Text> {
        let seen = self.seen.get(place).ok_or_else(no_such_message)?;
        seen.text(&seen.path)
    }

    fn remove(&self, marked: &[bool]) -> io::Result<()> {
        let marked = self.seen.iter().zip(marked).filter(|&(_, &marked)| marked);
        let mut failed = Ok(());
        for (seen, _) in marked {
            // One that fails does not keep the others.
            failed = seen.unlink(&seen.path).and(failed);
        }
        failed
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::{TempDir, tempdir};

    use super::super::files::testing::{all, ids, replace_unseen, sent};
    use super::*;

    fn folder(files: &[(&str, &str)]) -> TempDir {
        let folder = tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn the_eml_files_of_a_folder_by_number() {
        let folder = folder(&[
            ("10.eml", "c"),
            ("2.eml", "b"),
            ("1.EML", "a"),
            ("3.txt", "x"),
            (".4.eml", "x"),
            ("5.eml/x", ""),
        ]);
        let store = Eml::open(folder.path()).unwrap();
        assert_eq!(all(&store), ["a\r\n", "b\r\n", "c\r\n"]);
        fs::write(folder.path().join("3.eml"), "new").unwrap();
        assert_eq!(all(&store), ["a\r\n", "b\r\n", "new\r\n", "c\r\n"]);
        assert!(Eml::recognizes(folder.path()));
    }

    #[test]
    fn one_file_is_one_message_until_it_is_removed() {
        let folder = folder(&[("1.eml", "a"), ("2.eml", "b")]);
        let path = folder.path().join("1.eml");
        let store = Eml::open(&path).unwrap();
        assert_eq!(all(&store), ["a\r\n"]);
        store.snapshot().unwrap().remove(&[true]).unwrap();
        assert!(all(&store).is_empty() && !path.exists());
        assert!(folder.path().join("2.eml").exists());
        assert!(Eml::open(&path).unwrap_err().to_string().contains("1.eml"));
    }

    #[test]
    fn ids_come_from_content() {
        let one = folder(&[("1.eml", "a\n"), ("2.eml", "a\r\n"), ("3.eml", "b")]);
        let other = folder(&[("x.eml", "a"), ("y.eml", "b")]);
        let (ids, others) = (ids(&Eml::open(one.path()).unwrap()), ids(&Eml::open(other.path()).unwrap()));
        assert_eq!([&ids[0], &ids[2]], [&others[0], &others[1]]);
        assert_eq!(ids[1], format!("{}.2", ids[0]));
    }

    #[test]
    fn removal_is_exact() {
        let folder = folder(&[("1.eml", "a"), ("2.eml", "b"), ("3.eml", "c"), ("4.eml", "d")]);
        let snapshot = Eml::open(folder.path()).unwrap().snapshot().unwrap();
        fs::write(folder.path().join("2.eml"), "another message").unwrap();
        fs::remove_file(folder.path().join("3.eml")).unwrap();
        fs::write(folder.path().join("5.eml"), "came later").unwrap();
        assert!(sent(&*snapshot, 1).is_err());
        let left = || {
            let mut names: Vec<_> =
                entries(folder.path()).unwrap().into_iter().map(|(name, _)| name).collect();
            names.sort();
            names
        };
        snapshot.remove(&[false, false, true, false]).unwrap();
        assert_eq!(left(), ["1.eml", "2.eml", "4.eml", "5.eml"]);
        assert!(snapshot.remove(&[false, true, true, true]).is_err(), "2.eml is another now");
        assert_eq!(left(), ["1.eml", "2.eml", "5.eml"]);
    }

    #[test]
    fn what_is_known_is_not_read_again() {
        let folder = folder(&[("1.eml", "1\n2\n")]);
        let store = Eml::open(folder.path()).unwrap();
        let scans = store.snapshot().unwrap().scans();
        replace_unseen(&folder.path().join("1.eml"), "four");
        assert_eq!(store.snapshot().unwrap().scans(), scans);
        fs::write(folder.path().join("1.eml"), "changed").unwrap();
        assert_eq!(store.snapshot().unwrap().scans()[0].size, 9);
    }

    #[test]
    fn a_folder_for_each_user() {
        let users_folder = folder(&[
            ("ada@a.org/INBOX/1.eml", "for ada"),
            ("kim@a.org/INBOX/1.eml", "for kim at a"),
            ("kim@b.org/INBOX/1.eml", "for kim at b"),
            ("bob/INBOX/1.eml", "for bob"),
            ("bob@b.org/INBOX/1.eml", "for bob at b"),
            (".git/x", ""),
            ("readme.txt", ""),
        ]);
        assert!(recognizes_users(users_folder.path()) && !Eml::recognizes(users_folder.path()));
        let users = users(users_folder.path()).unwrap();
        let names: Vec<_> = users.keys().map(String::as_str).collect();
        assert_eq!(names, ["ada", "ada@a.org", "bob", "bob@b.org", "kim@a.org", "kim@b.org"]);
        assert_eq!(all(&*users["ada"][0]), ["for ada\r\n"]);
        assert!(Arc::ptr_eq(&users["ada"][0], &users["ada@a.org"][0]), "what one reads the other knows");
        assert_eq!(all(&*users["bob"][0]), ["for bob\r\n"]);
        fs::create_dir(users_folder.path().join("other")).unwrap();
        assert!(!recognizes_users(users_folder.path()));
        assert!(!recognizes_users(folder(&[]).path()));
    }
}
