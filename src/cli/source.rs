//! Where messages are taken from, as the user names it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::failure::{Failure, Verdict};
use crate::maildrop::sources::{Opened, open};
use crate::maildrop::{Maildrops, Store};

/// Puts the sources one behind the other. A source that can be read only in part is a finding.
pub(super) fn maildrops(paths: &[PathBuf]) -> Result<(Maildrops, Verdict), Failure> {
    let mut common: Vec<Arc<dyn Store>> = Vec::new();
    let mut own: BTreeMap<String, Vec<Arc<dyn Store>>> = BTreeMap::new();
    for path in paths {
        match open(path).map_err(Failure::usage)? {
            Opened::Common(stores) => common.extend(stores),
            Opened::Own(users) => {
                for (user, stores) in users {
                    own.entry(user).or_default().extend(stores);
                }
            }
        }
    }
    // A user with messages of their own has the common ones too.
    for stores in own.values_mut() {
        stores.splice(0..0, common.iter().cloned());
    }
    Ok((Maildrops::with_own(common, own), Verdict::Clean))
}
