//! popa3d, whose every user is a system account with an mbox in the spool.

use std::fs::File;

use tempfile::TempDir;

use super::inetd::Inetd;
use super::{Kind, Server, UNPACKED, lock, system_password};
use crate::interop::corpus::Message;
use crate::interop::mailbox::{ACCOUNT, Mailbox};
use crate::interop::process::program;

pub fn start(corpus: &[Message]) -> Server {
    let lock = lock(Kind::Popa3d);
    let password = system_password();
    let folder = TempDir::new().unwrap();
    let mailbox = Mailbox::Mbox(format!("/var/mail/{ACCOUNT}").into());
    mailbox.fill(corpus, false);
    let log = folder.path().join("log");
    let inetd = Inetd::start(program(&format!("{UNPACKED}/usr/sbin/popa3d")), File::create(&log).unwrap());
    Server {
        addr: inetd.addr,
        secure: None,
        user: ACCOUNT.into(),
        password,
        mailbox,
        log,
        inetd: Some(inetd),
        _daemon: None,
        _folder: folder,
        _lock: Some(lock),
    }
}
