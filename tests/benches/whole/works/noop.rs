//! A command, its answer, the next one: what somebody waits for.

use std::time::Instant;

use super::Target::AtMost;
use super::{Row, Work, modes};
use crate::load::Client;
use crate::median;

pub const NOOP: Work = Work {
    name: "noop",
    subjects: &["copy", "nothing", "json", "json+pcapng", "haproxy", "nginx"],
    tls: false,
    rows: &[
        Row {
            name: "p50 latency of NOOP",
            unit: "us",
            reference: &["copy"],
            cells: modes(AtMost(1.05), AtMost(1.15), AtMost(1.25)),
        },
        Row {
            name: "CPU per command",
            unit: "us",
            reference: &["copy"],
            cells: modes(AtMost(1.05), AtMost(1.2), AtMost(1.4)),
        },
    ],
    run: |bench, subject| {
        let commands = bench.load(20_000, 200);
        let running = bench.start(subject);
        let mut client = Client::connect(running.address, None);
        client.log_in();
        for _ in 0..200 {
            client.exchange("NOOP\r\n", "+OK\r\n");
        }
        let mut took = Vec::with_capacity(commands as usize);
        let cpu = bench.cpu_of(&running, || {
            for _ in 0..commands {
                let began = Instant::now();
                client.exchange("NOOP\r\n", "+OK\r\n");
                took.push(began.elapsed().as_secs_f64() * 1e6);
            }
        });
        client.quit();
        vec![median(&mut took), cpu * 1e6 / commands as f64]
    },
};
