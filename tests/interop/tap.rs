//! A wire tap: passes connections on unchanged and remembers every octet of both sides.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use crate::support::PATIENCE;

/// What the two sides of one connection sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Session {
    pub client: Vec<u8>,
    pub server: Vec<u8>,
}

pub struct Tap {
    pub addr: SocketAddr,
    stopping: Arc<AtomicBool>,
    accepting: JoinHandle<Vec<[JoinHandle<Vec<u8>>; 2]>>,
}

impl Tap {
    pub fn start(target: SocketAddr) -> Tap {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let stopping: Arc<AtomicBool> = Arc::default();
        let stop = Arc::clone(&stopping);
        let accepting = thread::spawn(move || {
            let mut sessions = Vec::new();
            for client in listener.incoming().map(Result::unwrap) {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let server = TcpStream::connect(target).unwrap();
                sessions.push([pass(&client, &server), pass(&server, &client)]);
            }
            sessions
        });
        Tap { addr, stopping, accepting }
    }

    /// Takes no more connections, waits for both ends of each to close, and tells what went over
    /// them, in the order in which they were opened.
    pub fn finish(self) -> Vec<Session> {
        self.stopping.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.addr).unwrap());
        let sessions = self.accepting.join().unwrap();
        sessions
            .into_iter()
            .map(|[client, server]| Session {
                client: client.join().unwrap(),
                server: server.join().unwrap(),
            })
            .collect()
    }
}

/// Copies one direction until its end, and passes the end on: a half-closed connection stays one.
///
/// What can no longer be delivered is still read: the question is what was sent.
fn pass(from: &TcpStream, to: &TcpStream) -> JoinHandle<Vec<u8>> {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    from.set_read_timeout(Some(2 * PATIENCE)).unwrap();
    from.set_nodelay(true).unwrap();
    thread::spawn(move || {
        let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            seen.extend(&buffer[..count]);
            let _ = to.write_all(&buffer[..count]);
        }
        let _ = to.shutdown(Shutdown::Write);
        seen
    })
}
