//! Who talks to whom in a capture, by what a recording says of it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::remark::harmless;
use crate::recording::Header;

/// POP3 (RFC 1939 section 3).
pub(super) const POP3: u16 = 110;

/// POP3 in TLS (RFC 8314 section 3.2).
pub(super) const POP3S: u16 = 995;

/// Who is not known by an address gets one from the block for documentation (RFC 5737), and the client a port of its
/// own in each session of a file.
const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const FIRST_CLIENT_PORT: u16 = 49152;

/// The longest name, as in DNS (RFC 1035 section 2.3.4).
const LONGEST_NAME: usize = 255;

/// Both ends, with addresses of one family.
pub(super) struct Peers {
    pub(super) client: SocketAddr,
    pub(super) server: SocketAddr,
    /// What they are called.
    pub(super) names: Vec<(IpAddr, String)>,
    /// What is to be told of it.
    pub(super) remarks: Vec<String>,
}

impl Peers {
    pub(super) fn new(session: u32, header: &Header, server_port: Option<u16>) -> Self {
        let (mut names, mut remarks) = (Vec::new(), Vec::new());
        let client = header.client.parse().unwrap_or_else(|_| {
            let port = FIRST_CLIENT_PORT
                + (session.wrapping_sub(1) % u32::from(u16::MAX - FIRST_CLIENT_PORT)) as u16;
            let made_up = SocketAddr::from((CLIENT, port));
            remarks.push(format!("the client is \"{}\", its address made up", harmless(&header.client)));
            names.extend(name(&header.client).map(|name| (made_up.ip(), name)));
            made_up
        });
        let given = header.server.as_ref().unwrap_or(&header.listener);
        let mut server = given.parse().unwrap_or_else(|_| {
            remarks.push(format!("the server is \"{}\", its address made up", harmless(given)));
            SocketAddr::from((SERVER, POP3))
        });
        names.extend(
            host(&header.upstream).or(Some(given.as_str())).and_then(name).map(|name| (server.ip(), name)),
        );
        if let Some(port) = server_port.filter(|&port| port != server.port()) {
            remarks.push(format!("the server's port was {}", server.port()));
            server.set_port(port);
        }
        let (mut client, mut server): (SocketAddr, SocketAddr) = (client, server);
        if client.is_ipv4() != server.is_ipv4() {
            (client, server) = (mapped(client), mapped(server));
            for (address, _) in &mut names {
                *address = mapped((*address, 0).into()).ip();
            }
        }
        Self { client, server, names, remarks }
    }
}

/// An address as an IPv6 one (RFC 4291 section 2.5.5.2).
fn mapped(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) => SocketAddr::from((v4.ip().to_ipv6_mapped(), v4.port())),
        v6 @ SocketAddr::V6(_) => v6,
    }
}

/// The host in a URL.
fn host(url: &str) -> Option<&str> {
    let authority = url.split_once("://")?.1.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    if host.starts_with('[') { None } else { host.split(':').next() }
}

/// A text as a name, where it is one and no address.
fn name(text: &str) -> Option<String> {
    let is_name = !text.is_empty()
        && text.len() <= LONGEST_NAME
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
        && text.parse::<IpAddr>().is_err();
    is_name.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers(client: &str, server: Option<&str>, upstream: &str, port: Option<u16>) -> Peers {
        let header = Header {
            session: 3,
            client: client.to_owned(),
            listener: "127.0.0.1:1110".to_owned(),
            upstream: upstream.to_owned(),
            server: server.map(str::to_owned),
            ..Header::blank()
        };
        Peers::new(3, &header, port)
    }

    #[test]
    fn addresses_are_the_real_ones() {
        let seen =
            peers("127.0.0.1:5000", Some("192.0.2.9:995"), "pop3s://me:secret@mail.example:995/", None);
        assert_eq!(
            (seen.client.to_string(), seen.server.to_string()),
            ("127.0.0.1:5000".into(), "192.0.2.9:995".into())
        );
        assert_eq!(seen.names, [("192.0.2.9".parse().unwrap(), "mail.example".to_owned())]);
        assert!(seen.remarks.is_empty());
    }

    #[test]
    fn without_an_upstream_the_server_is_where_the_client_connected_to() {
        let seen = peers("127.0.0.1:5000", None, "pop3://127.0.0.1", Some(110));
        assert_eq!(seen.server.to_string(), "127.0.0.1:110");
        assert_eq!(seen.remarks, ["the server's port was 1110"]);
        assert!(seen.names.is_empty());
    }

    #[test]
    fn families_that_differ_meet_in_ipv6() {
        let seen = peers("10.0.0.1:5000", Some("[2001:db8::1]:110"), "pop3://mail.example", None);
        assert_eq!(seen.client.to_string(), "[::ffff:10.0.0.1]:5000");
        assert_eq!(seen.server.to_string(), "[2001:db8::1]:110");
    }

    #[test]
    fn who_has_no_address_gets_one_for_documentation() {
        let seen = peers("client\n", Some("server"), "", None);
        assert_eq!(
            (seen.client.to_string(), seen.server.to_string()),
            ("192.0.2.1:49154".into(), "192.0.2.2:110".into())
        );
        assert_eq!(seen.remarks[0], "the client is \"client\\n\", its address made up");
        assert_eq!(seen.names, [("192.0.2.2".parse().unwrap(), "server".to_owned())]);
    }
}
