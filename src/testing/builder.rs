//! What a mock server is made from.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::keys::Keys;
use super::server::MockServer;
use crate::engine::{Accounts, Password, Policy, Scene, Server};
use crate::maildrop::mbox::Quoting;
use crate::maildrop::sources::{self, Opened, SourceError};
use crate::maildrop::{Maildrops, Memory, Message, Source, load};
use crate::net::tls::acceptor::Failing;
use crate::net::tls::authority::AuthorityError;
use crate::pop3::secret::Secret;
use crate::recording::format::Reading;
use crate::replay::tape::TapeError;
use crate::replay::{AfterLast, Mode, Options, Replay, Tape, Timing};
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
    /// No certificates.
    #[error("cannot make certificates for the mock server: {0}")]
    Authority(#[from] AuthorityError),
    /// No TLS.
    #[error("cannot set up TLS for the mock server: {0}")]
    Tls(#[from] rustls::Error),
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
    security: Security,
    failing: Option<Failing>,
}

/// What is asked for.
#[derive(Debug)]
pub(super) enum Play {
    Replay(PathBuf),
    Serve(Messages),
}

impl Builder {
    pub(super) fn new(play: Play) -> Self {
        Self {
            play,
            policy: Policy::default(),
            users: Vec::new(),
            options: Options::default(),
            security: Security::Plain,
            failing: None,
        }
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

    /// How TLS comes to its connections: once a client has asked for it by STLS, or before anything else. The server
    /// shows a certificate for `localhost`, `127.0.0.1` and the name that the client asks for, signed by an authority of
    /// its own ([`MockServer::ca_pem`]).
    pub fn tls(self, security: Security) -> Self {
        Self { security, ..self }
    }

    /// Lets every handshake fail in this way, to see what a client does about it; for a server with
    /// [TLS](Self::tls).
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use std::net::TcpStream;
    /// use poptape::testing::{Failing, Flaw, MockServer, Security, never, rustls};
    ///
    /// let expired = Failing::Certificate(Flaw::Expired);
    /// let server = MockServer::serve(["a"]).tls(Security::Implicit).tls_fail(expired).start()?;
    ///
    /// // The code under test, here by hand: it must not send a password.
    /// let tls = rustls::ClientConnection::new(server.client_config(), "localhost".try_into()?)?;
    /// let mut client = rustls::StreamOwned::new(tls, TcpStream::connect(server.addr())?);
    /// let refusal = client.write_all(b"USER kcope\r\n").unwrap_err();
    /// assert!(refusal.to_string().contains("certificate expired"), "{refusal}");
    ///
    /// server.assert_received("USER", never());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn tls_fail(self, failing: Failing) -> Self {
        Self { failing: Some(failing), ..self }
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
        MockServer::start(cast, self.security, Keys::new(self.failing)?)
    }
}

/// What sessions are made from.
#[derive(Debug, Clone)]
pub(super) enum Cast {
    Replay(Arc<Replay>),
    Serve { server: Arc<Server>, source: Arc<dyn Source> },
}

impl Cast {
    pub(super) fn scene(&self, security: Security) -> Scene {
        match self {
            Self::Replay(replay) => replay.scene(security),
            Self::Serve { server, source } => {
                Scene { server: Arc::clone(server), source: Arc::clone(source), script: None }
            }
        }
    }
}
