//! What is measured: a row a subject, poptape in its modes, what it is measured against, the servers.

mod dovecot;
mod haproxy;
mod mitmdump;
mod nginx;
mod own;
pub mod poptape;
mod socat;

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::pki::Pki;
use crate::system::program;
use crate::works::import;

pub use self::own::upstream;

/// How long one may take to listen.
const PATIENCE: Duration = Duration::from_secs(30);

/// What one is started with.
pub struct Around<'a> {
    /// The server that it is before.
    pub upstream: SocketAddr,
    /// A folder of its own.
    pub folder: &'a Path,
    /// TLS on both legs, by this.
    pub tls: Option<&'a Pki>,
}

/// A row.
pub struct Subject {
    /// As tables name it.
    pub name: &'static str,
    /// The program that has to be installed.
    pub program: Option<&'static str>,
    /// It gets a smaller load, and not in every round.
    pub slow: bool,
    pub start: fn(&Around<'_>) -> Running,
}

impl Subject {
    /// Whether it can be measured here.
    pub fn is_here(&self) -> bool {
        self.program.is_none_or(|name| program(name).is_some())
    }
}

/// Every subject.
pub const SUBJECTS: &[Subject] = &[
    poptape::NOTHING,
    poptape::JSON,
    poptape::BOTH,
    poptape::SERVE,
    poptape::REPLAY,
    own::COPY,
    own::COPY_LOG,
    haproxy::HAPROXY,
    nginx::NGINX,
    socat::SOCAT,
    mitmdump::MITMDUMP,
    dovecot::DOVECOT,
    import::TCPFLOW,
    import::CONVERT,
];

/// The row of this name.
pub fn named(name: &str) -> &'static Subject {
    SUBJECTS.iter().find(|subject| subject.name == name).unwrap_or_else(|| panic!("no subject {name}"))
}

/// A subject at work; ended when dropped.
pub struct Running {
    child: Child,
    pub address: SocketAddr,
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Starts a command that says where it listens in a line `ready URL`.
    pub fn ready(mut command: Command) -> Self {
        let mut child = group(&mut command).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let (mut line, mut said) = (String::new(), String::new());
        let address = loop {
            line.clear();
            assert!(lines.read_line(&mut line).unwrap() > 0, "{command:?} did not start: {said}");
            if let Some((_, address)) = line.strip_prefix("ready ").and_then(|url| url.split_once("://")) {
                break address.trim().parse().unwrap();
            }
            said.push_str(&line);
        };
        // It may go on to say things, and nobody waits for them.
        std::thread::spawn(move || lines.lines().map_while(Result::ok).for_each(drop));
        Self { child, address }
    }

    /// Starts a command that listens on the port that it is told; another one where somebody else was faster.
    pub fn on_port(command: impl Fn(u16) -> Command) -> Self {
        for _ in 0..10 {
            let address = free_address();
            let mut child = group(&mut command(address.port())).stderr(Stdio::null()).spawn().unwrap();
            let deadline = Instant::now() + PATIENCE;
            while Instant::now() < deadline && child.try_wait().unwrap().is_none() {
                if TcpStream::connect(address).is_ok() {
                    return Self { child, address };
                }
                std::thread::sleep(Duration::from_millis(2));
            }
            // It did not get the port.
            let _ = child.kill();
            let _ = child.wait();
        }
        panic!("{:?} did not start in ten tries", command(0));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        use rustix::process::{Pid, Signal, kill_process_group};
        // What ended by itself needs no signal.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::TERM);
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.child.try_wait().is_ok_and(|status| status.is_none()) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

fn group(command: &mut Command) -> &mut Command {
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null())
}

/// A port that nobody has now.
pub fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}
