//! The front of a verb that serves: where it listens, how long, what is run against it.

use std::ffi::OsString;
use std::future::Future;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{ArgAction, Args};
use rustls::KeyLog;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::command::{Ends, run_command};
use super::failure::{Failure, Verdict};
use super::output::{say, warn, write_whole};
use super::tls::ClientTls;
use crate::net::address::ListenAddress;
use crate::net::listen::{Listener, Until};
use crate::net::tls::acceptor::Acceptor;
use crate::sink::recorder::open_files;
use crate::wire::Security;

/// Where clients look for poptape unless they are told.
const USUAL_PORT: u16 = 1110;

/// Descriptors that are neither a session's nor a recording's: listeners, standard streams, what the runtime and the
/// search for a name take.
const OTHERS: u64 = 32;

/// What all such verbs are told alike.
#[derive(Debug, Args)]
pub(super) struct Front {
    /// Where to listen; may be repeated, and say by its scheme how TLS comes: pop3://, pop3+stls://, pop3s://. Port 0
    /// picks a free one [default: 127.0.0.1:1110, but a free port for a
    /// COMMAND of serve and replay]
    #[arg(short, long, value_name = "ADDR")]
    listen: Vec<ListenAddress>,

    #[command(flatten)]
    tls: ClientTls,

    /// Print nothing but the ready line, warnings and the summary
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,

    /// Show the headers of messages; twice: every line
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,

    /// End after this many sessions
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    sessions: Option<u32>,

    /// Write the ready line to this file too, once it is true
    #[arg(long, value_name = "PATH")]
    ready_file: Option<PathBuf>,

    /// Run this once ready, with POP3_HOST, POP3_PORT and POP3_URL set and {host}, {port}, {url} filled in;
    /// end when it ends
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl Front {
    /// How much is to be seen of sessions: None: nothing; else how often -v was given.
    pub(super) fn verbosity(&self) -> Option<u8> {
        (!self.quiet).then_some(self.verbose)
    }

    /// Where to listen. A test suite is told where, so that many of them can run at once; a client that somebody
    /// records is set to the usual port.
    fn addresses(&self, usual_port: bool) -> Vec<(SocketAddr, Security)> {
        let usual = self.tls.security();
        if !self.listen.is_empty() {
            let listen = self.listen.iter();
            return listen.map(|listen| (listen.address, listen.security.unwrap_or(usual))).collect();
        }
        let port = if usual_port || self.command.is_empty() { USUAL_PORT } else { 0 };
        vec![(SocketAddr::from(([127, 0, 0, 1], port)), usual)]
    }

    /// How TLS comes to the listeners.
    pub(super) fn securities(&self) -> Vec<Security> {
        self.addresses(true).into_iter().map(|(_, security)| security).collect()
    }

    /// Who does the handshakes with clients; a certificate that is made is for `host` too.
    pub(super) fn acceptor(
        &self,
        host: Option<&str>,
        key_log: Option<Arc<dyn KeyLog>>,
    ) -> Result<Option<Arc<Acceptor>>, Failure> {
        let mut names: Vec<String> = host.into_iter().map(str::to_owned).collect();
        // What clients on this machine call it, whatever they ask for.
        names.push("localhost".to_owned());
        self.tls.acceptor(&self.securities(), names, key_log)
    }

    /// Listens, says so, and runs `serve` until it is over, the command ends or a signal comes. A session takes
    /// `descriptors`.
    pub(super) async fn run<F: Future<Output = ()>>(
        &self,
        usual_port: bool,
        descriptors: u64,
        serve: impl FnOnce(Vec<Listener>, Until) -> F,
    ) -> Result<Verdict, Failure> {
        if let Some(path) = &self.ready_file {
            remove_stale(path)?;
        }
        let mut listeners = Vec::new();
        for (address, security) in self.addresses(usual_port) {
            listeners.push(bind(address, security)?);
        }
        let Some(first) = listeners.first().map(|listener| (listener.address, listener.url())) else {
            return Err(Failure::usage("there is nothing to listen on"));
        };
        let ((close, closing), (stop, stopped)) = (watch::channel(false), watch::channel(false));
        watch_signals(stop.clone())?;
        ready(&listeners, self.ready_file.as_deref())?;
        let over = serve(
            listeners,
            Until { limit: self.sessions, at_once: at_once(descriptors), closing, stop: stopped },
        );
        if self.command.is_empty() {
            over.await;
            Ok(Verdict::Clean)
        } else {
            run_command(&self.command, first, &Ends { close, stop }, over).await
        }
    }
}

/// Runs a verb's sessions on this thread.
pub(super) fn block_on<F: Future>(future: F) -> Result<F::Output, Failure> {
    raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::runtime(format!("cannot start: {error}")))?;
    Ok(runtime.block_on(future))
}

/// A proxied session takes two descriptors: as many as the system lets us have.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // With the limit as it was there is room for fewer sessions, and accepting says so when it is reached.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// How many sessions the limit has room for. Whoever comes then waits, since without a descriptor neither can a server be
/// connected to nor a recording be written.
fn at_once(each: u64) -> Option<usize> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current?;
    let sessions = limit.saturating_sub(OTHERS + open_files() as u64) / each;
    Some(usize::try_from(sessions).map_or(usize::MAX, |sessions| sessions.max(1)))
}

/// Binds; a busy port is said to be one.
pub(super) fn bind(address: SocketAddr, security: Security) -> Result<Listener, Failure> {
    Listener::bind(address, security).map_err(|error| {
        let hint = match error.kind() {
            ErrorKind::AddrInUse => "; another program listens there: stop it, or choose another port with -l (0 picks a free one)",
            ErrorKind::PermissionDenied => "; ports below 1024 need privileges: choose another with -l",
            _ => "",
        };
        Failure::runtime(format!("cannot listen on {address}: {error}{hint}"))
    })
}

/// Removes the ready file of an earlier run: whoever waits for it waits for this one's.
fn remove_stale(path: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Failure::writing(path, &error)),
        _ => Ok(()),
    }
}

/// Says that a listener is ready, in the one form that scripts wait for.
fn ready(listeners: &[Listener], file: Option<&Path>) -> Result<(), Failure> {
    let mut lines = String::new();
    for listener in listeners {
        if !listener.address.ip().is_loopback() {
            warn(&format!("{} can be reached from other machines", listener.address));
        }
        lines = format!("{lines}ready {}\n", listener.url());
    }
    if let Some(path) = file {
        write_whole(path, lines.as_bytes())?;
    }
    say(lines.trim_end());
    Ok(())
}

/// Turns `stop` true at the first SIGINT or SIGTERM; a second one ends the process at once.
fn watch_signals(stop: watch::Sender<bool>) -> Result<(), Failure> {
    let cannot = |error| Failure::runtime(format!("cannot watch for signals: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    // Caught, it is an error of the write that went too far; else it would end the process and every session with it.
    let too_large = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw())).map_err(cannot)?;
    tokio::spawn(async move {
        let _too_large = too_large;
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
