//! A capture of 200 MB to what was said.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::Target::{AtLeast, Below};
use super::{Row, Work};
use crate::Bench;
use crate::load::Client;
use crate::subjects::poptape::{poptape, record};
use crate::subjects::{Around, Running, Subject};
use crate::system::{self, program, settled_cpu};

pub const TCPFLOW: Subject =
    Subject { name: "tcpflow", program: Some("tcpflow"), slow: false, start: no_server };

pub const CONVERT: Subject = Subject { name: "convert", program: None, slow: false, start: no_server };

pub const IMPORT: Work = Work {
    name: "import",
    subjects: &["tcpflow", "convert"],
    tls: false,
    rows: &[
        Row {
            name: "import of a capture of 200 MB, MB per CPU second",
            unit: "MB/s",
            reference: &["tcpflow"],
            cells: [None, Some(("convert", AtLeast(1.0))), None],
        },
        Row {
            name: "its memory",
            unit: "MB",
            reference: &["tcpflow"],
            cells: [None, Some(("convert", Below(64.0))), None],
        },
    ],
    run: |bench, subject| {
        let capture = bench.capture();
        let octets = capture.metadata().unwrap().len() as f64;
        let folder = system::scratch();
        let mut command = match subject.program {
            Some(name) => Command::new(program(name).unwrap()),
            None => poptape(),
        };
        match subject.program {
            Some(_) => command.arg("-q").arg("-r").arg(&capture).arg("-o").arg(folder.path()),
            None => command.arg("convert").arg(&capture).arg(folder.path().join("out.json")),
        };
        let (cpu, peak) = finish(command);
        vec![octets / 1e6 / cpu, peak as f64 / 1e6]
    },
};

fn no_server(_: &Around<'_>) -> Running {
    panic!("it listens nowhere")
}

/// Runs a command to its end: seconds of processor time, octets of memory at most.
pub fn finish(mut command: Command) -> (f64, u64) {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let (mut cpu, mut peak) = (0, 0);
    while !has_ended(&child) {
        peak = peak.max(system::peak(child.id()));
        cpu = cpu.max(system::cpu(child.id()));
        std::thread::sleep(Duration::from_millis(1));
    }
    // It is not waited for yet, and its account still there.
    cpu = cpu.max(system::cpu(child.id()));
    assert!(child.wait().unwrap().success(), "{command:?}");
    (cpu as f64 / 1e9, peak)
}

fn has_ended(child: &Child) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(Pid::from_child(child)), options).unwrap().is_some()
}

/// Makes the capture: a session with messages of 8 MB.
pub fn make(bench: &Bench, folder: &std::path::Path) -> PathBuf {
    let around = Around { upstream: bench.upstream(), folder, tls: None };
    let running = record(&around, &["--format", "pcap"]);
    let mut client = Client::connect(running.address, None);
    client.log_in();
    (0..bench.load(25, 1)).for_each(|_| client.retrieve(8 << 10));
    client.quit();
    settled_cpu(running.pid());
    folder.join("recordings").read_dir().unwrap().next().unwrap().unwrap().path()
}
