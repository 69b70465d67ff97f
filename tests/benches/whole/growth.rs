//! What the next one costs when there were many: sessions, octets, messages in a maildrop, exchanges in a recording.
//! Each line is the processor time of one more between a size and the next; it shall stay where it is.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::Bench;
use crate::load::{Client, short_session};
use crate::subjects::poptape::{poptape, record};
use crate::subjects::{Around, Running};
use crate::system::{self, settled_cpu};
use crate::works::import::finish;

/// What grows.
struct Growth {
    name: &'static str,
    unit: &'static str,
    sizes: &'static [u64],
    /// The sizes of a quick run.
    quick: &'static [u64],
    /// Seconds of processor time for all of a size.
    cost: fn(&Bench, u64) -> f64,
}

const GROWTHS: &[Growth] = &[
    Growth {
        name: "sessions in a run",
        unit: "us a session",
        sizes: &[1, 10, 100, 1000, 3000, 10_000],
        quick: &[1, 10, 20],
        cost: sessions,
    },
    Growth {
        name: "KiB of a message",
        unit: "us a KiB",
        sizes: &[1, 32, 1 << 10, 32 << 10, 256 << 10, 2 << 20],
        quick: &[1, 32, 1 << 10],
        cost: message,
    },
    Growth {
        name: "messages in a maildrop",
        unit: "us a message",
        sizes: &[10, 100, 1000, 10_000, 100_000],
        quick: &[10, 100, 200],
        cost: maildrop,
    },
    Growth {
        name: "exchanges in a recording",
        unit: "us an exchange",
        sizes: &[1, 100, 1000, 10_000, 100_000],
        quick: &[1, 10, 100],
        cost: exchanges,
    },
];

/// Measures; prints a table, and draws it into a file.
pub fn run(bench: &Bench, drawn: &Path) {
    println!("| what grows | what one more costs, up to each size |\n| --- | --- |");
    let mut lines = Vec::new();
    for growth in GROWTHS {
        let sizes = if bench.is_quick() { growth.quick } else { growth.sizes };
        let costs: Vec<f64> = sizes.iter().map(|size| (growth.cost)(bench, *size)).collect();
        let one_more = |at: usize| (costs[at] - costs[at - 1]) * 1e6 / (sizes[at] - sizes[at - 1]) as f64;
        let points: Vec<(u64, f64)> = (1..sizes.len()).map(|at| (sizes[at], one_more(at).max(0.0))).collect();
        let text: Vec<String> = points.iter().map(|(size, cost)| format!("{size}: {cost:.2}")).collect();
        println!("| {}, {} | {} |", growth.name, growth.unit, text.join(", "));
        lines.push((growth, points));
    }
    if !bench.is_quick() {
        fs::write(drawn, picture(&lines)).unwrap();
    }
}

/// The mean of so many repetitions that small sizes are seen at all.
fn repeated(size: u64, enough: u64, mut cost: impl FnMut(u64) -> f64) -> f64 {
    let times = (enough / size).clamp(1, 500);
    cost(times) / times as f64
}

fn recording(bench: &Bench, folder: &Path) -> Running {
    record(&Around { upstream: bench.upstream(), folder, tls: None }, &[])
}

fn sessions(bench: &Bench, size: u64) -> f64 {
    repeated(size, 200, |times| {
        let mut cost = 0.0;
        for _ in 0..times.min(20) {
            let folder = system::scratch();
            let running = recording(bench, folder.path());
            short_session(running.address, None);
            cost += bench.cpu_of(&running, || (0..size).for_each(|_| short_session(running.address, None)));
        }
        cost * times as f64 / times.min(20) as f64
    })
}

fn message(bench: &Bench, size: u64) -> f64 {
    let folder = system::scratch();
    let running = recording(bench, folder.path());
    let mut client = Client::connect(running.address, None);
    client.log_in();
    client.retrieve(64);
    let cost = repeated(size, 64 << 10, |times| {
        bench.cpu_of(&running, || (0..times).for_each(|_| client.retrieve(size)))
    });
    client.quit();
    cost
}

