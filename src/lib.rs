//! poptape.
pub mod net;
pub mod pop3;
pub mod recording;
pub mod relay;
pub mod sink;
pub mod wire;
