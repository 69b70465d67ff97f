use std::io::{BufRead, BufReader, Result, Write};
use std::net::{SocketAddr, TcpStream};

use poptape::testing::{MockServer, never, times};

/// The code under test: how many messages are waiting?
fn waiting(addr: SocketAddr, user: &str, password: &str) -> Result<usize> {
    let stream = TcpStream::connect(addr)?;
    let mut lines = BufReader::new(&stream).lines();
    let mut ask = |command: String| {
        write!(&stream, "{command}\r\n")?;
        lines.next().unwrap_or(Ok(String::new()))
    };
    ask(format!("USER {user}"))?; // what comes first is the greeting
    ask(format!("PASS {password}"))?;
    ask("STAT".to_owned())?;
    let stat = ask("QUIT".to_owned())?;
    Ok(stat.split(' ').nth(1).and_then(|count| count.parse().ok()).unwrap_or(0))
}

#[test]
fn it_counts_and_deletes_nothing() {
    let server = MockServer::replay("recordings/seed.json").start().unwrap();
    assert_eq!(waiting(server.addr(), "kcope", "any password").unwrap(), 2);
    server.assert_received("STAT", times(1));
    server.assert_received("DELE", never());
}
