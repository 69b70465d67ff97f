//! Addresses as users write them: the upstream's URL, a listener's address.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// Why an address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not of the form.
    #[error("{0:?} is not an address: expected {1}")]
    Malformed(String, &'static str),
    /// TLS is not in this version.
    #[error("{0:?}: TLS is not supported by this version of poptape, use pop3:// for a plain connection")]
    Tls(String),
    /// No such scheme.
    #[error("{0:?}: unknown scheme, expected pop3://")]
    Scheme(String),
}

/// Where a session is relayed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// A name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "pop3://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "pop3://{}:{}", self.host, self.port)
        }
    }
}

/// The part behind the scheme.
fn behind_scheme(text: &str) -> Result<&str, AddressError> {
    let Some((scheme, rest)) = text.split_once("://") else { return Ok(text) };
    match scheme.to_ascii_lowercase().as_str() {
        "pop3" | "pop" => Ok(rest.trim_end_matches('/')),
        "pop3s" | "pop3+stls" => Err(AddressError::Tls(text.to_owned())),
        _ => Err(AddressError::Scheme(text.to_owned())),
    }
}

impl FromStr for Upstream {
    type Err = AddressError;

    /// `pop3://host[:110]`, or `host:port`; an IPv6 address in brackets.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        const FORM: &str = "pop3://host[:port] or host:port";
        let malformed = || AddressError::Malformed(text.to_owned(), FORM);
        let rest = behind_scheme(text)?;
        let (host, port) = if let Some(inner) = rest.strip_prefix('[') {
            let (host, port) = inner.split_once(']').ok_or_else(malformed)?;
            (host, port.strip_prefix(':').or(port.is_empty().then_some("110")).ok_or_else(malformed)?)
        } else {
            match rest.split_once(':') {
                Some((host, port)) => (host, port),
                None if text.contains("://") => (rest, "110"),
                None => return Err(malformed()),
            }
        };
        let legal = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
        if host.is_empty() || !host.chars().all(legal) {
            return Err(malformed());
        }
        let port = port.parse::<u16>().ok().filter(|&port| port > 0).ok_or_else(malformed)?;
        Ok(Self { host: host.to_owned(), port })
    }
}

/// Where to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenAddress(pub SocketAddr);

impl FromStr for ListenAddress {
    type Err = AddressError;

    /// `address:port`, with or without `pop3://`; `localhost` for 127.0.0.1. Port 0 picks a free one.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let rest = behind_scheme(text)?;
        let numeric = rest.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
        let address = numeric.as_deref().unwrap_or(rest).parse().map_err(|_| {
            AddressError::Malformed(
                text.to_owned(),
                "an IP address and a port, like 127.0.0.1:1110 or [::1]:1110",
            )
        })?;
        Ok(Self(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstreams() {
        let parse = |text: &str| text.parse::<Upstream>().map(|upstream| upstream.to_string());
        assert_eq!(parse("pop3://pop.example.org").as_deref(), Ok("pop3://pop.example.org:110"));
        assert_eq!(parse("pop.example.org:1110").as_deref(), Ok("pop3://pop.example.org:1110"));
        assert_eq!(parse("POP3://[::1]:1110/").as_deref(), Ok("pop3://[::1]:1110"));
        assert_eq!(parse("pop3://[::1]").as_deref(), Ok("pop3://[::1]:110"));
        for bad in
            ["", "pop.example.org", "pop3://", "h:0", "h:65536", "h:x", "pop3://us er@h", "[::1", "[::1]x"]
        {
            assert!(matches!(parse(bad), Err(AddressError::Malformed(..))), "{bad}");
        }
        assert!(matches!(parse("pop3s://h"), Err(AddressError::Tls(_))));
        assert!(matches!(parse("imap://h"), Err(AddressError::Scheme(_))));
    }

    #[test]
    fn listeners() {
        let parse = |text: &str| text.parse::<ListenAddress>().map(|listen| listen.0.to_string());
        assert_eq!(parse("localhost:0").as_deref(), Ok("127.0.0.1:0"));
        assert_eq!(parse("pop3://[::1]:1110").as_deref(), Ok("[::1]:1110"));
        assert!(parse("1110").is_err());
    }
}
