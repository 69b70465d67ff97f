//! Sessions of the built-in server, seen and recorded: what `serve` and `replay` have in common.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::captures::Formats;
use super::failure::{Failure, Verdict};
use super::front::Front;
use super::outlets::Outlets;
use super::output::{say, warn};
use super::proxy::GENERATOR;
use super::tls::key_log;
use crate::engine::Scene;
use crate::net::listen::serve;
use crate::net::server::House;
use crate::pop3::Secrets;
use crate::render::units::counted;
use crate::sink::tally::{Counts, Tally};
use crate::wire::Security;

/// What becomes of what is said.
#[derive(Debug, Args)]
pub(super) struct Observed {
    /// Record the sessions into this folder, one file a session
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,

    #[command(flatten)]
    formats: Formats,
}

/// A verb's server before it runs.
pub(super) struct Host<'a> {
    front: &'a Front,
    outlets: Outlets,
    tally: Tally,
}

impl<'a> Host<'a> {
    /// Opens the screen and the folder.
    pub(super) fn open(observed: &Observed, front: &'a Front, color: bool) -> Result<Self, Failure> {
        let tally = Tally::default();
        let folder = observed.output.as_deref();
        let outlets =
            Outlets::open(folder, observed.formats.files(), front.verbosity(), color, Some(tally.clone()))?;
        Ok(Self { front, outlets, tally })
    }

    /// Serves; `scene` is asked for each session, by how TLS comes to it. A session takes `descriptors`.
    pub(super) async fn run(
        self,
        descriptors: u64,
        scene: impl Fn(Security) -> Scene + Clone + Send + 'static,
    ) -> Result<Verdict, Failure> {
        let Self { front, outlets, tally } = self;
        let acceptor = front.acceptor(None, key_log()?)?;
        let house = Arc::new(House::new(GENERATOR, Secrets::Redact, acceptor));
        let queues = outlets.queues.clone();
        let verdict = front
            .run(false, descriptors, |listeners, until| {
                let stop = until.stop.clone();
                let session = move |accepted: crate::net::listen::Accepted| {
                    let (number, queues) = (accepted.number, queues.clone());
                    let put = move |entries| queues.put(number, entries);
                    Arc::clone(&house).session(scene(accepted.security), accepted, stop.clone(), put)
                };
                serve(listeners, until, |problem| warn(&problem), session)
            })
            .await;
        let failed = outlets.close().await;
        let counts = tally.counts();
        say(&format!(
            "{}, {}, {} -ERR",
            counted(counts.sessions, "session"),
            counted(counts.exchanges, "exchange"),
            counts.errors,
        ));
        let verdict = verdict?;
        if verdict == Verdict::Clean && !failed.is_empty() {
            return Err(Failure::runtime("the recordings are not complete: see the warning above"));
        }
        Ok(if verdict == Verdict::Clean { flaws(&counts) } else { verdict })
    }
}

/// The verdict of what clients took and must not take, said aloud: it is what the run was for.
pub(super) fn flaws(counts: &Counts) -> Verdict {
    match counts.flaws_taken {
        0 => Verdict::Clean,
        taken => {
            say(&format!("{}: a client took what it must not take, see its note", counted(taken, "finding")));
            Verdict::Finding
        }
    }
}
