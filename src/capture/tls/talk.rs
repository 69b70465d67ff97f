//! TLS conversations for tests: `rustls` talks to itself in memory, and what both send is kept in order, with the
//! key log of it. It uses nothing of ours, so that whoever writes capture files can have it too.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection,
};

/// What both sides know before they connect; sessions are resumed in the second conversation of one.
pub(crate) struct Parties {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    keys: Arc<Keys>,
}

/// A conversation that went on.
pub(crate) struct Talk {
    client: Connection,
    server: Connection,
    keys: Arc<Keys>,
    /// What was sent, in order; true where the client did.
    pub(crate) wire: Vec<(bool, Vec<u8>)>,
}

#[derive(Debug, Default)]
struct Keys(Mutex<String>);

impl rustls::KeyLog for Keys {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let hex =
            |octets: &[u8]| octets.iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().concat();
        let line = format!("{label} {} {}\n", hex(client_random), hex(secret));
        self.0.lock().unwrap().push_str(&line);
    }
}

impl Parties {
    /// They agree on the suite, and on `pop3` by ALPN.
    pub(crate) fn new(suite: CipherSuite) -> Self {
        let mut provider = rustls::crypto::ring::default_provider();
        provider.cipher_suites.retain(|one| one.suite() == suite);
        let provider = Arc::new(provider);
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec!["pop.example".to_owned()]).unwrap().self_signed(&key).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        let keys = Arc::new(Keys::default());
        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.alpn_protocols = vec![b"pop3".to_vec()];
        client.key_log = Arc::clone(&keys) as _;
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        server.alpn_protocols = vec![b"pop3".to_vec()];
        server.ticketer = rustls::crypto::ring::Ticketer::new().unwrap();
        Self { client: Arc::new(client), server: Arc::new(server), keys }
    }

    /// They accept early data from now on.
    pub(crate) fn with_early_data(mut self) -> Self {
        Arc::make_mut(&mut self.client).enable_early_data = true;
        let server = Arc::make_mut(&mut self.server);
        server.max_early_data_size = 4096;
        server.ticketer = Arc::new(NoTickets);
        self
    }

    /// The client trusts nobody from now on.
    pub(crate) fn distrusting(mut self) -> Self {
        let client = Arc::make_mut(&mut self.client);
        let none = ClientConfig::builder_with_provider(Arc::clone(client.crypto_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        let old = std::mem::replace(client, none);
        client.key_log = old.key_log;
        Arc::make_mut(&mut self.server).key_log = Arc::clone(&self.keys) as _;
        self
    }

    /// They connect; nothing was sent yet.
    pub(crate) fn connect(&self) -> Talk {
        let name = ServerName::try_from("pop.example").unwrap();
        let client = ClientConnection::new(Arc::clone(&self.client), name).unwrap();
        let server = ServerConnection::new(Arc::clone(&self.server)).unwrap();
        Talk { client: client.into(), server: server.into(), keys: Arc::clone(&self.keys), wire: Vec::new() }
    }
}

/// Tickets that are not: rustls gives early data only to sessions that the server remembers.
#[derive(Debug)]
struct NoTickets;

impl rustls::server::ProducesTickets for NoTickets {
    fn enabled(&self) -> bool {
        false
    }
    fn lifetime(&self) -> u32 {
        0
    }
    fn encrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
    fn decrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

impl Talk {
    /// A side says something; both send what they have, until neither has more. Gives what the other side understood.
    pub(crate) fn say(&mut self, client: bool, octets: &[u8]) -> Vec<u8> {
        let mut heard = Vec::new();
        // A record at a time: rustls takes no more before what it has is read.
        for record in octets.chunks(1 << 14) {
            self.sides(client).0.writer().write_all(record).unwrap();
            self.settle();
            let (_, to) = self.sides(client);
            // At the end of what is there it would block, or the peer closed.
            let _ = to.reader().read_to_end(&mut heard);
        }
        heard
    }

    /// A side says something at once, ahead of the handshake (0-RTT).
    pub(crate) fn say_early(&mut self, octets: &[u8]) {
        let Connection::Client(client) = &mut self.client else { panic!("a client") };
        client.early_data().expect("a session to resume").write_all(octets).unwrap();
        self.settle();
    }

    /// Both send what they have, until neither has more.
    pub(crate) fn settle(&mut self) {
        while self.client.wants_write() || self.server.wants_write() {
            for client in [true, false] {
                let mut octets = Vec::new();
                let (from, to) = self.sides(client);
                while from.wants_write() {
                    from.write_tls(&mut octets).unwrap();
                }
                let mut rest = octets.as_slice();
                while !rest.is_empty() && to.read_tls(&mut rest).is_ok_and(|read| read > 0) {
                    let _ = to.process_new_packets();
                }
                if !octets.is_empty() {
                    self.wire.push((client, octets));
                }
            }
        }
    }

    /// A side changes its keys, and asks the other to (TLS 1.3).
    pub(crate) fn update_keys(&mut self, client: bool) {
        self.sides(client).0.refresh_traffic_keys().unwrap();
        self.settle();
    }

    /// A side says that it is done.
    pub(crate) fn close(&mut self, client: bool) {
        self.sides(client).0.send_close_notify();
        self.settle();
    }

    /// The key log, of all conversations of the parties.
    pub(crate) fn keys(&self) -> String {
        self.keys.0.lock().unwrap().clone()
    }

    /// The handshake took up an earlier session.
    pub(crate) fn is_resumed(&self) -> bool {
        self.client.handshake_kind() == Some(rustls::HandshakeKind::Resumed)
    }

    const fn sides(&mut self, client: bool) -> (&mut Connection, &mut Connection) {
        if client { (&mut self.client, &mut self.server) } else { (&mut self.server, &mut self.client) }
    }
}
