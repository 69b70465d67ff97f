//! `poptape record`: stand in the middle, show, record.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use clap::builder::PossibleValuesParser;
use clap::{ArgAction, Args, ValueEnum};
use tokio::sync::watch;

use super::failure::{Failure, Verdict};
use super::output::say;
use super::proxy::{Outlets, Proxy, bind, ready, relay, run_command, watch_signals};
use crate::net::address::{ListenAddress, Upstream};
use crate::net::pool::Pool;
use crate::pop3::Secrets;
use crate::recording::format::FORMATS;
use crate::render::units::counted;
use crate::sink::tally::Tally;

/// Relay a client to a server, show the conversation and record it
#[derive(Debug, Args)]
#[command(after_help = concat!(
    "Examples:\n",
    "  poptape record -u pop3://pop.example.org\n",
    "  poptape record -u pop.example.org:110 -l 127.0.0.1:0 --quiet -- curl -u kcope:secret {url}/1\n\n",
    "With --quiet a command has standard output for itself.\n\n",
    "Exit codes: 0 done and clean; 2 bad usage; 3 a port, name, connection or disk failed; the command's own\n",
    "where it fails."
))]
pub(super) struct Arguments {
    /// The server: pop3://host[:110], or host:port
    #[arg(short, long, value_name = "URL")]
    upstream: Upstream,

    /// Where to listen; may be repeated. Port 0 picks a free one
    #[arg(short, long, value_name = "ADDR", default_value = "127.0.0.1:1110")]
    listen: Vec<ListenAddress>,

    /// The folder for the recordings, one file a session
    #[arg(short, long, value_name = "DIR", default_value = "recordings")]
    output: PathBuf,

    /// The recordings' format; may be repeated
    #[arg(long, value_parser = PossibleValuesParser::new(FORMATS.iter().map(|format| format.name())), default_value = "json")]
    format: Vec<String>,

    /// Whether passwords, digests and SASL payloads are kept or become ********
    #[arg(long, value_enum, default_value = "redact")]
    secrets: SecretsChoice,

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

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SecretsChoice {
    Redact,
    Keep,
}

pub(super) fn run(arguments: &Arguments, color: bool) -> Result<Verdict, Failure> {
    let tally = Tally::default();
    let folder = &arguments.output;
    let formats: Vec<&str> = arguments.format.iter().map(String::as_str).collect();
    let verbose = (!arguments.quiet).then_some(arguments.verbose);
    let outlets = Outlets::open(folder, &formats, verbose, color, vec![Box::new(tally.clone())])?;
    raise_descriptor_limit();

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::runtime(format!("cannot start: {error}")))?;
    let (verdict, failed) = runtime.block_on(proxy(arguments, outlets))?;
    let counts = tally.counts();
    say(&format!(
        "{}, {}, {} -ERR, {} octets up, {} down{}",
        counted(counts.sessions, "session"),
        counted(counts.exchanges, "exchange"),
        counts.errors,
        counts.up,
        counts.down,
        if failed.is_empty() {
            format!("; see them again: poptape show {}", folder.display())
        } else {
            String::new()
        },
    ));
    if verdict != Verdict::Clean {
        return Ok(verdict);
    }
    if !failed.is_empty() {
        return Err(Failure::runtime("the recordings are not complete: see the warning above"));
    }
    if counts.unconnected > 0 {
        let sessions = counted(counts.unconnected, "session");
        return Err(Failure::runtime(format!("{sessions} could not be connected to {}", arguments.upstream)));
    }
    Ok(verdict)
}

/// Gives the verdict, and the names of the sinks that failed.
async fn proxy(arguments: &Arguments, outlets: Outlets) -> Result<(Verdict, Vec<&'static str>), Failure> {
    let Arguments { upstream, sessions, command, .. } = arguments;
    let target = (upstream.host.as_str(), upstream.port);
    let _addresses = tokio::net::lookup_host(target).await.map_err(|error| {
        Failure::runtime(format!(
            "cannot resolve the upstream {upstream}: {error}; check the name given with -u"
        ))
    })?;
    let mut listeners = Vec::new();
    for address in &arguments.listen {
        listeners.push(bind(address.0).await?);
    }
    let Some(first) = listeners.first().map(|listener| listener.address) else {
        return Err(Failure::usage("there is nothing to listen on"));
    };
    let (stop, stopped) = watch::channel(false);
    watch_signals(stop.clone())?;
    ready(&listeners, arguments.ready_file.as_deref())?;
    let secrets = match arguments.secrets {
        SecretsChoice::Redact => Secrets::Redact,
        SecretsChoice::Keep => Secrets::Keep,
    };
    let proxy = Proxy { upstream: upstream.clone(), secrets, pool: Pool::default() };
    let over = relay(Arc::new(proxy), listeners, *sessions, stopped, outlets.queues.clone());
    let verdict = if command.is_empty() {
        over.await;
        Ok(Verdict::Clean)
    } else {
        run_command(command, first, &stop, over).await
    };
    let failed = outlets.close().await;
    Ok((verdict?, failed))
}

/// A proxied session takes two descriptors: as many as the system lets us have.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // With the limit as it was there is room for fewer sessions, and accepting says so when it is reached.
    let _ = setrlimit(Resource::Nofile, limit);
}
