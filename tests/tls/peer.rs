//! A client of TLS that does exactly what a test wants.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use poptape::net::tls::authority::Authority;
use rustls::crypto::ring;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};

use super::Listening;

/// Trusts an authority, and speaks these versions.
pub fn trusting(authority: &Authority, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap();
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

/// A client under TLS.
pub struct Secure(BufReader<StreamOwned<ClientConnection, TcpStream>>);

impl Secure {
    /// Makes its handshake on a connection, for `localhost`.
    pub fn begin(stream: TcpStream, config: Arc<ClientConfig>) -> std::io::Result<Self> {
        let connection = ClientConnection::new(config, "localhost".try_into().unwrap()).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self(BufReader::new(stream)))
    }

    /// Where TLS comes first.
    pub fn implicit(to: &Listening) -> Self {
        Self::begin(to.proxy.connect(), trusting(&to.authority, rustls::DEFAULT_VERSIONS)).unwrap()
    }

    /// By STLS.
    pub fn stls(to: &Listening) -> Self {
        let stream = asked(to, b"STLS\r\n");
        Self::begin(stream, trusting(&to.authority, rustls::DEFAULT_VERSIONS)).unwrap()
    }

    pub fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.0.read_line(&mut line).unwrap() > 0, "the end came instead of a line");
        line.trim_end().to_owned()
    }

    /// The status line.
    pub fn ask(&mut self, command: &str) -> String {
        write!(self.0.get_mut(), "{command}\r\n").unwrap();
        self.line()
    }

    /// The lines of a body.
    pub fn body(&mut self, command: &str) -> Vec<String> {
        assert!(self.ask(command).starts_with("+OK"), "{command}");
        std::iter::from_fn(|| Some(self.line()).filter(|line| line != ".")).collect()
    }

    /// All that comes up to the end; an error where that comes without `close_notify`.
    pub fn rest(&mut self) -> std::io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest)?;
        Ok(rest)
    }

    pub fn connection(&self) -> &ClientConnection {
        &self.0.get_ref().conn
    }

    /// Says that it is done, as TLS has it (RFC 8446 section 6.1).
    pub fn close(mut self) {
        let stream = self.0.get_mut();
        stream.conn.send_close_notify();
        stream.conn.complete_io(&mut stream.sock).unwrap();
    }

    /// Sends octets past TLS.
    pub fn in_clear(&mut self, octets: &[u8]) {
        self.0.get_mut().sock.write_all(octets).unwrap();
    }

    /// Goes without a word of TLS.
    pub fn cut_off(self) {
        drop(self.0.into_inner().sock);
    }
}

/// A connection in clear that has read the greeting, sent octets, and read the answer to STLS.
pub fn asked(to: &Listening, octets: &[u8]) -> TcpStream {
    let mut stream = to.proxy.connect();
    assert!(line(&mut stream).starts_with("+OK"), "no greeting");
    stream.write_all(octets).unwrap();
    assert_eq!(line(&mut stream), "+OK begin TLS negotiation");
    stream
}

/// A line, and no octet behind it.
pub fn line(stream: &mut TcpStream) -> String {
    let (mut line, mut octet) = (Vec::new(), [0]);
    while !line.ends_with(b"\n") && stream.read(&mut octet).unwrap() > 0 {
        line.push(octet[0]);
    }
    String::from_utf8(line).unwrap().trim_end().to_owned()
}
