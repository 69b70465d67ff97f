//! Recordings: a session as a sequence of [`Entry`]s, the same live and read back from a file.

pub mod entry;
pub mod exchange;
pub mod file;
pub mod format;
pub mod observer;
pub mod playback;

pub use entry::{By, End, Entry, Header, How, Note, Sealed};
pub use exchange::{Assembler, Exchange};
pub use observer::Observer;
