//! What TLS with a mock server takes: an authority that nobody else has, and who trusts it.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

use super::builder::StartError;
use crate::net::tls::acceptor::{Acceptor, Failing, Identity};
use crate::net::tls::authority::Authority;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) authority: Arc<Authority>,
    pub(super) acceptor: Arc<Acceptor>,
    /// Trusts the authority alone.
    pub(super) client: Arc<ClientConfig>,
}

impl Keys {
    /// New ones, for a server that fails in this way.
    pub(super) fn new(failing: Option<Failing>) -> Result<Self, StartError> {
        let authority = Arc::new(Authority::ephemeral()?);
        let names = ["localhost", "127.0.0.1"].map(str::to_owned).to_vec();
        let identity = Identity::Minted(Arc::clone(&authority));
        let acceptor = Arc::new(Acceptor::new(identity, names).failing(failing));
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone())?;
        let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { authority, acceptor, client: Arc::new(client) })
    }
}
