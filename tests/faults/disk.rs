//! The disk is full, slow or gone, or the right to write is lost: the session goes on, one warning says so, and what was
//! written stays valid.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Kept, as_client, memory, short_session};
use crate::support::{Left, Proxy, Server, eventually, expect, recordings, rest, text};

const LINES: usize = 16 << 10;

/// A megabyte of lines.
fn message() -> Vec<u8> {
    let body = b"The quick brown fox jumps over the lazy dog, sixty-two of it.\r\n".repeat(LINES);
    [&b"+OK\r\n"[..], &body, b".\r\n"].concat()
}

fn server() -> Server {
    let message = message();
    Server::answering(move |line| if line == "RETR 1" { message.clone() } else { b"+OK\r\n".to_vec() })
}

/// A session of so many messages.
#[track_caller]
fn retrieve(proxy: &Proxy, messages: usize) {
    let (mut client, message) = (proxy.connect(), message());
    expect(&mut client, b"+OK ready\r\n");
    for _ in 0..messages {
        client.write_all(b"RETR 1\r\n").unwrap();
        expect(&mut client, &message);
    }
    as_client(&mut client, &[("QUIT\r\n", "+OK\r\n")]);
    assert_eq!(rest(&mut client).unwrap(), b"");
}

/// It ended with exit code 3 and one warning, of this.
#[track_caller]
fn warned(left: &Left, of: &str) {
    assert_eq!(left.code, Some(3), "{}", left.stderr);
    assert_eq!(left.stderr.matches("warning:").count(), 1, "{}", left.stderr);
    assert!(left.stderr.contains(of), "{of}: {}", left.stderr);
}

/// What was kept is the beginning of what was said.
#[track_caller]
fn is_a_beginning(path: &Path) {
    let (kept, message) = (Kept::read(path), message());
    let said = [b"+OK ready\r\n", &message.repeat(kept.server.len() / message.len() + 1)[..]].concat();
    assert!(said.starts_with(&kept.server), "{}: what was kept is not what was said", path.display());
}

/// Runs it where this is mounted on its folder, which only it can see.
fn mounted(options: &str, folder: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c"]);
    command.arg(format!("mount -t tmpfs -o {options} tmpfs \"$0\" && exec \"$@\"")).arg(folder);
    command.arg(env!("CARGO_BIN_EXE_poptape"));
    command
}

/// A folder as the process sees it.
fn seen_by(proxy: &Proxy, folder: &Path) -> PathBuf {
    Path::new(&format!("/proc/{}/root", proxy.pid())).join(folder.strip_prefix("/").unwrap())
}

#[test]
fn full_of_octets() {
    let (server, disk) = (server(), tempfile::tempdir().unwrap());
    let command = mounted("size=4m", disk.path());
    let proxy = Proxy::start_as(command, server.address, &["--quiet", "-o", disk.path().to_str().unwrap()]);
    // One session that fits is whole, the one that does not is a beginning, and later ones are not recorded.
    retrieve(&proxy, 1);
    retrieve(&proxy, 10);
    retrieve(&proxy, 1);
    let files = recordings(&seen_by(&proxy, disk.path()));
    assert_eq!(files.len(), 2, "{files:?}");
    assert!(Kept::read(&files[0]).whole);
    is_a_beginning(&files[1]);
    assert!(Kept::read(&files[1]).server.len() > 2 << 20, "most of what fits was kept");
    warned(&proxy.stop(), "No space left");
}

#[test]
fn full_of_files() {
    let (server, disk) = (server(), tempfile::tempdir().unwrap());
    let command = mounted("nr_inodes=4", disk.path());
    let proxy = Proxy::start_as(command, server.address, &["--quiet", "-o", disk.path().to_str().unwrap()]);
    for _ in 0..6 {
        short_session(&proxy);
    }
    let files = recordings(&seen_by(&proxy, disk.path()));
    assert_eq!(files.len(), 3, "{files:?}");
    assert!(files.iter().all(|path| Kept::read(path).whole));
    warned(&proxy.stop(), "No space left");
}

/// A limit on the size of files, which some systems have for users.
#[test]
fn files_may_grow_no_more() {
    let server = server();
    let mut command = Command::new("prlimit");
    command.arg("--fsize=2000000").arg(env!("CARGO_BIN_EXE_poptape"));
    let proxy = Proxy::start_as(command, server.address, &["--quiet"]);
    retrieve(&proxy, 1);
    retrieve(&proxy, 3);
    let left = proxy.stop();
    let files = left.recordings();
    assert!(Kept::read(&files[0]).whole);
    is_a_beginning(&files[1]);
    warned(&left, "File too large");
}

