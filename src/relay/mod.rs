//! The man in the middle as a state machine: what one peer sends goes to the other, octet for octet, close
//! for close, and is dissected on the way.
//!
//! ```text
//!   Opened -> connecting -> relaying -> (one side finished) -> over
//!                |                                               ^
//!                +--- failed: -ERR [SYS/TEMP] to the client -----+
//! ```

mod core;
mod intercept;
mod list;
mod policy;
mod remarks;
mod served;
#[cfg(test)]
mod tests;
mod tls;
mod told;

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
