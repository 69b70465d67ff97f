//! A served session with an observer at its side: nobody stands behind the machine, and what it says to its
//! client is what is observed.

use crate::recording::{By, Entry, Header, How, Observer};
use crate::wire::{Action, Close, Handshake, Input, Machine, Micros, Security, Side};

use super::told::{tell, tell_broken, tell_clear, tell_taken};

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
    /// What is wrong with the certificate that the client was shown, until it goes on.
    flaw: Option<&'static str>,
    /// The client went first.
    left: Option<Close>,
    /// How the machine ends its own direction.
    parting: Close,
    /// TLS was due, and there is none.
    failed: bool,
    stopped: bool,
}

impl<M> Served<M> {
    /// A session that is described by `header`.
    pub fn new(machine: M, header: Header, security: Security) -> Self {
        let observer = Observer::new(header.secrets);
        Self {
            machine,
            tap: None,
            observer,
            header: Some(Box::new(header)),
            security,
            flaw: None,
            left: None,
            parting: Close::Finished,
            failed: false,
            stopped: false,
        }
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
        self.flaw = tell(&mut self.observer, at, (*handshake).clone());
        self.failed |= handshake.tls.failure.is_some();
        // With TLS from the first octet on, the session begins only now.
        let begins = self.security == Security::Implicit && !self.failed;
        if begins { Input::Opened } else { Input::Tls(handshake) }
    }

    fn end(&mut self, at: Micros) {
        self.observer.closed(Side::Server, self.parting, at);
        let how = |close| match close {
            Close::Finished => How::Finished,
            Close::Truncated => How::Truncated,
            Close::Reset => How::Reset,
        };
        let (by, how) = match self.left {
            _ if self.stopped => (By::Poptape, How::Stopped),
            _ if self.failed => (By::Client, How::TlsFailed),
            Some(left) => (By::Client, how(left)),
            None => (By::Server, how(self.parting)),
        };
        self.observer.ended(at, by, how);
    }
}

