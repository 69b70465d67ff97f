//! Captures, and what other tools make of them.

mod made;
mod written;
