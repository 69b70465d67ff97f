//! The wall clock jumps in the middle of a session: times in a recording go on as if nothing had happened.

use std::io::Write;
use std::path::PathBuf;

use super::{Kept, as_client, short_session};
use crate::support::{Proxy, Server, poptape, rest};

/// The library that lies to a process about the wall clock, from the package `libfaketime`.
fn liar() -> PathBuf {
    let roots = std::fs::read_dir("/usr/lib").unwrap();
    let found = roots.map(|root| root.unwrap().path().join("faketime/libfaketimeMT.so.1"));
    found.filter(|path| path.exists()).chain(["/usr/lib/faketime/libfaketimeMT.so.1".into()]).next().unwrap()
}

#[test]
fn jumps_of_the_wall_clock_leave_the_times_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let time = folder.path().join("time");
    let set = |to: &str| std::fs::write(&time, format!("{to}\n")).unwrap();
    set("+0");
    let server = Server::answering(|_| b"+OK\r\n".to_vec());
    let mut command = poptape();
    command.env("LD_PRELOAD", liar()).env("FAKETIME_TIMESTAMP_FILE", &time);
    command.envs([("FAKETIME_NO_CACHE", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")]);
    let proxy = Proxy::start_as(command, server.address, &["--sessions", "6", "--quiet"]);
    let mut client = proxy.connect();
    as_client(&mut client, &[("", "+OK ready\r\n")]);
    // A year back and forth, and days; a session begins after each jump, so the clock is known to have been asked.
    for jump in ["-365d", "+365d", "-3d", "+0", "-365d"] {
        set(jump);
        as_client(&mut client, &[("NOOP\r\n", "+OK\r\n")]);
        short_session(&proxy);
    }
    client.write_all(b"QUIT\r\n").unwrap();
    assert_eq!(rest(&mut client).unwrap(), b"+OK\r\n");
    drop(client);
    let left = proxy.wait();
    assert_eq!(left.code, Some(0), "{}", left.stderr);
    let recordings = left.recordings();
    assert_eq!(recordings.len(), 6, "{recordings:?}");
    for recording in &recordings {
        let kept = Kept::read(recording);
        assert!(kept.whole, "{}", recording.display());
        assert!(kept.times.is_sorted(), "{:?}", kept.times);
        // Far less than any of the jumps.
        let hour = 3_600_000_000;
        assert!(kept.times.iter().all(|at| *at < hour), "{:?}", kept.times);
    }
    // Their names say what the clock said: three years, of which the fewest is first.
    let mut years: Vec<_> = recordings.iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    years.dedup_by_key(|name| name.to_str().unwrap()[..4].to_owned());
    assert_eq!(years.len(), 3, "the clock did not jump: {recordings:?}");
}
