//! Sessions that wait.

use super::Target::AtMost;
use super::{Row, Work, modes};
use crate::load::Client;
use crate::system::{memory, settled_cpu};

pub const IDLE: Work = Work {
    name: "idle",
    subjects: &["haproxy", "nothing", "json", "json+pcapng", "copy", "nginx", "socat -v", "mitmdump -w"],
    tls: false,
    rows: &[Row {
        name: "memory per idle session",
        unit: "kB",
        reference: &["haproxy"],
        cells: modes(AtMost(0.6), AtMost(1.0), AtMost(1.2)),
    }],
    run: |bench, subject| {
        let sessions = bench.load_of(subject, 2000, 100, 20);
        let running = bench.start(subject);
        let idle = |count: u64| -> Vec<Client> {
            let log_in = |_| {
                let mut client = Client::connect(running.address, None);
                client.log_in();
                client.exchange("STAT\r\n", "+OK 3 3000\r\n");
                client
            };
            (0..count).map(log_in).collect()
        };
        let first = idle(10);
        settled_cpu(running.pid());
        let before = memory(running.pid());
        let all = idle(sessions);
        settled_cpu(running.pid());
        let after = memory(running.pid());
        drop((first, all));
        vec![after.saturating_sub(before) as f64 / 1000.0 / sessions as f64]
    },
};
