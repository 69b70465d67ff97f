//! The shell: the only tokio, the only sockets, the only clock and dice. [`pump`] performs what state machines ask
//! for, [`listen`] accepts, [`tls`] has the certificates, [`writer`] is the thread on which sinks do their blocking work.

pub mod address;
pub mod clock;
pub mod dice;
mod leg;
pub mod listen;
pub mod pool;
pub mod pump;
pub mod server;
pub mod tls;
pub mod writer;
