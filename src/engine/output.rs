//! Answers as octets to send: many small ones in one piece, a large message as it lies in memory.

use bytes::{Bytes, BytesMut};

use super::reply::Answer;
use crate::pop3::Status;
use crate::wire::{Action, Side};

/// After so many octets of output the engine lets its driver send them before it answers the next command.
pub const YIELD_AFTER: usize = 64 * 1024;

/// A body up to here is copied behind its status line; a longer one is worth a piece of its own.
const COPY_UP_TO: usize = 8 * 1024;

const TERMINATOR: &[u8] = b".\r\n";

/// Collects answers into as few [`Action::Send`] as copying little allows.
pub(super) struct Output<'a> {
    actions: &'a mut Vec<Action>,
    held: BytesMut,
    written: usize,
}

impl<'a> Output<'a> {
    pub(super) fn new(actions: &'a mut Vec<Action>) -> Self {
        Self { actions, held: BytesMut::new(), written: 0 }
    }

    /// Writes a response (RFC 1939 section 3).
    pub(super) fn answer(&mut self, answer: Answer) {
        match answer {
            Ok(reply) => {
                self.status(Status::Ok, &reply.text);
                if let Some(body) = reply.body {
                    self.body(body);
                    self.text(TERMINATOR);
                }
            }
            Err(refusal) => self.status(Status::Err, &refusal.to_string()),
        }
    }

    /// Whether it is time to send what was written.
    pub(super) fn is_full(&self) -> bool {
        self.written >= YIELD_AFTER
    }

    /// Hands over what is held back.
    pub(super) fn flush(&mut self) {
        if !self.held.is_empty() {
            self.actions.push(Action::Send(Side::Client, self.held.split().freeze()));
        }
    }

    fn status(&mut self, status: Status, text: &str) {
        self.text(status.name().as_bytes());
        if !text.is_empty() {
            self.text(b" ");
            self.text(text.as_bytes());
        }
        self.text(b"\r\n");
    }

    fn body(&mut self, body: Bytes) {
        if body.len() <= COPY_UP_TO {
            self.text(&body);
        } else {
            self.written += body.len();
            self.flush();
            self.actions.push(Action::Send(Side::Client, body));
        }
    }

    fn text(&mut self, text: &[u8]) {
        self.written += text.len();
        self.held.extend_from_slice(text);
    }
}
