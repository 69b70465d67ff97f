//! Answers as octets to send: many small ones in one piece, a large message as it lies in memory.

use bytes::{Bytes, BytesMut};

use crate::pop3::Status;
use crate::pop3::lines::Stuffer;
use crate::wire::{Action, Side};

/// After so many octets of output the engine lets its driver send them before it answers the next command.
pub const YIELD_AFTER: usize = 64 * 1024;

/// A body up to here is copied behind its status line; a longer one is worth a piece of its own.
const COPY_UP_TO: usize = 8 * 1024;

/// The longest status line without its ending (RFC 2449 section 4).
const MAX_STATUS: usize = 510;

const TERMINATOR: &[u8] = b".\r\n";

/// Collects answers into as few [`Action::Send`] as copying little allows.
#[derive(Debug, Default)]
pub(super) struct Output {
    sends: Vec<Bytes>,
    held: BytesMut,
    written: usize,
}

impl Output {
    /// Writes a status line (RFC 1939 section 3), in ASCII unless it may be `wide` (RFC 6856 section 2.1). A
    /// user's name may hold anything: no control character of it gets out, line ends least of all.
    pub(super) fn status(&mut self, status: Status, text: &str, wide: bool) {
        let mut line = status.name().to_owned();
        if !text.is_empty() {
            line.push(' ');
            let fits = |c: char| !c.is_control() && (c.is_ascii() || wide);
            line.extend(text.chars().map(|c| if fits(c) { c } else { '?' }));
        }
        while line.len() > MAX_STATUS {
            line.pop();
        }
        self.text(line.as_bytes());
        self.text(b"\r\n");
    }

    /// Writes whole lines that are stuffed already, and the terminator.
    pub(super) fn body(&mut self, body: &Bytes) {
        self.octets(body.clone());
        self.terminate();
    }

    /// Writes a challenge of a SASL exchange (RFC 5034 section 4).
    pub(super) fn challenge(&mut self, payload: &[u8]) {
        use base64::prelude::{BASE64_STANDARD, Engine as _};
        self.text(b"+ ");
        self.text(BASE64_STANDARD.encode(payload).as_bytes());
        self.text(b"\r\n");
    }

    /// Writes a piece of a message, stuffed on the way.
    pub(super) fn piece(&mut self, piece: Bytes, stuffer: &mut Stuffer) {
        if stuffer.is_plain(&piece) {
            stuffer.pass(&piece);
            self.octets(piece);
        } else {
            let mut wire = Vec::with_capacity(piece.len() + 64);
            stuffer.push(&piece, &mut wire);
            self.octets(wire.into());
        }
    }

    /// Ends a body.
    pub(super) fn terminate(&mut self) {
        self.text(TERMINATOR);
    }

    /// Writes octets as they are.
    pub(super) fn octets(&mut self, octets: Bytes) {
        if octets.len() <= COPY_UP_TO {
            self.text(&octets);
        } else {
            self.written += octets.len();
            self.hold();
            self.sends.push(octets);
        }
    }

    /// Whether it is time to send what was written.
    pub(super) fn is_full(&self) -> bool {
        self.written >= YIELD_AFTER
    }

    /// Hands over what was written.
    pub(super) fn flush(&mut self, actions: &mut Vec<Action>) {
        self.hold();
        actions.extend(self.sends.drain(..).map(|octets| Action::Send(Side::Client, octets)));
        self.written = 0;
    }

    fn hold(&mut self) {
        if !self.held.is_empty() {
            self.sends.push(self.held.split().freeze());
        }
    }

    fn text(&mut self, text: &[u8]) {
        self.written += text.len();
        self.held.extend_from_slice(text);
    }
}
