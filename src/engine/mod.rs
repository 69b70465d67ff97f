//! The built-in POP3 server: one session of it, as a state machine without sockets or clock (RFC 1939, with
//! RFC 2449's CAPA and response codes).
//!
//! ```text
//!   greeting
//!      |
//!   Authorization { user named } ------ QUIT, the client goes, Input::Stop -----.
//!      | PASS, APOP: +OK                                                        |
//!   Transaction { maildrop, marks } --- the client goes, Input::Stop: nothing --+--> Action::Close
//!      | QUIT                           is removed                              |
//!   Update { maildrop, marks } -------- commit: +OK or -ERR --------------------'
//! ```
//!
//! Each state is a struct with what exists only in it, so no mark survives a session that does not reach
//! UPDATE.
//!
//! What a session holds in memory is bounded, whatever the client sends: of input, one line of
//! [`MAX_COMMAND`] octets and what came behind it in the same read; of output, [`YIELD_AFTER`] octets and one
//! response, in which messages are shared and not copied. A batch that asks for more is answered in turns:
//! the engine asks for [`Input::Woke`] at once and goes on then. The bound holds with a driver that sends all
//! it was given and then gives a wake-up that is due before it reads on; one that reads first gets the same
//! answers.

mod authorization;
mod capabilities;
mod output;
mod policy;
mod reply;
mod request;
#[cfg(test)]
mod tests;
mod transaction;
mod update;

use std::sync::Arc;

use authorization::Authorization;
use output::Output;
pub use output::YIELD_AFTER;
pub use policy::{Policy, Users};
use reply::{Answer, Refusal, Reply};
pub use request::MAX_COMMAND;
use request::{CommandLines, Request};
use transaction::Transaction;

use crate::maildrop::Source;
use crate::wire::{Action, Input, Machine, Micros, Side};

/// One session of the built-in server. It has a client and no other side.
#[derive(Debug)]
pub struct Engine {
    service: Service,
    lines: CommandLines,
    /// None once the session is over.
    stage: Option<Stage>,
}

/// What a session needs in every state.
#[derive(Debug)]
struct Service {
    policy: Arc<Policy>,
    source: Arc<dyn Source>,
    /// As in the greeting, angle brackets included.
    timestamp: Option<String>,
}

/// Where the session stands. UPDATE is passed through at once.
#[derive(Debug)]
enum Stage {
    Authorization(Authorization),
    Transaction(Transaction),
}

impl Stage {
    /// Answers a command, or what could not be read as one; gives the state after it.
    fn handle(self, service: &Service, request: Result<Request<'_>, Refusal>) -> (Option<Self>, Answer) {
        match self {
            Self::Authorization(state) => state.handle(service, request),
            Self::Transaction(state) => state.handle(service, request),
        }
    }
}

impl Engine {
    /// A session over the maildrops of `source`.
    ///
    /// A `nonce` makes APOP possible (RFC 1939 section 7): it is what stands before the `@` in the greeting's
    /// timestamp, `1896.697170952` in the RFC's example, and must be another one in every session.
    pub fn new(policy: Arc<Policy>, source: Arc<dyn Source>, nonce: Option<&str>) -> Self {
        let timestamp = nonce.map(|nonce| format!("<{nonce}@{}>", policy.host()));
        Self {
            service: Service { policy, source, timestamp },
            lines: CommandLines::default(),
            stage: Some(Stage::Authorization(Authorization::default())),
        }
    }

    /// The greeting (RFC 1939 section 4).
    fn greet(&self, actions: &mut Vec<Action>) {
        let ready = "POP3 server ready".to_owned();
        let text = match &self.service.timestamp {
            Some(timestamp) => format!("{ready} {timestamp}"),
            None => ready,
        };
        let mut output = Output::new(actions);
        output.answer(Ok(Reply::ok(text)));
        output.flush();
    }

    /// Answers the commands that are there, as far as output may grow.
    fn work(&mut self, at: Micros, actions: &mut Vec<Action>) {
        let mut output = Output::new(actions);
        let mut next = None;
        while let Some(stage) = self.stage.take() {
            if output.is_full() && self.lines.has_more() {
                self.stage = Some(stage);
                next = Some(Action::WakeAt(at));
                break;
            }
            let Some(line) = self.lines.next() else {
                self.stage = Some(stage);
                break;
            };
            let request = line.as_deref().map_err(|&refusal| refusal).and_then(Request::parse);
            let (stage, answer) = stage.handle(&self.service, request);
            output.answer(answer);
            if stage.is_none() {
                next = Some(Action::Close);
            }
            self.stage = stage;
        }
        output.flush();
        actions.extend(next);
    }
}

impl Machine for Engine {
    fn handle(&mut self, at: Micros, input: Input, actions: &mut Vec<Action>) {
        match input {
            Input::Opened => self.greet(actions),
            // Nothing may follow QUIT, and nothing that does is read (RFC 1939 section 6).
            Input::Received(Side::Client, octets) if self.stage.is_some() => {
                self.lines.push(&octets);
                self.work(at, actions);
            }
            Input::Woke => self.work(at, actions),
            // Without QUIT there is no UPDATE: the lock goes and every message stays (RFC 1939 section 6).
            Input::Closed(Side::Client, _) | Input::Stop => {
                if self.stage.take().is_some() {
                    actions.push(Action::Close);
                }
            }
            // There is no other side.
            Input::Connected(_) | Input::ConnectFailed(_) | Input::Received(..) | Input::Closed(..) => {}
        }
    }
}
