//! Benchmarks of the parts, each beside the bounds of what it does: `cargo bench --bench parts [FILTER]`.
//!
//! A figure alone says more of the machine than of poptape. So each group holds, over the same octets, what costs less
//! whatever one does (finding the terminator, finding each line, copying) and, where there is one, a peer; the table at
//! the end has the ratios, measured in turns, so that whatever else the machine does slows both.
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

/// Every part.
const PARTS: &[fn() -> part::Part] = &[
    dissect::part,
    command::part,
    command::exchanges,
    lines::stuffing,
    lines::unstuffing,
    json::writing,
    json::reading,
    pcap::writing,
    pcap::importing,
    engine::part,
    engine::sending,
    replay::part,
];

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .sample_size(10)
        .configure_from_args();
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let chosen = |part: &part::Part| filter.is_none_or(|filter| part.id().contains(filter.as_str()));
    // A test run of the benchmarks measures nothing.
    let measures = arguments.iter().any(|argument| argument == "--bench");
    let mut rows = Vec::new();
    for part in PARTS {
        let mut part = part();
        part.measure(&mut criterion);
        if measures && chosen(&part) {
            rows.extend(ratios::of(&mut part));
        }
    }
    criterion.final_summary();
    ratios::print(&rows);
}
