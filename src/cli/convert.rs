//! `poptape convert`: a recording in another form, by the name of the output.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::failure::{Failure, Verdict};
use super::input::play_file;
use super::output::{warn, whole_file};
use crate::recording::Entry;
use crate::recording::format::json::Json;
use crate::recording::format::{FORMATS, Format as _, Writer, Writing};
use crate::render::Page as _;
use crate::render::markdown::Markdown;
use crate::sink::messages::Messages;
use crate::sink::raw::Raw;
use crate::sink::{Sink, new_file};

/// Write a recording in another form
#[derive(Debug, Args)]
#[command(after_help = "The output's name says what is written:
  OUT.json, OUT.transcript   a recording in that format; - for JSON on standard output
  OUT.md                     a page for a bug report
  OUT.raw/                   client.bin and server.bin: exactly what each side sent
  OUT.eml/                   each message that was retrieved, as a file")]
pub(super) struct Arguments {
    /// A recording; - for standard input
    input: PathBuf,

    /// What to write
    output: PathBuf,
}

/// Octets that are written at once.
const BUFFER: usize = 256 * 1024;

pub(super) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let Arguments { input, output } = arguments;
    let cannot = |error| Failure::writing(output, &error);
    if output == Path::new("-") {
        let mut stdout = io::stdout().lock();
        return stream(input, &mut *Json.writer(&Writing::default()), &mut stdout, &cannot);
    }
    let extension = output.extension().unwrap_or_default().to_string_lossy().into_owned();
    match extension.as_str() {
        "raw" => {
            let mut raw = Raw::new(output).map_err(cannot)?;
            let verdict = play_file(input, true, &mut |session, entry| raw.take(session, entry))?;
            raw.flush().map_err(cannot)?;
            Ok(verdict)
        }
        "eml" => messages(input, output),
        "md" => file(output, |file| {
            let mut page = Markdown::default();
            let verdict = play_file(input, true, &mut |_, entry| page.take(entry, None, file))?;
            page.finish(None, file).map_err(cannot)?;
            Ok(verdict)
        }),
        other => match FORMATS.iter().find(|format| format.extension() == other) {
            Some(format) => {
                file(output, |file| stream(input, &mut *format.writer(&Writing::default()), file, &cannot))
            }
            None => Err(Failure::usage(format!(
                "cannot tell from the name {} what to write: it must end in .json, .transcript, .md, .raw/ or .eml/",
                output.display()
            ))),
        },
    }
}

/// Writes a file, for nobody else to read.
fn file(
    output: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<Verdict, Failure>,
) -> Result<Verdict, Failure> {
    whole_file(output, new_file, write)
}

fn stream(
    input: &Path,
    writer: &mut dyn Writer,
    output: &mut dyn Write,
    cannot: &dyn Fn(io::Error) -> Failure,
) -> Result<Verdict, Failure> {
    let mut octets = Vec::new();
    let mut ended = false;
    let verdict = play_file(input, true, &mut |session, entry| {
        ended |= matches!(entry, Entry::Ended(_));
        writer.take(session, entry, &mut octets);
        if octets.len() >= BUFFER {
            output.write_all(&octets)?;
            octets.clear();
        }
        Ok(())
    })?;
    if !ended {
        writer.tail(&mut octets);
    }
    output.write_all(&octets).and_then(|()| output.flush()).map_err(cannot)?;
    Ok(verdict)
}

/// The messages: those that are not whole, and a session without any, are findings.
fn messages(input: &Path, output: &Path) -> Result<Verdict, Failure> {
    let mut messages = Messages::new(output).map_err(|error| Failure::writing(output, &error))?;
    let mut verdict = play_file(input, true, &mut |session, entry| messages.take(session, entry))?;
    for (name, whole) in messages.written() {
        if !whole {
            warn(&format!("{}/{name} is only the beginning of a message", output.display()));
            verdict = Verdict::Finding;
        }
    }
    if messages.written().is_empty() {
        warn(&format!("no message was retrieved in {}", input.display()));
        verdict = Verdict::Finding;
    }
    Ok(verdict)
}
