//! What the operating system knows of processes: their processor time, their memory, where they may run.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::getpid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Nanoseconds of a tick of `/proc/PID/stat`: `USER_HZ` is 100 on Linux.
const TICK: u64 = 10_000_000;

/// How long the processor time of a subject must stand still until it has done all its work.
const STILL: Duration = Duration::from_millis(25);

/// The cores that the benchmark may use: the first is the subject's and the load's, the last the upstream's.
pub fn cores() -> (usize, usize) {
    let may = sched_getaffinity(None).unwrap();
    let all: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| may.is_set(*core)).collect();
    (all[0], all[all.len() - 1])
}

/// Lets this thread, and what it starts from now on, run there alone.
pub fn pin(core: usize) {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).unwrap();
}

/// A process and all its descendants that live.
fn tree(root: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, u32::try_from(stat(pid)?[1]).ok()?)))
        .collect();
    let mut tree = vec![root];
    let mut at = 0;
    while at < tree.len() {
        let parent = tree[at];
        tree.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    tree
}

/// The fields of `/proc/PID/stat` behind the name, the state as 0: [1] is the parent, [11] to [14] are ticks.
fn stat(pid: u32) -> Option<Vec<u64>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    Some(fields.split_ascii_whitespace().map(|field| field.parse().unwrap_or(0)).collect())
}

/// Nanoseconds on a processor of a process, its descendants and those of them that ended.
///
/// `schedstat` is exact and forgets threads that ended; `stat` is in ticks and forgets none.
pub fn cpu(root: u32) -> u64 {
    tree(root).into_iter().map(cpu_of).sum()
}

fn cpu_of(pid: u32) -> u64 {
    let Some(fields) = stat(pid) else { return 0 };
    let exact = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
        .filter_map(|text| text.split_ascii_whitespace().next()?.parse::<u64>().ok())
        .sum::<u64>();
    exact.max((fields[11] + fields[12]) * TICK) + (fields[13] + fields[14]) * TICK
}

/// The same once it stands still: all that was to be written is written.
pub fn settled_cpu(root: u32) -> u64 {
    let mut last = cpu(root);
    let mut still = 0;
    while still < 2 {
        std::thread::sleep(STILL);
        let now = cpu(root);
        // Timers tick on in some subjects.
        still = if now - last < 300_000 { still + 1 } else { 0 };
        last = now;
    }
    last
}

/// Octets of memory of its own that a process and its descendants hold.
pub fn memory(root: u32) -> u64 {
    tree(root).into_iter().map(|pid| field(&format!("/proc/{pid}/smaps_rollup"), "Private_Dirty:")).sum()
}

/// The most memory that a process ever held, as long as it lives.
pub fn peak(pid: u32) -> u64 {
    field(&format!("/proc/{pid}/status"), "VmHWM:")
}

fn field(path: &str, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let kib =
        text.lines().find_map(|line| line.strip_prefix(name)?.split_ascii_whitespace().next()?.parse().ok());
    kib.unwrap_or(0_u64) * 1024
}

/// A folder that is in memory where there is such a place, and removed when dropped.
pub fn scratch() -> tempfile::TempDir {
    let shared = Path::new("/dev/shm");
    let place = if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() };
    tempfile::Builder::new()
        .prefix(&format!("poptape-bench-{}-", getpid().as_raw_nonzero()))
        .tempdir_in(place)
        .unwrap()
}

/// Where a program is, if it is installed.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = std::env::var_os("POPTAPE_BENCH_BIN").unwrap_or_default();
    let more = [PathBuf::from("/usr/sbin"), PathBuf::from(own)];
    std::env::split_paths(&path).chain(more).map(|folder| folder.join(name)).find(|path| path.is_file())
}
