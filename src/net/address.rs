//! Addresses as users write them: the upstream's URL, a listener's address.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use crate::wire::Security;

/// Why an address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not of the form.
    #[error("{0:?} is not an address: expected {1}")]
    Malformed(String, &'static str),
    /// No such scheme.
    #[error("{0:?}: unknown scheme, expected pop3://, pop3s:// or pop3+stls://")]
    Scheme(String),
}

/// Where a session is relayed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// How TLS comes to it.
    pub security: Security,
    /// A name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = scheme(self.security);
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

/// The schemes that URLs have.
const SCHEMES: [(&str, Security); 5] = [
    ("pop3", Security::Plain),
    ("pop3+stls", Security::Stls),
    ("pop3s", Security::Implicit),
    ("pop", Security::Plain),
    ("pops", Security::Implicit),
];

/// The scheme of a URL to something with this kind of TLS.
pub fn scheme(security: Security) -> &'static str {
    SCHEMES.iter().find(|(_, of)| *of == security).map_or("pop3", |(scheme, _)| scheme)
}

/// What the scheme says, if there is one, and the part behind it.
fn behind_scheme(text: &str) -> Result<(Option<Security>, &str), AddressError> {
    let Some((scheme, rest)) = text.split_once("://") else { return Ok((None, text)) };
    let row = SCHEMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(scheme));
    let (_, security) = row.ok_or_else(|| AddressError::Scheme(text.to_owned()))?;
    Ok((Some(*security), rest.trim_end_matches('/')))
}

impl FromStr for Upstream {
    type Err = AddressError;

    /// `pop3://host[:110]`, `pop3+stls://host[:110]`, `pop3s://host[:995]`, or `host:port`; an IPv6 address in brackets.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        const FORM: &str = "pop3://host[:port], pop3s://host[:port], pop3+stls://host[:port] or host:port";
        let malformed = || AddressError::Malformed(text.to_owned(), FORM);
        let (security, rest) = behind_scheme(text)?;
        let usual = if security == Some(Security::Implicit) { "995" } else { "110" };
        let (host, port) = if let Some(inner) = rest.strip_prefix('[') {
            let (host, port) = inner.split_once(']').ok_or_else(malformed)?;
            (host, port.strip_prefix(':').or(port.is_empty().then_some(usual)).ok_or_else(malformed)?)
        } else {
            match rest.split_once(':') {
                Some((host, port)) => (host, port),
                None if security.is_some() => (rest, usual),
                None => return Err(malformed()),
            }
        };
        let legal = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
        if host.is_empty() || !host.chars().all(legal) {
            return Err(malformed());
        }
        let port = port.parse::<u16>().ok().filter(|&port| port > 0).ok_or_else(malformed)?;
        Ok(Self { security: security.unwrap_or_default(), host: host.to_owned(), port })
    }
}

/// Where to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenAddress {
    /// The address; port 0 picks a free one.
    pub address: SocketAddr,
    /// How TLS comes to its connections, where the scheme says so.
    pub security: Option<Security>,
}

impl FromStr for ListenAddress {
    type Err = AddressError;

    /// `address:port`, with or without a scheme; `localhost` for 127.0.0.1. Port 0 picks a free one.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (security, rest) = behind_scheme(text)?;
        let numeric = rest.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
        let address = numeric.as_deref().unwrap_or(rest).parse().map_err(|_| {
            AddressError::Malformed(
                text.to_owned(),
                "an IP address and a port, like 127.0.0.1:1110 or [::1]:1110",
            )
        })?;
        Ok(Self { address, security })
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
        assert_eq!(parse("pop3s://h").as_deref(), Ok("pop3s://h:995"));
        assert_eq!(parse("pop3+stls://[::1]").as_deref(), Ok("pop3+stls://[::1]:110"));
        assert!(matches!(parse("imap://h"), Err(AddressError::Scheme(_))));
    }

    #[test]
    fn listeners() {
        let parse = |text: &str| text.parse::<ListenAddress>().map(|listen| listen.address.to_string());
        assert_eq!(parse("localhost:0").as_deref(), Ok("127.0.0.1:0"));
        assert_eq!(parse("pop3://[::1]:1110").as_deref(), Ok("[::1]:1110"));
        assert!(parse("1110").is_err());
        let security = |text: &str| text.parse::<ListenAddress>().map(|listen| listen.security);
        assert_eq!(security("pop3s://localhost:0"), Ok(Some(Security::Implicit)));
        assert_eq!(security("127.0.0.1:0"), Ok(None));
    }
}
