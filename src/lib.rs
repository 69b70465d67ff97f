//! poptape.
pub mod engine;
pub mod maildrop;
pub mod pop3;
pub mod recording;
pub mod sink;
pub mod wire;
