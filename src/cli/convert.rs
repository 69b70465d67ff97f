//! `poptape convert`: a recording in another form, by the name of the output.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;

use super::captures::{CaptureInput, CaptureOutput, SecretsChoice};
use super::failure::{Failure, Verdict};
use super::input::{is_stdin, play_file};
use super::output::{filled_folder, say, warn, whole_file};
use crate::recording::Entry;
use crate::recording::format::json::Json;
use crate::recording::format::{FORMATS, Format, Reading, Writer};
use crate::render::Page;
use crate::render::markdown::Markdown;
use crate::render::pages::Pages;
use crate::render::units::counted;
use crate::sink::messages::Messages;
use crate::sink::raw::Raw;
use crate::sink::recorder::{Files, Per, Recorder};
use crate::sink::{Sink, new_file};

/// Write a recording or a capture in another form
#[derive(Debug, Args)]
#[command(after_help = "The output's name says what is written:
  OUT.json, OUT.transcript   a recording in that format; - for JSON on standard output
  OUT.pcap, OUT.pcapng       packets, for Wireshark and its kind; of a capture all sessions
  OUT/                       a folder with a recording a session; OUT.pcapng/: in that format
  OUT.md                     a page for a bug report
  OUT.raw/                   client.bin and server.bin: exactly what each side sent
  OUT.eml/                   each message that was retrieved, as a file")]
pub(super) struct Arguments {
    /// A recording or a capture (pcap, pcapng); - for standard input
    input: PathBuf,

    /// What to write
    output: PathBuf,

    /// Whether passwords, digests and SASL payloads of captures are kept or become ********
    #[arg(long, value_enum, default_value = "redact")]
    secrets: SecretsChoice,

    #[command(flatten)]
    capture: CaptureInput,

    #[command(flatten)]
    packets: CaptureOutput,
}

/// Octets that are written at once.
const BUFFER: usize = 256 * 1024;

pub(super) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let Arguments { input, output, secrets, capture, packets } = arguments;
    if input.is_dir() {
        return Err(Failure::usage(format!(
            "{} is a folder, and convert takes one recording or capture; show, replay and serve take folders",
            input.display()
        )));
    }
    let source = Source { path: input, reading: capture.reading((*secrets).into())?, packets };
    if is_stdin(output) {
        return source.stream(&Json, output, &mut io::stdout().lock());
    }
    let extension = output.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let format = FORMATS.iter().copied().find(|format| format.extension() == extension);
    match (extension.as_str(), format) {
        ("raw", _) => filled_folder(output, &Raw::FILES, || source.raw(output)),
        ("eml", _) => filled_folder(output, &[], || source.messages(output)),
        ("md", _) => whole_file(output, new_file, |file| source.pages(output, file)),
        (_, Some(format)) if is_folder(output) => {
            filled_folder(output, &[], || source.recordings(format, output))
        }
        (_, Some(format)) => whole_file(output, new_file, |file| source.stream(format, output, file)),
        _ if is_folder(output) => filled_folder(output, &[], || source.recordings(&Json, output)),
        _ => Err(Failure::usage(format!(
            "cannot tell from the name {} what to write: it must end in .{}, .md, .raw/, .eml/ or /",
            output.display(),
            FORMATS.iter().map(|format| format.extension()).collect::<Vec<_>>().join(", ."),
        ))),
    }
}

/// A name that ends in a slash is a folder's, and so is that of one that is there.
fn is_folder(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(b"/") || path.is_dir()
}

/// What is converted.
struct Source<'a> {
    path: &'a Path,
    reading: Reading,
    packets: &'a CaptureOutput,
}

