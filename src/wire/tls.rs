//! TLS on one of a session's two legs, as whoever looks on or takes part sees it.

use bytes::Bytes;

use super::{Micros, Side};

/// How TLS comes to a leg.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Security {
    /// Not at all.
    #[default]
    Plain,
    /// Once the client has asked for it in clear (STLS, RFC 2595 section 4).
    Stls,
    /// Before anything else (RFC 8314 section 3.3).
    Implicit,
}

/// A handshake that came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Whose handshake it was: the client's leg is what a recording's octets are of; what is said of the server's leg
    /// stands beside them.
    pub leg: Side,
    /// When it was over.
    pub at: Micros,
    /// How long it took, in microseconds; None where that was not seen.
    pub took: Option<Micros>,
    /// `TLSv1.3`; None where it was not seen.
    pub version: Option<String>,
    /// The cipher suite by its IANA name: `TLS_AES_128_GCM_SHA256`.
    pub cipher: Option<String>,
    /// The name that the client of this leg asked for (RFC 6066 section 3).
    pub server_name: Option<String>,
    /// The protocol that was agreed on (RFC 7301).
    pub alpn: Option<String>,
    /// The octets that follow on this leg are what TLS protects. Else nobody here can look into them.
    pub readable: bool,
    /// The peer's certificates, its own first; those of a client's leg are rarely any.
    pub chain: Vec<Certificate>,
    /// What poptape found of the peer's certificates, where it looked.
    pub trust: Option<Trust>,
    /// Why there is no TLS after all: nothing is inside of it, and the leg is of no use any more.
    pub failure: Option<TlsFailure>,
}

impl Default for Tls {
    /// On the client's leg, with nothing known of it.
    fn default() -> Self {
        Self::of(Side::Client)
    }
}

impl Tls {
    /// A handshake on a leg of which nothing is known yet.
    pub fn of(leg: Side) -> Self {
        Self {
            leg,
            at: 0,
            took: None,
            version: None,
            cipher: None,
            server_name: None,
            alpn: None,
            readable: false,
            chain: Vec::new(),
            trust: None,
            failure: None,
        }
    }

    /// A peer may show what it likes: so many certificates of it are kept.
    pub const MAX_CHAIN: usize = 16;

    /// Whether the session's protocol begins anew with it (RFC 2595 section 4): TLS stands on the client's leg.
    pub fn begins_anew(&self) -> bool {
        self.leg == Side::Client && self.failure.is_none()
    }
}

/// What was found of a peer's certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// They lead to a root that is trusted, and are for the name that was asked for.
    Verified,
    /// They are not to be trusted, and why; they were taken all the same because the user said so.
    Overruled(String),
}

/// Why a handshake came to nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFailure {
    /// For a person: `the certificate is for other.example, not for pop.example.org`.
    pub reason: String,
    /// The alert that ended it by its name in RFC 8446 section 6: `unknown_ca`; with a `sent` where it was ours.
    pub alert: Option<Alert>,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
}

/// An alert that ended a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Its name in RFC 8446 section 6: `unknown_ca`.
    pub name: String,
    /// It was poptape's own; else the peer's.
    pub sent: bool,
}

/// A certificate, as far as people ask for it (RFC 5280).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certificate {
    /// `CN=pop.example.org, O=Example`.
    pub subject: String,
    /// The subject of whoever signed it.
    pub issuer: String,
    /// The names and addresses that it is for.
    pub names: Vec<String>,
    /// From when on it is valid: `2026-11-24T06:13:02Z`.
    pub not_before: String,
    /// Until when.
    pub not_after: String,
    /// The SHA-256 of its DER, in lower-case hexadecimal.
    pub sha256: String,
}

/// What came of an [`Action::StartTls`](super::Action::StartTls).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// What is known of it.
    pub tls: Tls,
    /// Octets in clear that the peer sent where its handshake was due: no part of the session on either side of TLS.
    pub clear: Bytes,
    /// What else is worth knowing, in words for a person.
    pub remark: Option<String>,
    /// What is wrong on purpose with the certificate that the client was shown: `has expired`. A client that goes on has
    /// taken it.
    pub flaw: Option<&'static str>,
}

impl Handshake {
    /// Of which no more is known.
    pub fn new(tls: Tls) -> Self {
        Self { tls, clear: Bytes::new(), remark: None, flaw: None }
    }
}
