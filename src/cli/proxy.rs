//! The proxy at work: what `record` and `demo` have in common. Listeners, relays, the writer's thread,
//! signals, and the command that is run against it.

use std::ffi::OsString;
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::failure::{Failure, Verdict};
use super::output::{say, warn};
use crate::net::address::Upstream;
use crate::net::clock::Clock;
use crate::net::listen::{Accepted, Listener, serve, turns_true};
use crate::net::pool::Pool;
use crate::net::pump::{self, Surroundings};
use crate::net::writer::{Queue, Wait, Writer};
use crate::pop3::Secrets;
use crate::recording::format::named;
use crate::recording::{Entry, Header, Note};
use crate::relay::Relay;
use crate::render::text::Verbosity;
use crate::sink::Sink;
use crate::sink::console::Console;
use crate::sink::recorder::{Announce, Paths, Recorder};

/// What a recording names as its maker.
pub(super) const GENERATOR: &str = concat!("poptape ", env!("CARGO_PKG_VERSION"));

/// How long sessions that the command left open may take to end by themselves.
const GRACE: Duration = Duration::from_secs(2);

/// What every session of a run is made from.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) upstream: Upstream,
    pub(super) secrets: Secrets,
    pub(super) pool: Pool,
}

impl Proxy {
    fn header(&self, accepted: &Accepted, started: chrono::DateTime<chrono::Utc>) -> Header {
        Header {
            generator: GENERATOR.to_owned(),
            session: accepted.number,
            started,
            client: accepted.client.to_string(),
            listener: accepted.listener.to_string(),
            upstream: self.upstream.to_string(),
            server: None,
            secrets: self.secrets,
            unknown: serde_json::Map::new(),
            outer: serde_json::Map::new(),
        }
    }

    async fn session(self: Arc<Self>, accepted: Accepted, stop: watch::Receiver<bool>, queues: Queues) {
        let (clock, started) = Clock::start();
        let relay = Relay::new(self.header(&accepted, started));
        let around = Surroundings { clock, pool: &self.pool, upstream: Some(&self.upstream), stop };
        let number = accepted.number;
        pump::run(relay, accepted.stream, around, |relay| queues.put(number, relay.entries())).await;
    }
}

/// Where sessions' entries go, and the threads that take them.
pub(super) struct Outlets {
    pub(super) queues: Queues,
    screen: Option<Writer>,
    record: Writer,
    pub(super) paths: Paths,
}

/// One queue a thread.
#[derive(Debug, Clone)]
pub(super) struct Queues {
    screen: Option<Queue>,
    record: Queue,
}

impl Queues {
    fn put(&self, session: u32, entries: Vec<Entry>) -> Option<Wait> {
        let screen = self.screen.as_ref().and_then(|screen| screen.put(session, entries.clone()));
        let record = self.record.put(session, entries);
        match (screen, record) {
            (Some(screen), Some(record)) => Some(Box::pin(async move {
                screen.await;
                record.await;
            })),
            (one, other) => one.or(other),
        }
    }
}

impl Outlets {
    /// Starts the live console (None: quiet; else how often -v was given), the recorder and what else records.
    pub(super) fn open(
        folder: &Path,
        formats: &[&str],
        verbose: Option<u8>,
        color: bool,
        others: Vec<Box<dyn Sink + Send>>,
    ) -> Result<Self, Failure> {
        let cannot = |error| Failure::runtime(format!("cannot start a writer's thread: {error}"));
        let (mut screen, mut screen_queue, mut announce) = (None, None, None);
        if let Some(verbose) = verbose {
            let console = Console::new(Box::new(std::io::stdout()), color, Verbosity::of_count(verbose));
            let (writer, queue) =
                Writer::start(vec![Box::new(console)], |problem| warn(&problem)).map_err(cannot)?;
            let queue = queue.of_screen();
            let told = queue.clone();
            let tell: Announce = Box::new(move |session, path| {
                let (kind, text) = (Console::RECORDED.to_owned(), path.display().to_string());
                told.try_put(session, Entry::Note(Note { at: 0, kind, text }));
            });
            (screen, screen_queue, announce) = (Some(writer), Some(queue), Some(tell));
        }
        let formats = formats.iter().filter_map(|name| named(name)).collect();
        let recorder = Recorder::new(folder, formats, announce).map_err(|error| {
            Failure::runtime(format!("cannot record into the folder {}: {error}", folder.display()))
        })?;
        let paths = recorder.paths();
        let mut sinks: Vec<Box<dyn Sink + Send>> = vec![Box::new(recorder)];
        sinks.extend(others);
        let (record, queue) = Writer::start(sinks, |problem| warn(&problem)).map_err(cannot)?;
        Ok(Self { queues: Queues { screen: screen_queue, record: queue }, screen, record, paths })
    }

