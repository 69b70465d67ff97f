//! TLS for a benchmark: a certificate that everybody trusts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// Files.
pub struct Pki {
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// What a client has.
    pub client: Arc<ClientConfig>,
}

impl Pki {
    /// Makes one for `localhost`.
    pub fn new(folder: &Path) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let made = params.self_signed(&key).unwrap();
        let (certificate, key_path) = (folder.join("certificate.pem"), folder.join("key.pem"));
        std::fs::write(&certificate, made.pem()).unwrap();
        std::fs::write(&key_path, key.serialize_pem()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(made.der().clone()).unwrap();
        let mut client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        // Each session is a client of its own.
        client.resumption = Resumption::disabled();
        Self { certificate, key: key_path, client: Arc::new(client) }
    }
}

/// What the upstream has, from such files.
pub fn server(certificate: &Path, key: &Path) -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_file(certificate).unwrap();
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    Arc::new(config)
}
