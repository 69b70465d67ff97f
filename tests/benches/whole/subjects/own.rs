//! The bounds: this binary again, as a proxy that only copies.

use std::process::Command;

use super::{Running, Subject};
use crate::pki::Pki;

pub const COPY: Subject = Subject {
    name: "copy",
    program: None,
    slow: false,
    start: |around| {
        let mut command = own("copy");
        command.arg(around.upstream.to_string());
        Running::ready(command)
    },
};

pub const COPY_LOG: Subject = Subject {
    name: "copy+log",
    program: None,
    slow: false,
    start: |around| {
        let mut command = own("copy");
        command.arg(around.upstream.to_string()).arg(around.folder);
        Running::ready(command)
    },
};

/// The server that all proxies are before.
pub fn upstream(tls: Option<&Pki>) -> Running {
    let mut command = own("upstream");
    if let Some(pki) = tls {
        command.arg(&pki.certificate).arg(&pki.key);
    }
    Running::ready(command)
}

fn own(role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("role").arg(role);
    command
}
