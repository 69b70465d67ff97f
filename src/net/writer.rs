//! The writer: the one thread on which all sinks of all sessions format and write. Sessions hand it batches
//! over a bounded channel: a slow disk slows them down, and nothing is dropped.

use std::io::ErrorKind;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc;

use super::clock::Clock;
use crate::recording::Entry;
use crate::sink::Sink;

/// How many batches may wait.
const QUEUE: usize = 64;

/// What was taken reaches its place at least this often.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// Entries of one session.
#[derive(Debug)]
struct Batch {
    session: u32,
    entries: Vec<Entry>,
}

/// Hands entries to the thread.
#[derive(Debug, Clone)]
pub struct Queue(mpsc::Sender<Batch>);

impl Queue {
    /// Waits while the queue is full. What comes after the thread's end is dropped.
    pub async fn put(&self, session: u32, entries: Vec<Entry>) {
        if !entries.is_empty() {
            let _ = self.0.send(Batch { session, entries }).await;
        }
    }
}

/// The running thread.
#[derive(Debug)]
pub struct Writer(JoinHandle<Vec<&'static str>>);

impl Writer {
    /// Starts the thread. A sink that fails is detached, and `warn` is told why; the others go on.
    pub fn start(
        sinks: Vec<Box<dyn Sink + Send>>,
        warn: impl Fn(String) + Send + 'static,
    ) -> std::io::Result<(Self, Queue)> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || Drain { receiver, sinks, warn: Box::new(warn), failed: Vec::new() }.run())?;
        Ok((Self(thread), Queue(sender)))
    }

    /// Waits until everything is written, which it is once all queues are dropped. Gives the names of the
    /// sinks that failed.
    pub fn join(self) -> Vec<&'static str> {
        // A panic on that thread has printed itself, and nothing that it was to write is sure.
        self.0.join().unwrap_or_else(|_| vec!["the writer"])
    }
}

struct Drain {
    receiver: mpsc::Receiver<Batch>,
    sinks: Vec<Box<dyn Sink + Send>>,
    warn: Box<dyn Fn(String) + Send>,
    failed: Vec<&'static str>,
}

impl Drain {
    fn run(mut self) -> Vec<&'static str> {
        let (clock, _) = Clock::start();
        let mut flushed = 0;
        while let Some(batch) = self.receiver.blocking_recv() {
            self.take(&batch);
            while let Ok(batch) = self.receiver.try_recv() {
                self.take(&batch);
                if clock.now() - flushed > FLUSH_EVERY.as_micros() as u64 {
                    self.each(|sink| sink.flush());
                    flushed = clock.now();
                }
            }
            self.each(|sink| sink.flush());
            flushed = clock.now();
        }
        self.each(|sink| sink.flush());
        self.failed
    }

    fn take(&mut self, batch: &Batch) {
        self.each(|sink| batch.entries.iter().try_for_each(|entry| sink.take(batch.session, entry)));
    }

    fn each(&mut self, mut act: impl FnMut(&mut dyn Sink) -> std::io::Result<()>) {
        let (warn, failed) = (&self.warn, &mut self.failed);
        self.sinks.retain_mut(|sink| match act(&mut **sink) {
            Ok(()) => true,
            Err(error) => {
                let hint = match error.kind() {
                    ErrorKind::StorageFull => "; make room and start again",
                    ErrorKind::PermissionDenied => "; check the folder's permissions and start again",
                    _ => "",
                };
                warn(format!("{} stopped: {error}{hint}. The sessions go on without it", sink.name()));
                failed.push(sink.name());
                false
            }
        });
    }
}
