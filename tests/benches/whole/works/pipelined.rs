//! Commands sent thirty-two at a time (RFC 2449 section 6.6).

use super::Target::AtMost;
use super::{Row, Work, modes};
use crate::load::Client;

/// Commands sent together.
const TOGETHER: usize = 32;

pub const PIPELINED: Work = Work {
    name: "pipelined",
    subjects: &["copy", "nothing", "json", "json+pcapng", "haproxy", "nginx"],
    tls: false,
    rows: &[Row {
        name: "CPU per pipelined command",
        unit: "us",
        reference: &["copy"],
        cells: modes(AtMost(1.3), AtMost(2.0), AtMost(3.0)),
    }],
    run: |bench, subject| {
        let rounds = bench.load(5000, 50);
        let running = bench.start(subject);
        let mut client = Client::connect(running.address, None);
        client.log_in();
        let (commands, responses) = ("NOOP\r\n".repeat(TOGETHER), "+OK\r\n".repeat(TOGETHER));
        client.exchange(&commands, &responses);
        let cpu = bench.cpu_of(&running, || {
            for _ in 0..rounds {
                client.exchange(&commands, &responses);
            }
        });
        client.quit();
        vec![cpu * 1e6 / (rounds * TOGETHER as u64) as f64]
    },
};
