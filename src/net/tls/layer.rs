//! TLS on a connection once its handshake has begun: octets of the session in, records out, and back. It knows sockets
//! only as something that takes or gives what it can at once.

use std::io::{self, BufRead as _, ErrorKind, IoSlice, Write};

use bytes::BytesMut;
use rustls::Connection;
use tokio::net::TcpStream;

use super::failure;
use super::sniffer::Sniffer;
use crate::wire::{Side, TlsFailure};

/// See the [module](self).
#[derive(Debug)]
pub(in crate::net) struct Layer {
    connection: Connection,
    /// The peer has said that nothing more comes (`close_notify`, RFC 8446 section 6.1).
    closed: bool,
    /// What came cannot be right, or was a fatal alert.
    broken: Option<rustls::Error>,
    /// What came right behind the handshake.
    early: BytesMut,
}

impl Layer {
    pub(super) fn new(mut connection: Connection) -> Self {
        // The pump bounds what waits: it reads nothing for a side that does not take what it has.
        connection.set_buffer_limit(None);
        Self { connection, closed: false, broken: None, early: BytesMut::new() }
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Whether records wait to be sent.
    pub(in crate::net) fn wants_write(&self) -> bool {
        self.connection.wants_write()
    }

    /// Whether nothing more comes from the peer, as it said itself.
    pub(in crate::net) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether no record can be taken any more.
    pub(in crate::net) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// Why no record can be taken any more of the peer that is this side of the session.
    pub(in crate::net) fn why_broken(&self, side: Side) -> Option<TlsFailure> {
        self.broken.as_ref().map(|error| failure::of(side, error))
    }

    /// Makes records of octets; they wait to be sent.
    pub(in crate::net) fn seal(&mut self, octets: &[u8]) -> io::Result<()> {
        self.connection.writer().write_all(octets)
    }

    /// Says that nothing more comes from us.
    pub(in crate::net) fn close(&mut self) {
        self.connection.send_close_notify();
    }

    /// Sends of what waits as much as the socket takes at once.
    pub(in crate::net) fn write(
        &mut self,
        stream: &TcpStream,
        sniffer: Option<&Sniffer>,
    ) -> io::Result<usize> {
        self.connection.write_tls(&mut Socket { stream, sniffer })
    }

    /// Takes records, and appends to `block` what they protect. One that cannot be right breaks the connection; the
    /// alert that says so waits to be sent.
    pub(in crate::net) fn open(&mut self, mut records: &[u8], block: &mut BytesMut) {
        while !records.is_empty() && !self.closed && self.broken.is_none() {
            self.broken = self.feed(&mut records).err();
            self.drain(block);
        }
    }

    /// Takes records of a handshake. What comes behind its end is opened too, and kept for [`Layer::take_early`].
    pub(super) fn shake_hands(&mut self, mut records: &[u8]) -> Result<(), rustls::Error> {
        while !records.is_empty() && !self.closed && self.connection.is_handshaking() {
            let fed = self.feed(&mut records);
            if self.connection.is_handshaking() {
                fed?;
            } else {
                self.broken = fed.err();
            }
        }
        if !self.connection.is_handshaking() {
            let mut early = std::mem::take(&mut self.early);
            self.drain(&mut early);
            self.open(records, &mut early);
            self.early = early;
        }
        Ok(())
    }

    /// Appends what came right behind the handshake.
    pub(in crate::net) fn take_early(&mut self, block: &mut BytesMut) {
        if !self.early.is_empty() {
            block.extend_from_slice(&std::mem::take(&mut self.early));
        }
    }

    /// Takes the next records, and no more of them than rustls has room for.
    fn feed(&mut self, records: &mut &[u8]) -> Result<(), rustls::Error> {
        let read = self.connection.read_tls(records);
        let state = self.connection.process_new_packets()?;
        self.closed |= state.peer_has_closed();
        // It reads from memory, and what it has read is taken out at once: it has no reason to refuse any.
        read.map(drop).map_err(|error| rustls::Error::General(error.to_string()))
    }

    fn drain(&mut self, block: &mut BytesMut) {
        let mut reader = self.connection.reader();
        while let Ok(octets) = reader.fill_buf() {
            if octets.is_empty() {
                break;
            }
            block.extend_from_slice(octets);
            let taken = octets.len();
            reader.consume(taken);
        }
    }
}

/// A socket that takes what it can at once.
struct Socket<'a> {
    stream: &'a TcpStream,
    sniffer: Option<&'a Sniffer>,
}

impl Write for Socket<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(octets)])
    }

    fn write_vectored(&mut self, octets: &[IoSlice<'_>]) -> io::Result<usize> {
        let sent = self.stream.try_write_vectored(octets)?;
        if let Some(sniffer) = self.sniffer {
            let mut left = sent;
            for octets in octets {
                let of_it = left.min(octets.len());
                sniffer.sent(&octets[..of_it]);
                left -= of_it;
            }
        }
        Ok(sent)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether an operation has to be tried again once the socket is ready.
pub(in crate::net) fn is_pending(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