/// Runs it so that the system calls of its writer are tampered with as told.
fn traced(injection: &str) -> Command {
    let mut command = Command::new("strace");
    // The tracer is the grandchild: the process that the test knows is poptape.
    command.args(["-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=pwrite64", "-e", injection, "--"]);
    command.arg(env!("CARGO_BIN_EXE_poptape"));
    command
}

/// Each write takes its time: so does the session, and nothing is lost or piles up.
#[test]
fn slow() {
    const MESSAGES: usize = 150;
    let server = server();
    let command = traced("inject=pwrite64:delay_enter=5000");
    let proxy = Proxy::start_as(command, server.address, &["--quiet"]);
    let (mut client, message) = (proxy.connect(), message());
    expect(&mut client, b"+OK ready\r\n");
    client.write_all(&b"RETR 1\r\n".repeat(MESSAGES)).unwrap();
    let mut buffer = vec![0; message.len()];
    for _ in 0..MESSAGES {
        client.read_exact(&mut buffer).unwrap();
        assert!(buffer == message);
    }
    assert!(memory(proxy.pid(), "VmHWM") < 64 << 10, "{} kB", memory(proxy.pid(), "VmHWM"));
    as_client(&mut client, &[("QUIT\r\n", "+OK\r\n")]);
    drop(client);
    let left = proxy.stop();
    assert_eq!((left.code, left.stderr.matches("warning:").count()), (Some(0), 0), "{}", left.stderr);
    let kept = Kept::read(&left.recording());
    assert!(kept.whole && kept.server.len() == 11 + MESSAGES * message.len() + 5, "{}", kept.server.len());
}

/// A write that does not come back for a while does not hold those up who say little.
#[test]
fn hanging() {
    let server = server();
    // The third write takes two seconds.
    let proxy = Proxy::start_as(traced("inject=pwrite64:delay_enter=2000000:when=3"), server.address, &[]);
    for _ in 0..10 {
        short_session(&proxy);
    }
    let left = proxy.stop();
    assert_eq!(left.code, Some(0), "{}", left.stderr);
    assert_eq!(left.recordings().len(), 10);
    assert!(left.recordings().iter().all(|path| Kept::read(path).whole));
}

/// The disk gives errors.
#[test]
fn broken() {
    let server = server();
    let proxy = Proxy::start_as(traced("inject=pwrite64:error=EIO:when=5+"), server.address, &["--quiet"]);
    retrieve(&proxy, 10);
    retrieve(&proxy, 1);
    let left = proxy.stop();
    assert!(!left.recordings().is_empty());
    is_a_beginning(&left.recordings()[0]);
    warned(&left, "Input/output error");
}

#[test]
fn the_folder_is_moved_away() {
    let server = server();
    let proxy = Proxy::start(server.address, &["--quiet"]);
    let folder = proxy.folder.path().join("recordings");
    let mut client = proxy.connect();
    expect(&mut client, b"+OK ready\r\n");
    eventually("it has begun", || recordings(&folder).iter().any(|path| path.metadata().unwrap().len() > 0));
    let away = proxy.folder.path().join("away");
    std::fs::rename(&folder, &away).unwrap();
    // The session that was recorded goes on, and so does its file; a new one has nowhere to go.
    client.write_all(b"RETR 1\r\n").unwrap();
    expect(&mut client, &message());
    let file = recordings(&away).remove(0);
    eventually("the message is in the file", || Kept::read(&file).server.len() > LINES * 63);
    short_session(&proxy);
    as_client(&mut client, &[("QUIT\r\n", "+OK\r\n")]);
    assert_eq!(rest(&mut client).unwrap(), b"");
    let left = proxy.stop();
    is_a_beginning(&file);
    warned(&left, "No such file");
}

/// As a user whom permissions hold back, also where the tests are run by root.
fn plain_user() -> Command {
    let mut command = Command::new("sh");
    let without = "setpriv --bounding-set=-dac_override,-dac_read_search --";
    command.args(["-c", &format!("test \"$(id -u)\" != 0 || exec {without} \"$@\"; exec \"$@\""), "sh"]);
    command.arg(env!("CARGO_BIN_EXE_poptape"));
    command
}

#[test]
fn the_right_to_write_is_lost() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = server();
    let proxy = Proxy::start_as(plain_user(), server.address, &["--quiet"]);
    let folder = proxy.folder.path().join("recordings");
    short_session(&proxy);
    let may = |mode| std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode)).unwrap();
    may(0o500);
    short_session(&proxy);
    retrieve(&proxy, 2);
    may(0o700);
    let left = proxy.stop();
    assert!(Kept::read(&left.recording()).whole);
    warned(&left, "Permission denied");
    assert!(left.stderr.contains("check the folder's permissions"), "{}", left.stderr);
    assert!(!text(left.stderr.as_bytes()).contains("panicked"));
}
