//! Where sessions' entries go, and the threads that take them: what all verbs that have live sessions share.

use std::path::Path;

use super::failure::Failure;
use super::output::warn;
use crate::net::writer::{Queue, Wait, Writer};
use crate::recording::{Entry, Note};
use crate::render::text::Verbosity;
use crate::sink::console::Console;
use crate::sink::recorder::{Announce, Files, Finished, Recorder};
use crate::sink::tally::Tally;

/// Where sessions' entries go, and the threads that take them.
pub(super) struct Outlets {
    pub(super) queues: Queues,
    screen: Option<Writer>,
    record: Option<Writer>,
    pub(super) finished: Option<Finished>,
}

/// One queue a thread.
#[derive(Debug, Clone)]
pub(super) struct Queues {
    screen: Option<Queue>,
    /// None: what is seen is not recorded.
    record: Option<Queue>,
    /// Counts what goes to either.
    tally: Option<Tally>,
}

impl Queues {
    /// The screen alone; of what is counted, what clients must not do.
    pub(super) fn of_screen(&self) -> Self {
        let tally = self.tally.as_ref().map(Tally::of_flaws);
        Self { record: None, tally, ..self.clone() }
    }

    /// Hands entries on; gives what the session has to wait for.
    pub(super) fn put(&self, session: u32, entries: Vec<Entry>) -> Option<Wait> {
        self.tally.iter().for_each(|tally| tally.count(&entries));
        if self.record.is_none() {
            return self.screen.as_ref()?.put(session, entries);
        }
        let screen = self.screen.as_ref().and_then(|screen| screen.put(session, entries.clone()));
        let record = self.record.as_ref().and_then(|record| record.put(session, entries));
        match (screen, record) {
            (Some(screen), Some(record)) => Some(Box::pin(async move {
                screen.await;
                record.await;
            })),
            (one, other) => one.or(other),
        }
    }
}

impl Outlets {
    /// Starts the live console (None: quiet; else how often -v was given), the recorder (None: nothing is
    /// recorded) and the tally.
    pub(super) fn open(
        folder: Option<&Path>,
        files: Files,
        verbose: Option<u8>,
        color: bool,
        tally: Option<Tally>,
    ) -> Result<Self, Failure> {
        let cannot = |error| Failure::runtime(format!("cannot start a writer's thread: {error}"));
        let (mut screen, mut screen_queue, mut announce) = (None, None, None);
        if let Some(verbose) = verbose {
            let console = Console::new(Box::new(std::io::stdout()), color, Verbosity::of_count(verbose));
            let (writer, queue) =
                Writer::start(vec![Box::new(console)], |problem| warn(&problem)).map_err(cannot)?;
            let queue = queue.of_screen();
            let told = queue.clone();
            let tell: Announce = Box::new(move |session, path| {
                let (kind, text) = (Console::RECORDED.to_owned(), path.display().to_string());
                told.try_put(session, Entry::Note(Note { at: 0, kind, text }));
            });
            (screen, screen_queue, announce) = (Some(writer), Some(queue), Some(tell));
        }
        let (mut record, mut queue, mut finished) = (None, None, None);
        if let Some(folder) = folder {
            let recorder = Recorder::new(folder, files, announce).map_err(|error| {
                Failure::runtime(format!("cannot record into the folder {}: {error}", folder.display()))
            })?;
            finished = Some(recorder.finished());
            let (writer, its) =
                Writer::start(vec![Box::new(recorder)], |problem| warn(&problem)).map_err(cannot)?;
            (record, queue) = (Some(writer), Some(its));
        }
        Ok(Self { queues: Queues { screen: screen_queue, record: queue, tally }, screen, record, finished })
    }

    /// Waits until all is written, for a screen only as long as it takes anything. Gives the names of the sinks
    /// that failed to record.
    pub(super) async fn close(self) -> Vec<&'static str> {
        drop(self.queues);
        let failed = match self.record {
            Some(record) => record.join().await,
            None => Vec::new(),
        };
        if let Some(screen) = self.screen {
            screen.join_screen().await;
        }
        failed
    }
}
