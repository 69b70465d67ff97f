//! Why a handshake came to nothing, and what to do about it, in words for a person.

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

use crate::wire::{Alert, Side, TlsFailure};

/// How an alert is called in RFC 8446 section 6.
fn name(alert: AlertDescription) -> String {
    let camel = format!("{alert:?}");
    let mut name = String::with_capacity(camel.len() + 4);
    let mut before = ' ';
    for c in camel.chars() {
        if c.is_ascii_uppercase() && before.is_ascii_lowercase() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
        before = c;
    }
    name
}

/// Who a leg's handshake was with.
const fn who(leg: Side) -> &'static str {
    leg.name()
}

/// Nothing to add to the reason.
pub(super) fn plain(reason: impl Into<String>) -> TlsFailure {
    TlsFailure { reason: reason.into(), alert: None, hint: None }
}

fn hinted(reason: impl Into<String>, hint: &str) -> TlsFailure {
    TlsFailure { reason: reason.into(), alert: None, hint: Some(hint.to_owned()) }
}

/// What an error of the handshake with the peer of `leg` means.
pub(super) fn of(leg: Side, error: &Error) -> TlsFailure {
    match error {
        Error::AlertReceived(alert) => {
            let alert = *alert;
            let failure = refused(leg, alert);
            TlsFailure { alert: Some(Alert { name: name(alert), sent: false }), ..failure }
        }
        Error::InvalidCertificate(error) => {
            let failure = distrusted(error);
            let alert = Alert { name: name(AlertDescription::from(error.clone())), sent: true };
            TlsFailure { alert: Some(alert), ..failure }
        }
        Error::PeerIncompatible(error) => incompatible(leg, error),
        Error::InvalidMessage(_) => plain(format!("what the {} sent is no TLS: {error}", who(leg))),
        Error::NoCertificatesPresented => plain(format!("the {} has no certificate", who(leg))),
        other => plain(other.to_string()),
    }
}

/// The peer has ended it with an alert.
fn refused(leg: Side, alert: AlertDescription) -> TlsFailure {
    use AlertDescription as A;
    match (leg, alert) {
        (Side::Client, A::UnknownCA | A::BadCertificate | A::CertificateUnknown) => hinted(
            "the client does not trust poptape's certificate",
            "run `poptape ca`: it says how to make a client trust poptape",
        ),
        (Side::Client, A::CertificateExpired) => plain("the client finds that the certificate has expired"),
        (Side::Client, A::UnsupportedCertificate) => {
            plain("the client cannot use the kind of certificate that it was shown")
        }
        (Side::Server, A::ProtocolVersion) => old_server(),
        (Side::Server, A::CertificateRequired) => {
            no_client_certificate("the server demands a client certificate")
        }
        (Side::Server, A::UnknownCA | A::BadCertificate | A::CertificateUnknown | A::AccessDenied) => {
            no_client_certificate("the server does not take the client certificate, or wants one")
        }
        (Side::Server, A::UnrecognisedName) => hinted(
            "the server does not know the name that it was asked for",
            "give the name that it goes by with --upstream-sni NAME",
        ),
        (_, A::HandshakeFailure | A::InsufficientSecurity) => plain(format!(
            "the {} has no TLS version, cipher suite or certificate in common with poptape",
            who(leg)
        )),
        (Side::Client, A::ProtocolVersion) => old_client(),
        _ => plain(format!("the {} refused it", who(leg))),
    }
}

/// The server asked for a client's certificate, there was none, and then it came to nothing.
pub(super) fn without_certificate(why: TlsFailure) -> TlsFailure {
    if why.hint.is_some() {
        return why;
    }
    TlsFailure {
        alert: why.alert,
        ..no_client_certificate(&format!("{}, after it asked for a client certificate", why.reason))
    }
}

fn no_client_certificate(reason: &str) -> TlsFailure {
    hinted(
        reason,
        "give one with --upstream-cert FILE --upstream-key FILE; a client's own cannot pass poptape",
    )
}

fn old_server() -> TlsFailure {
    hinted(
        "the server speaks neither TLS 1.2 nor TLS 1.3, only older versions or none that poptape knows",
        "nothing safe can be done from here: the server has to be updated (TLS 1.1 and older ended with RFC 8996)",
    )
}

fn old_client() -> TlsFailure {
    hinted(
        "the client speaks neither TLS 1.2 nor TLS 1.3, only older versions",
        "the client has to be updated or set to TLS 1.2 (TLS 1.1 and older ended with RFC 8996)",
    )
}

fn incompatible(leg: Side, error: &PeerIncompatible) -> TlsFailure {
    use PeerIncompatible as P;
    match (leg, error) {
        (Side::Server, P::ServerDoesNotSupportTls12Or13 | P::ServerTlsVersionIsDisabledByOurConfig) => {
            old_server()
        }
        (
            Side::Client,
            P::Tls12NotOffered
            | P::Tls12NotOfferedOrEnabled
            | P::SupportedVersionsExtensionRequired
            // Older versions do not have it, and it is missed before the version is looked at.
            | P::SignatureAlgorithmsExtensionRequired,
        ) => old_client(),
        (_, P::NoCipherSuitesInCommon) => {
            plain(format!("the {} and poptape have no cipher suite in common", who(leg)))
        }
        (_, P::NoKxGroupsInCommon) => hinted(
            format!("the {} and poptape have no key exchange in common", who(leg)),
            "poptape knows those with forward secrecy alone (ECDHE over X25519, P-256 or P-384)",
        ),
        _ => plain(format!(
            "the {} and poptape have nothing in common: {}",
            who(leg),
            Error::from(error.clone())
        )),
    }
}

