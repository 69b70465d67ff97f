//! A server that does as little as it can, a thread a session. What it says is known beforehand.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::load::GREETING;
use crate::mail;

/// Serves until it is killed.
pub fn run(tls: Option<&Arc<ServerConfig>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    super::ready(listener.local_addr().unwrap());
    for stream in listener.incoming() {
        let (stream, tls) = (stream.unwrap(), tls.map(Arc::clone));
        stream.set_nodelay(true).unwrap();
        let session = move || {
            // A client that goes away is its own affair.
            let _ = match tls {
                None => clear(stream),
                Some(config) => {
                    let connection = ServerConnection::new(config).unwrap();
                    secure(StreamOwned::new(connection, stream))
                }
            };
        };
        std::thread::Builder::new().stack_size(128 * 1024).spawn(session).unwrap();
    }
}

fn clear(stream: TcpStream) -> std::io::Result<()> {
    let mut to = stream.try_clone()?;
    to.write_all(GREETING.as_bytes())?;
    serve(&mut BufReader::with_capacity(16 * 1024, stream), |from, octets| {
        let _ = from;
        to.write_all(octets)
    })
}

fn secure(stream: StreamOwned<ServerConnection, TcpStream>) -> std::io::Result<()> {
    let mut from = BufReader::with_capacity(16 * 1024, stream);
    from.get_mut().write_all(GREETING.as_bytes())?;
    serve(&mut from, |from, octets| from.get_mut().write_all(octets))?;
    from.get_mut().conn.send_close_notify();
    from.get_mut().flush()
}

/// Sends what it is given through a writer.
struct Through<'a, R, F>(&'a mut BufReader<R>, &'a mut F);

impl<R, F: FnMut(&mut BufReader<R>, &[u8]) -> std::io::Result<()>> Write for Through<'_, R, F> {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        (self.1)(self.0, octets).map(|()| octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn serve<R: Read>(
    from: &mut BufReader<R>,
    mut send: impl FnMut(&mut BufReader<R>, &[u8]) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let (mut line, mut answers) = (Vec::new(), Vec::new());
    let mut messages = 3;
    loop {
        line.clear();
        if from.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let (verb, argument) = line.split_at(4.min(line.len()));
        let number = || str::from_utf8(argument).ok()?.trim().parse::<u64>().ok();
        match verb {
            b"RETR" => {
                send(from, &answers)?;
                answers.clear();
                mail::send(number().unwrap_or(1), &mut Through(from, &mut send))?;
                continue;
            }
            // The name says how many messages there are.
            b"USER" => {
                messages = number().unwrap_or(messages);
                answers.extend_from_slice(b"+OK\r\n");
            }
            b"LIST" => answers.extend_from_slice(mail::listing(messages).as_bytes()),
            b"STAT" => answers.extend_from_slice(format!("+OK {messages} 3000\r\n").as_bytes()),
            _ => answers.extend_from_slice(b"+OK\r\n"),
        }
        // Commands sent together are answered together.
        if from.buffer().is_empty() || answers.len() > 32 * 1024 {
            send(from, &answers)?;
            answers.clear();
        }
        if verb == b"QUIT" {
            return Ok(());
        }
    }
}
