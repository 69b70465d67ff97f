//! A leg: one connection of a session, in clear or under TLS. What is sent and cannot go at once waits here.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;

use super::pool::Pool;
use super::tls::layer::{Layer, is_pending};
use super::tls::sniffer::Sniffer;
use crate::wire::Close;

/// A rest that could not be sent is copied out of the shared block where it is smaller than this, so that
/// it does not keep the whole block.
const COPY_LIMIT: usize = 32 * 1024;

/// How long a peer is silent before the system looks whether it is there.
const KEEP_ALIVE: Duration = Duration::from_mins(1);

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Leg {
    stream: TcpStream,
    tls: Option<Box<Layer>>,
    /// Who looks at what passes from its handshake on.
    sniffer: Option<Arc<Sniffer>>,
    unsent: VecDeque<Bytes>,
    parting: Parting,
    /// Octets of a session have passed.
    used: bool,
    /// Its TLS came to nothing: what is to be sent would go in clear.
    failed: bool,
    /// The peer has not ended its direction.
    pub(super) readable: bool,
}

/// Where our direction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parting {
    /// It goes on.
    Open,
    /// FIN shall follow what is unsent.
    Due,
    /// It has ended.
    Done,
}

impl Leg {
    pub(super) fn new(stream: TcpStream) -> Self {
        // A proxy adds no delay of its own; without the option it is only slower.
        let _ = stream.set_nodelay(true);
        keep_alive(&stream);
        Self {
            stream,
            tls: None,
            sniffer: None,
            unsent: VecDeque::new(),
            parting: Parting::Open,
            used: false,
            failed: false,
            readable: true,
        }
    }

    /// The same with a sniffer on it.
    pub(super) fn sniffed(self, sniffer: Option<Arc<Sniffer>>) -> Self {
        Self { sniffer, ..self }
    }

    /// Its sniffer.
    pub(super) fn sniffer(&self) -> Option<&Arc<Sniffer>> {
        self.sniffer.as_ref()
    }

    /// The address that the client connected to.
    pub(super) fn local_address(&self) -> Option<IpAddr> {
        self.stream.local_addr().ok().map(|address| address.ip())
    }

    /// Whether octets of a session have passed: TLS that begins now was asked for in clear.
    pub(super) fn used(&self) -> bool {
        self.used
    }

    /// TLS begins: what comes and goes from now on is records.
    pub(super) fn secure(&mut self, layer: Layer) -> &mut Layer {
        self.tls.insert(Box::new(layer))
    }

    /// What TLS there is.
    pub(super) fn layer(&mut self) -> Option<&mut Layer> {
        self.tls.as_deref_mut()
    }

    /// Its TLS came to nothing: nothing more is sent on it but what waits.
    pub(super) fn fail(&mut self) {
        (self.failed, self.readable) = (true, false);
    }

    /// Whether something waits to be sent.
    pub(super) fn waits(&self) -> bool {
        match &self.tls {
            None => !self.unsent.is_empty(),
            Some(layer) => layer.wants_write(),
        }
    }

    /// Sends what the socket takes at once and keeps the rest.
    pub(super) fn send(&mut self, mut octets: Bytes) {
        self.used = true;
        if self.failed {
            return;
        }
        if let Some(layer) = &mut self.tls {
            // Sealing fails only where it is closed already, which is seen as such.
            let _ = layer.seal(&octets);
            return self.flush();
        }
        if self.unsent.is_empty() {
            while !octets.is_empty() {
                match self.stream.try_write(&octets) {
                    Ok(sent) => drop(octets.split_to(sent)),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    // Whatever is wrong with the socket shows again when it is polled.
                    Err(_) => break,
                }
            }
        }
        if !octets.is_empty() {
            let small = octets.len() < COPY_LIMIT;
            self.unsent.push_back(if small { Bytes::copy_from_slice(&octets) } else { octets });
        }
    }

    /// Sends of what waits what the socket takes at once.
    pub(super) fn flush(&mut self) {
        while self.waits() && self.write().is_ok() {}
    }

    /// One write.
    fn write(&mut self) -> io::Result<()> {
        if let Some(layer) = &mut self.tls {
            return layer.write(&self.stream, self.sniffer.as_deref()).map(drop);
        }
        let Some(octets) = self.unsent.front_mut() else { return Ok(()) };
        let sent = self.stream.try_write(octets)?;
        if sent == octets.len() {
            self.unsent.pop_front();
        } else {
            drop(octets.split_to(sent));
        }
        Ok(())
    }

