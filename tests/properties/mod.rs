//! Properties that hold for any octets, cut anywhere.

mod captures;
mod dissect;
mod json;
mod packets;
mod session;
mod tls;

/// A failure is kept as a test of its own, not in a file.
fn config() -> proptest::test_runner::Config {
    proptest::test_runner::Config { failure_persistence: None, ..Default::default() }
}
