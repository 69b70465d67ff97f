//! What must hold for any octets, a file a target; `cargo test` calls the same with octets of its own.

mod capture;
mod dissect;
mod engine;
mod files;
mod filter;
mod relay;
pub mod script;
pub mod seeds;

pub use capture::capture;
pub use dissect::dissect;
pub use engine::engine;
pub use files::{json, transcript};
pub use filter::filter;
pub use relay::relay;

/// A target: its name, and what it calls.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 7] = [
    ("capture", capture),
    ("dissect", dissect),
    ("engine", engine),
    ("filter", filter),
    ("json", json),
    ("relay", relay),
    ("transcript", transcript),
];
