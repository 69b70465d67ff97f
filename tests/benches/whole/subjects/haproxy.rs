//! haproxy in TCP mode on one thread, without a log.

use std::fs;
use std::process::Command;

use super::{Running, Subject};
use crate::system::program;

pub const HAPROXY: Subject = Subject {
    name: "haproxy",
    program: Some("haproxy"),
    slow: false,
    start: |around| {
        Running::on_port(|port| {
            let config = around.folder.join("haproxy.cfg");
            let text = format!(
                "global\n  nbthread 1\n  maxconn 8000\ndefaults\n  mode tcp\n  timeout connect 10s\n  \
                 timeout client 600s\n  timeout server 600s\nlisten pop3\n  bind 127.0.0.1:{port}\n  \
                 server upstream {}\n",
                around.upstream
            );
            fs::write(&config, text).unwrap();
            let mut command = Command::new(program("haproxy").unwrap());
            command.args(["-db", "-q", "-f"]).arg(&config);
            command
        })
    },
};
