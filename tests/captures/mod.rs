//! Captures: what is read of them and what is written.

pub mod files;