/// What is wrong with the server's certificate, in one clause.
pub(super) fn flaw(error: &CertificateError) -> String {
    use CertificateError as C;
    match error {
        C::UnknownIssuer => "the certificate is signed by nobody who is trusted here".to_owned(),
        C::Expired | C::ExpiredContext { .. } => "the certificate has expired".to_owned(),
        C::NotValidYet | C::NotValidYetContext { .. } => "the certificate is not valid yet".to_owned(),
        C::NotValidForNameContext { expected, presented } => {
            let presented: Vec<_> = presented.iter().map(|name| bare(name)).collect();
            let presented = if presented.is_empty() { "no name".to_owned() } else { presented.join(", ") };
            format!("the certificate is for {presented}, not for {}", expected.to_str())
        }
        C::NotValidForName => "the certificate is for another name".to_owned(),
        C::BadSignature => "the certificate's signature is wrong".to_owned(),
        // As webpki says of a certificate that signed itself and is no server's by its own word.
        C::Other(_) if error.to_string().contains("CaUsedAsEndEntity") => {
            "the certificate is an authority's own, and nobody who is trusted here".to_owned()
        }
        C::Revoked => "the certificate was revoked".to_owned(),
        C::InvalidPurpose | C::InvalidPurposeContext { .. } => {
            "the certificate is not one for servers".to_owned()
        }
        other => format!("the certificate cannot be used: {other}"),
    }
}

/// A name as the certificate has it, without the wrapping of whoever found it there.
fn bare(presented: &str) -> String {
    let inner = presented.split_once("(\"").and_then(|(_, rest)| rest.strip_suffix("\")"));
    inner
        .or_else(|| presented.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')))
        .unwrap_or(presented)
        .to_owned()
}

fn distrusted(error: &CertificateError) -> TlsFailure {
    use CertificateError as C;
    let hint = match error {
        C::UnknownIssuer | C::BadSignature => {
            "give the authority that signed it with --upstream-ca FILE; to look without verifying: -k"
        }
        C::Expired | C::ExpiredContext { .. } | C::NotValidYet | C::NotValidYetContext { .. } => {
            "the server needs a new certificate (or this machine's clock is wrong); to look all the same: -k"
        }
        C::Other(_) if error.to_string().contains("CaUsedAsEndEntity") => {
            "trust this one as it is with --upstream-ca FILE; to look without verifying: -k"
        }
        C::NotValidForNameContext { presented, .. } if presented.is_empty() => "to look all the same: -k",
        C::NotValidForName | C::NotValidForNameContext { .. } => {
            "ask for the name that it is for with --upstream-sni NAME; to look all the same: -k"
        }
        _ => "to look all the same: -k",
    };
    hinted(flaw(error), hint)
}

/// The peer closed, or reset the connection, in the middle.
pub(super) fn gone(leg: Side, reset: bool) -> TlsFailure {
    let how = if reset { "reset the connection" } else { "closed the connection" };
    let reason = format!("the {} {how} in the middle of the handshake", who(leg));
    match leg {
        Side::Client => hinted(
            reason,
            "some clients do so where they do not trust a certificate: run `poptape ca` for how to make them trust poptape",
        ),
        Side::Server => plain(reason),
    }
}

/// The peer closed where TLS is due from the first octet on, and has said nothing at all.
pub(super) fn mute(leg: Side) -> TlsFailure {
    let reason = format!("the {} said nothing, and closed the connection", who(leg));
    match leg {
        Side::Client => hinted(reason, IN_CLEAR),
        Side::Server => plain(reason),
    }
}

/// Octets in clear came on a leg that has TLS from the first octet on.
pub(super) fn clear(leg: Side, shown: &str) -> TlsFailure {
    let reason = format!("the {} does not speak TLS here: it sent \"{shown}\" in clear", who(leg));
    match leg {
        Side::Client => hinted(
            reason,
            "let the client use TLS from the start (port 995), or listen with --tls stls or --tls off",
        ),
        Side::Server => {
            hinted(reason, "write pop3://, or pop3+stls:// where the server is to be asked for TLS")
        }
    }
}

/// Why a client may say nothing where its hello is due.
const IN_CLEAR: &str = "a client that waits for a greeting in clear is silent like this: let it use TLS from the start, or listen with --tls stls or --tls off";

/// Nothing came for too long.
pub(super) fn silent(leg: Side, seconds: u64, used: bool) -> TlsFailure {
    let reason = format!("the {} did not finish the handshake in {seconds} s", who(leg));
    match leg {
        Side::Client if !used => hinted(reason, IN_CLEAR),
        _ => plain(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_have_the_names_of_the_rfc() {
        assert_eq!(name(AlertDescription::UnknownCA), "unknown_ca");
        assert_eq!(name(AlertDescription::HandshakeFailure), "handshake_failure");
        assert_eq!(name(AlertDescription::CloseNotify), "close_notify");
    }
}
