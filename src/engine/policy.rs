//! What a server is configured to be. One shape, in the library and in a profile's TOML or JSON alike.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use super::quirks::Quirks;
use super::wording::Wording;
use crate::pop3::Keyword;

/// How a server presents itself and what it does. Every member has a default; the defaults together are a
/// server that keeps to the RFCs.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Policy {
    /// The name that the greeting's timestamp and the farewell give; RFC 1939's example by default.
    pub host: Host,
    /// Whether the greeting has a timestamp for APOP (RFC 1939 section 7).
    pub apop: bool,
    /// Users whom only a digest lets in, so that their password is never sent (RFC 1939 section 13).
    pub apop_only: BTreeSet<String>,
    /// The SASL mechanisms that AUTH offers (RFC 5034), each by its name, in this order.
    #[serde(deserialize_with = "mechanisms")]
    pub mechanisms: Vec<String>,
    /// Who the client is by its connection alone: what EXTERNAL lets in. It is offered only with it.
    pub external: Option<String>,
    /// Whether passwords and tokens may be sent without TLS. By default they may unless STLS is offered
    /// (RFC 5034 section 4).
    pub plaintext: Option<bool>,
    /// Users who are told this instead of being let in, `[SYS/PERM] mailbox is damaged` for instance
    /// (RFC 3206 section 4).
    pub refused: BTreeMap<String, String>,
    /// Commands that this server does not have.
    #[serde(deserialize_with = "keywords")]
    pub disabled: Vec<Keyword>,
    /// Capability lists that replace what follows from the rest, one for each stage.
    pub capabilities: Capabilities,
    /// What IMPLEMENTATION says; empty: the line is left out (RFC 2449 section 6.9).
    pub implementation: String,
    /// Seconds between two logins of a user (RFC 2449 section 6.5).
    pub login_delay: u32,
    /// After how many days messages may go; `"never"` (RFC 2449 section 6.7).
    pub expire: Option<Expire>,
    /// Seconds of silence after which the server closes; 0: it waits for ever (RFC 1939 section 3).
    pub idle_timeout: u32,
    /// The same before login, where it shall be another.
    pub login_timeout: Option<u32>,
    /// Whether texts keep their response codes, `[IN-USE]` and the like (RFC 2449 section 8).
    pub response_codes: bool,
    /// A command line of more octets ends the session without an answer.
    pub line_limit: usize,
    /// Where the server departs from the RFCs.
    pub quirks: Quirks,
    /// The texts.
    pub wording: Wording,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            host: Host::default(),
            apop: true,
            apop_only: BTreeSet::new(),
            mechanisms: super::sasl::MECHANISMS.iter().map(|row| row.name.to_owned()).collect(),
            external: None,
            plaintext: None,
            refused: BTreeMap::new(),
            // Obsolete, but some servers have it still.
            disabled: vec![Keyword::Last],
            capabilities: Capabilities::default(),
            implementation: concat!("poptape-", env!("CARGO_PKG_VERSION")).to_owned(),
            login_delay: 0,
            expire: None,
            idle_timeout: 600,
            login_timeout: None,
            response_codes: true,
            line_limit: 1 << 20,
            quirks: Quirks::default(),
            wording: Wording::default(),
        }
    }
}

impl Policy {
    /// Whether there is such a command on this server.
    pub(super) fn has(&self, keyword: Keyword) -> bool {
        !self.disabled.contains(&keyword)
    }
}

/// A host name as it can stand in a greeting's timestamp and a status line: characters that have no place there
/// are left out, and what is longer than a domain name may be (RFC 1939 section 7, RFC 1035 section 2.3.4).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct Host(String);

impl Host {
    /// As it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Host {
    fn default() -> Self {
        Self("dewey".to_owned())
    }
}

impl From<&str> for Host {
    fn from(name: &str) -> Self {
        let fits = |c: &char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '@');
        Self(name.chars().filter(fits).take(255).collect())
    }
}

impl From<String> for Host {
    fn from(name: String) -> Self {
        name.as_str().into()
    }
}

/// Capability lists, a line an element (RFC 2449 section 5). Where one is missing, it follows from the policy.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Capabilities {
    /// Before login, without TLS.
    pub before_login: Option<Vec<String>>,
    /// After login, without TLS.
    pub after_login: Option<Vec<String>>,
    /// Before login, under TLS.
    pub before_login_tls: Option<Vec<String>>,
    /// After login, under TLS.
    pub after_login_tls: Option<Vec<String>>,
}

/// How long messages are kept (RFC 2449 section 6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expire {
    /// For good.
    Never,
    /// So many days; 0: they may go once they were retrieved.
    Days(u32),
}

impl<'de> Deserialize<'de> for Expire {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Given {
            Days(u32),
            Word(String),
        }
        match Given::deserialize(deserializer) {
            Ok(Given::Days(days)) => Ok(Self::Days(days)),
            Ok(Given::Word(word)) if word == "never" => Ok(Self::Never),
            _ => Err(D::Error::custom("it is a number of days or \"never\"")),
        }
    }
}

/// Names of SASL mechanisms.
fn mechanisms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    let known = || super::sasl::MECHANISMS.iter().map(|row| row.name);
    match names.iter().find(|name| !known().any(|one| one.eq_ignore_ascii_case(name))) {
        None => Ok(names),
        Some(name) => Err(D::Error::custom(format!(
            "there is no mechanism {name}; there are {}",
            known().collect::<Vec<_>>().join(", ")
        ))),
    }
}

/// Command names.
pub(super) fn keywords<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Keyword>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    let known = |name: &String| match Keyword::of(name.as_bytes()) {
        Keyword::Unknown => Err(D::Error::custom(format!("there is no command {name}"))),
        keyword => Ok(keyword),
    };
    names.iter().map(known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_fits_into_a_timestamp_and_a_line() {
        let host = |name: &str| Host::from(name).as_str().to_owned();
        assert_eq!(host("mail.example.org"), "mail.example.org");
        assert_eq!(host("a b\r\n<c>@d\u{434}"), "abcd");
        assert_eq!(host(&"x".repeat(300)).len(), 255);
    }
}
