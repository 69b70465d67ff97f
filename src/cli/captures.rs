//! What captures need to be told beside their path: where POP3 is spoken in one, what opens its TLS, how one is cut.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};

use super::failure::Failure;
use super::output::{say, warn};
use crate::capture::{self, KeyLog};
use crate::pop3::Secrets;
use crate::recording::format::pcap::{Segments, TlsLayer};
use crate::recording::format::{FORMATS, Reading, Writing, named};
use crate::sink::recorder::{Files, Per};

/// A key log that is longer is none.
const KEY_LOG_LIMIT: u64 = 256 << 20;

/// Over the flags of how captures are read.
const INPUT: &str = "Captures as input (pcap, pcapng)";

/// How captures are read.
#[derive(Debug, Args)]
pub(super) struct CaptureInput {
    /// A port of POP3 servers, beside 110 and 995; may be repeated. Elsewhere the conversation has to show it
    #[arg(long, value_name = "PORT", help_heading = INPUT)]
    port: Vec<u16>,

    /// The secrets of TLS sessions, as SSLKEYLOGFILE has them; may be repeated
    #[arg(long, value_name = "FILE", help_heading = INPUT)]
    keylog: Vec<PathBuf>,

    /// How many TCP conversations are followed at once
    #[arg(long, value_name = "N", help_heading = INPUT, default_value_t = capture::Options::default().max_open as u32,
          value_parser = clap::value_parser!(u32).range(1..))]
    max_open: u32,
}

impl CaptureInput {
    /// Reads the key logs.
    pub(super) fn reading(&self, secrets: Secrets) -> Result<Reading, Failure> {
        let mut keys = KeyLog::default();
        for path in &self.keylog {
            if keys.add(&key_log(path)?) == 0 {
                warn(&format!("{} holds no TLS secret: is it a key log?", path.display()));
            }
        }
        let capture = capture::Options { ports: self.port.clone(), max_open: self.max_open as usize, keys };
        Ok(Reading { name: None, secrets, capture })
    }
}

fn key_log(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(KEY_LOG_LIMIT + 1).read_to_end(&mut text));
    match read {
        Ok(_) if text.len() as u64 > KEY_LOG_LIMIT => {
            Err(Failure::usage(format!("{} is too long for a key log", path.display())))
        }
        Ok(_) => Ok(text),
        Err(error) => Err(Failure::usage(format!("cannot read the key log {}: {error}", path.display()))),
    }
}

/// The files that live sessions are recorded in.
#[derive(Debug, Args)]
pub(super) struct Formats {
    /// The recordings' format; may be repeated
    #[arg(long, value_parser = PossibleValuesParser::new(FORMATS.iter().map(|format| format.name())), default_value = "json")]
    format: Vec<String>,

    /// What a capture holds: one session, or all sessions of the run
    #[arg(long, value_enum, default_value = "session", help_heading = OUTPUT)]
    pcap_per: PerChoice,

    #[command(flatten)]
    packets: CaptureOutput,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PerChoice {
    Session,
    Run,
}

impl Formats {
    /// Says what would be missed in captures of a server on this port.
    pub(super) fn advise(&self, port: u16) {
        if self.files().formats.iter().any(|format| format.holds_several()) {
            self.packets.advise(port);
        }
    }

    pub(super) fn files(&self) -> Files {
        let per = match self.pcap_per {
            PerChoice::Session => Per::Session,
            PerChoice::Run => Per::Run,
        };
        let formats = self.format.iter().filter_map(|name| named(name)).collect();
        Files { formats, writing: self.packets.writing(), per }
    }
}

/// The port of POP3 (RFC 1939 section 3).
const WELL_KNOWN: u16 = 110;

/// That of POP3 in TLS (RFC 8314 section 3.2): what is inside is written on the other.
const WITH_TLS: u16 = 995;

/// Over the flags of how captures are written.
pub(super) const OUTPUT: &str = "Captures as output (pcap, pcapng)";

/// How captures are written.
#[derive(Debug, Args)]
pub(super) struct CaptureOutput {
    /// Where packets begin and end: so that Wireshark shows each command, status and message as one; or as
    /// the octets arrived
    #[arg(long, value_enum, default_value = "wireshark", help_heading = OUTPUT)]
    segments: SegmentsChoice,

    /// The server's port in the capture, instead of the real one: Wireshark takes 110 for POP3
    #[arg(long, value_name = "PORT", help_heading = OUTPUT, value_parser = clap::value_parser!(u16).range(1..))]
    server_port: Option<u16>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SegmentsChoice {
    Wireshark,
    Recorded,
}

impl CaptureOutput {
    pub(super) fn writing(&self) -> Writing {
        let segments = match self.segments {
            SegmentsChoice::Wireshark => Segments::Wireshark,
            SegmentsChoice::Recorded => Segments::Recorded,
        };
        Writing { segments, server_port: self.server_port, tls: TlsLayer::Plain }
    }

    /// Says what would be missed in a capture of a server on this port.
    pub(super) fn advise(&self, port: u16) {
        if self.server_port.is_none() && port != WELL_KNOWN && port != WITH_TLS {
            say(&format!(
                "poptape: the server is on port {port}, and Wireshark takes {WELL_KNOWN} alone for POP3: --server-port {WELL_KNOWN} writes that"
            ));
        }
    }
}

/// Whether what is secret is kept.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum SecretsChoice {
    Redact,
    Keep,
}

impl From<SecretsChoice> for Secrets {
    fn from(choice: SecretsChoice) -> Self {
        match choice {
            SecretsChoice::Redact => Self::Redact,
            SecretsChoice::Keep => Self::Keep,
        }
    }
}
