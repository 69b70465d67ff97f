//! Captures: what is read of them and what is written.

mod bad_input;
pub mod files;
