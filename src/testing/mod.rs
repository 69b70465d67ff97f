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
//! It runs on a thread of its own, so it serves synchronous and asynchronous tests alike; nothing in it waits for
//! the caller. A command is received before its answer leaves: who has the answer finds the command here.

mod received;
mod server;

pub use self::received::{Received, Times, at_least, never, once, times};
pub use self::server::{Builder, Messages, MockServer, StartError};
