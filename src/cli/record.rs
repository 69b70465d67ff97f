//! `poptape record`: stand in the middle, show, record.

use std::path::PathBuf;
use std::sync::Arc;

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};

use super::failure::{Failure, Verdict};
use super::front::{Front, block_on};
use super::outlets::Outlets;
use super::output::say;
use super::proxy::{Proxy, relay};
use crate::net::address::Upstream;
use crate::net::pool::Pool;
use crate::pop3::Secrets;
use crate::recording::format::FORMATS;
use crate::render::units::counted;
use crate::sink::Sink;
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

    /// The folder for the recordings, one file a session
    #[arg(short, long, value_name = "DIR", default_value = "recordings")]
    output: PathBuf,

    /// The recordings' format; may be repeated
    #[arg(long, value_parser = PossibleValuesParser::new(FORMATS.iter().map(|format| format.name())), default_value = "json")]
    format: Vec<String>,

    /// Whether passwords, digests and SASL payloads are kept or become ********
    #[arg(long, value_enum, default_value = "redact")]
    secrets: SecretsChoice,

    #[command(flatten)]
    front: Front,
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
    let others: Vec<Box<dyn Sink + Send>> = vec![Box::new(tally.clone())];
    let outlets = Outlets::open(Some(folder), &formats, arguments.front.verbosity(), color, others)?;
    let (verdict, failed) = block_on(proxy(arguments, outlets))??;
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
    let Arguments { upstream, front, .. } = arguments;
    let target = (upstream.host.as_str(), upstream.port);
    let _addresses = tokio::net::lookup_host(target).await.map_err(|error| {
        Failure::runtime(format!(
            "cannot resolve the upstream {upstream}: {error}; check the name given with -u"
        ))
    })?;
    let secrets = match arguments.secrets {
        SecretsChoice::Redact => Secrets::Redact,
        SecretsChoice::Keep => Secrets::Keep,
    };
    let proxy = Arc::new(Proxy { upstream: upstream.clone(), secrets, pool: Pool::default() });
    let queues = outlets.queues.clone();
    let verdict =
        front.run(|listeners, stopped| relay(proxy, listeners, front.sessions, stopped, queues)).await;
    let failed = outlets.close().await;
    Ok((verdict?, failed))
}
