//! The server's side of SASL (RFC 4422, RFC 5034): a mechanism is a file and a row. POP3's framing, base64 and
//! cancelling are not theirs; they see payloads.

mod cram_md5;
mod external;
mod login;
mod oauth;
mod plain;
mod scram;

use std::fmt::Debug;

use super::Service;

/// One authentication exchange.
pub(super) trait Mechanism: Debug + Send {
    /// Takes the client's next payload.
    fn respond(&mut self, service: &Service, response: &[u8]) -> Next;
}

/// What a mechanism does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Sends a challenge.
    Challenge(Vec<u8>),
    /// This user has proven to be the one.
    Done(String),
    /// The credentials are wrong, or the payload is not one of the mechanism.
    Failed,
}

/// Who speaks first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    /// The client: without an initial response the server's first challenge is empty.
    Client,
    /// The server: an initial response is refused (RFC 5034 section 4).
    Server,
    /// The server, but an initial response answers its first challenge: LOGIN has no standard, and clients do.
    Either,
}

/// A mechanism.
#[derive(Debug)]
pub(super) struct Row {
    /// As AUTH names it.
    pub(super) name: &'static str,
    pub(super) first: First,
    /// It shows a password or a token to whoever reads the connection.
    pub(super) plaintext: bool,
    /// Whether a server can offer it.
    pub(super) possible: fn(&Service) -> bool,
    /// Begins an exchange.
    pub(super) begin: fn(&Service) -> Begun,
}

const fn always(_: &Service) -> bool {
    true
}

/// The server must know a password to make SCRAM's proof with.
fn password_known(service: &Service) -> bool {
    service.server.accounts.know_a_password()
}

fn external_known(service: &Service) -> bool {
    service.policy().external.is_some()
}

/// An exchange that has begun, and the challenge of a mechanism in which the server speaks first.
type Begun = (Box<dyn Mechanism>, Vec<u8>);

/// Every mechanism, those first that a client should prefer.
#[rustfmt::skip]
pub(super) const MECHANISMS: &[Row] = &[
    Row { name: "SCRAM-SHA-256", first: First::Client, plaintext: false, possible: password_known, begin: scram::sha256 },
    Row { name: "SCRAM-SHA-1",   first: First::Client, plaintext: false, possible: password_known, begin: scram::sha1 },
    Row { name: "CRAM-MD5",      first: First::Server, plaintext: false, possible: always,         begin: cram_md5::begin },
    Row { name: "PLAIN",         first: First::Client, plaintext: true,  possible: always,         begin: plain::begin },
    Row { name: "LOGIN",         first: First::Either, plaintext: true,  possible: always,         begin: login::begin },
    Row { name: "OAUTHBEARER",   first: First::Client, plaintext: true,  possible: always,         begin: oauth::bearer },
    Row { name: "XOAUTH2",       first: First::Client, plaintext: true,  possible: always,         begin: oauth::xoauth2 },
    Row { name: "EXTERNAL",      first: First::Client, plaintext: false, possible: external_known, begin: external::begin },
];

/// The mechanisms that a session offers now, in the policy's order.
pub(super) fn offered(service: &Service) -> impl Iterator<Item = &'static Row> {
    let (policy, plaintext) = (service.policy(), service.admits_plaintext());
    let there = policy.has(crate::pop3::Keyword::Auth);
    let named = |name: &String| MECHANISMS.iter().find(|row| name.eq_ignore_ascii_case(row.name));
    policy
        .mechanisms
        .iter()
        .filter_map(named)
        .filter(move |row| there && (plaintext || !row.plaintext) && (row.possible)(service))
}
