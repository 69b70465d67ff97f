//! What the tests have in common: the program under test, and peers that do exactly what a test wants.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a peer waits for what must come. Never reached unless something is broken.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The program under test.
pub fn poptape() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_poptape"));
    command.env_remove("NO_COLOR").stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub fn run(arguments: &[&str]) -> Output {
    poptape().args(arguments).output().unwrap()
}

pub fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// A process that does not outlive the test, however that ends.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It is gone already where the test waited for it.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A verb that listens at work, mostly `record`.
pub struct Proxy {
    child: Running,
    pub address: SocketAddr,
    pub folder: tempfile::TempDir,
    stderr: JoinHandle<String>,
    stdout: JoinHandle<String>,
}

/// What it left.
pub struct Left {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub folder: tempfile::TempDir,
}

impl Proxy {
    /// Before `upstream`, with further arguments.
    pub fn start(upstream: SocketAddr, arguments: &[&str]) -> Self {
        Self::start_as(poptape(), upstream, arguments)
    }

    /// The same with a command that may differ from the usual one.
    pub fn start_as(mut command: Command, upstream: SocketAddr, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        command.args(["record", "-l", "127.0.0.1:0", "-u", &format!("pop3://{upstream}")]);
        if !arguments.contains(&"-o") {
            command.arg("-o").arg(folder.path().join("recordings"));
        }
        command.args(arguments);
        Self::run(command, folder)
    }

    /// Another verb that listens: `serve`, `replay`.
    pub fn verb(verb: &str, arguments: &[&str]) -> Self {
        let mut command = poptape();
        command.args([verb, "-l", "127.0.0.1:0"]).args(arguments);
        Self::run(command, tempfile::tempdir().unwrap())
    }

    /// A command that listens; `folder` is kept as long as it runs and what it left is looked at.
    pub fn run(mut command: Command, folder: tempfile::TempDir) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = Running(command.spawn().unwrap());
        let mut lines = BufReader::new(child.0.stderr.take().unwrap());
        let (address, before) = ready(&mut lines);
        let stderr = std::thread::spawn(move || {
            let mut rest = before;
            lines.read_to_string(&mut rest).unwrap();
            rest
        });
        let mut out = child.0.stdout.take().unwrap();
        let stdout = std::thread::spawn(move || {
            let mut all = Vec::new();
            out.read_to_end(&mut all).unwrap();
            text(&all)
        });
        Self { child, address, folder, stderr, stdout }
    }

    pub fn pid(&self) -> u32 {
        self.child.0.id()
    }

    pub fn connect(&self) -> TcpStream {
        connect(self.address)
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child.0);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Left {
        let code = self.child.0.wait().unwrap().code();
        let (stdout, stderr) = (self.stdout.join().unwrap(), self.stderr.join().unwrap());
        Left { code, stdout, stderr, folder: self.folder }
    }

    /// Ends it as a user does.
    pub fn stop(self) -> Left {
        self.signal(rustix::process::Signal::TERM);
        self.wait()
    }
}

/// Where a poptape listens, and what it said before it was ready.
fn ready(stderr: &mut impl BufRead) -> (SocketAddr, String) {
    let (mut line, mut before) = (String::new(), String::new());
    loop {
        line.clear();
        assert!(stderr.read_line(&mut line).unwrap() > 0, "poptape did not start: {before}");
        if let Some((_, address)) = line.strip_prefix("ready ").and_then(|url| url.split_once("://")) {
            return (address.trim().parse().unwrap(), before);
        }
        before.push_str(&line);
    }
}

/// `poptape serve` at work, stopped on drop.
pub struct Serving {
    pub address: SocketAddr,
    _child: Running,
    /// Open, so that it can say what it has to.
    _stderr: BufReader<std::process::ChildStderr>,
}

impl Serving {
    /// On a port of its own, with further arguments.
    pub fn start(arguments: &[&str]) -> Self {
        let mut command = poptape();
        command.args(["serve", "-l", "127.0.0.1:0", "--quiet"]).args(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = Running(command.spawn().unwrap());
        let mut stderr = BufReader::new(child.0.stderr.take().unwrap());
        let (address, _) = ready(&mut stderr);
        Self { address, _child: child, _stderr: stderr }
    }
}

impl Left {
    /// The recordings, in order.
    pub fn recordings(&self) -> Vec<PathBuf> {
        recordings(&self.folder.path().join("recordings"))
    }

    /// The only recording.
    pub fn recording(&self) -> PathBuf {
        let mut all = self.recordings();
        assert_eq!(all.len(), 1, "{}", self.stderr);
        all.remove(0)
    }

    /// `client.bin` and `server.bin` of the only recording.
    pub fn raw(&self) -> (Vec<u8>, Vec<u8>) {
        raw(&self.recording())
    }
}

pub fn recordings(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

pub fn raw(recording: &Path) -> (Vec<u8>, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.raw");
    let convert = poptape().arg("convert").arg(recording).arg(&out).output().unwrap();
    assert!(out.exists(), "{}", text(&convert.stderr));
    (std::fs::read(out.join("client.bin")).unwrap(), std::fs::read(out.join("server.bin")).unwrap())
}

/// `poptape show --format jsonl`, a value a line.
pub fn jsonl(recording: &Path) -> Vec<serde_json::Value> {
    let shown = poptape().args(["show", "--format", "jsonl"]).arg(recording).output().unwrap();
    text(&shown.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A server whose sessions are `script`, one thread each.
pub struct Server {
    pub address: SocketAddr,
}

impl Server {
    pub fn start(script: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, script) = (stream.unwrap(), script.clone());
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                stream.set_write_timeout(Some(PATIENCE)).unwrap();
                std::thread::spawn(move || script(stream));
            }
        });
        Self { address }
    }

    /// One that greets and then answers each line by `answer`; ends after QUIT or at the client's end.
    pub fn answering(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + Clone + 'static) -> Self {
        Self::start(move |mut stream| {
            let mut lines = BufReader::new(stream.try_clone().unwrap());
            let _ = stream.write_all(b"+OK ready\r\n");
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|read| read > 0) {
                if stream.write_all(&answer(line.trim_end())).is_err() || line.starts_with("QUIT") {
                    return;
                }
                line.clear();
            }
        })
    }
}

/// Reads exactly this.
#[track_caller]
pub fn expect(stream: &mut TcpStream, octets: &[u8]) {
    let mut read = vec![0; octets.len()];
    stream.read_exact(&mut read).unwrap_or_else(|error| panic!("{error} instead of {}", text(octets)));
    assert_eq!(text(&read), text(octets));
}

/// Reads to the end of the stream.
pub fn rest(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest)?;
    Ok(rest)
}

/// Looks again until it is so.
#[track_caller]
pub fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !so() {
        assert!(std::time::Instant::now() < deadline, "never: {what}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}
