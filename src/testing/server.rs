//! The mock server: what it is made from, and the thread it runs on.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use tokio::sync::watch;

use super::received::{Log, Received, Times};
use crate::engine::{Accounts, Password, Policy, Scene, Server};
use crate::maildrop::mbox::Quoting;
use crate::maildrop::sources::{self, Opened, SourceError};
use crate::maildrop::{Maildrops, Memory, Message, Source, load};
use crate::net::listen::{Accepted, Listener, Until, serve};
use crate::net::server::House;
use crate::pop3::Secrets;
use crate::pop3::secret::Secret;
use crate::recording::format::Reading;
use crate::replay::tape::TapeError;
use crate::replay::{AfterLast, Mode, Options, Replay, Report, Tape, Timing};
use crate::wire::Security;

/// What a mock server can serve.
#[derive(Debug)]
pub enum Messages {
    /// Maildrops, with the settings that they have.
    Maildrops(Maildrops),
    /// What is at a path: a Maildir, an mbox, `.eml` files.
    At(PathBuf),
}

impl From<Maildrops> for Messages {
    fn from(maildrops: Maildrops) -> Self {
        Self::Maildrops(maildrops)
    }
}

impl From<Memory> for Messages {
    fn from(memory: Memory) -> Self {
        Self::Maildrops(Maildrops::new(vec![Arc::new(memory)]))
    }
}

impl From<Vec<Message>> for Messages {
    fn from(messages: Vec<Message>) -> Self {
        Memory::new(messages).into()
    }
}

impl From<&Path> for Messages {
    fn from(path: &Path) -> Self {
        Self::At(path.to_owned())
    }
}

impl From<&str> for Messages {
    fn from(path: &str) -> Self {
        Path::new(path).into()
    }
}

impl<const N: usize> From<[&str; N]> for Messages {
    fn from(messages: [&str; N]) -> Self {
        load(messages.map(str::to_owned)).into()
    }
}

/// Why a mock server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A recording cannot be replayed.
    #[error(transparent)]
    Tape(#[from] TapeError),
    /// Messages cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// No port, or no thread.
    #[error("cannot start the mock server: {0}")]
    Io(#[from] io::Error),
}

/// A mock server that is not running yet.
#[derive(Debug)]
pub struct Builder {
    play: Play,
    policy: Policy,
    users: Vec<(String, Secret)>,
    options: Options,
}

#[derive(Debug)]
enum Play {
    Replay(PathBuf),
    Serve(Messages),
}

impl Builder {
    fn new(play: Play) -> Self {
        Self { play, policy: Policy::default(), users: Vec::new(), options: Options::default() }
    }

    /// A user who may log in. Without one everybody may, with any password.
    pub fn user(mut self, name: impl Into<String>, password: impl Into<Vec<u8>>) -> Self {
        self.users.push((name.into(), Secret::new(password)));
        self
    }

    /// What the server is to be; a replay has the recorded server's ways.
    pub fn policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// How closely clients are held to a recording.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.options.mode = mode;
        self
    }

    /// When recorded answers are sent.
    pub fn timing(mut self, timing: Timing) -> Self {
        self.options.timing = timing;
        self
    }

    /// What comes after the last recorded session.
    pub fn after_last(mut self, after_last: AfterLast) -> Self {
        self.options.after_last = after_last;
        self
    }

    /// Starts it: when this returns it can be connected to.
    pub fn start(self) -> Result<MockServer, StartError> {
        let cast = match self.play {
            Play::Replay(path) => {
                let (tape, _) = Tape::open([path], &Reading::default())?;
                let options = Options { users: self.users, ..self.options };
                Cast::Replay(Arc::new(Replay::new(tape, options)))
            }
            Play::Serve(messages) => {
                let accounts = if self.users.is_empty() { Accounts::any() } else { Accounts::default() };
                for (name, password) in self.users {
                    accounts.add(name, Password::Is(password));
                }
                let maildrops = match messages {
                    Messages::Maildrops(maildrops) => maildrops,
                    Messages::At(path) => match sources::open(&path, Quoting::default())? {
                        Opened::Common(stores) => Maildrops::new(stores),
                        Opened::Own(users) => Maildrops::with_own(Vec::new(), users),
                    },
                };
                let server = Arc::new(Server { policy: self.policy, accounts });
                Cast::Serve { server, source: Arc::new(maildrops) }
            }
        };
        MockServer::start(cast)
    }
}

/// What sessions are made from.
#[derive(Debug, Clone)]
enum Cast {
    Replay(Arc<Replay>),
    Serve { server: Arc<Server>, source: Arc<dyn Source> },
}

impl Cast {
    fn scene(&self, security: Security) -> Scene {
        match self {
            Self::Replay(replay) => replay.scene(security),
            Self::Serve { server, source } => {
                Scene { server: Arc::clone(server), source: Arc::clone(source), script: None }
            }
        }
    }
}

