//! `poptape show`: recordings through the same dissector and renderer as live.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

use super::captures::{CaptureInput, SecretsChoice};
use super::failure::{Failure, Verdict};
use super::input::{files, is_stdin, play_file};
use super::output::{complain, reader_gone};
use crate::render::Page;
use crate::render::filter::Filter;
use crate::render::jsonl::Jsonl;
use crate::render::markdown::Markdown;
use crate::render::pages::Pages;
use crate::render::terminal::Terminal;
use crate::render::text::Verbosity;

/// Show recordings
#[derive(Debug, Args)]
#[command(after_help = Filter::help())]
pub(super) struct Arguments {
    /// Recordings or captures, or folders of them; - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Show only the exchanges that pass this filter (see below)
    #[arg(short, long)]
    filter: Option<Filter>,

    /// For a person, a program (a line of JSON an exchange) or a bug report
    #[arg(long, value_enum, default_value = "text")]
    format: Form,

    /// Show the headers of messages; twice: every line
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,

    /// Whether passwords, digests and SASL payloads of captures are shown or become ********
    #[arg(long, value_enum, default_value = "redact")]
    secrets: SecretsChoice,

    #[command(flatten)]
    capture: CaptureInput,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Text,
    Jsonl,
    Markdown,
}

impl Form {
    /// Whether sessions are shown one behind the other, however they were interleaved.
    const fn in_turn(self) -> bool {
        matches!(self, Self::Markdown)
    }

    fn page(self, verbosity: Verbosity, color: bool) -> Box<dyn Page> {
        match self {
            Self::Text => Box::new(Terminal::new(verbosity, color)),
            Self::Jsonl => Box::<Jsonl>::default(),
            Self::Markdown => Box::<Markdown>::default(),
        }
    }
}

pub(super) fn run(arguments: &Arguments, color: bool) -> Result<Verdict, Failure> {
    let Arguments { filter, format, verbose, .. } = arguments;
    let filter = filter.as_ref();
    let files = files(&arguments.files)?;
    let reading = arguments.capture.reading(arguments.secrets.into())?;
    let several = files.len() > 1;
    // Whoever pipes a running capture in wants to see each line as it comes.
    let live = files.iter().any(|file| is_stdin(file));
    let stdout = io::stdout().lock();
    let mut out: Box<dyn Write> = if live { Box::new(stdout) } else { Box::new(BufWriter::new(stdout)) };
    let mut verdict = Verdict::Clean;
    let mut unreadable = 0;
    for (place, file) in files.iter().enumerate() {
        if several && *format == Form::Text {
            let gap = if place == 0 { "" } else { "\n" };
            writeln!(out, "{gap}{}", file.display()).or_else(reader_gone)?;
        }
        let mut pages = Pages::new(format.in_turn(), || format.page(Verbosity::of_count(*verbose), color));
        let one = match play_file(file, &reading, false, &mut |session, entry| {
            pages.take(session, entry, filter, &mut *out)
        }) {
            Ok(one) => one,
            // One bad file among others does not hide them.
            Err(failure) if failure.code == 2 && several => {
                complain(&failure.message);
                unreadable += 1;
                continue;
            }
            Err(failure) => return Err(failure),
        };
        pages.finish(filter, &mut *out).and_then(|()| out.flush()).or_else(reader_gone)?;
        if one != Verdict::Clean {
            verdict = one;
        }
    }
    match unreadable {
        0 => Ok(verdict),
        all if all == files.len() => Err(Failure::usage("nothing could be read")),
        _ => Ok(Verdict::Finding),
    }
}
