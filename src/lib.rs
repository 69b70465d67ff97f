//! poptape.
pub mod wire;
pub mod pop3;
pub mod recording;
pub mod maildrop;
pub mod engine;
pub mod render;
pub mod relay;
pub mod sink;
pub mod net;
#[cfg(feature = "cli")]
pub mod cli;
