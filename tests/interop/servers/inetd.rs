//! An inetd of our own: a program for each connection, whose standard input and output it is.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

pub struct Inetd {
    pub addr: SocketAddr,
    children: Arc<Mutex<Vec<Child>>>,
    stopping: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Inetd {
    /// Starts `command` anew for each connection; what it says to standard error goes to `log`.
    pub fn start(mut command: Command, log: File) -> Inetd {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let children: Arc<Mutex<Vec<Child>>> = Arc::default();
        let stopping: Arc<AtomicBool> = Arc::default();
        let (theirs, stop) = (Arc::clone(&children), Arc::clone(&stopping));
        let accepting = thread::spawn(move || {
            for stream in listener.incoming().map(Result::unwrap) {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                // Held from before the first octet can be sent until the child is in the list, so
                // that a client that has seen the greeting is never waited for in vain.
                let mut children = theirs.lock().unwrap();
                let output = OwnedFd::from(stream.try_clone().unwrap());
                command.stdin(OwnedFd::from(stream)).stdout(output).stderr(log.try_clone().unwrap());
                children.push(command.spawn().unwrap());
                // The command keeps what it was given: the connection would never close.
                command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
            }
        });
        Inetd { addr, children, stopping, accepting: Some(accepting) }
    }

    /// Waits until each program started so far has ended, and with it what it does after QUIT.
    pub fn wait_for_sessions(&self) {
        for mut child in self.children.lock().unwrap().drain(..) {
            child.wait().unwrap();
        }
    }
}

impl Drop for Inetd {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        if TcpStream::connect(self.addr).is_ok() {
            let _ = self.accepting.take().map(JoinHandle::join);
        }
        for child in self.children.lock().iter_mut().flat_map(|children| children.iter_mut()) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
