//! Listening: binds, accepts, hands each connection to a task of its own, and ends when it is told to.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::address::scheme;
use crate::wire::Security;

/// How long to wait before accepting again where the process has run out of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// How many may be connected and not accepted yet: a crowd that comes at once, and whoever waits for a place.
const BACKLOG: u32 = 4096;

/// A bound socket.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    /// Where it listens; the port is the real one where 0 was asked for.
    pub address: SocketAddr,
    /// How TLS comes to its connections.
    pub security: Security,
}

impl Listener {
    /// Binds. Must be called within a runtime.
    pub fn bind(address: SocketAddr, security: Security) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A port that was in use a moment ago can be used again.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let socket = socket.listen(BACKLOG)?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address, security })
    }

    /// As clients are told of it: `pop3://127.0.0.1:1110`, `pop3s://` where TLS comes first.
    pub fn url(&self) -> String {
        let security = if self.security == Security::Implicit { self.security } else { Security::Plain };
        format!("{}://{}", scheme(security), self.address)
    }
}

/// An accepted connection.
#[derive(Debug)]
pub struct Accepted {
    /// The connection.
    pub stream: TcpStream,
    /// The client's address.
    pub client: SocketAddr,
    /// Where it connected to.
    pub listener: SocketAddr,
    /// How TLS comes to it.
    pub security: Security,
    /// Its number, from 1.
    pub number: u32,
}

/// How long to accept, and to go on.
#[derive(Debug, Clone)]
pub struct Until {
    /// Until so many sessions were accepted.
    pub limit: Option<u32>,
    /// So many sessions are open at once, and whoever comes then waits; None: as many as come.
    pub at_once: Option<usize>,
    /// Until this turns true: nobody else is accepted, and sessions go on to their end.
    pub closing: watch::Receiver<bool>,
    /// Until this turns true: sessions are to end at once.
    pub stop: watch::Receiver<bool>,
}

/// Accepts on all listeners as long as it may, runs `session` for each connection, and waits for all of them to
/// end. `warn` is told once of each thing that goes wrong.
pub async fn serve<F>(
    listeners: Vec<Listener>,
    until: Until,
    warn: impl Fn(String) + Clone + Send + 'static,
    session: impl Fn(Accepted) -> F + Clone + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let Until { limit, at_once, mut closing, mut stop } = until;
    // Each listener that waits has room for the session that it waits for.
    let at_once = at_once.unwrap_or(Semaphore::MAX_PERMITS).max(listeners.len());
    let (room, crowded) = (Arc::new(Semaphore::new(at_once)), Arc::new(AtomicBool::new(false)));
    let counter = Arc::new(AtomicU32::new(0));
    let (full, is_full) = watch::channel(false);
    let full = Arc::new(full);
    let mut tasks = JoinSet::new();
    for listener in listeners {
        let (counter, full, mut is_full) = (Arc::clone(&counter), Arc::clone(&full), is_full.clone());
        let (warn, session) = (warn.clone(), session.clone());
        let (room, crowded) = (Arc::clone(&room), Arc::clone(&crowded));
        tasks.spawn(async move {
            let mut sessions = JoinSet::new();
            let mut warned = false;
            loop {
                let place = if let Ok(place) = Arc::clone(&room).try_acquire_owned() {
                    place
                } else {
                    if !crowded.swap(true, Ordering::Relaxed) {
                        warn(format!(
                            "{at_once} sessions are open, as many as the limit of open files allows (ulimit -n): others wait until one ends"
                        ));
                    }
                    tokio::select! {
                        Ok(place) = Arc::clone(&room).acquire_owned() => place,
                        Some(_) = sessions.join_next(), if !sessions.is_empty() => continue,
                        () = turns_true(&mut is_full) => break,
                    }
                };
                tokio::select! {
                    // Whoever is connected by now is still served.
                    biased;
                    accepted = listener.socket.accept() => match accepted {
                        Ok((stream, client)) => {
                            let number = counter.fetch_add(1, Ordering::Relaxed) + 1;
                            if limit.is_some_and(|limit| number > limit) {
                                break;
                            }
                            let (listener, security) = (listener.address, listener.security);
                            let session = session(Accepted { stream, client, listener, security, number });
                            sessions.spawn(async move {
                                session.await;
                                drop(place);
                            });
                            if limit == Some(number) {
                                full.send_replace(true);
                            }
                        }
                        Err(error) => {
                            if !std::mem::replace(&mut warned, true) {
                                warn(format!("cannot accept on {}: {error}; trying again", listener.address));
                            }
                            tokio::time::sleep(PAUSE).await;
                        }
                    },
                    Some(_) = sessions.join_next(), if !sessions.is_empty() => {}
                    () = turns_true(&mut is_full) => break,
                }
            }
            // Closed now, so that whoever comes later is refused and does not wait.
            drop(listener);
            while sessions.join_next().await.is_some() {}
        });
    }
    // The listeners' tasks end their sessions' tasks with them only once those saw `stop` themselves.
    tokio::select! {
        () = async { while tasks.join_next().await.is_some() {} } => return,
        () = turns_true(&mut closing) => {}
        () = turns_true(&mut stop) => {}
    }
    full.send_replace(true);
    while tasks.join_next().await.is_some() {}
}

/// Waits for a flag. One whose sender is gone will not turn any more: that is as good as true.
pub async fn turns_true(flag: &mut watch::Receiver<bool>) {
    let _ = flag.wait_for(|flag| *flag).await;
}
