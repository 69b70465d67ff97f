//! What is done: a file a work, a row a figure of it.

pub mod idle;
pub mod import;
pub mod noop;
pub mod pipelined;
pub mod retr;
pub mod serve;
pub mod sessions;
pub mod start;
pub mod tls;

use crate::Bench;
use crate::subjects::Subject;

/// A work, done by each of its subjects.
pub struct Work {
    pub name: &'static str,
    /// By whom: names of subjects.
    pub subjects: &'static [&'static str],
    /// On both legs.
    pub tls: bool,
    /// What is measured of it.
    pub rows: &'static [Row],
    /// Lets a subject do it; gives a figure a row.
    pub run: fn(&Bench, &Subject) -> Vec<f64>,
}

/// A figure of a work.
pub struct Row {
    pub name: &'static str,
    pub unit: &'static str,
    /// What poptape is measured against: the best of these.
    pub reference: &'static [&'static str],
    /// What poptape is to reach: recording nothing, JSON, JSON and pcapng. By which subject, and how much of the
    /// reference's figure.
    pub cells: [Option<(&'static str, Target)>; 3],
}

/// A bound, of a ratio unless it says otherwise.
#[derive(Clone, Copy)]
pub enum Target {
    AtMost(f64),
    AtLeast(f64),
    /// Of the figure itself.
    Below(f64),
}

/// Every work, in the order of the table.
pub const WORKS: &[Work] = &[
    noop::NOOP,
    pipelined::PIPELINED,
    sessions::SESSIONS,
    retr::RETR,
    idle::IDLE,
    tls::TLS_RETR,
    tls::TLS_SESSIONS,
    serve::SERVE,
    start::START,
    import::IMPORT,
];

/// poptape's modes with a target each.
pub const fn modes(nothing: Target, json: Target, both: Target) -> [Option<(&'static str, Target)>; 3] {
    [Some(("nothing", nothing)), Some(("json", json)), Some(("json+pcapng", both))]
}
