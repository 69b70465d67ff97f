//! Real POP3 servers on loopback, each started for one user whose mailbox is known, and stopped on drop.
//!
//! Nothing of the machine's own mail is touched: a server has its own configuration in a temporary
//! folder and, where it insists on a system account, the account that setup.sh made for the tests.

mod courier;
mod dovecot;
mod inetd;
mod mailutils;
mod popa3d;

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::PathBuf;

use tempfile::TempDir;

use self::inetd::Inetd;
use super::corpus::Message;
use super::mailbox::Mailbox;
use super::process::Process;
use super::secure::pki::Pair;

/// Where setup.sh unpacks the servers that the package manager does not install side by side.
const UNPACKED: &str = "/opt/poptape-interop";

#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Courier,
    Dovecot,
    Mailutils,
    Popa3d,
}

/// A running server with its one user.
pub struct Server {
    pub addr: SocketAddr,
    /// Where it speaks TLS from the first octet on, if anywhere.
    pub secure: Option<SocketAddr>,
    pub user: String,
    pub password: String,
    mailbox: Mailbox,
    log: PathBuf,
    // Dropped in this order: nothing may write to a folder that is gone, and the lock goes last.
    inetd: Option<Inetd>,
    _daemon: Option<Process>,
    _folder: TempDir,
    _lock: Option<File>,
}

impl Server {
    /// Fills a fresh mailbox with `corpus` and returns once the server takes connections.
    pub fn start(kind: Kind, corpus: &[Message]) -> Server {
        Server::start_with(kind, corpus, true)
    }

    /// The same; unless `stamped`, Mailutils' mailbox lacks the headers by which two runs are equal,
    /// and its messages have the sizes that they have elsewhere.
    pub fn start_with(kind: Kind, corpus: &[Message], stamped: bool) -> Server {
        match kind {
            Kind::Courier => courier::start(corpus),
            Kind::Dovecot => dovecot::start(corpus, None),
            Kind::Mailutils => mailutils::start(corpus, stamped),
            Kind::Popa3d => popa3d::start(corpus),
        }
    }

    /// Dovecot with STLS at its usual port, and TLS at another.
    pub fn start_secure(corpus: &[Message], identity: &Pair) -> Server {
        dovecot::start(corpus, Some(identity))
    }

    /// What the mailbox holds once the sessions so far have ended.
    pub fn mailbox(&self) -> Vec<Vec<u8>> {
        if let Some(inetd) = &self.inetd {
            inetd.wait_for_sessions();
        }
        self.mailbox.read()
    }

    /// What the server had to say, for the report of a failure.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

/// Waits until no other test, in this process or another, uses the one mailbox of the system account.
///
/// `flock` locks belong to an open file, so they hold between the threads of a process as well.
fn lock(kind: Kind) -> File {
    let file = File::create(std::env::temp_dir().join(format!("poptape-interop-{kind:?}.lock"))).unwrap();
    file.lock().unwrap();
    file
}

/// The password that setup.sh made for the system account.
fn system_password() -> String {
    fs::read_to_string(format!("{UNPACKED}/password"))
        .expect("no password for the tests' account: run tests/interop/setup.sh as root")
}
