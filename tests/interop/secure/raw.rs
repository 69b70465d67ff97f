//! Peers that say exactly what a test wants, in clear and under TLS.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::pki::Pair;
use crate::support::text;

pub type TlsClient = StreamOwned<ClientConnection, TcpStream>;
pub type TlsServer = StreamOwned<ServerConnection, TcpStream>;

/// A client that trusts whoever is in the file, and finds `localhost`.
pub fn client_config(ca: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// Begins TLS as its client, and takes the handshake to its end.
pub fn begin(mut stream: TcpStream, ca: &Path) -> TlsClient {
    let mut connection = ClientConnection::new(client_config(ca), "localhost".try_into().unwrap()).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).unwrap();
    }
    StreamOwned::new(connection, stream)
}

pub fn server_config(pair: &Pair) -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_file(&pair.certificate).unwrap();
    let key = PrivateKeyDer::from_pem_file(&pair.key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    Arc::new(config)
}

/// Lets the client begin TLS, and takes the handshake to its end.
pub fn accept(mut stream: TcpStream, config: &Arc<ServerConfig>) -> TlsServer {
    let mut connection = ServerConnection::new(Arc::clone(config)).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).unwrap();
    }
    StreamOwned::new(connection, stream)
}

/// Sends this, at once.
#[track_caller]
pub fn say(stream: &mut impl Write, octets: &str) {
    stream.write_all(octets.as_bytes()).unwrap();
    stream.flush().unwrap();
}

/// Reads exactly this.
#[track_caller]
pub fn hear(stream: &mut impl Read, octets: &str) {
    let mut read = vec![0; octets.len()];
    stream.read_exact(&mut read).unwrap_or_else(|error| panic!("{error} instead of {octets:?}"));
    assert_eq!(text(&read), octets);
}

/// How a stream ended: what came until then, and whether TLS said that nothing was cut off.
pub fn end(stream: &mut impl Read) -> (Vec<u8>, bool) {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => (rest, true),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => (rest, false),
        Err(error) => panic!("{error}"),
    }
}
