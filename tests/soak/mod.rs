//! Load and soak: as many sessions at once as there are descriptors for, and so many short ones that a leak would show.
//! `cargo test` runs it small. At its full size it takes minutes, a machine for itself and a limit of 20,000
//! descriptors, and says what it measured:
//!
//! ```text
//! cargo test --release --test all -- --ignored --nocapture --test-threads 1 soak
//! ```
#![expect(clippy::print_stderr, reason = "figures for whoever runs it")]

mod load;
mod upstream;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;

use load::Talk;
use poptape::recording::format::Reading;
use poptape::recording::{Entry, file::Input};
use poptape::wire::Side;

use crate::faults::{Kept, memory};
use crate::support::{Left, Proxy, eventually, recordings};

/// What it has in hand.
#[derive(Debug)]
struct Held {
    /// Resident, in kB.
    memory: u64,
    descriptors: usize,
}

impl Held {
    fn by(proxy: &Proxy) -> Self {
        let descriptors = std::fs::read_dir(format!("/proc/{}/fd", proxy.pid())).unwrap().count();
        Self { memory: memory(proxy.pid(), "VmRSS"), descriptors }
    }
}

/// The conversation of a recording, as a client holds it that keeps to it.
fn recorded(path: &str) -> Talk {
    let mut turns: Vec<(Side, Vec<u8>)> = Vec::new();
    let mut take = |_, entry: &Entry| {
        let Entry::Event(event) = entry else { return Ok(()) };
        let Some((side, run)) = event.octets() else { return Ok(()) };
        match turns.last_mut() {
            Some((last, octets)) if *last == side => octets.extend_from_slice(&run.bytes),
            _ => turns.push((side, run.bytes.to_vec())),
        }
        Ok(())
    };
    Input::open(Path::new(path)).unwrap().play(&Reading::default(), &mut take).unwrap();
    Talk { turns }
}

/// Many sessions at once, each of which goes on while all of them are open.
#[track_caller]
fn at_once(proxy: &Proxy, count: usize, descriptors: usize, talk: impl Fn(usize) -> Talk) {
    let idle = Held::by(proxy);
    let crowd = load::gather(proxy.address, count, &talk);
    let open = Held::by(proxy);
    eprintln!("{count} sessions open: {open:?}, {idle:?} before");
    assert!(open.descriptors >= idle.descriptors + count * descriptors, "{open:?} for {count} sessions");
    crowd.finish();
    eventually("their descriptors are given back", || Held::by(proxy).descriptors <= idle.descriptors + 64);
    eprintln!("after them: {:?}", Held::by(proxy));
}

/// So many sessions, few at a time; what is in hand does not grow.
#[track_caller]
fn one_after_the_other(proxy: &Proxy, count: usize, talk: impl Fn(usize) -> Talk + Sync) {
    let began = std::time::Instant::now();
    let mut seen = Vec::new();
    // A tenth to warm up, then what is in hand at the start, in the middle and at the end.
    for (from, to) in [(0, count / 10), (count / 10, count * 11 / 20), (count * 11 / 20, count)] {
        load::run(proxy.address, from..to, &talk);
        seen.push(Held::by(proxy));
    }
    let seconds = began.elapsed().as_secs_f64();
    eprintln!("{count} sessions in {seconds:.1} s, {:.0} a second: {seen:?}", count as f64 / seconds);
    let (start, end) = (&seen[0], &seen[2]);
    assert!(end.memory < start.memory + start.memory / 4 + 8 * 1024, "memory grows: {seen:?}");
    assert!(end.descriptors <= start.descriptors + 64 + load::AT_A_TIME * 2, "descriptors grow: {seen:?}");
}

/// Each session was recorded once, and its recording has what its client said and heard, octet for octet.
#[track_caller]
fn accounted(left: &Left, count: usize, talk: impl Fn(usize) -> Talk) {
    assert_eq!(left.code, Some(0), "{}", left.stderr);
    assert!(!left.stderr.contains("warning"), "{}", left.stderr);
    let mut missing: HashSet<usize> = (0..count).collect();
    let (mut up, mut down) = (0, 0);
    for path in recordings(&left.folder.path().join("recordings")) {
        let kept = Kept::read(&path);
        assert!(kept.whole, "{}", path.display());
        let n = upstream::number(&kept.client);
        assert!(missing.remove(&n), "session {n} is there twice");
        let talk = talk(n);
        assert!(kept.client == talk.said(Side::Client) && kept.server == talk.said(Side::Server), "{n}");
        up += kept.client.len();
        down += kept.server.len();
    }
    assert!(missing.is_empty(), "{} sessions have no recording", missing.len());
    eprintln!("{count} recordings are whole, {up} octets up, {down} down: {}", left.stderr.trim_end());
    let summary = left.stderr.replace(',', "");
    assert!(summary.contains(&format!("{up} octets up {down} down")), "{summary}");
}

/// Through `replay`.
fn replayed(open: usize, short: usize) {
    const RECORDING: &str = "recordings/seed.json";
    let talk = |_| recorded(RECORDING);
    let proxy = Proxy::verb("replay", &["--quiet", "--after-last", "repeat", RECORDING]);
    at_once(&proxy, open, 1, talk);
    let whole = talk(0);
    one_after_the_other(&proxy, short, |_| whole.clone());
    let left = proxy.stop();
    assert_eq!(left.code, Some(0));
    assert!(!left.stderr.contains("warning"), "{}", left.stderr);
    // With commas between thousands in the one, without in the other.
    let stderr = left.stderr.replace(',', "");
    let exchanges = (open + short) * talk(0).commands();
    let summary = format!("{} sessions {exchanges} exchanges", open + short);
    assert!(stderr.contains(&summary), "{summary}: {stderr:.500}");
}

/// Through `record`.
fn proxied(open: usize, short: usize) {
    let address: SocketAddr = upstream::start();
    let arguments = ["--quiet", "--secrets", "keep"];
    let proxy = Proxy::start(address, &arguments);
    at_once(&proxy, open, 2, upstream::talk);
    accounted(&proxy.stop(), open, upstream::talk);
    let proxy = Proxy::start(address, &arguments);
    one_after_the_other(&proxy, short, upstream::talk);
    accounted(&proxy.stop(), short, upstream::talk);
}

#[test]
fn sessions_through_replay() {
    replayed(200, 2000);
}

#[test]
fn sessions_through_record() {
    proxied(200, 2000);
}

#[test]
#[ignore = "takes minutes and 20,000 descriptors"]
fn soak_through_replay() {
    replayed(10_000, 500_000);
}

#[test]
#[ignore = "takes minutes and 20,000 descriptors"]
fn soak_through_record() {
    proxied(9_000, 500_000);
}
