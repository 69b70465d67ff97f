//! What every relayed session does: what one peer sends goes to the other, octet for octet, close for close.

use bytes::Bytes;

use crate::recording::{By, Header, How, Observer};
use crate::wire::{Action, Close, Input, Micros, Side};

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Core {
    pub(super) observer: Observer,
    /// Until it is known whether the upstream answers.
    header: Option<Box<Header>>,
    /// Which sides have said something.
    spoke: [bool; 2],
    /// The server is to speak first, in clear: one that does not may wait for TLS.
    pub(super) in_clear: bool,
    /// Who closed first, and how.
    first: Option<(By, Close)>,
    pub(super) over: bool,
}

impl Core {
    /// `in_clear`: TLS does not come to the upstream's leg before anything else.
    pub(super) fn new(header: Header, in_clear: bool) -> Self {
        let observer = Observer::new(header.secrets);
        let (spoke, first) = ([false; 2], None);
        Self { observer, header: Some(Box::new(header)), spoke, in_clear, first, over: false }
    }

    pub(super) fn handle(&mut self, at: Micros, input: Input, actions: &mut Vec<Action>) {
        match input {
            Input::Opened => actions.push(Action::Connect),
            Input::Connected(address) => self.open(Some(address.to_string())),
            Input::ConnectFailed(reason) => {
                self.open(None);
                self.observer.note(at, "connect-failed", reason.clone());
                self.refuse(at, &format!("poptape cannot reach the upstream server: {reason}"), actions);
                self.end(at, By::Poptape, How::ConnectFailed);
            }
            Input::Received(side, octets) => {
                actions.push(Action::Send(side.other(), octets.clone()));
                self.see(side, at, octets);
            }
            Input::Closed(side, how) => self.closed(at, side, how, actions),
            // It asks for none of these.
            Input::Woke | Input::Told(_) | Input::Tls(_) | Input::Broke(..) => {}
            Input::Stop => {
                self.open(None);
                actions.push(Action::Close);
                self.end(at, By::Poptape, How::Stopped);
            }
        }
    }

    /// The session's first entry, once.
    pub(super) fn open(&mut self, server: Option<String>) {
        if let Some(mut header) = self.header.take() {
            header.server = server;
            self.observer.opened(header);
        }
    }

    /// Lets the observer see what passes.
    pub(super) fn see(&mut self, side: Side, at: Micros, octets: Bytes) {
        self.spoke(side, at, &octets);
        self.observer.feed(side, at, octets);
    }

    /// Looks at the first octets of a side: POP3 it is not, where somebody is on the wrong port.
    pub(super) fn spoke(&mut self, side: Side, at: Micros, octets: &[u8]) {
        if std::mem::replace(&mut self.spoke[side as usize], true) {
            return;
        }
        // A record of a handshake, or an alert (RFC 8446 section 5.1).
        let text = match (side, octets) {
            (Side::Client, [22, 3, ..]) => {
                "the client began TLS where POP3 is spoken in clear: let it use STLS or no TLS, or listen with --tls implicit"
            }
            (Side::Server, [21 | 22, 3, ..]) => {
                "the server speaks TLS where POP3 in clear was expected: write pop3s://"
            }
            _ => return,
        };
        self.observer.note(at, "tls-unexpected", text.to_owned());
    }

    /// Tells the client in poptape's own words that nothing comes of it, and ends what is open (RFC 3206 section 4).
    pub(super) fn refuse(&mut self, at: Micros, why: &str, actions: &mut Vec<Action>) {
        let line = refusal(why);
        self.observer.feed(Side::Server, at, line.clone());
        actions.extend([Action::Send(Side::Client, line), Action::Close]);
    }

    /// Whether both sides may go on.
    pub(super) fn is_open(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn closed(&mut self, at: Micros, side: Side, how: Close, actions: &mut Vec<Action>) {
        if self.in_clear && self.is_open() && !self.spoke[Side::Server as usize] {
            let text = "the session ended before the server had said a word; one that waits for TLS from the first octet on is \
                        silent like this: is it pop3s://?";
            self.observer.note(at, "silent", text.to_owned());
        }
        self.observer.closed(side, how, at);
        match how {
            Close::Finished => actions.push(Action::Finish(side.other())),
            Close::Truncated => actions.push(Action::Truncate(side.other())),
            Close::Reset => {
                actions.extend([Action::Reset(side.other()), Action::Close]);
                return self.end(at, side.into(), How::Reset);
            }
        }
        match self.first {
            None => self.first = Some((side.into(), how)),
            Some((first, how)) => {
                actions.push(Action::Close);
                self.end(at, first, if how == Close::Truncated { How::Truncated } else { How::Finished });
            }
        }
    }

    pub(super) fn end(&mut self, at: Micros, by: By, how: How) {
        self.observer.ended(at, by, how);
        self.over = true;
    }
}

/// One line of at most 512 octets in ASCII (RFC 2449 section 4).
fn refusal(why: &str) -> Bytes {
    let why: String =
        why.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).take(450).collect();
    format!("-ERR [SYS/TEMP] {why}\r\n").into()
}
