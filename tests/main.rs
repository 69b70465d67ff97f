//! All tests that see poptape from outside, in one binary.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, reason = "tests")]

mod properties;
