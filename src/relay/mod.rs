//! The man in the middle as a state machine: what one peer sends goes to the other, octet for octet, close
//! for close, and is dissected on the way.
//!
//! ```text
//!   Opened -> connecting -> relaying -> (one side finished) -> over
//!                |                                               ^
//!                +--- failed: -ERR [SYS/TEMP] to the client -----+
//! ```

mod served;

use bytes::Bytes;

pub use self::served::{Served, Tap};
use crate::recording::{By, Entry, Header, How, Observer};
use crate::wire::{Action, Close, Input, Machine, Micros, Side};

/// A relayed session. Its entries are drained with [`Relay::entries`].
#[derive(Debug)]
pub struct Relay {
    observer: Observer,
    /// Until it is known whether the upstream answers.
    header: Option<Box<Header>>,
    /// Who closed first.
    first: Option<By>,
    over: bool,
}

impl Relay {
    /// A session that is described by `header`; its `server` is filled in once it is connected.
    pub fn new(header: Header) -> Self {
        let observer = Observer::new(header.secrets);
        Self { observer, header: Some(Box::new(header)), first: None, over: false }
    }

    /// What was found since the last call.
    pub fn entries(&mut self) -> Vec<Entry> {
        self.observer.entries()
    }

    fn open(&mut self, server: Option<String>) {
        if let Some(mut header) = self.header.take() {
            header.server = server;
            self.observer.opened(header);
        }
    }

    fn end(&mut self, at: Micros, by: By, how: How) {
        self.observer.ended(at, by, how);
        self.over = true;
    }
}

impl Machine for Relay {
    fn handle(&mut self, at: Micros, input: Input, actions: &mut Vec<Action>) {
        if self.over {
            return;
        }
        match input {
            Input::Opened => actions.push(Action::Connect),
            Input::Connected(address) => self.open(Some(address.to_string())),
            Input::ConnectFailed(reason) => {
                self.open(None);
                let refusal = refusal(&reason);
                self.observer.note(at, "connect-failed", reason);
                self.observer.feed(Side::Server, at, refusal.clone());
                actions.extend([Action::Send(Side::Client, refusal), Action::Close]);
                self.end(at, By::Poptape, How::ConnectFailed);
            }
            Input::Received(side, octets) => {
                actions.push(Action::Send(side.other(), octets.clone()));
                self.observer.feed(side, at, octets);
            }
            Input::Closed(side, Close::Finished) => {
                self.observer.closed(side, Close::Finished, at);
                actions.push(Action::Finish(side.other()));
                match self.first {
                    None => self.first = Some(side.into()),
                    Some(first) => {
                        actions.push(Action::Close);
                        self.end(at, first, How::Finished);
                    }
                }
            }
            Input::Closed(side, Close::Reset) => {
                self.observer.closed(side, Close::Reset, at);
                actions.extend([Action::Reset(side.other()), Action::Close]);
                self.end(at, side.into(), How::Reset);
            }
            // It asks for none of these.
            Input::Closed(_, Close::Truncated) | Input::Woke | Input::Told(_) | Input::Tls(_) => {}
            Input::Stop => {
                self.open(None);
                actions.push(Action::Close);
                self.end(at, By::Poptape, How::Stopped);
            }
        }
    }
}

/// What the client of an upstream that cannot be connected is told (RFC 3206 section 4): one line of at most
/// 512 octets in ASCII (RFC 2449 section 4).
fn refusal(reason: &str) -> Bytes {
    let reason: String =
        reason.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).take(400).collect();
    format!("-ERR [SYS/TEMP] poptape cannot reach the upstream server: {reason}\r\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pop3::Secrets;

    fn relay() -> Relay {
        Relay::new(Header {
            generator: "test".to_owned(),
            session: 1,
            started: chrono::DateTime::UNIX_EPOCH,
            client: String::new(),
            listener: String::new(),
            upstream: String::new(),
            server: None,
            secrets: Secrets::Redact,
            origin: None,
            unknown: serde_json::Map::new(),
            outer: serde_json::Map::new(),
        })
    }

    fn actions(relay: &mut Relay, input: Input) -> Vec<Action> {
        let mut actions = Vec::new();
        relay.handle(7, input, &mut actions);
        actions
    }

    fn connected() -> Relay {
        let mut relay = relay();
        assert_eq!(actions(&mut relay, Input::Opened), [Action::Connect]);
        assert_eq!(actions(&mut relay, Input::Connected(([127, 0, 0, 1], 110).into())), []);
        relay
    }

    #[test]
    fn octets_and_closes_pass_as_what_they_are() {
        let mut relay = connected();
        let greeting = Bytes::from_static(b"+OK\r\nhalf a l");
        assert_eq!(
            actions(&mut relay, Input::Received(Side::Server, greeting.clone())),
            [Action::Send(Side::Client, greeting)]
        );
        let half_close = Input::Closed(Side::Client, Close::Finished);
        assert_eq!(actions(&mut relay, half_close), [Action::Finish(Side::Server)]);
        let other_half = Input::Closed(Side::Server, Close::Finished);
        assert_eq!(actions(&mut relay, other_half), [Action::Finish(Side::Client), Action::Close]);
        assert!(matches!(relay.entries().last(), Some(Entry::Ended(end)) if end.by == By::Client));
    }

    #[test]
    fn a_reset_is_passed_on_as_a_reset() {
        let mut relay = connected();
        let reset = Input::Closed(Side::Server, Close::Reset);
        assert_eq!(actions(&mut relay, reset), [Action::Reset(Side::Client), Action::Close]);
        assert!(matches!(relay.entries().last(), Some(Entry::Ended(end)) if end.how == How::Reset));
    }

    #[test]
    fn a_refused_upstream_is_told_to_the_client_in_one_legal_line() {
        let mut relay = relay();
        actions(&mut relay, Input::Opened);
        let done = actions(&mut relay, Input::ConnectFailed("refused\r\n+OK \u{1b}[2J".repeat(100)));
        let [Action::Send(Side::Client, line), Action::Close] = &done[..] else { panic!("{done:?}") };
        assert!(line.starts_with(b"-ERR [SYS/TEMP] ") && line.len() <= 512, "{line:?}");
        assert_eq!(memchr::memchr(b'\n', line), Some(line.len() - 1));
    }
}
