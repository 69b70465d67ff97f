//! A mock server at work: the thread it runs on, and what a test may ask it.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use tokio::sync::watch;

use super::builder::{Builder, Cast, Messages, Play, StartError};
use super::keys::Keys;
use super::received::{Log, Received, Times};
use crate::engine::Password;
use crate::net::listen::{Accepted, Listener, Until, serve};
use crate::net::server::House;
use crate::pop3::Secrets;
use crate::pop3::secret::Secret;
use crate::replay::Report;
use crate::wire::{Security, Tls};

/// A running POP3 server. See the [module](super).
#[derive(Debug)]
pub struct MockServer {
    address: SocketAddr,
    url: String,
    cast: Cast,
    keys: Keys,
    log: Log,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl MockServer {
    /// A server that replays a recording, or a folder of them.
    pub fn replay(path: impl AsRef<Path>) -> Builder {
        Builder::new(Play::Replay(path.as_ref().to_owned()))
    }

    /// A server with these messages: an array of texts, a [`Vec<Message>`](crate::maildrop::load), a [`Memory`](crate::maildrop::Memory),
    /// [`Maildrops`](crate::maildrop::Maildrops), or a path.
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

    pub(super) fn start(cast: Cast, security: Security, keys: Keys) -> Result<Self, StartError> {
        let (stop, stopped) = watch::channel(false);
        let (ready, is_ready) = sync_channel(1);
        let log = Log::default();
        let house = House::new(GENERATOR, Secrets::Redact, Some(Arc::clone(&keys.acceptor)));
        let sessions = (cast.clone(), log.clone());
        let thread = std::thread::Builder::new().name("poptape mock".to_owned()).spawn(move || {
            let (cast, log) = sessions;
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                // Whoever waits to hear of it has heard the end of the channel.
                Err(error) => return drop(ready.send(Err(error))),
            };
            runtime.block_on(run(cast, log, security, house, stopped, ready));
        })?;
        let heard = is_ready.recv().unwrap_or_else(|_| Err(io::Error::other("its thread ended")));
        let (address, url) = heard?;
        Ok(Self { address, url, cast, keys, log, stop, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL: `pop3://127.0.0.1:PORT`, `pop3s://127.0.0.1:PORT` where TLS comes first.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The certificate that a client has to trust to get TLS from this server, as PEM. Each server has an authority of
    /// its own, one without TLS too, and it is gone with the server.
    pub fn ca_pem(&self) -> String {
        self.keys.authority.pem()
    }

    /// The same as DER.
    pub fn ca_der(&self) -> CertificateDer<'static> {
        self.keys.authority.der().clone()
    }

    /// A client that trusts this server and nobody else.
    pub fn client_config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.keys.client)
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

    /// What came of the TLS handshakes so far, of all sessions, in the order in which they ended: the name that the client
    /// asked for, the version, why it failed.
    pub fn handshakes(&self) -> Vec<Tls> {
        self.log.handshakes()
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

/// What recordings would name as their maker.
const GENERATOR: &str = concat!("poptape ", env!("CARGO_PKG_VERSION"));

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
    security: Security,
    house: House,
    stopped: watch::Receiver<bool>,
    ready: SyncSender<io::Result<(SocketAddr, String)>>,
) {
    let listener = match Listener::bind(([127, 0, 0, 1], 0).into(), security) {
        Ok(listener) => listener,
        Err(error) => return drop(ready.send(Err(error))),
    };
    if ready.send(Ok((listener.address, listener.url()))).is_err() {
        return;
    }
    let house = Arc::new(house);
    let stop = stopped.clone();
    let session = move |accepted: Accepted| {
        let (log, number) = (log.clone(), accepted.number);
        let tap = Box::new(move |entry: &_| log.take(number, entry));
        Arc::clone(&house).tapped_session(cast.scene(accepted.security), accepted, stop.clone(), tap)
    };
    // Trouble with accepting shows in the test that connects.
    let until = Until { limit: None, at_once: None, closing: stopped.clone(), stop: stopped };
    serve(vec![listener], until, |_| {}, session).await;
}
