//! Dovecot, tuned: processes that serve many sessions, nothing logged, nothing looked up twice.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::process::Command;

use super::{Running, Subject};
use crate::system::program;
use crate::works::serve;

/// `nobody` of Debian.
const NOBODY: u32 = 65_534;

pub const DOVECOT: Subject = Subject {
    name: "dovecot",
    program: Some("dovecot"),
    slow: false,
    start: |around| {
        // The processes that talk to clients run as accounts of Dovecot's own.
        fs::set_permissions(around.folder, Permissions::from_mode(0o755)).unwrap();
        let home = around.folder.join("home");
        let maildir = home.join("Maildir");
        serve::maildir(&maildir);
        for folder in [home.clone(), maildir.clone()]
            .into_iter()
            .chain(["cur", "new", "tmp"].map(|it| maildir.join(it)))
        {
            chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
            for entry in folder.read_dir().unwrap() {
                chown(entry.unwrap().path(), Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        fs::write(around.folder.join("users"), "kcope:{PLAIN}secret\n").unwrap();
        Running::on_port(|port| {
            let config = around.folder.join("dovecot.conf");
            fs::write(&config, configuration(&around.folder.display().to_string(), port)).unwrap();
            let mut command = Command::new(program("dovecot").unwrap());
            command.args(["-F", "-c"]).arg(&config);
            command
        })
    },
};

fn configuration(root: &str, port: u16) -> String {
    format!(
        "base_dir = {root}/run
state_dir = {root}/run
log_path = /dev/null
protocols = pop3
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain
auth_cache_size = 1M
auth_failure_delay = 0
mail_location = maildir:~/Maildir
mail_fsync = never
pop3_no_flag_updates = yes
first_valid_uid = 1
passdb {{
  driver = passwd-file
  args = {root}/users
}}
userdb {{
  driver = static
  args = uid={NOBODY} gid={NOBODY} home={root}/home
}}
service pop3-login {{
  service_count = 0
  process_min_avail = 1
  process_limit = 1
  client_limit = 1000
  chroot =
  inet_listener pop3 {{
    address = 127.0.0.1
    port = {port}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service pop3 {{
  service_count = 0
  process_min_avail = 1
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
"
    )
}
