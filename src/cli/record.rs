//! `poptape record`: stand in the middle, show, record.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::captures::{Formats, OUTPUT, SecretsChoice};
use super::episodes::{Episodes, Mode};
use super::failure::{Failure, Verdict};
use super::front::{Front, block_on};
use super::host::flaws;
use super::outlets::Outlets;
use super::output::{say, warn};
use super::proxy::{GENERATOR, Proxy};
use super::settings::name_and_password;
use super::tls::{UpstreamTls, key_log};
use crate::net::address::Upstream;
use crate::net::listen::{Accepted, serve};
use crate::net::server::House;
use crate::net::tls::Ends;
use crate::pop3::Secrets;
use crate::recording::format::Format as _;
use crate::recording::format::pcap::{Kind, TlsLayer};
use crate::relay::Policy;
use crate::render::units::counted;
use crate::replay::Replay;
use crate::sink::recorder::Files;
use crate::sink::tally::Tally;
use crate::wire::Security;

/// Relay a client to a server, show the conversation and record it
#[derive(Debug, Args)]
#[command(after_help = concat!(
    "Examples:\n",
    "  poptape record -u pop3://pop.example.org\n",
    "  poptape record -u pop.example.org:110 -l 127.0.0.1:0 --quiet -- curl -u kcope:secret {url}/1\n\n",
    "With --quiet a command has standard output for itself.\n\n",
    "Exit codes: 0 done and clean; 1 a client took a certificate of --tls-fail; 2 bad usage; 3 a\n",
    "port, name, connection or disk failed; the command's own where it fails."
))]
pub(super) struct Arguments {
    /// The server: pop3://host[:110], pop3s://host[:995] (TLS first), pop3+stls://host[:110] (TLS by STLS), or
    /// host:port. Not needed where nothing is recorded
    #[arg(short, long, value_name = "URL", required_unless_present = "mode")]
    upstream: Option<Upstream>,

    /// The folder for the recordings, one file a session
    #[arg(short, long, value_name = "DIR", default_value = "recordings")]
    output: PathBuf,

    /// Record nothing: only show
    #[arg(short, long, conflicts_with_all = ["output", "format", "mode"])]
    no_record: bool,

    #[command(flatten)]
    formats: Formats,

    /// What of TLS with the client is in pcapng files: what is inside, as if there were none; or the records as they passed,
    /// with the secrets that open them, so that Wireshark does
    #[arg(long, value_enum, default_value = "plain", help_heading = OUTPUT)]
    pcap_tls: LayerChoice,

    /// Whether passwords, digests and SASL payloads are kept or become ********
    #[arg(long, value_enum, default_value = "redact")]
    secrets: SecretsChoice,

    /// Where sessions come from: the server or the folder. POPTAPE_MODE in the environment counts more; where CI is
    /// set, a server is not asked unless POPTAPE_MODE or "all" says so
    #[arg(long, value_enum, default_value = "all")]
    mode: Mode,

    /// A user whose password is checked where a session is replayed, NAME:PASSWORD; may be repeated. SCRAM is
    /// offered only with it
    #[arg(long, value_name = "NAME:PASSWORD")]
    user: Vec<String>,

    #[command(flatten)]
    front: Front,

    #[command(flatten)]
    upstream_tls: UpstreamTls,

    #[command(flatten)]
    tampering: Tampering,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LayerChoice {
    Plain,
    Encrypted,
}

/// What is changed on its way, to see what a client does about it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Changed on its way")]
struct Tampering {
    /// Do not tell clients of STLS, and refuse it
    #[arg(long)]
    strip_stls: bool,

    /// Answer STLS with this line, which begins with -ERR, and do not pass it on
    #[arg(long, value_name = "LINE", value_parser = error_line, allow_hyphen_values = true)]
    stls_respond: Option<String>,

    /// Do not tell clients of SASL mechanisms that bind to the TLS connection (-PLUS), which cannot work through poptape
    #[arg(long)]
    strip_plus: bool,
}

/// A line that refuses (RFC 1939 section 3, RFC 2449 section 4).
fn error_line(text: &str) -> Result<String, &'static str> {
    let fit = text.len() <= 510 && text.bytes().all(|octet| octet == b' ' || octet.is_ascii_graphic());
    let refuses = text == "-ERR" || text.starts_with("-ERR ");
    (fit && refuses)
        .then(|| text.to_owned())
        .ok_or("expected -ERR and a text of printable ASCII on one line, 510 octets at most")
}

impl Arguments {
    /// What is done about TLS, whatever the listener.
    fn policy(&self) -> Policy {
        Policy {
            strip_stls: self.tampering.strip_stls,
            stls_respond: self.tampering.stls_respond.clone(),
            strip_plus: self.tampering.strip_plus,
            has_certificate: self.upstream_tls.has_certificate(),
            ..Policy::default()
        }
    }
}

impl Arguments {
    /// Whether TLS with the client is recorded as it passes.
    fn sniffs(&self) -> bool {
        self.pcap_tls == LayerChoice::Encrypted
    }

