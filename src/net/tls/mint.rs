//! Certificates made: a root, and leaves signed by it (RFC 5280).

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::net::dice;

/// From when until when a certificate is valid.
pub(super) type Validity = (DateTime<Utc>, DateTime<Utc>);

/// A clock that is a little behind ours does not find what was made now to be of the future.
pub(super) const EARLIER: TimeDelta = TimeDelta::days(1);

/// How long a root is good for: trusting one is work, and done seldom.
const ROOT_LASTS: TimeDelta = TimeDelta::days(3650);

/// The longest common name (RFC 5280 appendix A.1, `ub-common-name`).
const COMMON_NAME: usize = 64;

/// Whoever signs: a root certificate with its key.
#[derive(Debug)]
pub(super) struct Signer {
    issuer: Issuer<'static, KeyPair>,
    pub(super) certificate: CertificateDer<'static>,
    pub(super) validity: Validity,
}

impl Signer {
    /// A new root. `kind` tells it from others of ours for people, random digits from those of its kind.
    pub(super) fn new(kind: &str, now: DateTime<Utc>) -> Result<Self, rcgen::Error> {
        let validity = (now - EARLIER, now + ROOT_LASTS);
        let digits = u32::from_be_bytes(dice::octets());
        let subject = [
            (DnType::OrganizationName, "poptape".to_owned()),
            (DnType::CommonName, format!("{kind} {digits:08x}")),
        ];
        let mut params = params(subject, validity)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?.into();
        Ok(Self { issuer: Issuer::new(params, key), certificate, validity })
    }

    /// One that was kept as PEM, key and certificate in any order. The error says what is wrong with it.
    pub(super) fn from_pem(pem: &[u8]) -> Result<Self, String> {
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| "it holds no private key as PEM")?;
        let key =
            KeyPair::try_from(&key).map_err(|error| format!("its private key cannot be used: {error}"))?;
        let certificate =
            CertificateDer::from_pem_slice(pem).map_err(|_| "it holds no certificate as PEM")?.into_owned();
        let (_, parsed) = X509Certificate::from_der(&certificate)
            .map_err(|error| format!("its certificate cannot be read: {error}"))?;
        if parsed.public_key().raw != key.subject_public_key_info() {
            return Err("its private key is not that of its certificate".to_owned());
        }
        if !parsed.is_ca() {
            return Err("its certificate may not sign others (CA:TRUE is missing)".to_owned());
        }
        let moment = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or_default();
        let validity = parsed.validity();
        let validity = (moment(validity.not_before.timestamp()), moment(validity.not_after.timestamp()));
        let issuer = Issuer::from_ca_cert_der(&certificate, key)
            .map_err(|error| format!("its certificate cannot be read: {error}"))?;
        Ok(Self { issuer, certificate, validity })
    }

    /// The certificate, as PEM.
    pub(super) fn certificate_pem(&self) -> String {
        pem::encode_config(
            &pem::Pem::new("CERTIFICATE", self.certificate.as_ref()),
            pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF),
        )
    }

    /// The key with the certificate, as PEM.
    pub(super) fn secret_pem(&self) -> String {
        self.issuer.key().serialize_pem() + &self.certificate_pem()
    }

    /// A certificate for a server of these names, whose key is `key`.
    pub(super) fn leaf(
        &self,
        names: &[ServerName<'_>],
        validity: Validity,
        key: &KeyPair,
    ) -> Result<CertificateDer<'static>, rcgen::Error> {
        let first = names.first().map_or("poptape".into(), ServerName::to_str);
        let first = first.get(..COMMON_NAME).unwrap_or(&first);
        let mut params = params([(DnType::CommonName, first.to_owned())], validity)?;
        for name in names {
            params.subject_alt_names.push(match name {
                ServerName::IpAddress(address) => SanType::IpAddress(IpAddr::from(*address)),
                name => SanType::DnsName(name.to_str().as_ref().try_into()?),
            });
        }
        // Said expressly: the key's identifier is written only then.
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        Ok(params.signed_by(key, &self.issuer)?.into())
    }
}

/// What every certificate has.
fn params<const N: usize>(
    subject: [(DnType, String); N],
    (from, until): Validity,
) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    for (kind, value) in subject {
        params.distinguished_name.push(kind, value);
    }
    let mut serial = dice::octets::<16>();
    // Positive, and without a zero in front (RFC 5280 section 4.1.2.2).
    serial[0] = serial[0] & 0x7f | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.not_before = date(from)?;
    params.not_after = date(until)?;
    Ok(params)
}

/// Fails only for years that no certificate can have.
fn date(at: DateTime<Utc>) -> Result<OffsetDateTime, rcgen::Error> {
    OffsetDateTime::from_unix_timestamp(at.timestamp()).map_err(|_| rcgen::Error::Time)
}
