//! Replay: a recording as a server. What was recorded is answered as it was, in the state in which it was recorded;
//! off the recording the engine answers, in the recorded server's wording, over the maildrop that the recording
//! reveals. No connection is opened, ever.
//!
//! ```text
//!   files -> Tape { Taped: one session's exchanges }
//!                    |-- revealed: the messages that listings, RETR and TOP show --> a maildrop::Store
//!                    |-- style: greeting, capabilities, texts                    --> engine::Policy
//!                    '-- Script: an engine::Responder  -- finds nothing -->  engine::Engine
//!                          '--> Report: what was used, what was not, who went off script
//!   Replay: which session is served next
//! ```

mod filler;
mod matching;
mod report;
mod revealed;
mod script;
mod style;
pub mod tape;
mod theatre;

pub use self::report::{Divergence, Report, SessionReport};
pub use self::revealed::store;
pub use self::tape::{Tape, Taped};
pub use self::theatre::{AfterLast, Mode, Options, Replay, Timing};
