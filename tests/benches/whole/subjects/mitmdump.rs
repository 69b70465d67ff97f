//! mitmdump as a reverse TCP proxy that writes its flows to a file.

use std::process::Command;

use super::{Running, Subject};
use crate::system::program;

pub const MITMDUMP: Subject = Subject {
    name: "mitmdump -w",
    program: Some("mitmdump"),
    slow: true,
    start: |around| {
        Running::on_port(|port| {
            let mut command = Command::new(program("mitmdump").unwrap());
            command.arg("--mode").arg(format!("reverse:tcp://{}@127.0.0.1:{port}", around.upstream));
            command.arg("--set").arg(format!("confdir={}", around.folder.display()));
            command.args(["-q", "--set", "flow_detail=0", "-w"]).arg(around.folder.join("flows"));
            command
        })
    },
};
