//! Courier's pop3d, whose users come from its authentication daemon and have a Maildir at home.

use std::fs::{self, File};
use std::os::unix::net::UnixStream;
use std::path::Path;

use tempfile::TempDir;

use super::inetd::Inetd;
use super::{Kind, Server, UNPACKED, lock, system_password};
use crate::interop::corpus::Message;
use crate::interop::mailbox::{ACCOUNT, HOME, Mailbox};
use crate::interop::process::{Process, program};
use crate::support::eventually;

/// The path is fixed when Courier is compiled: one daemon at a time, under the lock.
const SOCKET: &str = "/run/courier/authdaemon/socket";

pub fn start(corpus: &[Message]) -> Server {
    let lock = lock(Kind::Courier);
    let password = system_password();
    let folder = TempDir::new().unwrap();
    let mailbox = Mailbox::Maildir(Path::new(HOME).join("Maildir"));
    mailbox.fill(corpus, false);
    let log = folder.path().join("log");
    let said = File::create(&log).unwrap();
    let daemon = authdaemon(&said);
    let programs = format!("{UNPACKED}/usr/lib/courier/courier");
    let mut login = program(&format!("{programs}/courierpop3login"));
    login.arg(format!("{programs}/courierpop3d")).arg("Maildir");
    // What couriertcpd would tell about the connection.
    login.envs([("TCPREMOTEIP", "127.0.0.1"), ("TCPREMOTEPORT", "1"), ("TCPLOCALIP", "127.0.0.1")]);
    login.envs([("TCPLOCALPORT", "110"), ("POP3AUTH", "")]);
    let inetd = Inetd::start(login, said);
    Server {
        addr: inetd.addr,
        secure: None,
        user: ACCOUNT.into(),
        password,
        mailbox,
        log,
        inetd: Some(inetd),
        _daemon: Some(daemon),
        _folder: folder,
        _lock: Some(lock),
    }
}

fn authdaemon(log: &File) -> Process {
    let _ = fs::remove_file(SOCKET);
    // The folder is made at boot, which a container may never have seen.
    fs::create_dir_all(Path::new(SOCKET).parent().unwrap()).unwrap();
    let mut command = program("/usr/lib/courier/courier-authlib/authdaemond");
    command.envs([("authmodulelist", "authpam"), ("daemons", "1")]);
    let daemon = Process::spawn(command.stderr(log.try_clone().unwrap()));
    eventually("authdaemond listens", || UnixStream::connect(SOCKET).is_ok());
    daemon
}
