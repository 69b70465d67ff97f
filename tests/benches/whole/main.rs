//! poptape as a whole, beside what else stands between a client and a server. `tests/benches/run` starts it.
//!
//! One subject is alive at a time, in an order that rotates from round to round; it shares a core with the load,
//! and the upstream has another. What it wrote lies in memory. Processor time, by the system's own accounts, is the
//! judge. Ratios are of figures of the same round, and their median counts.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    unreachable_pub,
    reason = "a benchmark is a peer with sockets and time, prints, and ends where something is wrong"
)]

mod growth;
mod load;
mod mail;
mod pki;
mod report;
mod roles;
mod subjects;
mod system;
mod works;

use std::cell::{OnceCell, RefCell};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ClientConfig;
use tempfile::TempDir;

use self::pki::Pki;
use self::report::Measured;
use self::subjects::{Around, Running, Subject, named};
use self::works::{WORKS, Work};

/// How it is run.
pub struct Bench {
    quick: bool,
    upstreams: [SocketAddr; 2],
    pki: Pki,
    is_tls: bool,
    /// The folder of the subject that runs now.
    folder: RefCell<Option<TempDir>>,
    /// What is imported, once it is made.
    capture: OnceCell<(TempDir, PathBuf)>,
}

impl Bench {
    /// How much to do: usually, with a subject that is slow, to see whether it works at all.
    pub fn load_of(&self, subject: &Subject, usual: u64, slow: u64, quick: u64) -> u64 {
        if self.quick {
            quick
        } else if subject.slow {
            slow
        } else {
            usual
        }
    }

    /// The same where none is slow.
    pub fn load(&self, usual: u64, quick: u64) -> u64 {
        if self.quick { quick } else { usual }
    }

    /// Whether it is only to be seen that all works.
    pub fn is_quick(&self) -> bool {
        self.quick
    }

    /// The server in clear.
    pub fn upstream(&self) -> SocketAddr {
        self.upstreams[0]
    }

    /// A capture with a large session.
    pub fn capture(&self) -> PathBuf {
        let make = || {
            let folder = system::scratch();
            let file = works::import::make(self, folder.path());
            (folder, file)
        };
        self.capture.get_or_init(make).1.clone()
    }

    /// What clients have for TLS, if the work has it.
    pub fn tls(&self) -> Option<&Arc<ClientConfig>> {
        self.is_tls.then_some(&self.pki.client)
    }

    /// Starts a subject with an empty folder.
    pub fn start(&self, subject: &Subject) -> Running {
        // That of the one before it is removed.
        self.folder.replace(None);
        let folder = system::scratch();
        let tls = self.is_tls.then_some(&self.pki);
        let around =
            Around { upstream: self.upstreams[usize::from(self.is_tls)], folder: folder.path(), tls };
        let running = (subject.start)(&around);
        self.folder.replace(Some(folder));
        running
    }

    /// Seconds of processor time that a subject needs for this, to its last write.
    pub fn cpu_of(&self, running: &Running, work: impl FnOnce()) -> f64 {
        let before = system::settled_cpu(running.pid());
        work();
        (system::settled_cpu(running.pid()) - before) as f64 / 1e9
    }

    /// All rounds of a work.
    fn measure(&mut self, work: &Work, rounds: usize) -> Measured {
        self.is_tls = work.tls;
        let here: Vec<_> = work.subjects.iter().map(|name| named(name)).filter(|it| it.is_here()).collect();
        let mut measured = Measured::new();
        for round in 0..rounds {
            for at in 0..here.len() {
                let subject = here[(at + round) % here.len()];
                if subject.slow && round > 0 {
                    continue;
                }
                eprintln!("{} {}/{rounds}: {}", work.name, round + 1, subject.name);
                let figures = (work.run)(self, subject);
                assert_eq!(figures.len(), work.rows.len(), "a figure a row");
                measured.entry(subject.name).or_default().push(figures);
            }
        }
        self.folder.replace(None);
        measured
    }
}

/// The one in the middle.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn role(arguments: &[String]) {
    match arguments {
        [role] if role == "upstream" => roles::upstream::run(None),
        [role, certificate, key] if role == "upstream" => {
            roles::upstream::run(Some(&pki::server(certificate.as_ref(), key.as_ref())));
        }
        [role, upstream] if role == "copy" => roles::copy::run(upstream.parse().unwrap(), None),
        [role, upstream, log] if role == "copy" => {
            roles::copy::run(upstream.parse().unwrap(), Some(log.as_ref()));
        }
        other => panic!("no role {other:?}"),
    }
}

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    if arguments.first().is_some_and(|it| it == "role") {
        return role(&arguments[1..]);
    }
    let quick = arguments.iter().any(|it| it == "--quick");
    let at = arguments.iter().position(|it| it == "--rounds");
    let rounds = at.map_or(if quick { 1 } else { 5 }, |at| arguments.remove(at + 1).parse().unwrap());
    arguments.retain(|it| !it.starts_with("--"));

    let folder = system::scratch();
    let pki = Pki::new(folder.path());
    let (own, upstreams) = system::cores();
    system::pin(upstreams);
    let running = [None, Some(&pki)].map(subjects::upstream);
    system::pin(own);
    let addresses = running.each_ref().map(|upstream| upstream.address);
    let mut bench = Bench {
        quick,
        upstreams: addresses,
        pki,
        is_tls: false,
        folder: RefCell::default(),
        capture: OnceCell::new(),
    };

    let is_growth = arguments.iter().any(|it| it == "growth");
    arguments.retain(|it| it != "growth" && it != "whole");
    if is_growth {
        return growth::run(&bench, "tests/benches/growth.svg".as_ref());
    }

    print!("{}", report::HEAD);
    let mut total = [0; 2];
    for work in WORKS {
        if !arguments.is_empty() && !arguments.iter().any(|part| work.name.contains(part)) {
            continue;
        }
        let measured = bench.measure(work, rounds);
        let (lines, met) = report::lines(work, &measured);
        print!("{lines}");
        total = [total[0] + met[0], total[1] + met[1]];
    }
    println!("\n{} targets met, {} missed", total[0], total[1]);
}
