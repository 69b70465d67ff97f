//! A mailbox on disk in the two formats that the servers keep: filled before a session, read after.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::corpus::Message;

/// The account whose mail it is, made by setup.sh.
pub const ACCOUNT: &str = "poptape-test";
/// Its home, where Courier looks for a Maildir.
pub const HOME: &str = "/var/lib/poptape-test";

pub enum Mailbox {
    Maildir(PathBuf),
    Mbox(PathBuf),
}

impl Mailbox {
    /// Makes it hold exactly `corpus`.
    ///
    /// Mailutils gives every message without one an X-UIDL made of the time, so two fresh mailboxes
    /// would never be equal: `stamped` writes such headers in advance.
    pub fn fill(&self, corpus: &[Message], stamped: bool) {
        match self {
            Mailbox::Maildir(folder) => {
                let _ = fs::remove_dir_all(folder);
                for part in ["cur", "new", "tmp"] {
                    fs::create_dir_all(folder.join(part)).unwrap();
                    give(&folder.join(part));
                }
                give(folder);
                for (n, message) in (1..).zip(corpus) {
                    let file = folder.join(format!("new/{}.{n}.example", 1_700_000_000 + n));
                    fs::write(&file, message.octets).unwrap();
                    give(&file);
                }
            }
            Mailbox::Mbox(file) => {
                let mut text = String::new();
                for (n, message) in (1..).zip(corpus) {
                    text += "From ada@example.org Thu Jan  1 10:00:00 2026\n";
                    if stamped && n == 1 {
                        writeln!(text, "X-IMAPbase: {:20} {:20}", 1_700_000_000, corpus.len() + 1).unwrap();
                    }
                    if stamped {
                        writeln!(text, "X-UIDL: stamp.1700000000.{n}\nX-UID: {n}").unwrap();
                    }
                    text = text + message.octets + "\n";
                }
                fs::write(file, text).unwrap();
                // popa3d waits for the next second before it rewrites a file of this second.
                File::options()
                    .append(true)
                    .open(file)
                    .unwrap()
                    .set_modified(SystemTime::UNIX_EPOCH)
                    .unwrap();
                fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
                give(file);
            }
        }
    }

    /// The messages that it holds now, in order.
    pub fn read(&self) -> Vec<Vec<u8>> {
        match self {
            Mailbox::Maildir(folder) => read_maildir(folder),
            Mailbox::Mbox(file) => split_mbox(&fs::read(file).unwrap_or_default()),
        }
    }
}

/// Messages in the order of their file names. Flags, which stand in the name, do not count.
pub fn read_maildir(folder: &Path) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> = ["new", "cur"]
        .iter()
        .flat_map(|part| fs::read_dir(folder.join(part)).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort_by_key(|file| file.file_name().map(ToOwned::to_owned));
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// Messages without their `From ` line. The empty line before the next one stays.
fn split_mbox(octets: &[u8]) -> Vec<Vec<u8>> {
    let mut messages: Vec<Vec<u8>> = Vec::new();
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        if line.starts_with(b"From ") {
            messages.push(Vec::new());
        } else {
            messages.last_mut().expect("an mbox starts with a From line").extend(line);
        }
    }
    messages
}

/// Hands a file to the account, with which the servers open it.
pub fn give(path: &Path) {
    let (user, group) = ids();
    chown(path, Some(user), Some(group)).expect("interop tests run as root");
}

/// The user and group id of the account.
pub fn ids() -> (u32, u32) {
    let home = fs::metadata(HOME).expect("no account for the tests: run tests/interop/setup.sh");
    (home.uid(), home.gid())
}
