//! The load: a client on a raw socket that verifies every octet that it gets.

use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::mail;

/// How long what must come may take. Never reached unless something is broken.
const PATIENCE: Duration = Duration::from_mins(1);

/// A read from the socket.
const READ: usize = 256 * 1024;

/// What the upstream says.
pub const GREETING: &str = "+OK ready\r\n";

/// A connection in clear or under TLS.
enum Stream {
    Clear(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(stream) => stream.read(into),
            Self::Tls(stream) => stream.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Clear(stream) => stream.write(octets),
            Self::Tls(stream) => stream.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// A session.
pub struct Client {
    stream: BufReader<Stream>,
    read: Vec<u8>,
}

impl Client {
    /// Connects, with TLS where there is a configuration for it.
    pub fn connect(address: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let stream = match tls {
            None => Stream::Clear(stream),
            Some(config) => {
                let name = ServerName::try_from("localhost").unwrap();
                let connection = ClientConnection::new(Arc::clone(config), name).unwrap();
                Stream::Tls(Box::new(StreamOwned::new(connection, stream)))
            }
        };
        // A buffer of usual size: what is larger is read past it.
        Self { stream: BufReader::with_capacity(8 * 1024, stream), read: Vec::new() }
    }

    /// Sends octets.
    pub fn send(&mut self, octets: &[u8]) {
        self.stream.get_mut().write_all(octets).unwrap();
        self.stream.get_mut().flush().unwrap();
    }

    /// Reads exactly this.
    #[track_caller]
    pub fn expect(&mut self, octets: &[u8]) {
        self.read.resize(octets.len(), 0);
        self.stream.read_exact(&mut self.read).unwrap();
        assert!(self.read == octets, "{:?}", String::from_utf8_lossy(&self.read[..octets.len().min(200)]));
    }

    /// A command and its whole response.
    #[track_caller]
    pub fn exchange(&mut self, command: &str, response: &str) {
        self.send(command.as_bytes());
        self.expect(response.as_bytes());
    }

    /// Greeting and login at the upstream.
    pub fn log_in(&mut self) {
        self.expect(GREETING.as_bytes());
        self.exchange("USER kcope\r\n", "+OK\r\n");
        self.exchange("PASS secret\r\n", "+OK\r\n");
    }

    /// Fetches a message of so many KiB.
    pub fn retrieve(&mut self, kib: u64) {
        self.exchange(&format!("RETR {kib}\r\n"), &mail::status(kib));
        self.message(kib);
    }

    /// The message behind the status line.
    pub fn message(&mut self, kib: u64) {
        let (all, mut seen) = (mail::octets(kib), 0);
        self.read.resize(READ, 0);
        while seen < all {
            let want = (READ as u64).min(all - seen) as usize;
            let came = self.stream.read(&mut self.read[..want]).unwrap();
            assert!(came > 0, "the message ended early");
            let mut checked = 0;
            while checked < came {
                let right = mail::from(seen + checked as u64);
                let part = right.len().min(came - checked);
                assert!(self.read[checked..checked + part] == right[..part], "another octet than was sent");
                checked += part;
            }
            seen += came as u64;
        }
        self.expect(b".\r\n");
    }

    /// A line that says yes, whatever its text.
    pub fn yes(&mut self) {
        let line = self.line();
        assert!(line.starts_with(b"+OK"), "{}", String::from_utf8_lossy(&line));
    }

    /// A line with its ending.
    pub fn line(&mut self) -> Vec<u8> {
        let mut line = Vec::new();
        io::BufRead::read_until(&mut self.stream, b'\n', &mut line).unwrap();
        line
    }

    /// Nothing more comes.
    pub fn end(mut self) {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            // Not every subject says that TLS is over.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            other => drop(other.unwrap()),
        }
        assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
    }

    /// QUIT and the end.
    pub fn quit(mut self) {
        self.exchange("QUIT\r\n", "+OK\r\n");
        self.end();
    }
}

/// A short session, as a client has that looks for mail and fetches one message.
pub fn short_session(address: SocketAddr, tls: Option<&Arc<ClientConfig>>) {
    let mut client = Client::connect(address, tls);
    client.log_in();
    client.exchange("STAT\r\n", "+OK 3 3000\r\n");
    client.exchange("LIST\r\n", &mail::listing(3));
    client.retrieve(2);
    client.quit();
}
