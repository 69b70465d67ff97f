//! Properties that hold for any octets, cut anywhere.

mod captures;
mod dissect;
#[path = "../fuzz/src/lib.rs"]
mod fuzzed;
mod json;
mod packets;
mod seeded;
mod session;
mod tls;

/// A failure is kept as a test of its own, not in a file.
fn config() -> proptest::test_runner::Config {
    proptest::test_runner::Config { failure_persistence: None, ..Default::default() }
}
