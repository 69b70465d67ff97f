//! TLS as whoever looks on sees it.

use bytes::Bytes;

use super::keylog::KeyLog;
use crate::wire::{Micros, Side, Tls};

/// What is seen of a TLS connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Out {
    /// What the hellos say; once, before any octets.
    Started(Tls),
    /// What a record protected.
    Plain(Side, Micros, Bytes),
    /// Octets as they are on the wire, which nothing here opens.
    Opaque(Side, Micros, Bytes),
    /// Something worth knowing: when, a word for programs, the same for people.
    Note(Micros, &'static str, String),
}

/// A TLS connection.
#[derive(Debug, Default)]
pub struct Tap {
    started: bool,
}

impl Tap {
    /// A connection from the client's hello on.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next octets of a side.
    pub fn octets(&mut self, keys: &KeyLog, side: Side, at: Micros, octets: &[u8], out: &mut dyn FnMut(Out)) {
        let _ = keys;
        if !self.started {
            self.started = true;
            out(Out::Started(Tls { at, ..Tls::default() }));
        }
        out(Out::Opaque(side, at, Bytes::copy_from_slice(octets)));
    }

    /// So many octets of a side are not in the capture.
    pub fn missing(&mut self, side: Side, octets: u64, at: Micros, out: &mut dyn FnMut(Out)) {
        let _ = (&self, side, octets, at, out);
    }

    /// A side ended its direction.
    pub fn close(&mut self, side: Side, at: Micros, out: &mut dyn FnMut(Out)) {
        let _ = (&self, side, at, out);
    }
}
