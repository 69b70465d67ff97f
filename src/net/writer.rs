//! The writers: the threads on which sinks format and write, away from the sockets. Sessions hand them batches
//! over bounded channels. One that records makes the sessions wait where it is slow, and drops nothing; one that
//! shows is given up on for as long as nobody reads it, since the screen is not the record.

use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Thread, park_timeout};
use std::time::Duration;

use tokio::sync::mpsc::error::{TryRecvError, TrySendError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::clock::Clock;
use crate::recording::Entry;
use crate::sink::Sink;

/// How many batches may wait.
const QUEUE: usize = 64;

/// How many entries may wait in them: a peer can say thousands of things in the octets of one read.
const ENTRIES: usize = 16 * 1024;

/// What was taken reaches its place at least this often.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// How long a thread that has taken all does not look again, unless there is much to take. To be woken for each command
/// of a client that goes on would cost as much as to relay it.
const DOZE: Duration = Duration::from_millis(10);

/// Octets of one batch that are much.
const MUCH: usize = 16 * 1024;

/// How long a session waits for a screen that takes nothing.
const PATIENCE: Duration = Duration::from_secs(2);

/// What to wait for before a session goes on. It is rare, so it is in a box: no session's task is the larger
/// for it.
pub type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Entries of one session.
#[derive(Debug)]
struct Batch {
    session: u32,
    entries: Vec<Entry>,
    /// Given back once it was taken; None where there was none to have.
    _room: Option<OwnedSemaphorePermit>,
}

/// Hands entries to a thread.
#[derive(Debug, Clone)]
pub struct Queue {
    sender: mpsc::Sender<Batch>,
    /// For entries.
    room: Arc<Semaphore>,
    /// The other end.
    thread: Thread,
    /// Whether the other end takes nothing any more; None where it is waited for whatever it takes.
    stuck: Option<Arc<AtomicBool>>,
}

impl Queue {
    /// The same queue for one that shows: it is waited for only as long as it takes something now and then.
    pub fn of_screen(self) -> Self {
        Self { stuck: Some(Arc::default()), ..self }
    }

    /// Puts entries; gives what to wait for where the queue is full. What comes after the thread's end is
    /// dropped.
    pub fn put(&self, session: u32, entries: Vec<Entry>) -> Option<Wait> {
        if entries.is_empty() {
            return None;
        }
        let is_much = entries.iter().any(is_much);
        // What is more than all the room waits for all of it.
        let weight = entries.len().min(ENTRIES) as u32;
        let batch = Batch { session, entries, _room: None };
        let full = match Arc::clone(&self.room).try_acquire_many_owned(weight) {
            Err(_) => Some(batch),
            Ok(room) => match self.sender.try_send(Batch { _room: Some(room), ..batch }) {
                Err(TrySendError::Full(batch)) => Some(Batch { _room: None, ..batch }),
                Ok(()) | Err(TrySendError::Closed(_)) => None,
            },
        };
        let is_half_full = self.sender.capacity() < QUEUE / 2 || self.room.available_permits() < ENTRIES / 2;
        if is_much || full.is_some() || is_half_full {
            self.thread.unpark();
        }
        let Some(batch) = full else {
            self.stuck.iter().for_each(|stuck| stuck.store(false, Ordering::Relaxed));
            return None;
        };
        let (sender, room) = (self.sender.clone(), Arc::clone(&self.room));
        let send = async move {
            // It is never closed, and after the thread's end everything is dropped.
            let room = room.acquire_many_owned(weight).await.ok();
            let _ = sender.send(Batch { _room: room, ..batch }).await;
        };
        match self.stuck.clone() {
            None => Some(Box::pin(send)),
            Some(stuck) if stuck.load(Ordering::Relaxed) => None,
            Some(stuck) => Some(Box::pin(async move {
                let taken = tokio::time::timeout(PATIENCE, send).await;
                stuck.store(taken.is_err(), Ordering::Relaxed);
            })),
        }
    }

    /// Puts an entry if there is room.
    pub fn try_put(&self, session: u32, entry: Entry) {
        let _ = self.sender.try_send(Batch { session, entries: vec![entry], _room: None });
    }
}

/// Whether an entry is worth to wake somebody for.
fn is_much(entry: &Entry) -> bool {
    matches!(entry, Entry::Event(event) if event.octets().is_some_and(|(_, run)| run.bytes.len() >= MUCH))
}

/// A running thread.
#[derive(Debug)]
pub struct Writer(oneshot::Receiver<Vec<&'static str>>);

impl Writer {
    /// Starts a thread. A sink that fails is detached, and `warn` is told why; the others go on.
    pub fn start(
        sinks: Vec<Box<dyn Sink + Send>>,
        warn: impl Fn(String) + Send + 'static,
    ) -> std::io::Result<(Self, Queue)> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let (done, over) = oneshot::channel();
        let thread = std::thread::Builder::new().name("writer".to_owned()).spawn(move || {
            let failed = Drain { receiver, sinks, warn: Box::new(warn), failed: Vec::new() }.run();
            // Nobody waits for a screen that was given up on.
            let _ = done.send(failed);
        })?;
        Ok((
            Self(over),
            Queue {
                sender,
                room: Arc::new(Semaphore::new(ENTRIES)),
                thread: thread.thread().clone(),
                stuck: None,
            },
        ))
    }

    /// Waits until everything is written, which it is once all queues are dropped. Gives the names of the
    /// sinks that failed.
    pub async fn join(self) -> Vec<&'static str> {
        // A panic on that thread has printed itself, and nothing that it was to write is sure.
        self.0.await.unwrap_or_else(|_| vec!["the writer"])
    }

    /// The same for a screen: waits only so long.
    pub async fn join_screen(self) {
        let _ = tokio::time::timeout(PATIENCE, self.0).await;
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
        while let Some(first) = self.receiver.blocking_recv() {
            let mut next = Ok(first);
            while let Ok(batch) = next {
                self.take(&batch);
                next = self.receiver.try_recv();
                if next.is_err() || clock.now() - flushed > FLUSH_EVERY.as_micros() as u64 {
                    self.each(|sink| sink.flush());
                    flushed = clock.now();
                }
                if matches!(next, Err(TryRecvError::Empty)) {
                    park_timeout(DOZE);
                    next = self.receiver.try_recv();
                }
            }
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
