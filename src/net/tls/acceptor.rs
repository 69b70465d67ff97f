//! TLS towards clients, where poptape is the server: which certificate it shows, and how it fails on purpose.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::ring;
use rustls::server::ClientHello;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{KeyLog, ServerConfig};

use super::authority::{Authority, Flaw};

/// The protocol's name in ALPN (RFC 7301; the IANA registry of protocol identifiers).
const ALPN: &[u8] = b"pop3";

/// Clients name what they like: so many names are kept in mind.
const MAX_NAMES: usize = 256;

/// Whose certificate clients are shown.
#[derive(Debug, Clone)]
pub enum Identity {
    /// The user's.
    Given(Arc<CertifiedKey>),
    /// One that poptape's own authority makes for the name that the client asks for.
    Minted(Arc<Authority>),
}

/// How handshakes with clients fail, for tests of those.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failing {
    /// By an alert in the place of an answer.
    Handshake,
    /// By a reset in the place of an answer.
    Reset,
    /// By a certificate that the client must not take.
    Certificate(Flaw),
}

/// What a client is shown: a certificate for names, and whether the protocol is agreed on.
type Shown = (Vec<String>, bool);

/// What the connections of a run with clients have in common.
#[derive(Debug)]
pub struct Acceptor {
    identity: Identity,
    /// What a certificate is for besides the name that the client asks for.
    names: Vec<String>,
    failing: Option<Failing>,
    key_log: Option<Arc<dyn KeyLog>>,
    configs: Mutex<HashMap<Shown, Arc<ServerConfig>>>,
}

impl Acceptor {
    /// Shows the certificate of an identity; one that is minted is for `names` too, so that a client that names nothing,
    /// or the address that it connects to, finds what it looks for.
    pub fn new(identity: Identity, names: Vec<String>) -> Self {
        Self { identity, names, failing: None, key_log: None, configs: Mutex::default() }
    }

    /// The same, failing on purpose. A certificate's flaw needs an authority of our own.
    pub fn failing(self, failing: Option<Failing>) -> Self {
        Self { failing, ..self }
    }

    /// The same, with its secrets logged.
    pub fn key_log(self, key_log: Option<Arc<dyn KeyLog>>) -> Self {
        Self { key_log, ..self }
    }

    pub(super) fn failure(&self) -> Option<Failing> {
        self.failing
    }

    /// What a client that says this hello is answered with; why not, in words for a person.
    pub(super) fn config(&self, hello: &ClientHello<'_>) -> Result<Arc<ServerConfig>, String> {
        let asked = hello.server_name().map(str::to_ascii_lowercase);
        let names: Vec<String> = asked.into_iter().chain(self.names.iter().cloned()).collect();
        // A client that speaks of other protocols alone is not told that this is none of them.
        let alpn = hello.alpn().is_some_and(|mut offered| offered.any(|name| name == ALPN));
        let mut configs = self.configs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = configs.get(&(names.clone(), alpn)) {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(self.make(&names, alpn)?);
        if configs.len() >= MAX_NAMES {
            configs.clear();
        }
        configs.insert((names, alpn), Arc::clone(&config));
        Ok(config)
    }

    fn make(&self, names: &[String], alpn: bool) -> Result<ServerConfig, String> {
        let flaw = match self.failing {
            Some(Failing::Certificate(flaw)) => Some(flaw),
            _ => None,
        };
        let shown = match &self.identity {
            Identity::Given(identity) => Arc::clone(identity),
            Identity::Minted(authority) => authority.issue(names, flaw).map_err(|error| error.to_string())?,
        };
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
        if alpn {
            config.alpn_protocols = vec![ALPN.to_vec()];
        }
        if let Some(key_log) = &self.key_log {
            config.key_log = Arc::clone(key_log);
        }
        Ok(config)
    }
}