impl<M: Machine> Machine for Served<M> {
    fn handle(&mut self, at: Micros, input: Input, actions: &mut Vec<Action>) {
        let input = match input {
            Input::Tls(handshake) => self.secured(at, handshake),
            Input::Broke(side, why) => {
                tell_broken(&mut self.observer, at, side, &why);
                Input::Closed(side, Close::Reset)
            }
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
            Input::Received(Side::Client, octets) => {
                if let Some(flaw) = self.flaw.take() {
                    tell_taken(&mut self.observer, at, flaw);
                }
                self.observer.feed(Side::Client, at, octets.clone());
            }
            Input::Closed(Side::Client, how) => {
                self.left = Some(*how);
                self.observer.closed(Side::Client, *how, at);
            }
            Input::Stop => self.stopped = true,
            _ => {}
        }
        let from = actions.len();
        self.machine.handle(at, input, actions);
        for action in &actions[from..] {
            match action {
                Action::Send(Side::Client, octets) => self.observer.feed(Side::Server, at, octets.clone()),
                Action::Truncate(Side::Client) => self.parting = Close::Truncated,
                Action::Reset(Side::Client) => self.parting = Close::Reset,
                Action::Close => self.end(at),
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::pop3::Event;
    use crate::wire::{Tls, TlsFailure};

    /// Answers everything with the next of its actions.
    struct Machined(Vec<Vec<Action>>);

    impl Machine for Machined {
        fn handle(&mut self, _: Micros, _: Input, actions: &mut Vec<Action>) {
            if !self.0.is_empty() {
                actions.extend(self.0.remove(0));
            }
        }
    }

    fn said(text: &'static str) -> Action {
        Action::Send(Side::Client, Bytes::from_static(text.as_bytes()))
    }

    fn came(text: &'static str) -> Input {
        Input::Received(Side::Client, Bytes::from_static(text.as_bytes()))
    }

    /// What is observed while the inputs come, each a microsecond after the other.
    fn observed(talk: Vec<(Input, Vec<Action>)>) -> Vec<Entry> {
        let (inputs, answers): (Vec<_>, Vec<_>) = talk.into_iter().unzip();
        let mut served = Served::new(Machined(answers), Header::blank(), Security::Stls);
        for (input, at) in inputs.into_iter().zip(0..) {
            served.handle(at, input, &mut Vec::new());
        }
        served.entries()
    }

    fn handshake(tls: Tls, clear: &'static str) -> Input {
        Input::Tls(Box::new(Handshake { clear: Bytes::from_static(clear.as_bytes()), ..Handshake::new(tls) }))
    }

    fn end(entries: &[Entry]) -> (By, How, Option<Close>) {
        let closed = entries.iter().rev().find_map(|entry| match entry {
            Entry::Closed { side: Side::Server, how, .. } => Some(*how),
            _ => None,
        });
        match entries.last() {
            Some(Entry::Ended(end)) => (end.by, end.how, closed),
            other => panic!("{other:?} is no end"),
        }
    }

    #[test]
    fn what_follows_a_handshake_is_observed_anew_and_what_came_in_clear_is_noted() {
        let tls = Tls { at: 2, readable: true, ..Tls::default() };
        let entries = observed(vec![
            (Input::Opened, vec![said("+OK\r\n")]),
            (came("STLS\r\n"), vec![said("+OK begin\r\n"), Action::StartTls(Side::Client)]),
            (handshake(tls.clone(), "NOOP\r\n"), vec![]),
            (came("NOOP\r\n"), vec![said("+OK inside\r\n")]),
        ]);
        let at = entries.iter().position(|entry| *entry == Entry::Tls(Box::new(tls.clone()))).unwrap();
        let Entry::Note(note) = &entries[at - 1] else { panic!("{:?} is no note", entries[at - 1]) };
        assert_eq!(note.kind, "octets-in-clear");
        assert!(note.text.starts_with("the client sent 6 octets in clear"), "{}", note.text);
        let requests = |entries: &[Entry]| {
            entries.iter().filter(|entry| matches!(entry, Entry::Event(Event::Request { .. }))).count()
        };
        // What came in clear is no request on either side of it.
        assert_eq!((requests(&entries[..at]), requests(&entries[at..])), (1, 1));
    }

    #[test]
    fn a_failed_handshake_ends_the_session() {
        let failure = Some(TlsFailure { reason: "no trust".to_owned(), ..TlsFailure::default() });
        let tls = Tls { failure, ..Tls::default() };
        let entries = observed(vec![
            (Input::Opened, vec![said("+OK\r\n")]),
            (handshake(tls.clone(), ""), vec![Action::Close]),
        ]);
        assert!(entries.contains(&Entry::Tls(Box::new(tls))));
        assert!(!entries.iter().any(|entry| matches!(entry, Entry::Note(_))));
        assert_eq!(end(&entries), (By::Client, How::TlsFailed, Some(Close::Finished)));
    }

    #[test]
    fn whoever_leaves_without_close_notify_cuts_it_off() {
        let entries = observed(vec![
            (Input::Opened, vec![said("+OK\r\n")]),
            (Input::Closed(Side::Client, Close::Truncated), vec![Action::Close]),
        ]);
        assert!(entries.contains(&Entry::Closed { side: Side::Client, how: Close::Truncated, at: 1 }));
        assert_eq!(end(&entries), (By::Client, How::Truncated, Some(Close::Finished)));
        let entries = observed(vec![
            (Input::Opened, vec![said("+OK\r\n"), Action::Truncate(Side::Client)]),
            (Input::Woke, vec![Action::Close]),
        ]);
        assert_eq!(end(&entries), (By::Server, How::Truncated, Some(Close::Truncated)));
        let reset = observed(vec![(Input::Opened, vec![Action::Reset(Side::Client), Action::Close])]);
        assert_eq!(end(&reset), (By::Server, How::Reset, Some(Close::Reset)));
    }
}
