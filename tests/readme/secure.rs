use std::io::{BufRead, BufReader, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use poptape::testing::rustls::{ClientConfig, ClientConnection, StreamOwned};
use poptape::testing::{Failing, Flaw, MockServer, Security, never, once};

/// The code under test: logs in, if this is the right server.
fn log_in(addr: SocketAddr, trusted: Arc<ClientConfig>) -> Result<()> {
    let name = "localhost".try_into().map_err(std::io::Error::other)?;
    let tls = ClientConnection::new(trusted, name).map_err(std::io::Error::other)?;
    let mut server = BufReader::new(StreamOwned::new(tls, TcpStream::connect(addr)?));
    server.read_line(&mut String::new())?;
    for line in ["USER kcope\r\n", "PASS secret\r\n"] {
        server.get_mut().write_all(line.as_bytes())?;
        server.read_line(&mut String::new())?;
    }
    Ok(())
}

#[test]
fn the_password_is_for_the_right_server_alone() {
    let server = MockServer::serve("tests/readme/letters").tls(Security::Implicit).start().unwrap();
    log_in(server.addr(), server.client_config()).unwrap();
    server.assert_received("PASS", once());

    let other = Failing::Certificate(Flaw::WrongHost);
    let server =
        MockServer::serve("tests/readme/letters").tls(Security::Implicit).tls_fail(other).start().unwrap();
    assert!(log_in(server.addr(), server.client_config()).is_err());
    server.assert_received("PASS", never());
}
