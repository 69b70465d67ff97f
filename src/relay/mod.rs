//! The man in the middle as a state machine: what one peer sends goes to the other, octet for octet, close
//! for close, and is dissected on the way.
//!
//! ```text
//!   Opened -> connecting -> relaying -> (one side finished) -> over
//!                |                                               ^
//!                +--- failed: -ERR [SYS/TEMP] to the client -----+
//! ```

mod clear;
mod core;
mod intercept;
mod list;
mod policy;
mod remarks;
mod served;
mod tls;

use std::sync::Arc;

use self::core::Core;
pub use self::policy::Policy;
pub use self::served::{Served, Tap};
use self::tls::Tls;
use crate::recording::{Entry, Header};
use crate::wire::{Action, Input, Machine, Micros, Security};

/// A relayed session. Its entries are drained with [`Relay::entries`].
#[derive(Debug)]
pub struct Relay {
    core: Core,
    /// None: it has nothing to do with TLS.
    tls: Option<Box<Tls>>,
}

impl Relay {
    /// A session that is described by `header`; its `server` is filled in once it is connected.
    pub fn new(header: Header, policy: &Arc<Policy>) -> Self {
        let in_clear = policy.upstream != Security::Implicit;
        Self { core: Core::new(header, in_clear), tls: Tls::new(policy).map(Box::new) }
    }

    /// What was found since the last call.
    pub fn entries(&mut self) -> Vec<Entry> {
        self.core.observer.entries()
    }
}

impl Machine for Relay {
    fn handle(&mut self, at: Micros, input: Input, actions: &mut Vec<Action>) {
        match &mut self.tls {
            _ if self.core.over => {}
            Some(tls) => tls.handle(&mut self.core, at, input, actions),
            None => self.core.handle(at, input, actions),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::pop3::Secrets;
    use crate::recording::{By, How};
    use crate::wire::{Close, Side};

    fn relay() -> Relay {
        let header = Header {
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
        };
        Relay::new(header, &Arc::new(Policy::default()))
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