    /// Waits until all is written, for a screen only as long as it takes anything. Gives the names of the sinks
    /// that failed to record.
    pub(super) async fn close(self) -> Vec<&'static str> {
        drop(self.queues);
        let failed = self.record.join().await;
        if let Some(screen) = self.screen {
            screen.join_screen().await;
        }
        failed
    }
}

/// Serves until all `limit` sessions are over or `stop` turns true.
pub(super) async fn relay(
    proxy: Arc<Proxy>,
    listeners: Vec<Listener>,
    limit: Option<u32>,
    stop: watch::Receiver<bool>,
    queues: Queues,
) {
    let stopped = stop.clone();
    let session = move |accepted| Arc::clone(&proxy).session(accepted, stop.clone(), queues.clone());
    serve(listeners, limit, stopped, |problem| warn(&problem), session).await;
}

/// Binds; a busy port is said to be one.
pub(super) async fn bind(address: SocketAddr) -> Result<Listener, Failure> {
    Listener::bind(address).await.map_err(|error| {
        let hint = match error.kind() {
            ErrorKind::AddrInUse => "; another program listens there: stop it, or choose another port with -l (0 picks a free one)",
            ErrorKind::PermissionDenied => "; ports below 1024 need privileges: choose another with -l",
            _ => "",
        };
        Failure::runtime(format!("cannot listen on {address}: {error}{hint}"))
    })
}

/// Says that a listener is ready, in the one form that scripts wait for.
pub(super) fn ready(listeners: &[Listener], file: Option<&Path>) -> Result<(), Failure> {
    let mut lines = String::new();
    for listener in listeners {
        if !listener.address.ip().is_loopback() {
            warn(&format!("{} can be reached from other machines", listener.address));
        }
        lines = format!("{lines}ready {}\n", url(listener.address));
    }
    if let Some(path) = file {
        write_whole(path, lines.as_bytes()).map_err(|error| Failure::writing(path, &error))?;
    }
    say(lines.trim_end());
    Ok(())
}

fn url(address: SocketAddr) -> String {
    format!("pop3://{address}")
}

/// A file that is seen whole or not at all.
fn write_whole(path: &Path, octets: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let draft = folder.join(format!(".{name}.{}", std::process::id()));
    let mut file = std::fs::File::create(&draft)?;
    file.write_all(octets).and_then(|()| std::fs::rename(&draft, path)).inspect_err(|_| {
        // What is left behind is only a draft.
        let _ = std::fs::remove_file(&draft);
    })
}

/// Turns `stop` true at the first SIGINT or SIGTERM; a second one ends the process at once.
pub(super) fn watch_signals(stop: watch::Sender<bool>) -> Result<(), Failure> {
    let cannot = |error| Failure::runtime(format!("cannot watch for signals: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    tokio::spawn(async move {
        for code in [None, Some(130)] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if let Some(code) = code {
                std::process::exit(code);
            }
            stop.send_replace(true);
        }
    });
    Ok(())
}

/// Runs the user's command against `address`; afterwards gives the sessions that it left open a moment.
pub(super) async fn run_command(
    command: &[OsString],
    address: SocketAddr,
    stop: &watch::Sender<bool>,
    over: impl Future<Output = ()>,
) -> Result<Verdict, Failure> {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let fill = |argument: &OsString| match argument.to_str() {
        Some(text) => {
            text.replace("{host}", &host).replace("{port}", &port).replace("{url}", &url(address)).into()
        }
        None => argument.clone(),
    };
    let filled: Vec<OsString> = command.iter().map(fill).collect();
    let Some((program, arguments)) = filled.split_first() else { return Ok(Verdict::Clean) };
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .env("POP3_HOST", &host)
        .env("POP3_PORT", &port)
        .env("POP3_URL", url(address))
        .spawn()
        .map_err(|error| Failure::usage(format!("cannot run {}: {error}", program.display())))?;
    let mut over = std::pin::pin!(over);
    let mut stopped = stop.subscribe();
    let (mut ended, mut told) = (false, false);
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            () = &mut over, if !ended => ended = true,
            () = turns_true(&mut stopped), if !told => {
                told = true;
                // Whoever stops us means the command too. Where it is gone already, nobody needs to be told.
                let pid = child.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed()));
                let _ = pid.map(|pid| rustix::process::kill_process(pid, rustix::process::Signal::TERM));
            }
        }
    };
    let status = status.map_err(|error| Failure::runtime(format!("cannot wait for the command: {error}")))?;
    if !ended && tokio::time::timeout(GRACE, &mut over).await.is_err() {
        stop.send_replace(true);
        over.await;
    }
    Ok(if status.success() { Verdict::Clean } else { Verdict::OfCommand(code_of(status)) })
}

/// As a shell would give it.
fn code_of(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}
