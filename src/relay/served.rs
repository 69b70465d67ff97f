//! A served session with an observer at its side: nobody stands behind the machine, and what it says to its
//! client is what is observed.

use crate::recording::{By, Entry, Header, How, Observer};
use crate::wire::{Action, Close, Handshake, Input, Machine, Micros, Security, Side};

use super::clear::tell_clear;

/// Takes entries before the actions that made them are performed: whoever has seen an answer finds its entries
/// taken.
pub type Tap = Box<dyn FnMut(&Entry) + Send>;

/// A machine that has a client and no other side, observed. Its entries are drained with [`Served::entries`].
pub struct Served<M> {
    machine: M,
    tap: Option<Tap>,
    observer: Observer,
    header: Option<Box<Header>>,
    /// How TLS comes to the client's leg.
    security: Security,
    /// The client went first.
    left: Option<Close>,
    /// Its TLS came to nothing.
    failed: bool,
    stopped: bool,
}

impl<M> Served<M> {
    /// A session that is described by `header`.
    pub fn new(machine: M, header: Header, security: Security) -> Self {
        let observer = Observer::new(header.secrets);
        let header = Some(Box::new(header));
        Self { machine, tap: None, observer, header, security, left: None, failed: false, stopped: false }
    }

    /// The same with a tap: [`Served::entries`] has none then.
    pub fn tapped(self, tap: Tap) -> Self {
        Self { tap: Some(tap), ..self }
    }

    /// What was found since the last call.
    pub fn entries(&mut self) -> Vec<Entry> {
        self.observer.entries()
    }

    /// What came of the client's handshake; gives what the machine is to hear of it.
    fn secured(&mut self, at: Micros, handshake: Box<Handshake>) -> Input {
        tell_clear(&mut self.observer, at, Side::Client, &handshake.clear);
        self.observer.tls(handshake.tls.clone());
        if let Some(remark) = &handshake.remark {
            self.observer.note(at, "tls", remark.clone());
        }
        self.failed = handshake.tls.failure.is_some();
        // With TLS from the first octet on, the session begins only now.
        let begins = self.security == Security::Implicit && !self.failed;
        if begins { Input::Opened } else { Input::Tls(handshake) }
    }

    fn end(&mut self, at: Micros, reset: bool) {
        let (by, how) = match self.left {
            _ if self.stopped => (By::Poptape, How::Stopped),
            _ if self.failed => (By::Client, How::TlsFailed),
            Some(Close::Reset) => (By::Client, How::Reset),
            Some(Close::Finished) => (By::Client, How::Finished),
            Some(Close::Truncated) => (By::Client, How::Truncated),
            None if reset => (By::Server, How::Reset),
            None => (By::Server, How::Finished),
        };
        self.observer.ended(at, by, how);
    }
}

impl<M: Machine> Machine for Served<M> {
    fn handle(&mut self, at: Micros, input: Input, actions: &mut Vec<Action>) {
        let input = match input {
            Input::Tls(handshake) => self.secured(at, handshake),
            input => input,
        };
        match &input {
            Input::Opened => {
                if let Some(header) = self.header.take() {
                    self.observer.opened(header);
                    if self.security == Security::Implicit {
                        return actions.push(Action::StartTls(Side::Client));
                    }
                }
            }
            Input::Received(Side::Client, octets) => self.observer.feed(Side::Client, at, octets.clone()),
            Input::Closed(Side::Client, how) => {
                self.left = Some(*how);
                self.observer.closed(Side::Client, *how, at);
            }
            Input::Stop => self.stopped = true,
            _ => {}
        }
        let from = actions.len();
        self.machine.handle(at, input, actions);
        let mut reset = false;
        for action in &actions[from..] {
            match action {
                Action::Send(Side::Client, octets) => self.observer.feed(Side::Server, at, octets.clone()),
                Action::Reset(_) => reset = true,
                Action::Close => {
                    if !self.failed {
                        let how = if reset { Close::Reset } else { Close::Finished };
                        self.observer.closed(Side::Server, how, at);
                    }
                    self.end(at, reset);
                }
                _ => {}
            }
        }
        if let Some(tap) = &mut self.tap {
            self.observer.entries().iter().for_each(tap);
        }
    }
}

impl<M: std::fmt::Debug> std::fmt::Debug for Served<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Served").field("machine", &self.machine).finish_non_exhaustive()
    }
}
