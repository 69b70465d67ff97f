//! Starts the programs under test, ends each by its own process id, and waits for no fixed time.

use std::io;
use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::PATIENCE;

/// Fails the test if a program of the distribution is missing: an interop test that skips is green
/// on the very machine that has nothing to meet.
pub fn require(name: &str) {
    let found = if name.contains('/') {
        Path::new(name).exists()
    } else {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&folders).any(|folder| folder.join(name).exists())
    };
    assert!(found, "{name} is not installed: run tests/interop/setup.sh");
}

/// A command that starts such a program.
pub fn program(name: &str) -> Command {
    require(name);
    Command::new(name)
}

/// A program that runs until it is told to end, at the latest when this is dropped.
pub struct Process(Child);

impl Process {
    pub fn spawn(command: &mut Command) -> Process {
        Process(command.spawn().unwrap_or_else(|error| panic!("failed to start {command:?}: {error}")))
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    /// Sends SIGTERM, so that it can end its own children.
    fn ask_to_end(&mut self) -> io::Result<()> {
        if self.0.try_wait()?.is_none() {
            let id = rustix::process::Pid::from_child(&self.0);
            rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Not `eventually`: a panic in a drop hides the failure that led here.
        let asked = Instant::now();
        let _ = self.ask_to_end();
        while asked.elapsed() < PATIENCE && matches!(self.0.try_wait(), Ok(None)) {
            thread::park_timeout(Duration::from_millis(2));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
