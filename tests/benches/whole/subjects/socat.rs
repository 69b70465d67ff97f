//! socat -v: a process a session, and what passes as text.

use std::process::Command;

use super::{Running, Subject};
use crate::system::program;

pub const SOCAT: Subject = Subject {
    name: "socat -v",
    program: Some("socat"),
    slow: true,
    start: |around| {
        Running::on_port(|port| {
            // Its words go to the file; the shell puts them there, and becomes socat.
            let mut command = Command::new("sh");
            command.arg("-c").arg("exec \"$1\" -v \"$2\" \"$3\" 2>\"$0\"");
            command.arg(around.folder.join("log")).arg(program("socat").unwrap());
            command.arg(format!("TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,backlog=512,nodelay"));
            command.arg(format!("TCP:{},nodelay", around.upstream));
            command
        })
    },
};
