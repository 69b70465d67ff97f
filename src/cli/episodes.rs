//! `record --mode`: sessions that are in the folder already are replayed, others are recorded, or refused. The unit
//! is a whole session, chosen when a client connects.

use std::ffi::OsStr;
use std::path::Path;

use clap::ValueEnum;

use super::failure::Failure;
use super::output::warn;
use crate::pop3::secret::Secret;
use crate::recording::file::recordings;
use crate::recording::format::Reading;
use crate::replay::tape::TapeError;
use crate::replay::{AfterLast, Options, Replay, Tape};

/// Where sessions come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Mode {
    /// Always from the server; every session is recorded
    All,
    /// From the folder where it holds recordings; from the server, recorded, where it holds none
    Once,
    /// From the folder as long as it has sessions that were not used; then from the server, recorded
    NewEpisodes,
    /// From the folder alone
    None,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Episodes {
    /// The sessions of the folder.
    pub(super) replay: Option<Replay>,
    /// Whether a session that is not among them goes to the server.
    pub(super) record: bool,
}

/// Overrides `--mode`.
const VARIABLE: &str = "POPTAPE_MODE";

impl Episodes {
    /// Looks into the folder. On a CI machine nothing is recorded unless the environment or `--mode all` says so:
    /// a test that needs a recording that was forgotten shall fail there, not reach for a server.
    pub(super) fn choose(mode: Mode, folder: &Path, users: Vec<(String, Secret)>) -> Result<Self, Failure> {
        let told = std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
        let ci =
            std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false" && value != "0");
        Self::decide(mode, told.as_deref(), ci, folder, users)
    }

    fn decide(
        mode: Mode,
        told: Option<&OsStr>,
        ci: bool,
        folder: &Path,
        users: Vec<(String, Secret)>,
    ) -> Result<Self, Failure> {
        let mode = match told {
            None => mode,
            Some(value) => {
                value.to_str().and_then(|text| Mode::from_str(text, false).ok()).ok_or_else(|| {
                    Failure::usage(format!(
                        "{VARIABLE}={} is none of all, once, new-episodes, none",
                        value.display()
                    ))
                })?
            }
        };
        if mode == Mode::All {
            return Ok(Self { replay: None, record: true });
        }
        let tape = recorded(folder)?;
        let forbidden = mode == Mode::None || ci && told.is_none();
        if tape.sessions.is_empty() {
            return if forbidden {
                let why = if mode == Mode::None {
                    String::new()
                } else {
                    format!(", and under CI nothing is recorded unless {VARIABLE} or --mode all says so")
                };
                Err(Failure::usage(format!("there is no recording in the folder {}{why}", folder.display())))
            } else {
                Ok(Self { replay: None, record: true })
            };
        }
        let options = Options { after_last: AfterLast::Refuse, users, ..Options::default() };
        Ok(Self { replay: Some(Replay::new(tape, options)), record: mode == Mode::NewEpisodes && !forbidden })
    }
}

/// The sessions in a folder. One that was cut off, or did not reach the server, is no recording to rely on.
fn recorded(folder: &Path) -> Result<Tape, Failure> {
    if !folder.is_dir() {
        return Ok(Tape::default());
    }
    let unreadable = |error: std::io::Error| {
        Failure::usage(format!("cannot read the folder {}: {error}", folder.display()))
    };
    if recordings(folder).map_err(unreadable)?.is_empty() {
        return Ok(Tape::default());
    }
    let mut tape = match Tape::open([folder], &Reading::default()) {
        Ok((tape, _)) => tape,
        Err(TapeError::Empty(_)) => Tape::default(),
        Err(error) => return Err(Failure::usage(error)),
    };
    tape.sessions.retain(|taped| {
        let usable = taped.whole && !taped.failed;
        if !usable {
            warn(&format!("{} is not used: it was cut off, or the server was not reached", taped.name));
        }
        usable
    });
    Ok(tape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_the_environment_and_ci_decide() {
        let empty = tempfile::tempdir().unwrap();
        let full = tempfile::tempdir().unwrap();
        std::fs::copy("recordings/seed.json", full.path().join("1.json")).unwrap();
        let choose = |mode, told: Option<&str>, ci, full_folder| {
            let folder = if full_folder { full.path() } else { empty.path() };
            Episodes::decide(mode, told.map(OsStr::new), ci, folder, Vec::new())
                .map(|episodes| (episodes.replay.is_some(), episodes.record))
                .map_err(|failure| failure.code)
        };
        for (mode, told, ci, full_folder, expected) in [
            (Mode::All, None, true, true, Ok((false, true))),
            (Mode::Once, None, false, false, Ok((false, true))),
            (Mode::Once, None, false, true, Ok((true, false))),
            (Mode::Once, None, true, false, Err(2)),
            (Mode::Once, None, true, true, Ok((true, false))),
            (Mode::Once, Some("once"), true, false, Ok((false, true))),
            (Mode::Once, Some("all"), true, true, Ok((false, true))),
            (Mode::NewEpisodes, None, false, true, Ok((true, true))),
            (Mode::NewEpisodes, None, true, true, Ok((true, false))),
            (Mode::NewEpisodes, Some("new-episodes"), true, true, Ok((true, true))),
            (Mode::None, None, false, false, Err(2)),
            (Mode::None, None, false, true, Ok((true, false))),
            (Mode::All, Some("none"), false, true, Ok((true, false))),
            (Mode::All, Some("sometimes"), false, true, Err(2)),
        ] {
            assert_eq!(choose(mode, told, ci, full_folder), expected, "{mode:?} {told:?} {ci} {full_folder}");
        }
    }
}
