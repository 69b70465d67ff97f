//! Clients by the thousand, in one thread.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use poptape::wire::Side;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

/// Sessions that are under way where one is to follow the other.
pub const AT_A_TIME: usize = 32;

/// What both sides say, in turns.
#[derive(Debug, Clone)]
pub struct Talk {
    pub turns: Vec<(Side, Vec<u8>)>,
}

impl Talk {
    /// All that a side says.
    pub fn said(&self, side: Side) -> Vec<u8> {
        self.turns.iter().filter(|(by, _)| *by == side).flat_map(|(_, octets)| octets.clone()).collect()
    }

    pub fn commands(&self) -> usize {
        self.turns.iter().filter(|(by, _)| *by == Side::Client).count()
    }
}

/// Says these turns and hears exactly what is expected.
async fn hold(stream: &mut TcpStream, turns: &[(Side, Vec<u8>)]) {
    for (side, octets) in turns {
        match side {
            Side::Client => stream.write_all(octets).await.unwrap(),
            Side::Server => {
                let mut heard = vec![0; octets.len()];
                stream.read_exact(&mut heard).await.unwrap();
                assert!(heard == *octets, "{}", crate::support::text(&heard));
            }
        }
    }
}

/// Nothing follows the last word.
async fn end(mut stream: TcpStream) {
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Sessions that are all open.
pub struct Crowd {
    runtime: Runtime,
    sessions: Vec<(TcpStream, Talk)>,
}

/// Opens sessions, one after the other, and takes each to the middle of its talk.
pub fn gather(address: SocketAddr, count: usize, talk: impl Fn(usize) -> Talk) -> Crowd {
    let runtime = runtime();
    let mut sessions = Vec::with_capacity(count);
    runtime.block_on(async {
        for n in 0..count {
            let talk = talk(n);
            let mut stream = TcpStream::connect(address).await.unwrap();
            hold(&mut stream, &talk.turns[..talk.turns.len() / 2]).await;
            sessions.push((stream, talk));
        }
    });
    Crowd { runtime, sessions }
}

impl Crowd {
    /// Takes each to its end.
    pub fn finish(self) {
        self.runtime.block_on(async {
            for (mut stream, talk) in self.sessions {
                hold(&mut stream, &talk.turns[talk.turns.len() / 2..]).await;
                end(stream).await;
            }
        });
    }
}

/// Whole sessions, with these numbers.
pub fn run(address: SocketAddr, numbers: Range<usize>, talk: &(impl Fn(usize) -> Talk + Sync)) {
    let next = AtomicUsize::new(numbers.start);
    runtime().block_on(async {
        let worker = async || {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= numbers.end {
                    return;
                }
                let talk = talk(n);
                let mut stream = TcpStream::connect(address).await.unwrap();
                hold(&mut stream, &talk.turns).await;
                end(stream).await;
            }
        };
        // Joined by hand: each borrows what is shared.
        let mut workers: Vec<_> = (0..AT_A_TIME).map(|_| Box::pin(worker())).collect();
        std::future::poll_fn(|cx| {
            workers.retain_mut(|worker| worker.as_mut().poll(cx).is_pending());
            if workers.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    });
}