fn maildrop(bench: &Bench, size: u64) -> f64 {
    let folder = system::scratch();
    let mbox = folder.path().join("mail.mbox");
    let mut text = String::new();
    for number in 1..=size {
        let _ = write!(
            text,
            "From a@example.org Thu Jan  1 00:00:00 1970\nSubject: {number}\n\nText of {number}\n\n"
        );
    }
    fs::write(&mbox, text).unwrap();
    let mut command = poptape();
    command.args(["serve", "--quiet", "-l", "127.0.0.1:0", "--user", "kcope:secret"]).arg(mbox);
    let running = Running::ready(command);
    let session = || {
        let mut client = Client::connect(running.address, None);
        client.yes();
        for command in ["USER kcope\r\n", "PASS secret\r\n"] {
            client.send(command.as_bytes());
            client.yes();
        }
        for command in ["LIST\r\n", "UIDL\r\n"] {
            client.send(command.as_bytes());
            client.yes();
            (0..size).for_each(|_| assert_ne!(client.line(), b".\r\n"));
            client.expect(b".\r\n");
        }
        client.send(b"QUIT\r\n");
        client.yes();
        client.end();
    };
    session();
    repeated(size, 10_000, |times| bench.cpu_of(&running, || (0..times).for_each(|_| session())))
}

fn exchanges(bench: &Bench, size: u64) -> f64 {
    let folder = system::scratch();
    let running = recording(bench, folder.path());
    let mut client = Client::connect(running.address, None);
    client.log_in();
    let mut rest = size;
    while rest > 0 {
        let now = rest.min(1000) as usize;
        client.exchange(&"NOOP\r\n".repeat(now), &"+OK\r\n".repeat(now));
        rest -= now as u64;
    }
    client.quit();
    settled_cpu(running.pid());
    let file = folder.path().join("recordings").read_dir().unwrap().next().unwrap().unwrap().path();
    repeated(size, 1000, |times| {
        let show = || {
            let mut command = poptape();
            command.args(["show", "--format", "jsonl"]).arg(&file);
            finish(command).0
        };
        let some = times.min(20);
        (0..some).map(|_| show()).sum::<f64>() * times as f64 / some as f64
    })
}

/// A panel a growth: sizes on a logarithmic axis, costs on one that begins with 0.
fn picture(lines: &[(&Growth, Vec<(u64, f64)>)]) -> String {
    let mut svg =
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"820\" height=\"540\" font-family=\"sans-serif\" \
                   font-size=\"12\">\n<rect width=\"820\" height=\"540\" fill=\"white\"/>\n"
            .to_owned();
    for (at, (growth, points)) in lines.iter().enumerate() {
        let (left, top) = (60 + 400 * (at % 2), 40 + 260 * (at / 2));
        let most = points.iter().map(|point| point.1).fold(f64::MIN_POSITIVE, f64::max) * 1.25;
        let log = |size: u64| (size as f64).ln();
        let (low, high) = (log(points[0].0), log(points[points.len() - 1].0));
        let place = |&(size, cost): &(u64, f64)| {
            let x = left as f64 + 320.0 * (log(size) - low) / (high - low).max(f64::MIN_POSITIVE);
            (x, top as f64 + 170.0 * (1.0 - cost / most))
        };
        let _ = writeln!(
            svg,
            "<text x=\"{left}\" y=\"{}\" font-weight=\"bold\">{}: {}</text>\n<path d=\"M{left} {top}v170h320\" \
             fill=\"none\" stroke=\"#888\"/>",
            top - 12,
            growth.name,
            growth.unit
        );
        let path: Vec<String> = points.iter().map(place).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"#06c\" stroke-width=\"2\"/>",
            path.join(" ")
        );
        for point in points {
            let (x, y) = place(point);
            let _ = writeln!(
                svg,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"#06c\"/>\n<text x=\"{x:.1}\" y=\"{:.1}\" \
                 text-anchor=\"middle\">{:.2}</text>\n<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\" \
                 fill=\"#555\">{}</text>",
                y - 8.0,
                point.1,
                top + 188,
                point.0
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}
