//! The facts of TLS as the value of an element's member `tls`. What is not known is left out; a file without a `leg`
//! is of a time that knew the client's alone.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::wire::{Alert, Certificate, Micros, Side, Tls, TlsFailure, Trust};

const NAMES: usize = 256;

/// A side by its name.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum SideMember {
    #[default]
    Client,
    Server,
}

impl From<SideMember> for Side {
    fn from(side: SideMember) -> Self {
        match side {
            SideMember::Client => Self::Client,
            SideMember::Server => Self::Server,
        }
    }
}

impl From<Side> for SideMember {
    fn from(side: Side) -> Self {
        match side {
            Side::Client => Self::Client,
            Side::Server => Self::Server,
        }
    }
}

/// All of it but the time, which is the element's.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TlsMember {
    #[serde(default)]
    leg: SideMember,
    #[serde(skip_serializing_if = "Option::is_none")]
    took_us: Option<Micros>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cipher: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alpn: Option<String>,
    #[serde(default)]
    readable: bool,
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "at_most::<_, _, { Tls::MAX_CHAIN }>"
    )]
    chain: Vec<CertificateMember>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trust: Option<TrustMember>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureMember>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TrustMember {
    Verified,
    Overruled(String),
}

#[derive(Debug, Serialize, Deserialize)]
struct FailureMember {
    #[serde(default)]
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<AlertMember>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct AlertMember {
    name: String,
    #[serde(default)]
    sent: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct CertificateMember {
    subject: String,
    issuer: String,
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "at_most::<_, _, NAMES>")]
    names: Vec<String>,
    not_before: String,
    not_after: String,
    sha256: String,
}

impl TlsMember {
    pub(super) fn tls(self, at: Micros) -> Tls {
        let Self { leg, took_us, version, cipher, server_name, alpn, readable, chain, trust, failure } = self;
        Tls {
            leg: leg.into(),
            at,
            took: took_us,
            version,
            cipher,
            server_name,
            alpn,
            readable,
            chain: chain.into_iter().map(CertificateMember::certificate).collect(),
            trust: trust.map(|trust| match trust {
                TrustMember::Verified => Trust::Verified,
                TrustMember::Overruled(why) => Trust::Overruled(why),
            }),
            failure: failure.map(|FailureMember { reason, alert, hint }| TlsFailure {
                reason,
                alert: alert.map(|AlertMember { name, sent }| Alert { name, sent }),
                hint,
            }),
        }
    }
}

impl From<Tls> for TlsMember {
    fn from(tls: Tls) -> Self {
        let Tls { leg, at: _, took, version, cipher, server_name, alpn, readable, chain, trust, failure } =
            tls;
        Self {
            leg: leg.into(),
            took_us: took,
            version,
            cipher,
            server_name,
            alpn,
            readable,
            chain: chain.into_iter().map(CertificateMember::from).collect(),
            trust: trust.map(|trust| match trust {
                Trust::Verified => TrustMember::Verified,
                Trust::Overruled(why) => TrustMember::Overruled(why),
            }),
            failure: failure.map(|TlsFailure { reason, alert, hint }| FailureMember {
                reason,
                alert: alert.map(|Alert { name, sent }| AlertMember { name, sent }),
                hint,
            }),
        }
    }
}

impl CertificateMember {
    fn certificate(self) -> Certificate {
        let Self { subject, issuer, names, not_before, not_after, sha256 } = self;
        Certificate { subject, issuer, names, not_before, not_after, sha256 }
    }
}

impl From<Certificate> for CertificateMember {
    fn from(certificate: Certificate) -> Self {
        let Certificate { subject, issuer, names, not_before, not_after, sha256 } = certificate;
        Self { subject, issuer, names, not_before, not_after, sha256 }
    }
}

/// Reads a list, and keeps the first `MOST` of its items.
fn at_most<'de, D, T, const MOST: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct First<T, const MOST: usize>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for First<T, MOST> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
            let mut items = Vec::new();
            while items.len() < MOST
                && let Some(item) = seq.next_element()?
            {
                items.push(item);
            }
            while items.len() == MOST && seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok(items)
        }
    }

    deserializer.deserialize_seq(First::<T, MOST>(PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_recording_is_of_the_clients_leg() {
        let member: TlsMember = serde_json::from_str(r#"{"version": "TLSv1.3", "readable": true}"#).unwrap();
        let version = Some("TLSv1.3".to_owned());
        assert_eq!(member.tls(7), Tls { at: 7, version, readable: true, ..Tls::default() });
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let json = |tls| serde_json::to_string(&TlsMember::from(tls)).unwrap();
        assert_eq!(json(Tls::of(Side::Server)), r#"{"leg":"server","readable":false}"#);
        let trust = |trust| json(Tls { trust: Some(trust), ..Tls::default() });
        assert_eq!(trust(Trust::Verified), r#"{"leg":"client","readable":false,"trust":"verified"}"#);
        assert_eq!(
            trust(Trust::Overruled("self-signed".to_owned())),
            r#"{"leg":"client","readable":false,"trust":{"overruled":"self-signed"}}"#
        );
    }

    #[test]
    fn a_chain_without_end_is_read_in_part() {
        let names = vec!["pop.example.org"; 300];
        let chain = vec![serde_json::json!({"subject": "CN=pop.example.org", "names": names}); 20];
        let text = serde_json::json!({"chain": chain}).to_string();
        let tls = serde_json::from_str::<TlsMember>(&text).unwrap().tls(0);
        assert_eq!((tls.chain.len(), tls.chain[15].names.len()), ({ Tls::MAX_CHAIN }, NAMES));
    }
}
