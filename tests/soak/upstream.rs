//! A server that says something else in each session.

use std::net::{Ipv4Addr, SocketAddr};

use poptape::wire::Side::{Client, Server};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use super::load::Talk;

/// The answer to a line of session `n`.
fn answer(n: usize, line: &str) -> String {
    match line.split(' ').next().unwrap_or_default() {
        "STAT" => format!("+OK 1 {n}\r\n"),
        "RETR" => format!("+OK\r\nSubject: {n}\r\n\r\n{}.\r\n", format!("line {n}\r\n").repeat(n % 50)),
        word => format!("+OK {word} {n}\r\n"),
    }
}

/// Session `n`.
pub fn talk(n: usize) -> Talk {
    let mut turns = vec![(Server, b"+OK ready\r\n".to_vec())];
    for line in [&format!("USER n{n}"), &format!("PASS p{n}"), "STAT", "RETR 1", "DELE 1", "QUIT"] {
        turns.push((Client, format!("{line}\r\n").into_bytes()));
        turns.push((Server, answer(n, line).into_bytes()));
    }
    Talk { turns }
}

/// The number of the session in which a client said this.
pub fn number(said: &[u8]) -> usize {
    let line = said.split(|octet| *octet == b'\r').next().unwrap();
    std::str::from_utf8(line).unwrap().strip_prefix("USER n").unwrap().parse().unwrap()
}

/// Starts it, for as long as the test runs.
pub fn start() -> SocketAddr {
    let (sender, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let (reading, mut writing) = stream.into_split();
                    writing.write_all(b"+OK ready\r\n").await?;
                    let (mut lines, mut n) = (BufReader::with_capacity(512, reading).lines(), 0);
                    while let Some(line) = lines.next_line().await? {
                        if line.starts_with("USER ") {
                            n = number(line.as_bytes());
                        }
                        writing.write_all(answer(n, &line).as_bytes()).await?;
                        if line == "QUIT" {
                            break;
                        }
                    }
                    std::io::Result::Ok(())
                });
            }
        });
    });
    address.recv().unwrap()
}
