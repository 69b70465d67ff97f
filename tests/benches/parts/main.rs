//! Benchmarks of the parts, each beside the bounds of what it does: `cargo bench --bench parts [FILTER]`.
//!
//! A figure alone says more of the machine than of poptape. So each group holds, over the same octets, what
//! any way of doing it costs at least (finding the terminator, finding each line, copying) and, where there
//! is one, a peer; the table at the end has the ratios, measured in turns, so that whatever else the machine
//! does slows both.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a program for developers")]
#![expect(clippy::disallowed_methods, unreachable_pub, reason = "it measures time")]

mod bounds;
mod command;
mod dissect;
mod engine;
mod json;
mod lines;
mod material;
mod part;
mod pcap;
mod ratios;
mod replay;

use std::time::Duration;

use criterion::Criterion;

/// Makes a part of its name.
type Make = fn(&'static str) -> part::Part;

/// Every part with its name.
const PARTS: &[(&str, Make)] = &[
    ("a response of 64 MB", dissect::part),
    ("commands", command::part),
    ("exchanges", command::exchanges),
    ("stuffing", lines::stuffing),
    ("unstuffing", lines::unstuffing),
    ("json writing", json::writing),
    ("json reading", json::reading),
    ("pcap writing", pcap::writing),
    ("pcap importing", pcap::importing),
    ("engine", engine::part),
    ("engine sending", engine::sending),
    ("replay", replay::part),
];

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .sample_size(10)
        .configure_from_args();
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    // With a filter, only what it names is made ready.
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let chosen = |name: &str| filter.is_none_or(|filter| filter.split('/').any(|part| name.contains(part)));
    let mut rows = Vec::new();
    for (name, part) in PARTS.iter().filter(|(name, _)| chosen(name)) {
        let mut part = part(name);
        part.measure(&mut criterion);
        // Where the benchmarks are only tried or profiled, there is nothing to compare.
        if has("--bench") && !has("--profile-time") {
            rows.extend(ratios::of(&mut part));
        }
    }
    criterion.final_summary();
    ratios::print(&rows);
}
