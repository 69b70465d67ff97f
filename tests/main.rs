//! All tests that see poptape from outside, in one binary.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, reason = "tests")]
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests are peers: they have sockets and time"
)]

mod support;

mod captures;
mod cli;
mod faults;
mod golden;
mod interop;
mod properties;
mod readme;
mod replays;
mod security;
mod soak;
mod testing;
mod tidy;
mod tls;
mod transcripts;
