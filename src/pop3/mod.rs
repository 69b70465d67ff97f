//! The protocol: its words, its framing, its states. No role (the rules do not know which side we play),
//! no clock, no I/O. Read in the order below.

pub mod command;
pub mod dissect;
mod excerpt;
pub mod lines;
pub mod response;
pub mod sasl;
pub mod secret;
pub mod printable;
pub mod state;

pub use command::{Command, Keyword};
pub use dissect::{Dissector, Event};
pub use excerpt::excerpt;
pub use response::Status;
pub use secret::Secrets;
pub use state::State;