impl Source<'_> {
    /// Where `output` is for one session, a second one ends it.
    fn play(
        &self,
        only: Option<&Path>,
        take: &mut dyn FnMut(u32, &Entry) -> io::Result<()>,
    ) -> Result<Verdict, Failure> {
        let (mut sessions, mut several) = (BTreeSet::new(), false);
        let verdict = play_file(self.path, &self.reading, true, &mut |session, entry| {
            if only.is_some() && sessions.insert(session) && sessions.len() > 1 {
                several = true;
                return Err(io::Error::other("one session is enough"));
            }
            take(session, entry)
        });
        match only {
            Some(output) if several => Err(Failure::usage(format!(
                "{} holds several sessions, and {} is for one: name a folder, as in {}/, which gets a file a session",
                self.path.display(),
                output.display(),
                output.with_extension("").display(),
            ))),
            _ => verdict,
        }
    }

    /// One file in a format.
    fn stream(&self, format: &dyn Format, output: &Path, file: &mut dyn Write) -> Result<Verdict, Failure> {
        let mut writer: Box<dyn Writer> = format.writer(&self.packets.writing());
        let (mut octets, mut open, mut port) = (Vec::new(), BTreeSet::new(), None);
        let only = (!format.holds_several()).then_some(output);
        let verdict = self.play(only, &mut |session, entry| {
            match entry {
                Entry::Opened(header) => {
                    open.insert(session);
                    port = port
                        .or_else(|| header.server.as_ref()?.parse::<SocketAddr>().ok().map(|at| at.port()));
                }
                Entry::Ended(_) => _ = open.remove(&session),
                _ => {}
            }
            writer.take(session, entry, &mut octets);
            if octets.len() >= BUFFER {
                file.write_all(&octets)?;
                octets.clear();
            }
            Ok(())
        })?;
        if !open.is_empty() {
            writer.tail(&mut octets);
        }
        file.write_all(&octets)
            .and_then(|()| file.flush())
            .map_err(|error| Failure::writing(output, &error))?;
        if let Some(port) = port.filter(|_| format.holds_several()) {
            self.packets.advise(port);
        }
        Ok(verdict)
    }

    /// A folder with a file a session.
    fn recordings(&self, format: &'static dyn Format, output: &Path) -> Result<Verdict, Failure> {
        let cannot = |error| Failure::writing(output, &error);
        let files = Files { formats: vec![format], writing: self.packets.writing(), per: Per::Session };
        let mut recorder = Recorder::new(output, files, None).map_err(cannot)?;
        let finished = recorder.finished();
        let verdict = self.play(None, &mut |session, entry| recorder.take(session, entry))?;
        recorder.flush().map_err(cannot)?;
        say(&format!("{} in {}", counted(finished.count(), "recording"), output.display()));
        Ok(verdict)
    }

    fn raw(&self, output: &Path) -> Result<Verdict, Failure> {
        let cannot = |error| Failure::writing(output, &error);
        let mut raw = Raw::new(output).map_err(cannot)?;
        let verdict = self.play(Some(output), &mut |session, entry| raw.take(session, entry))?;
        raw.flush().map_err(cannot)?;
        Ok(verdict)
    }

    fn pages(&self, output: &Path, file: &mut dyn Write) -> Result<Verdict, Failure> {
        let mut pages = Pages::new(true, || Box::<Markdown>::default() as Box<dyn Page>);
        let verdict = self.play(None, &mut |session, entry| pages.take(session, entry, None, file))?;
        pages.finish(None, file).map_err(|error| Failure::writing(output, &error))?;
        Ok(verdict)
    }

    /// The messages: those that are not whole, and a session without any, are findings.
    fn messages(&self, output: &Path) -> Result<Verdict, Failure> {
        let mut messages = Messages::new(output).map_err(|error| Failure::writing(output, &error))?;
        let mut verdict = self.play(None, &mut |session, entry| messages.take(session, entry))?;
        for (name, whole) in messages.written() {
            if !whole {
                warn(&format!("{}/{name} is only the beginning of a message", output.display()));
                verdict = Verdict::Finding;
            }
        }
        if messages.written().is_empty() {
            warn(&format!("no message was retrieved in {}", self.path.display()));
            verdict = Verdict::Finding;
        }
        Ok(verdict)
    }
}
