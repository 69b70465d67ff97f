//! `poptape replay`: a recording as a server.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::captures::CaptureInput;
use super::failure::{Failure, Verdict};
use super::front::{Front, block_on};
use super::host::{Host, Observed};
use super::input::refuse_stdin;
use super::output::{print, say, warn, write_whole};
use super::settings::name_and_password;
use crate::pop3::Secrets;
use crate::recording::format::Reading;
use crate::render::units::counted;
use crate::replay::{AfterLast, Mode, Options, Replay, Report, Tape, Timing};

/// Serve recordings as the server that was recorded
#[derive(Debug, Args)]
#[command(after_help = concat!(
    "Examples:\n",
    "  poptape replay recordings/seed.json --quiet -- pytest -q\n",
    "  poptape replay --mode exact --report report.json recordings/\n",
    "  poptape replay --tls stls recordings/seed.json\n\n",
    "Any password is right where it was masked. Each session that comes is served from the next\n",
    "recorded one. No connection is ever opened.\n\n",
    "Without --tls, STLS is hidden and refused. With it, TLS is the connection's and not the\n",
    "recording's: STLS is offered and answered whether or not it was recorded, and it takes nobody off\n",
    "script; what was recorded under TLS is not answered in clear where STLS is offered.\n\n",
    "Exit codes: 0 done and clean; 1 a client went off script with --mode exact or --require-all,\n",
    "or took a certificate of --tls-fail, or a recording could be read only in part; 2 bad usage, or\n",
    "a recording of which nothing could be read; 3 a port or disk failed; the command's own where it\n",
    "fails."
))]
pub(super) struct Arguments {
    /// Recordings or captures, or folders of them, in the order in which they are served
    #[arg(required = true, value_name = "RECORDING")]
    recordings: Vec<PathBuf>,

    /// How closely clients are held to the recording: the recorded commands in their order alone; recorded
    /// answers where there is one for the session's state, else the built-in server's; that one's alone
    #[arg(long, value_enum, default_value = "match")]
    mode: ModeChoice,

    /// When answers are sent: at once, as recorded, or N times as fast
    #[arg(long, value_name = "instant|recorded|xN", default_value = "instant")]
    timing: TimingChoice,

    /// What comes after the last recorded session
    #[arg(long, value_enum, default_value = "engine")]
    after_last: AfterLastChoice,

    /// A user whose password is checked, NAME:PASSWORD; may be repeated. SCRAM is offered only with it
    #[arg(long, value_name = "NAME:PASSWORD")]
    user: Vec<String>,

    /// Write the report there, as JSON where the name ends in .json; - is standard output
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Exit with 1 unless every recorded exchange was used, and nothing else came
    #[arg(long)]
    require_all: bool,

    #[command(flatten)]
    capture: CaptureInput,

    #[command(flatten)]
    observed: Observed,

    #[command(flatten)]
    front: Front,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ModeChoice {
    Exact,
    Match,
    Engine,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum AfterLastChoice {
    /// The built-in server answers, over what the last session left
    Engine,
    /// The first session comes again, and with it every message
    Repeat,
    /// The client is refused
    Refuse,
}

#[derive(Debug, Clone, Copy)]
struct TimingChoice(Timing);

impl FromStr for TimingChoice {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let speed = |text: &str| text.parse::<f64>().ok().filter(|speed| speed.is_finite() && *speed > 0.0);
        match text {
            "instant" => Ok(Self(Timing::Instant)),
            "recorded" => Ok(Self(Timing::Times(1.0))),
            _ => text
                .strip_prefix('x')
                .and_then(speed)
                .map(|speed| Self(Timing::Times(speed)))
                .ok_or("expected instant, recorded, or xN such as x10 for ten times as fast"),
        }
    }
}

impl Arguments {
    fn options(&self) -> Result<Options, Failure> {
        Ok(Options {
            mode: match self.mode {
                ModeChoice::Exact => Mode::Exact,
                ModeChoice::Match => Mode::Match,
                ModeChoice::Engine => Mode::Engine,
            },
            timing: self.timing.0,
            after_last: match self.after_last {
                AfterLastChoice::Engine => AfterLast::Engine,
                AfterLastChoice::Repeat => AfterLast::Repeat,
                AfterLastChoice::Refuse => AfterLast::Refuse,
            },
            users: self.user.iter().map(|user| name_and_password(user)).collect::<Result<_, _>>()?,
        })
    }
}

pub(super) fn run(arguments: &Arguments, color: bool) -> Result<Verdict, Failure> {
    if matches!(arguments.mode, ModeChoice::Engine) && arguments.require_all {
        return Err(Failure::usage(
            "--mode engine uses no recorded answer, so --require-all would always fail: leave one of the two out",
        ));
    }
    refuse_stdin("replay", &arguments.recordings)?;
    let folder = arguments.report.as_deref().and_then(Path::parent);
    if let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
        return Err(Failure::usage(format!("cannot write the report: {} is no folder", folder.display())));
    }
    let (replay, verdict) =
        open(&arguments.recordings, &arguments.capture.reading(Secrets::Redact)?, arguments.options()?)?;
    let replay = Arc::new(replay);
    let sessions = Arc::clone(&replay);
    if arguments.front.verbosity().is_some() {
        say(&format!(
            "{} to replay; after the last one {}",
            counted(replay.len() as u64, "recorded session"),
            match arguments.after_last {
                AfterLastChoice::Engine if matches!(arguments.mode, ModeChoice::Exact) =>
                    "clients are refused",
                AfterLastChoice::Engine => "the built-in server answers",
                AfterLastChoice::Repeat => "the first comes again",
                AfterLastChoice::Refuse => "clients are refused",
            }
        ));
    }
    let host = Host::open(&arguments.observed, &arguments.front, color)?;
    let ended = block_on(host.run(1, move |security| sessions.scene(security)))??;
    let report = replay.report();
    tell(&report, arguments.report.as_deref())?;
    let strict = matches!(arguments.mode, ModeChoice::Exact);
    let failed = strict && !report.on_script() || arguments.require_all && !report.is_complete();
    Ok(match ended {
        Verdict::Clean if failed => Verdict::Finding,
        Verdict::Clean => verdict,
        ended => ended,
    })
}

/// Reads recordings; one that could be read only in part is a finding.
fn open(paths: &[PathBuf], reading: &Reading, options: Options) -> Result<(Replay, Verdict), Failure> {
    let (tape, warnings) = Tape::open(paths, reading).map_err(Failure::usage)?;
    for warning in &warnings {
        warn(warning);
    }
    let verdict = if warnings.is_empty() { Verdict::Clean } else { Verdict::Finding };
    Ok((Replay::new(tape, options), verdict))
}

/// The report, for a person on standard error, or where it was asked for.
fn tell(report: &Report, file: Option<&Path>) -> Result<(), Failure> {
    let Some(path) = file else {
        say(report.to_string().trim_end());
        return Ok(());
    };
    let is_json = path.extension().is_some_and(|extension| extension == "json");
    let text = if is_json {
        serde_json::to_string_pretty(report).map_err(|error| Failure::runtime(error.to_string()))? + "\n"
    } else {
        report.to_string()
    };
    if path == Path::new("-") {
        return print(text.as_bytes()).map(|_| ());
    }
    write_whole(path, text.as_bytes())
}
