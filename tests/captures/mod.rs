//! Captures: what is read of them, and what other tools make of those that are written.

mod bad_input;
pub mod files;
mod made;
mod mutations;
mod real;
mod shown;
mod secrets;
mod written;
