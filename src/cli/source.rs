//! Where messages are taken from, as the user names it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::failure::{Failure, Verdict};
use super::output::warn;
use crate::maildrop::mbox::Quoting;
use crate::maildrop::sources::{Opened, SourceError, open};
use crate::maildrop::{Maildrops, Store};
use crate::recording::file::{Input, recordings};
use crate::recording::format::Reading;
use crate::replay::{Tape, store};

type Stores = Vec<Arc<dyn Store>>;

/// Puts the sources one behind the other, in the order given. A recording that can be read only in part is a finding.
pub(super) fn maildrops(
    paths: &[PathBuf],
    quoting: Quoting,
    writable: bool,
    reading: &Reading,
) -> Result<(Maildrops, Verdict), Failure> {
    let (mut common, mut own) = (Stores::new(), BTreeMap::<String, Stores>::new());
    let mut verdict = Verdict::Clean;
    for path in paths {
        match open(path, quoting) {
            // A recording begins like nothing else, and a folder of them is no other kind of folder.
            _ if is_recording(path) => {
                add_for_all(&mut common, &mut own, &[recorded(path, writable, reading, &mut verdict)?]);
            }
            Err(SourceError::Unknown { .. }) if has_recordings(path) => {
                add_for_all(&mut common, &mut own, &[recorded(path, writable, reading, &mut verdict)?]);
            }
            Ok(Opened::Common(stores)) => add_for_all(&mut common, &mut own, &stores),
            Ok(Opened::Own(users)) => {
                for (user, stores) in users {
                    // A user with messages of their own has the common ones too.
                    own.entry(user).or_insert_with(|| common.clone()).extend(stores);
                }
            }
            Err(SourceError::Unknown { path }) => {
                let error = SourceError::Unknown { path };
                return Err(Failure::usage(format!("{error}; nor is it a recording")));
            }
            Err(error) => return Err(Failure::usage(error)),
        }
    }
    Ok((Maildrops::with_own(common, own), verdict))
}

/// Puts stores behind what every user has so far.
fn add_for_all(common: &mut Stores, own: &mut BTreeMap<String, Stores>, stores: &[Arc<dyn Store>]) {
    for list in own.values_mut().chain([common]) {
        list.extend(stores.iter().cloned());
    }
}

fn is_recording(path: &Path) -> bool {
    path.is_file() && Input::open(path).is_ok()
}

fn has_recordings(path: &Path) -> bool {
    path.is_dir() && recordings(path).is_ok_and(|found| !found.is_empty())
}

/// The messages that recordings show.
fn recorded(
    path: &Path,
    writable: bool,
    reading: &Reading,
    verdict: &mut Verdict,
) -> Result<Arc<dyn Store>, Failure> {
    if writable {
        return Err(Failure::usage(format!(
            "--writable: {} is a recording, and nothing is removed from one; without the flag deletions hold for the run",
            path.display()
        )));
    }
    let (tape, warnings) = Tape::open([path], reading).map_err(Failure::usage)?;
    for warning in &warnings {
        warn(warning);
        *verdict = Verdict::Finding;
    }
    let (store, in_part) = store(&tape);
    if in_part > 0 {
        warn(&format!(
            "{}: {} not recorded whole, and filled up to the recorded size",
            path.display(),
            if in_part == 1 { "1 message is".to_owned() } else { format!("{in_part} messages are") }
        ));
    }
    Ok(store)
}
