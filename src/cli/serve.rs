//! `poptape serve`: a POP3 server over a maildrop.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::captures::CaptureInput;
use super::failure::{Failure, Verdict};
use super::front::{Front, block_on};
use super::host::{Host, Observed};
use super::input::refuse_stdin;
use super::output::warn;
use super::settings::Settings;
use super::source;
use crate::engine::{Scene, Server};
use crate::maildrop::Source;
use crate::maildrop::mbox::Quoting;
use crate::pop3::Secrets;

/// Serve messages as a POP3 server: for tests, or to look at mail
#[derive(Debug, Args)]
#[command(after_help = concat!(
    "Examples:\n",
    "  poptape serve --user kcope:secret mail.mbox\n",
    "  poptape serve --user any --quiet letters/ -- pytest -q\n",
    "  poptape serve --user any --tls implicit --tls-fail cert-expired letters/ -- ./fetch {url}\n\n",
    "A SOURCE is a recording, a capture (pcap, pcapng) or a folder of them, a Maildir, an mbox, an\n",
    ".eml file, a folder of .eml files, or a folder of users with their .eml files in\n",
    "user@host/INBOX.\n\n",
    "Exit codes: 0 done and clean; 1 a source could be read only in part, or a client took a\n",
    "certificate of --tls-fail; 2 bad usage, or a source of which nothing could be read; 3 a port or\n",
    "disk failed; the command's own where it fails."
))]
pub(super) struct Arguments {
    /// Where the messages are; several are put one behind the other
    #[arg(value_name = "SOURCE", required = true)]
    sources: Vec<PathBuf>,

    /// Deletions reach the source at QUIT; otherwise they hold in memory for the run
    #[arg(long)]
    writable: bool,

    /// How an mbox marks lines that begin with "From "
    #[arg(long, value_enum, default_value = "mboxrd")]
    mbox: MboxChoice,

    #[command(flatten)]
    capture: CaptureInput,

    #[command(flatten)]
    observed: Observed,

    #[command(flatten)]
    front: Front,

    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum MboxChoice {
    /// By one ">" more than there was
    Mboxrd,
    /// By one ">", which other lines can have too
    Mboxo,
}

pub(super) fn run(arguments: &Arguments, color: bool) -> Result<Verdict, Failure> {
    refuse_stdin("serve", &arguments.sources)?;
    let profile = arguments.settings.profile()?;
    let quoting = match arguments.mbox {
        MboxChoice::Mboxrd => Quoting::Mboxrd,
        MboxChoice::Mboxo => Quoting::Mboxo,
    };
    let accounts = arguments.settings.accounts(&profile)?.ok_or_else(|| {
        Failure::usage("nobody could log in: give --user NAME:PASSWORD, or --user any to let everybody in")
    })?;
    let unique_ids = profile.unique_ids().map_err(Failure::usage)?;
    if arguments.writable && !unique_ids.is_empty() {
        return Err(Failure::usage(
            "--writable: the profile's unique-ids go by position, and would move to other messages after a deletion",
        ));
    }
    let reading = arguments.capture.reading(Secrets::Redact)?;
    let (maildrops, verdict) = source::maildrops(&arguments.sources, quoting, arguments.writable, &reading)?;
    let maildrops = maildrops
        .reset(profile.rest.reset.unwrap_or_default())
        .locking(!profile.rest.shared)
        .writable(arguments.writable)
        .unique_ids(unique_ids)
        .on_trouble(Arc::new(|trouble| warn(&trouble)));
    let server = Arc::new(Server { policy: profile.policy, accounts });
    let source: Arc<dyn Source> = Arc::new(maildrops);
    let scene = move |_| Scene { server: Arc::clone(&server), source: Arc::clone(&source), script: None };
    // One for the connection, one for the message that is read.
    let ended = block_on(Host::open(&arguments.observed, &arguments.front, color)?.run(2, scene))??;
    Ok(if ended == Verdict::Clean { verdict } else { ended })
}