    /// Sends on until nothing is left.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.waits() {
            ready!(self.stream.poll_write_ready(cx))?;
            match self.write() {
                Err(error) if !is_pending(&error) => return Poll::Ready(Err(error)),
                _ => {}
            }
        }
        if self.parting == Parting::Due {
            self.shut_down();
        }
        Poll::Ready(Ok(()))
    }

    /// Ends our direction once everything is sent; with a word of TLS about it where there is TLS, if `notify`.
    pub(super) fn finish(&mut self, notify: bool) {
        if self.parting != Parting::Open {
            return;
        }
        if let Some(layer) = self.tls.as_mut().filter(|_| notify && !self.failed) {
            layer.close();
        }
        self.flush();
        self.parting = Parting::Due;
        if !self.waits() {
            self.shut_down();
        }
    }

    /// The next octets of the session, or how the peer ended its direction.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, pool: &Pool) -> Poll<Result<Bytes, Close>> {
        let Some(layer) = &mut self.tls else {
            let octets = ready!(pool.poll_read(&mut self.stream, cx));
            self.used = true;
            return Poll::Ready(match octets {
                Ok(octets) if octets.is_empty() => Err(Close::Finished),
                Ok(octets) => Ok(octets),
                Err(_) => Err(Close::Reset),
            });
        };
        let mut octets = pool.fill(|block| layer.take_early(block));
        while octets.is_empty() {
            if layer.is_broken() {
                // The alert says why; the peer is told once, whether it listens or not.
                self.flush();
                return Poll::Ready(Err(Close::Reset));
            }
            if layer.is_closed() {
                return Poll::Ready(Err(Close::Finished));
            }
            let (stream, sniffer) = (&self.stream, self.sniffer.as_deref());
            let read = || {
                pool.read_records(stream, |records, block| {
                    if let Some(sniffer) = sniffer {
                        sniffer.received(records);
                    }
                    layer.open(records, block);
                })
            };
            octets = match ready!(poll_try(stream, cx, read)) {
                Ok(Some(octets)) => octets,
                Ok(None) => return Poll::Ready(Err(Close::Truncated)),
                Err(_) => return Poll::Ready(Err(Close::Reset)),
            };
        }
        Poll::Ready(Ok(octets))
    }

    /// Waits until everything is sent.
    pub(super) async fn sent(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_send(cx)).await
    }

    /// Sends octets past any TLS: an alert, to a peer that knows no keys yet.
    pub(super) fn send_raw(&mut self, octets: &[u8]) {
        // They are few, and nothing was sent since the handshake began; else the peer learns less.
        let sent = self.stream.try_write(octets).unwrap_or(0);
        if let Some(sniffer) = &self.sniffer {
            sniffer.sent(&octets[..sent]);
        }
    }

    /// The connection ends with RST whenever it ends.
    pub(super) fn reset_at_end(&mut self) {
        // Without it the peer gets a FIN: worse, but an end all the same.
        let _ = self.stream.set_zero_linger();
        // A FIN before it would be an end in order.
        self.parting = Parting::Done;
    }

    /// Reads once, past any TLS: what a handshake is made of. Empty at the end.
    pub(super) async fn read_raw(&mut self, pool: &Pool) -> io::Result<Bytes> {
        let octets = poll_fn(|cx| pool.poll_read(&mut self.stream, cx)).await?;
        if let Some(sniffer) = &self.sniffer {
            sniffer.received(&octets);
        }
        Ok(octets)
    }

    fn shut_down(&mut self) {
        self.parting = Parting::Done;
        // Fails only where the connection is gone, which reading it tells.
        let _ = rustix::net::shutdown(&self.stream, rustix::net::Shutdown::Write);
    }
}

/// Lets the system ask a silent peer now and then whether it is still there: one that lost its power or its network says
/// nothing, and its session would never end.
fn keep_alive(stream: &TcpStream) {
    use rustix::net::sockopt;
    // Where one of them cannot be set, the system's own times hold.
    let _ = sockopt::set_socket_keepalive(stream, true);
    let _ = sockopt::set_tcp_keepidle(stream, KEEP_ALIVE);
    let _ = sockopt::set_tcp_keepintvl(stream, KEEP_ALIVE / 4);
}

/// Tries until the socket has something.
fn poll_try<T>(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    mut read: impl FnMut() -> io::Result<T>,
) -> Poll<io::Result<T>> {
    loop {
        ready!(stream.poll_read_ready(cx))?;
        match read() {
            Err(error) if is_pending(&error) => {}
            result => return Poll::Ready(result),
        }
    }
}
