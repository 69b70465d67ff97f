//! GNU Mailutils' pop3d, whose virtual domains need no system account.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use super::Server;
use super::inetd::Inetd;
use crate::interop::corpus::Message;
use crate::interop::mailbox::{Mailbox, give, ids};
use crate::interop::process::program;

const USER: &str = "kcope@example.org";
const PASSWORD: &str = "two words";

pub fn start(corpus: &[Message], stamped: bool) -> Server {
    let folder = TempDir::new().unwrap();
    let root = folder.path();
    // The session runs as the owner of the mail, not as root.
    fs::set_permissions(root, Permissions::from_mode(0o755)).unwrap();
    let (home, domains) = (root.join("home"), root.join("domains"));
    fs::create_dir(&home).unwrap();
    fs::create_dir(&domains).unwrap();
    give(&home);
    let hash = program("openssl").args(["passwd", "-6", PASSWORD]).output().unwrap().stdout;
    let (uid, gid) = ids();
    let entry =
        format!("kcope:{}:{uid}:{gid}::{}:/bin/sh\n", String::from_utf8_lossy(&hash).trim(), home.display());
    fs::write(domains.join("example.org"), entry).unwrap();
    // Its greeting has a timestamp, which curl takes for a promise that APOP works.
    let apop = root.join("apop");
    let mut popauth = program("popauth");
    popauth.arg("--add").arg("--file").arg(&apop).args(["--user", USER, "--password", PASSWORD]);
    assert!(popauth.status().unwrap().success(), "{popauth:?} failed");
    let config = root.join("pop3d.conf");
    fs::write(&config, configuration(&domains, &apop)).unwrap();

    let mailbox = Mailbox::Mbox(home.join("INBOX"));
    mailbox.fill(corpus, stamped);
    let mut command = program("/usr/sbin/pop3d");
    command.arg("--inetd").arg(format!("--config-file={}", config.display()));
    let log = root.join("log");
    let inetd = Inetd::start(command, File::create(&log).unwrap());
    Server {
        addr: inetd.addr,
        secure: None,
        user: USER.into(),
        password: PASSWORD.into(),
        mailbox,
        log,
        inetd: Some(inetd),
        _daemon: None,
        _folder: folder,
        _lock: None,
    }
}

fn configuration(domains: &Path, apop: &Path) -> String {
    let (domains, apop) = (domains.display(), apop.display());
    format!(
        r#"logging {{ syslog no; }};
apop-database-file "{apop}";
apop-database-owner root;
virtdomain {{ passwd-dir "{domains}"; }};
auth {{
  authentication clear;
  authentication "virtdomain:generic";
  authorization clear;
  authorization virtdomain;
}};
mailbox {{ mailbox-type mbox; }};
"#
    )
}
