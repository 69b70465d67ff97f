//! TLS towards the upstream, where poptape is the client.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ClientConnection, KeyLog, RootCertStore, SignatureScheme};

use super::judge::{Judge, Law};

/// What the connections of a run to the upstream have in common.
#[derive(Debug)]
pub struct Connector {
    config: ClientConfig,
    law: Arc<Law>,
    name: ServerName<'static>,
    identity: Option<Arc<CertifiedKey>>,
}

/// What a [`Connector`] is made from.
#[derive(Debug)]
pub struct Connecting {
    /// The name that the certificate has to be for, and that is asked for (RFC 6066 section 3).
    pub name: ServerName<'static>,
    /// Who is trusted.
    pub roots: RootCertStore,
    /// Certificates that are trusted as the server's own.
    pub pinned: Vec<CertificateDer<'static>>,
    /// Take whatever certificate the server shows.
    pub insecure: bool,
    /// Shown where the server asks for a client's certificate.
    pub identity: Option<Arc<CertifiedKey>>,
    /// Where the secrets of its connections go.
    pub key_log: Option<Arc<dyn KeyLog>>,
}

impl Connector {
    /// Fails where rustls finds no version of TLS to speak.
    pub fn new(connecting: Connecting) -> Result<Self, rustls::Error> {
        let Connecting { name, roots, pinned, insecure, identity, key_log } = connecting;
        let provider = ring::default_provider();
        let algorithms = provider.signature_verification_algorithms;
        let law = Arc::new(Law { roots, algorithms, pinned, insecure });
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Judge::new(Arc::clone(&law))))
            .with_no_client_auth();
        // Each session shows the server's certificates, as a client that comes for the first time sees them.
        config.resumption = Resumption::disabled();
        if let Some(key_log) = key_log {
            config.key_log = key_log;
        }
        Ok(Self { config, law, name, identity })
    }

    /// A connection that has not begun, with those who know afterwards what came of it.
    pub(super) fn connection(&self) -> Result<(ClientConnection, Arc<Judge>, Arc<Asked>), rustls::Error> {
        let judge = Arc::new(Judge::new(Arc::clone(&self.law)));
        let asked = Arc::new(Asked { identity: self.identity.clone(), asked: AtomicBool::new(false) });
        let mut config = self.config.clone();
        config.dangerous().set_certificate_verifier(Arc::clone(&judge) as Arc<_>);
        config.client_auth_cert_resolver = Arc::clone(&asked) as Arc<_>;
        let connection = ClientConnection::new(Arc::new(config), self.name.clone())?;
        Ok((connection, judge, asked))
    }

    /// The name that is asked for; an address is not (RFC 6066 section 3).
    pub(super) fn asked_for(&self) -> Option<String> {
        match &self.name {
            ServerName::DnsName(name) => Some(name.as_ref().to_owned()),
            _ => None,
        }
    }
}

/// Shows a client's certificate where the server asks for one, and knows whether it did.
#[derive(Debug)]
pub(super) struct Asked {
    identity: Option<Arc<CertifiedKey>>,
    asked: AtomicBool,
}

impl Asked {
    /// Whether the server asked for a certificate that there is not.
    pub(super) fn in_vain(&self) -> bool {
        self.identity.is_none() && self.asked.load(Ordering::Relaxed)
    }
}

impl ResolvesClientCert for Asked {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        self.identity.clone()
    }

    fn has_certs(&self) -> bool {
        // The resolver is asked only where there may be one.
        true
    }
}
