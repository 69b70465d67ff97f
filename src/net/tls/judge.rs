//! The judge of an upstream's certificates: verifies them against the roots and the name, and remembers what it found,
//! also where the user wants them taken whatever they are.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::certificate;
use super::failure::flaw;
use crate::wire::{Certificate, Trust};

/// What all sessions of a run are judged by.
#[derive(Debug)]
pub(super) struct Law {
    pub(super) roots: RootCertStore,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    /// Certificates that the user has named: a server that shows one of them is the one that is meant, whoever signed it.
    pub(super) pinned: Vec<CertificateDer<'static>>,
    /// Whatever is found, go on.
    pub(super) insecure: bool,
}

/// The judge of one handshake.
#[derive(Debug)]
pub(super) struct Judge {
    law: Arc<Law>,
    found: Mutex<Found>,
}

#[derive(Debug, Default)]
struct Found {
    chain: Vec<Certificate>,
    trust: Option<Trust>,
}

impl Judge {
    pub(super) fn new(law: Arc<Law>) -> Self {
        Self { law, found: Mutex::default() }
    }

    /// The server's certificates, and what was found of them.
    pub(super) fn found(&self) -> (Vec<Certificate>, Option<Trust>) {
        let found = std::mem::take(&mut *self.found.lock().unwrap_or_else(PoisonError::into_inner));
        (found.chain, found.trust)
    }
}

impl Law {
    /// Who signed it, when, and for whom.
    fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Error> {
        let parsed = ParsedCertificate::try_from(leaf)?;
        if self.pinned.iter().any(|pinned| pinned == leaf) {
            within_its_time(leaf, now)?;
        } else {
            let algorithms = self.algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, intermediates, now, algorithms)?;
        }
        verify_server_name(&parsed, name)
    }

    /// A certificate that cannot even be read has no key to check a signature with; that is no reason to stop where
    /// nothing is verified. A signature that is wrong is one anywhere.
    fn tolerate(
        &self,
        verified: Result<HandshakeSignatureValid, Error>,
    ) -> Result<HandshakeSignatureValid, Error> {
        match verified {
            Err(Error::InvalidCertificate(error))
                if self.insecure && error != CertificateError::BadSignature =>
            {
                Ok(HandshakeSignatureValid::assertion())
            }
            other => other,
        }
    }
}

/// A certificate that is trusted as it is has an end all the same.
fn within_its_time(leaf: &CertificateDer<'_>, now: UnixTime) -> Result<(), CertificateError> {
    let (_, parsed) = x509_parser::parse_x509_certificate(leaf).map_err(|_| CertificateError::BadEncoding)?;
    let (validity, now) = (parsed.validity(), i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
    if now < validity.not_before.timestamp() {
        Err(CertificateError::NotValidYet)
    } else if now > validity.not_after.timestamp() {
        Err(CertificateError::Expired)
    } else {
        Ok(())
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.law.verify(leaf, intermediates, name, now);
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.chain = certificate::chain(std::iter::once(leaf).chain(intermediates));
        match verified {
            Ok(()) => found.trust = Some(Trust::Verified),
            Err(error) if self.law.insecure => {
                found.trust = Some(Trust::Overruled(match &error {
                    Error::InvalidCertificate(error) => flaw(error),
                    other => other.to_string(),
                }));
            }
            Err(error) => return Err(error),
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.law.tolerate(verify_tls12_signature(message, leaf, signature, &self.law.algorithms))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.law.tolerate(verify_tls13_signature(message, leaf, signature, &self.law.algorithms))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.law.algorithms.supported_schemes()
    }
}
