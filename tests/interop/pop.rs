//! A client that sends the line that it is told to, and reads the reply in the shape that it is told to expect.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use crate::support::{connect, text};

/// A connection.
pub struct Pop(BufReader<TcpStream>);

/// A reply: its status line without the CRLF, and the lines that follow it, unstuffed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    pub status: String,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn ok(&self) -> bool {
        self.status.starts_with("+OK")
    }

    /// Two numbers, the first ones of the status line or of a line of a listing.
    pub fn numbers(line: &str) -> (usize, usize) {
        let mut words = line.trim_start_matches("+OK ").split(' ').map(|word| word.parse().unwrap());
        (words.next().unwrap(), words.next().unwrap())
    }

    /// The lines of a listing: number and word.
    pub fn listing(&self) -> Vec<(usize, String)> {
        let body = text(&self.body);
        let lines = body.lines().map(|line| line.split_once(' ').unwrap());
        lines.map(|(n, word)| (n.parse().unwrap(), word.to_owned())).collect()
    }
}

/// Whether a command that succeeds is answered by more than a line.
pub fn is_multi_line(command: &str) -> bool {
    matches!(command, "CAPA" | "LIST" | "UIDL") || command.starts_with("RETR ") || command.starts_with("TOP ")
}

/// Reads the reply to a command.
pub fn read(stream: &mut impl BufRead, command: &str) -> Reply {
    let mut line = |octets: &mut Vec<u8>| {
        octets.clear();
        stream.read_until(b'\n', octets).unwrap();
        assert!(octets.ends_with(b"\r\n"), "{command}: no whole line: {}", text(octets));
    };
    let (mut octets, mut reply) = (Vec::new(), Reply::default());
    line(&mut octets);
    reply.status = text(&octets[..octets.len() - 2]);
    while reply.ok() && is_multi_line(command) {
        line(&mut octets);
        if octets == b".\r\n" {
            break;
        }
        reply.body.extend(octets.strip_prefix(b".").unwrap_or(&octets));
    }
    reply
}

impl Pop {
    /// Connects, and reads the greeting.
    pub fn connect(address: SocketAddr) -> (Self, Reply) {
        let mut pop = Self(BufReader::new(connect(address)));
        let greeting = read(&mut pop.0, "");
        (pop, greeting)
    }

    /// Connects and logs in.
    pub fn login(address: SocketAddr, user: &str) -> Self {
        let (mut pop, _) = Self::connect(address);
        pop.ok(&format!("USER {user}"));
        pop.ok("PASS any password");
        pop
    }

    pub fn ask(&mut self, command: &str) -> Reply {
        self.0.get_mut().write_all(format!("{command}\r\n").as_bytes()).unwrap();
        read(&mut self.0, command)
    }

    #[track_caller]
    pub fn ok(&mut self, command: &str) -> Reply {
        let reply = self.ask(command);
        assert!(reply.ok(), "{command}: {}", reply.status);
        reply
    }

    #[track_caller]
    pub fn refused(&mut self, command: &str) {
        let reply = self.ask(command);
        assert!(reply.status.starts_with("-ERR"), "{command}: {}", reply.status);
    }

    /// The connection, for what is no command with its reply.
    pub fn stream(&mut self) -> &mut BufReader<TcpStream> {
        &mut self.0
    }
}