    /// The files to record in.
    fn files(&self) -> Result<Files, Failure> {
        let mut files = self.formats.files();
        if self.sniffs() {
            if !files.formats.iter().any(|format| format.name() == Kind::Pcapng.name()) {
                return Err(Failure::usage(
                    "--pcap-tls encrypted is for pcapng, which alone holds what opens it: add --format pcapng",
                ));
            }
            if Secrets::from(self.secrets) == Secrets::Redact {
                return Err(Failure::usage(
                    "--pcap-tls encrypted keeps what opens the sessions, passwords and all: add --secrets keep if that is wanted",
                ));
            }
            files.writing.tls = TlsLayer::Encrypted;
        }
        Ok(files)
    }
}

pub(super) fn run(arguments: &Arguments, color: bool) -> Result<Verdict, Failure> {
    let tally = Tally::default();
    let folder = &arguments.output;
    let users = arguments.user.iter().map(|user| name_and_password(user)).collect::<Result<_, _>>()?;
    let Episodes { replay, record } = Episodes::choose(arguments.mode, folder, users)?;
    let kept = (!arguments.no_record).then_some(folder.as_path());
    let (files, verbosity) = (arguments.files()?, arguments.front.verbosity());
    let outlets = Outlets::open(kept, files, verbosity, color, Some(tally.clone()))?;
    // The port of what is TLS from the first octet on is chosen for Wireshark anyway.
    let all_sealed = arguments.sniffs()
        && arguments.front.securities().iter().all(|security| *security == Security::Implicit);
    let advised = record && kept.is_some() && !all_sealed;
    if let Some(upstream) = arguments.upstream.as_ref().filter(|_| advised) {
        arguments.formats.advise(upstream.port);
    }
    let replay = replay.map(Arc::new);
    let (verdict, failed) = block_on(sessions(arguments, outlets, replay.clone(), record))??;
    if let Some(replay) = replay {
        say(replay.report().to_string().trim_end());
        if !record {
            return Ok(if verdict == Verdict::Clean { flaws(&tally.counts()) } else { verdict });
        }
    }
    let counts = tally.counts();
    say(&format!(
        "{}, {}, {} -ERR, {} octets up, {} down{}",
        counted(counts.sessions, "session"),
        counted(counts.exchanges, "exchange"),
        counts.errors,
        counts.up,
        counts.down,
        if failed.is_empty() && counts.sessions > 0 && kept.is_some() {
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
        let upstream = arguments.upstream.as_ref().map(ToString::to_string).unwrap_or_default();
        return Err(Failure::runtime(format!("{sessions} could not be connected to {upstream}")));
    }
    Ok(flaws(&counts))
}

/// Gives the verdict, and the names of the sinks that failed.
async fn sessions(
    arguments: &Arguments,
    outlets: Outlets,
    replay: Option<Arc<Replay>>,
    record: bool,
) -> Result<(Verdict, Vec<&'static str>), Failure> {
    let front = &arguments.front;
    let secrets = arguments.secrets.into();
    let key_log = key_log()?;
    let acceptor =
        front.acceptor(arguments.upstream.as_ref().map(|upstream| &*upstream.host), key_log.clone())?;
    let proxy = match &arguments.upstream {
        Some(upstream) if record => {
            let follows = front.securities().contains(&Security::Stls);
            let connector = arguments.upstream_tls.connector(upstream, follows, key_log)?;
            let tls = Ends { client: acceptor.clone(), server: connector };
            if upstream.security == Security::Plain && upstream.port == 995 {
                warn(&format!(
                    "port 995 is for TLS from the first octet on, and {upstream} says that there is none: pop3s://?"
                ));
            }
            resolve(upstream).await?;
            Some(Arc::new(
                Proxy::new(upstream.clone(), secrets, tls, &arguments.policy()).sniffing(arguments.sniffs()),
            ))
        }
        None if record => {
            return Err(Failure::usage("there is nothing to record from: give the server with -u"));
        }
        _ => None,
    };
    let (house, queues) = (Arc::new(House::new(GENERATOR, secrets, acceptor)), outlets.queues.clone());
    let verdict = front
        .run(true, 2, |listeners, until| {
            let stop = until.stop.clone();
            let session = move |accepted: Accepted| -> Pin<Box<dyn Future<Output = ()> + Send>> {
                let stop = stop.clone();
                let recorded = replay.as_ref().filter(|replay| !replay.is_used_up() || proxy.is_none());
                match (recorded, &proxy) {
                    (None, Some(proxy)) => {
                        Box::pin(Arc::clone(proxy).session(accepted, stop, queues.clone()))
                    }
                    (Some(replay), _) => {
                        let (number, queues) = (accepted.number, queues.of_screen());
                        let put = move |entries| queues.put(number, entries);
                        Box::pin(Arc::clone(&house).session(
                            replay.scene(accepted.security),
                            accepted,
                            stop,
                            put,
                        ))
                    }
                    (None, None) => Box::pin(std::future::ready(())),
                }
            };
            serve(listeners, until, |problem| warn(&problem), session)
        })
        .await;
    let failed = outlets.close().await;
    Ok((verdict?, failed))
}

/// A name that means nothing is told before anybody connects.
async fn resolve(upstream: &Upstream) -> Result<(), Failure> {
    let target = (upstream.host.as_str(), upstream.port);
    let found = tokio::net::lookup_host(target).await.map(|_| ());
    found.map_err(|error| {
        Failure::runtime(format!(
            "cannot resolve the upstream {upstream}: {error}; check the name given with -u"
        ))
    })
}
