//! The same under TLS on both legs.

use super::Target::AtMost;
use super::{Row, Work};
use crate::load::{Client, short_session};

const SUBJECTS: &[&str] = &["nginx", "nothing", "json"];

pub const TLS_RETR: Work = Work {
    name: "tls-retr",
    subjects: SUBJECTS,
    tls: true,
    rows: &[Row {
        name: "TLS on both legs, CPU per GB",
        unit: "s",
        reference: &["nginx"],
        cells: [Some(("nothing", AtMost(1.0))), Some(("json", AtMost(1.5))), None],
    }],
    run: |bench, subject| {
        let kib = bench.load(128 << 10, 1 << 10);
        let running = bench.start(subject);
        let mut client = Client::connect(running.address, bench.tls());
        client.log_in();
        client.retrieve(64);
        let cpu = bench.cpu_of(&running, || client.retrieve(kib));
        client.quit();
        vec![cpu * 1e9 / (kib * 1024) as f64]
    },
};

pub const TLS_SESSIONS: Work = Work {
    name: "tls-sessions",
    subjects: SUBJECTS,
    tls: true,
    rows: &[Row {
        name: "TLS on both legs, CPU per 1,000 sessions",
        unit: "s",
        reference: &["nginx"],
        cells: [Some(("nothing", AtMost(1.0))), Some(("json", AtMost(1.5))), None],
    }],
    run: |bench, subject| {
        let sessions = bench.load(500, 5);
        let running = bench.start(subject);
        (0..5).for_each(|_| short_session(running.address, bench.tls()));
        let cpu = bench
            .cpu_of(&running, || (0..sessions).for_each(|_| short_session(running.address, bench.tls())));
        vec![cpu * 1000.0 / sessions as f64]
    },
};
