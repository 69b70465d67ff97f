//! From the start of a process to its first greeting.

use std::time::Instant;

use super::Target::AtMost;
use super::{Row, Work};
use crate::load::Client;

pub const START: Work = Work {
    name: "start",
    subjects: &["dovecot", "serve"],
    tls: false,
    rows: &[Row {
        name: "process start to first greeting",
        unit: "ms",
        reference: &["dovecot"],
        cells: [Some(("serve", AtMost(0.11))), None, None],
    }],
    run: |bench, subject| {
        let began = Instant::now();
        let running = bench.start(subject);
        let mut client = Client::connect(running.address, None);
        client.yes();
        vec![began.elapsed().as_secs_f64() * 1e3]
    },
};
