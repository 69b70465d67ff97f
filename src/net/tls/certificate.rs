//! What a certificate says, for people.

use std::net::IpAddr;

use chrono::{DateTime, SecondsFormat};
use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::prelude::{
    ASN1Time, AttributeTypeAndValue, FromDer as _, GeneralName, X509Certificate, X509Name,
};

use crate::wire::{Certificate, Tls};

/// Octets of a text that are kept; a stranger wrote it.
const TEXT: usize = 256;

/// Names that are kept.
const NAMES: usize = 64;

/// The facts of the certificates that a peer shows, from its own on; no more of them than a recording takes.
pub fn chain<'a>(certificates: impl IntoIterator<Item = &'a CertificateDer<'a>>) -> Vec<Certificate> {
    certificates.into_iter().take(Tls::MAX_CHAIN).map(facts).collect()
}

/// The facts of a certificate (RFC 5280). Of what cannot be read only the SHA-256 is known.
pub fn facts(der: &CertificateDer<'_>) -> Certificate {
    let sha256 = Sha256::digest(der).iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().concat();
    let Ok((_, parsed)) = X509Certificate::from_der(der) else {
        return Certificate { sha256, ..Certificate::default() };
    };
    Certificate {
        subject: name(parsed.subject()),
        issuer: name(parsed.issuer()),
        names: names(&parsed),
        not_before: moment(parsed.validity().not_before),
        not_after: moment(parsed.validity().not_after),
        sha256,
    }
}

/// The DNS names and addresses that it is for; its common name where it has no such extension.
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    match certificate.subject_alternative_name() {
        Ok(Some(extension)) => {
            extension.value.general_names.iter().filter_map(server_name).take(NAMES).collect()
        }
        _ => certificate.subject().iter_common_name().take(1).map(|name| bounded(value(name))).collect(),
    }
}

fn server_name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(bounded((*name).to_owned())),
        GeneralName::IPAddress(octets) => {
            let four = <[u8; 4]>::try_from(*octets).map(IpAddr::from);
            let address = four.or_else(|_| <[u8; 16]>::try_from(*octets).map(IpAddr::from));
            address.ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

/// As RFC 4514 writes it, the last part first, with blanks behind the commas for the eye.
fn name(name: &X509Name<'_>) -> String {
    let mut text = String::new();
    let mut parts: Vec<_> = name.iter_rdn().collect();
    parts.reverse();
    for part in parts {
        for (place, attribute) in part.iter().enumerate() {
            if !text.is_empty() {
                text.push_str(if place == 0 { ", " } else { "+" });
            }
            let kind = attribute.attr_type();
            text.push_str(
                &oid2abbrev(kind, oid_registry()).map_or_else(|_| kind.to_id_string(), str::to_owned),
            );
            text.push('=');
            for character in value(attribute).chars() {
                if matches!(character, '"' | '+' | ',' | ';' | '<' | '>' | '\\') {
                    text.push('\\');
                }
                text.push(character);
            }
        }
    }
    bounded(text)
}

/// The text of an attribute. What is in an encoding of former times is read as Latin-1, which is what it mostly was.
fn value(attribute: &AttributeTypeAndValue<'_>) -> String {
    match attribute.as_str() {
        Ok(text) => text.to_owned(),
        Err(_) => attribute.as_slice().iter().copied().map(char::from).collect(),
    }
}

fn moment(time: ASN1Time) -> String {
    let moment = DateTime::from_timestamp(time.timestamp(), 0);
    moment.map(|moment| moment.to_rfc3339_opts(SecondsFormat::Secs, true)).unwrap_or_default()
}

fn bounded(mut text: String) -> String {
    if text.len() > TEXT {
        text.truncate(text.floor_char_boundary(TEXT - '…'.len_utf8()));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn made(fill: impl FnOnce(&mut CertificateParams)) -> Certificate {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        fill(&mut params);
        facts(params.self_signed(&KeyPair::generate().unwrap()).unwrap().der())
    }

    #[test]
    fn a_certificate_says_who_for_whom_and_how_long() {
        let facts = made(|params| {
            params.distinguished_name.push(DnType::OrganizationName, "Example, Inc.");
            params.distinguished_name.push(DnType::CommonName, "pop.example.org");
            params.subject_alt_names = vec![
                SanType::DnsName("pop.example.org".try_into().unwrap()),
                SanType::IpAddress([127, 0, 0, 1].into()),
                SanType::IpAddress("::1".parse().unwrap()),
                SanType::Rfc822Name("ada@example.org".try_into().unwrap()),
            ];
            params.not_before = rcgen::date_time_ymd(2026, 11, 24);
            params.not_after = rcgen::date_time_ymd(2051, 1, 1);
        });
        assert_eq!(facts.subject, r"CN=pop.example.org, O=Example\, Inc.");
        assert_eq!(facts.issuer, facts.subject);
        assert_eq!(facts.names, ["pop.example.org", "127.0.0.1", "::1"]);
        assert_eq!(facts.not_before, "2026-11-24T00:00:00Z");
        assert_eq!(facts.not_after, "2051-01-01T00:00:00Z");
    }

    #[test]
    fn without_names_it_is_for_its_common_name() {
        let facts = made(|params| params.distinguished_name.push(DnType::CommonName, "dewey"));
        assert_eq!(facts.names, ["dewey"]);
    }

    #[test]
    fn a_stranger_cannot_make_it_large() {
        let facts = made(|params| {
            params.distinguished_name.push(DnType::CommonName, "ж".repeat(5000));
            let name = |n: u32| SanType::DnsName(format!("{n}.{}", "x".repeat(1000)).try_into().unwrap());
            params.subject_alt_names = (0..1000).map(name).collect();
        });
        assert!(facts.subject.len() <= TEXT && facts.subject.ends_with("ж…"), "{}", facts.subject);
        assert_eq!(facts.names.len(), NAMES);
        assert!(facts.names.iter().all(|name| name.len() <= TEXT && name.ends_with("x…")));
    }

    #[test]
    fn of_noise_only_the_digest_is_known() {
        let whole = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert;
        let whole = whole.der().as_ref();
        for cut in 0..whole.len() {
            let facts = facts(&CertificateDer::from(&whole[..cut]));
            assert_eq!((facts.subject.as_str(), facts.sha256.len()), ("", 64), "{cut}");
        }
        // Any octet may be any other.
        for place in 0..whole.len() {
            let mut changed = whole.to_vec();
            changed[place] ^= 0xff;
            facts(&CertificateDer::from(changed));
        }
        assert_eq!(
            facts(&CertificateDer::from(&b"abc"[..])).sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
