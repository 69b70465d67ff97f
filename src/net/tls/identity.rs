//! Certificates and keys that the user gives as PEM files (RFC 7468).

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, RootCertStore};

/// Why a file is of no use. Each names the file.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It has no certificates.
    #[error(
        "{path} holds no certificate as PEM (-----BEGIN CERTIFICATE-----). If it is DER, convert it: openssl x509 \
         -inform der -in {path}",
        path = path.display()
    )]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// It has no key.
    #[error("{} holds no private key as PEM (PKCS#8, SEC1 or PKCS#1)", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// It has a key that a password protects.
    #[error("the key in {path} is encrypted. Decrypt it: openssl pkey -in {path}", path = path.display())]
    Encrypted {
        /// The file.
        path: PathBuf,
    },
    /// It belongs to another certificate.
    #[error(
        "the key in {} does not belong to the first certificate in {}, which must be the server's own",
        key.display(),
        certificate.display()
    )]
    Misfit {
        /// The file with the certificate.
        certificate: PathBuf,
        /// The file with the key.
        key: PathBuf,
    },
    /// What it holds cannot be used.
    #[error("{}: {what}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        what: String,
    },
}

/// A bundle of all the roots of the world has a quarter of it.
const LIMIT: u64 = 1 << 22;

/// A certificate with its chain, and its key, which may be in the same file.
pub fn load_identity(certificate: &Path, key: &Path) -> Result<Arc<CertifiedKey>, IdentityError> {
    let unusable = |path: &Path, what: String| IdentityError::Unusable { path: path.to_owned(), what };
    let chain = certificates(certificate)?;
    let provider = default_provider();
    let signing = provider
        .key_provider
        .load_private_key(private_key(key)?)
        .map_err(|error| unusable(key, format!("its private key cannot be used: {error}")))?;
    let identity = CertifiedKey::new(chain, signing);
    match identity.keys_match() {
        // That the two fit cannot be said of every key.
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(Arc::new(identity)),
        Err(Error::InconsistentKeys(_)) => {
            Err(IdentityError::Misfit { certificate: certificate.to_owned(), key: key.to_owned() })
        }
        Err(error) => Err(unusable(certificate, format!("its first certificate cannot be used: {error}"))),
    }
}

/// Roots to trust. What is no root among them is passed over, as long as one is.
pub fn load_roots(path: &Path) -> Result<RootCertStore, IdentityError> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates(path)?);
    if added == 0 {
        let what = "none of its certificates can be used as a root".to_owned();
        return Err(IdentityError::Unusable { path: path.to_owned(), what });
    }
    Ok(roots)
}

/// The certificates of a PEM file, at least one.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let pem = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(IdentityError::NoCertificate { path: path.to_owned() }),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, IdentityError> {
    let pem = read(path)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
        let path = path.to_owned();
        // PKCS#8 says so in its first line, the formats before it in a header.
        let encrypted = memchr::memmem::find(&pem, b"ENCRYPTED").is_some();
        if encrypted { IdentityError::Encrypted { path } } else { IdentityError::NoKey { path } }
    })
}

fn read(path: &Path) -> Result<Vec<u8>, IdentityError> {
    let mut octets = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LIMIT).read_to_end(&mut octets))
        .map_err(|source| IdentityError::File { path: path.to_owned(), source })?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::tls::authority::Authority;

    /// Names a file of `text` in `folder`.
    fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn a_certificate_and_its_key_are_found_in_one_file_or_two() {
        let folder = tempfile::tempdir().unwrap();
        let ((certificate, key), (other, other_key)) = (pair(), pair());
        let both = file(folder.path(), "both.pem", &format!("{key}{certificate}{other}"));
        let chain = file(folder.path(), "chain.pem", &format!("a note\n{certificate}{other}"));
        let alone = file(folder.path(), "key.pem", &key);
        for (certificate, key) in [(&both, &both), (&chain, &alone), (&chain, &both)] {
            assert_eq!(load_identity(certificate, key).unwrap().cert.len(), 2);
        }
        let wrong = file(folder.path(), "other.pem", &other_key);
        let error = load_identity(&chain, &wrong).unwrap_err();
        assert!(matches!(&error, IdentityError::Misfit { .. }), "{error}");
        // A chain in the wrong order is the usual reason.
        let turned = file(folder.path(), "turned.pem", &format!("{other}{certificate}"));
        assert!(matches!(load_identity(&turned, &alone).unwrap_err(), IdentityError::Misfit { .. }));
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = pair();
        let certificate = file(folder.path(), "certificate.pem", &certificate);
        let key = file(folder.path(), "key.pem", &key);
        let encrypted = file(
            folder.path(),
            "encrypted.pem",
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n",
        );
        let older = file(
            folder.path(),
            "older.pem",
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nMIIB\n\
             -----END RSA PRIVATE KEY-----\n",
        );
        let noise = file(
            folder.path(),
            "noise.pem",
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n\
             -----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n",
        );
        for (certificate, key, said) in [
            (&key, &key, "key.pem holds no certificate"),
            (&certificate, &certificate, "certificate.pem holds no private key"),
            (&certificate, &encrypted, "openssl pkey -in"),
            (&certificate, &older, "openssl pkey -in"),
            (&certificate, &noise, "noise.pem: its private key cannot be used"),
            (&noise, &key, "noise.pem: its first certificate cannot be used"),
            (&folder.path().join("none"), &key, "cannot read"),
        ] {
            let error = load_identity(certificate, key).unwrap_err().to_string();
            assert!(error.contains(said), "{said}: {error}");
        }
    }

    #[test]
    fn roots_are_several_or_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (Authority::ephemeral().unwrap().pem(), Authority::ephemeral().unwrap().pem());
        let noise = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
        let roots = file(folder.path(), "roots.pem", &format!("{one}{noise}{two}"));
        assert_eq!(load_roots(&roots).unwrap().len(), 2);
        for (text, said) in [("", "holds no certificate"), (noise, "can be used as a root")] {
            let error = load_roots(&file(folder.path(), "bad.pem", text)).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
