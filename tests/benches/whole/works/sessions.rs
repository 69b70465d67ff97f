//! Short sessions, one after another.

use super::Target::AtMost;
use super::{Row, Work, modes};
use crate::load::short_session;

pub const SESSIONS: Work = Work {
    name: "sessions",
    subjects: &["copy", "nothing", "json", "json+pcapng", "haproxy", "nginx", "socat -v", "mitmdump -w"],
    tls: false,
    rows: &[
        Row {
            name: "CPU per 1,000 short sessions",
            unit: "s",
            reference: &["copy"],
            cells: modes(AtMost(1.1), AtMost(1.5), AtMost(2.0)),
        },
        Row {
            name: "the same against those that record",
            unit: "s",
            reference: &["socat -v", "mitmdump -w"],
            cells: [None, Some(("json", AtMost(0.2))), None],
        },
    ],
    run: |bench, subject| {
        let sessions = bench.load_of(subject, 1000, 100, 10);
        let running = bench.start(subject);
        (0..5).for_each(|_| short_session(running.address, None));
        let cpu = bench.cpu_of(&running, || (0..sessions).for_each(|_| short_session(running.address, None)));
        let figure = cpu * 1000.0 / sessions as f64;
        vec![figure, figure]
    },
};
