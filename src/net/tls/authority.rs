//! poptape's own certificate authority: who trusts it is served under any name.

mod error;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use chrono::TimeDelta;
use rcgen::KeyPair;
use rustls::crypto::ring::sign::any_ecdsa_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SigningKey};

pub use self::error::AuthorityError;
use super::certificate;
use super::mint::{EARLIER, Signer, Validity};
use super::vault::Vault;
use crate::net::clock;
use crate::wire;

/// What is wrong with a certificate that a client is tested with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// It was valid until yesterday.
    Expired,
    /// It is for `wrong.host.invalid` (RFC 2606 section 2) alone.
    WrongHost,
    /// An authority signed it that nobody knows.
    Untrusted,
}

/// The name that nobody asks for.
const WRONG_HOST: &str = "wrong.host.invalid";

/// The longest that clients accept of a server's certificate.
const LEAF_LASTS: TimeDelta = TimeDelta::days(397);

/// Certificates that are kept for the next who asks. The names are those that strangers ask for.
const KEPT: usize = 256;

/// An authority: a root certificate with its key, and what it signed in this run.
#[derive(Debug)]
pub struct Authority {
    signer: Signer,
    /// Signs for [`Flaw::Untrusted`].
    stranger: OnceLock<Signer>,
    leaf: Leaf,
    issued: Mutex<HashMap<Wanted, Arc<CertifiedKey>>>,
    vault: Option<Vault>,
    is_new: bool,
    warnings: Vec<String>,
}

/// What a certificate was asked for.
type Wanted = (Vec<ServerName<'static>>, Option<Flaw>);

/// The key of all the certificates of a run, as the two libraries want it.
#[derive(Debug)]
struct Leaf {
    public: KeyPair,
    signing: Arc<dyn SigningKey>,
}

impl Authority {
    /// That of a folder; it is made where there is none. Processes that begin at once get the same one.
    pub fn open(folder: &Path) -> Result<Self, AuthorityError> {
        let vault = Vault(folder.to_owned());
        let mut is_new = false;
        let mut pem = vault.read()?;
        let mut warnings = Vec::new();
        if pem.is_none() {
            for aside in vault.set_aside()? {
                warnings.push(format!(
                    "a certificate without its key was there, and is now {}: who trusts that does not trust this",
                    aside.display()
                ));
            }
            is_new = vault.put(&Signer::new(OURS, clock::wall())?.secret_pem())?;
            pem = vault.read()?;
        }
        let path = vault.secret();
        let pem = pem.ok_or_else(|| AuthorityError::file("read", &path, io::ErrorKind::NotFound.into()))?;
        let signer =
            Signer::from_pem(&pem).map_err(|what| AuthorityError::Damaged { path: path.clone(), what })?;
        let (from, until) = signer.validity;
        let now = clock::wall();
        if until <= now {
            return Err(AuthorityError::Expired { path, since: until });
        }
        if vault.is_open() {
            warnings.push(format!(
                "others than you may read the key of poptape's authority: chmod 600 {}",
                path.display()
            ));
        }
        if from > now {
            warnings.push(format!(
                "the authority in {} is valid from {from} on: is the clock right?",
                path.display()
            ));
        }
        // A folder that cannot be written to is no reason to do without the authority in it.
        warnings.extend(vault.publish(&signer.certificate_pem()).err().map(|error| error.to_string()));
        Self::of(signer, Some(vault), is_new, warnings)
    }

    /// A new one in a folder, and the files of the one that was there, under the names that they were given.
    pub fn renew(folder: &Path) -> Result<(Self, Vec<PathBuf>), AuthorityError> {
        let aside = Vault(folder.to_owned()).set_aside()?;
        Ok((Self::open(folder)?, aside))
    }

    /// One that ends with the process.
    pub fn ephemeral() -> Result<Self, AuthorityError> {
        Self::of(Signer::new(OURS, clock::wall())?, None, true, Vec::new())
    }

    fn of(
        signer: Signer,
        vault: Option<Vault>,
        is_new: bool,
        warnings: Vec<String>,
    ) -> Result<Self, AuthorityError> {
        let public = KeyPair::generate()?;
        let signing = any_ecdsa_type(&PrivateKeyDer::Pkcs8(public.serialize_der().into()))?;
        let (leaf, stranger, issued) = (Leaf { public, signing }, OnceLock::new(), Mutex::default());
        Ok(Self { signer, stranger, leaf, issued, vault, is_new, warnings })
    }

    /// The certificate that clients have to trust, as PEM.
    pub fn pem(&self) -> String {
        self.signer.certificate_pem()
    }

    /// The same as DER.
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.signer.certificate
    }

    /// What the certificate says.
    pub fn facts(&self) -> wire::Certificate {
        certificate::facts(self.der())
    }

    /// Where it is kept; None: only in memory.
    pub fn folder(&self) -> Option<&Path> {
        self.vault.as_ref().map(|vault| vault.0.as_path())
    }

    /// The file with the certificate alone.
    pub fn certificate_file(&self) -> Option<PathBuf> {
        self.vault.as_ref().map(Vault::public)
    }

    /// The file with the key.
    pub fn key_file(&self) -> Option<PathBuf> {
        self.vault.as_ref().map(Vault::secret)
    }

    /// Whether it was made just now: nobody can trust it yet.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// What its owner should look after.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// A certificate for a server with these names, DNS names and addresses, with its chain. What is neither is left out;
    /// where nothing remains it is for nobody.
    pub fn issue(&self, names: &[String], flaw: Option<Flaw>) -> Result<Arc<CertifiedKey>, AuthorityError> {
        let wanted = match flaw {
            Some(Flaw::WrongHost) => (legal(&[WRONG_HOST.to_owned()]), flaw),
            _ => (legal(names), flaw),
        };
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = issued.get(&wanted) {
            return Ok(Arc::clone(found));
        }
        let signer = if flaw == Some(Flaw::Untrusted) { self.stranger()? } else { &self.signer };
        let certificate = signer.leaf(&wanted.0, self.validity(flaw), &self.leaf.public)?;
        let chain = vec![certificate, signer.certificate.clone()];
        let made = Arc::new(CertifiedKey::new(chain, Arc::clone(&self.leaf.signing)));
        if issued.len() >= KEPT {
            issued.clear();
        }
        issued.insert(wanted, Arc::clone(&made));
        Ok(made)
    }

    fn stranger(&self) -> Result<&Signer, AuthorityError> {
        if let Some(stranger) = self.stranger.get() {
            return Ok(stranger);
        }
        let made = Signer::new(UNTRUSTED, clock::wall())?;
        Ok(self.stranger.get_or_init(|| made))
    }

    fn validity(&self, flaw: Option<Flaw>) -> Validity {
        let now = clock::wall();
        if flaw == Some(Flaw::Expired) {
            return (now - EARLIER - LEAF_LASTS, now - EARLIER);
        }
        // Both ends count, and some clients count days that have begun.
        (now - EARLIER, (now - EARLIER * 2 + LEAF_LASTS).min(self.signer.validity.1))
    }
}

/// What our roots are called, and those of strangers.
const OURS: &str = "poptape CA";
const UNTRUSTED: &str = "poptape untrusted CA";

/// The names that a certificate can be for (RFC 5280 section 4.2.1.6).
fn legal(names: &[String]) -> Vec<ServerName<'static>> {
    let mut legal = Vec::new();
    for name in names.iter().filter_map(|name| ServerName::try_from(name.to_ascii_lowercase()).ok()) {
        if !legal.contains(&name) {
            legal.push(name);
        }
    }
    legal
}

#[cfg(test)]
mod tests;