/// A running POP3 server. See the [module](super).
#[derive(Debug)]
pub struct MockServer {
    address: SocketAddr,
    cast: Cast,
    log: Log,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl MockServer {
    /// A server that replays a recording, or a folder of them.
    pub fn replay(path: impl AsRef<Path>) -> Builder {
        Builder::new(Play::Replay(path.as_ref().to_owned()))
    }

    /// A server with these messages: an array of texts, a [`Vec<Message>`](crate::maildrop::load), a [`Memory`],
    /// [`Maildrops`], or a path.
    ///
    /// ```
    /// use poptape::testing::MockServer;
    ///
    /// let two = MockServer::serve(["Subject: tea\n\nat five\n", "Subject: cake\n\nat six\n"]).start()?;
    /// let at_a_path = MockServer::serve("tests/readme/letters").start()?;
    /// # assert!(two.received().is_empty() && at_a_path.received().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn serve(messages: impl Into<Messages>) -> Builder {
        Builder::new(Play::Serve(messages.into()))
    }

    fn start(cast: Cast) -> Result<Self, StartError> {
        let (stop, stopped) = watch::channel(false);
        let (ready, is_ready) = sync_channel(1);
        let log = Log::default();
        let sessions = (cast.clone(), log.clone());
        let thread = std::thread::Builder::new().name("poptape mock".to_owned()).spawn(move || {
            let (cast, log) = sessions;
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                // Whoever waits to hear of it has heard the end of the channel.
                Err(error) => return drop(ready.send(Err(error))),
            };
            runtime.block_on(run(cast, log, stopped, ready));
        })?;
        let heard = is_ready.recv().unwrap_or_else(|_| Err(io::Error::other("its thread ended")));
        Ok(Self { address: heard?, cast, log, stop, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL: `pop3://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("pop3://{}", self.address)
    }

    /// Adds a user who may log in from now on; without effect on a replay.
    pub fn add_user(&self, name: impl Into<String>, password: impl Into<Vec<u8>>) {
        if let Cast::Serve { server, .. } = &self.cast {
            server.accounts.add(name, Password::Is(Secret::new(password)));
        }
    }

    /// The commands received so far, of all sessions, in the order in which they came.
    pub fn received(&self) -> Vec<Received> {
        self.log.received()
    }

    /// Asserts how often a command was received: `"DELE"` is any DELE, `"DELE 1"` that one alone.
    ///
    /// # Panics
    ///
    /// Where it was not; the message lists what came near, and all that was received.
    #[track_caller]
    pub fn assert_received(&self, command: &str, times: Times) {
        let complaint = self.log.complaint(command, times);
        assert!(complaint.is_none(), "{}", complaint.unwrap_or_default());
    }

    /// What a replay came to so far; None: this is none.
    pub fn report(&self) -> Option<Report> {
        match &self.cast {
            Cast::Replay(replay) => Some(replay.report()),
            Cast::Serve { .. } => None,
        }
    }

    /// Asserts that clients did what was recorded, all of it and nothing else.
    ///
    /// # Panics
    ///
    /// Where they did not; the message is the report. Where this is no replay, too.
    #[track_caller]
    pub fn assert_replayed(&self) {
        let report = self.report();
        assert!(report.is_some(), "this server replays no recording");
        let report = report.unwrap_or_default();
        assert!(report.is_complete(), "the recording was not replayed as it is:\n{report}");
    }
}

impl Drop for MockServer {
    /// Ends every session at once, and the thread.
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // If it has panicked, the test has seen worse than this.
            let _ = thread.join();
        }
    }
}

async fn run(
    cast: Cast,
    log: Log,
    stopped: watch::Receiver<bool>,
    ready: SyncSender<io::Result<SocketAddr>>,
) {
    let listener = match Listener::bind(([127, 0, 0, 1], 0).into(), Security::Plain).await {
        Ok(listener) => listener,
        Err(error) => return drop(ready.send(Err(error))),
    };
    if ready.send(Ok(listener.address)).is_err() {
        return;
    }
    let house = Arc::new(House::new(concat!("poptape ", env!("CARGO_PKG_VERSION")), Secrets::Redact, None));
    let stop = stopped.clone();
    let session = move |accepted: Accepted| {
        let (log, number) = (log.clone(), accepted.number);
        let tap = Box::new(move |entry: &_| log.take(number, entry));
        Arc::clone(&house).tapped_session(cast.scene(accepted.security), accepted, stop.clone(), tap)
    };
    // Trouble with accepting shows in the test that connects.
    let until = Until { limit: None, closing: stopped.clone(), stop: stopped };
    serve(vec![listener], until, |_| {}, session).await;
}
