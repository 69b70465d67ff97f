//! A message that is large.

use std::time::Instant;

use super::Target::{AtLeast, AtMost};
use super::{Row, Work, modes};
use crate::load::Client;

pub const RETR: Work = Work {
    name: "retr",
    subjects: &[
        "copy+log",
        "nothing",
        "json",
        "json+pcapng",
        "copy",
        "haproxy",
        "nginx",
        "socat -v",
        "mitmdump -w",
    ],
    tls: false,
    rows: &[
        Row {
            name: "large RETR, CPU per GB",
            unit: "s",
            reference: &["copy+log"],
            cells: modes(AtMost(0.65), AtMost(1.4), AtMost(2.5)),
        },
        Row {
            name: "large RETR, MB/s",
            unit: "MB/s",
            reference: &["copy+log"],
            cells: modes(AtLeast(2.0), AtLeast(0.8), AtLeast(0.5)),
        },
        Row {
            name: "CPU per GB against those that record",
            unit: "s",
            reference: &["socat -v", "mitmdump -w"],
            cells: [None, Some(("json", AtMost(0.2))), None],
        },
    ],
    run: |bench, subject| {
        // Such as write what passes as text, octet for octet, are in earnest about it.
        let kib = if subject.name == "socat -v" {
            bench.load(256, 64)
        } else {
            bench.load_of(subject, 256 << 10, 32 << 10, 1 << 10)
        };
        let times = bench.load_of(subject, 2, 1, 1);
        let running = bench.start(subject);
        let mut client = Client::connect(running.address, None);
        client.log_in();
        client.retrieve(64);
        let mut took = 0.0;
        let cpu = bench.cpu_of(&running, || {
            let began = Instant::now();
            (0..times).for_each(|_| client.retrieve(kib));
            took = began.elapsed().as_secs_f64();
        });
        client.quit();
        let octets = (times * kib * 1024) as f64;
        let per_gb = cpu * 1e9 / octets;
        vec![per_gb, octets / 1e6 / took, per_gb]
    },
};
