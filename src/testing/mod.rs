//! A POP3 server for tests, in the test's own process: real sockets on loopback, a port of its own, gone when it is
//! dropped. It serves a maildrop or replays a recording, tells what it received, and asserts on it.
//!
//! ```
//! use std::io::{BufRead, BufReader, Write};
//! use poptape::maildrop::load;
//! use poptape::testing::{MockServer, never, times};
//!
//! let server = MockServer::serve(load(["Subject: tea\r\n\r\nat five\r\n"])).user("kcope", "secret").start()?;
//!
//! // The code under test, here by hand.
//! let stream = std::net::TcpStream::connect(server.addr())?;
//! let mut answers = BufReader::new(stream.try_clone()?).lines();
//! answers.next();
//! for line in ["USER kcope", "PASS secret", "RETR 1", "QUIT"] {
//!     write!(&stream, "{line}\r\n")?;
//!     answers.next();
//! }
//! # drop(answers);
//!
//! server.assert_received("RETR 1", times(1));
//! server.assert_received("DELE", never());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # TLS
//!
//! With [`Builder::tls`] clients come under TLS; [`MockServer::client_config`] and [`MockServer::ca_pem`] are what they
//! need to trust the server. Where TLS comes first:
//!
//! ```
//! use std::io::{BufRead, BufReader};
//! use std::net::TcpStream;
//! use poptape::testing::{MockServer, Security, rustls};
//!
//! let server = MockServer::serve(["Subject: tea\r\n\r\nat five\r\n"]).tls(Security::Implicit).start()?;
//! assert!(server.url().starts_with("pop3s://127.0.0.1:"));
//!
//! let tls = rustls::ClientConnection::new(server.client_config(), "localhost".try_into()?)?;
//! let mut client = BufReader::new(rustls::StreamOwned::new(tls, TcpStream::connect(server.addr())?));
//! let mut greeting = String::new();
//! client.read_line(&mut greeting)?;
//! assert!(greeting.starts_with("+OK"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! And where a client asks for it by STLS, here of a recording of a session in clear:
//!
//! ```
//! use std::io::{BufRead, BufReader, Write};
//! use std::net::TcpStream;
//! use poptape::testing::{MockServer, Security, once, rustls};
//!
//! let server = MockServer::replay("recordings/seed.json").tls(Security::Stls).start()?;
//! let mut stream = TcpStream::connect(server.addr())?;
//! let mut clear = BufReader::new(stream.try_clone()?).lines();
//! clear.next();
//! stream.write_all(b"STLS\r\n")?;
//! assert_eq!(clear.next().transpose()?.as_deref(), Some("+OK begin TLS negotiation"));
//!
//! let tls = rustls::ClientConnection::new(server.client_config(), "localhost".try_into()?)?;
//! let mut client = BufReader::new(rustls::StreamOwned::new(tls, stream));
//! client.get_mut().write_all(b"USER kcope\r\n")?;
//! let mut answer = String::new();
//! client.read_line(&mut answer)?;
//! assert_eq!(answer, "+OK\r\n");
//! server.assert_received("USER kcope", once());
//! assert_eq!(server.handshakes()[0].server_name.as_deref(), Some("localhost"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Threads
//!
//! It runs on a thread of its own, so it serves synchronous and asynchronous tests alike; nothing in it waits for
//! the caller. A command is received before its answer leaves: who has the answer finds the command here.

mod builder;
mod keys;
mod received;
mod server;

pub use self::builder::{Builder, Messages, StartError};
pub use self::received::{Received, Times, at_least, never, once, times};
pub use self::server::MockServer;
pub use crate::net::tls::acceptor::Failing;
pub use crate::net::tls::authority::Flaw;
pub use crate::wire::Security;
/// The TLS library whose [client configuration](MockServer::client_config) a test gets.
pub use rustls;
