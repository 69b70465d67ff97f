//! A certificate authority of the tests' own, and what it and others sign: good certificates and those with one flaw.

use std::fs::{self, Permissions};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
    date_time_ymd,
};
use tempfile::TempDir;

/// The authority, and the folder with its certificate and those that it signed. Everybody can read what is in it,
/// since servers and clients run as other users.
pub struct Pki {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as PEM files.
#[derive(Clone, Debug)]
pub struct Pair {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    WrongHost,
    Expired,
    /// Nobody but itself has signed it.
    SelfSigned,
}

impl Pki {
    pub fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let mut params = params("Authority of the tests", &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        fs::write(folder.path().join("ca.pem"), pem).unwrap();
        Self { folder, issuer: Issuer::new(params, key) }
    }

    /// The authority's own certificate.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A server's, for `localhost` and 127.0.0.1.
    pub fn server(&self) -> Pair {
        self.signed("server", &params("localhost", &["localhost", "127.0.0.1"]))
    }

    /// A client's.
    pub fn client(&self) -> Pair {
        let mut params = params("kcope", &["kcope.example"]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.signed("client", &params)
    }

    /// A server's that no client should take.
    pub fn flawed(&self, flaw: Flaw) -> Pair {
        let name = format!("{flaw:?}");
        match flaw {
            Flaw::WrongHost => self.signed(&name, &params("other.example", &["other.example"])),
            Flaw::Expired => {
                let mut params = params("localhost", &["localhost", "127.0.0.1"]);
                params.not_after = date_time_ymd(2020, 1, 2);
                self.signed(&name, &params)
            }
            Flaw::SelfSigned => {
                let key = KeyPair::generate().unwrap();
                let made = params("localhost", &["localhost", "127.0.0.1"]).self_signed(&key).unwrap();
                self.put(&name, &made.pem(), &key)
            }
        }
    }

    fn signed(&self, name: &str, params: &CertificateParams) -> Pair {
        let key = KeyPair::generate().unwrap();
        let made = params.signed_by(&key, &self.issuer).unwrap();
        self.put(name, &made.pem(), &key)
    }

    fn put(&self, name: &str, certificate: &str, key: &KeyPair) -> Pair {
        let file = |extension: &str| self.folder.path().join(format!("{name}.{extension}"));
        let pair = Pair { certificate: file("pem"), key: file("key") };
        fs::write(&pair.certificate, certificate).unwrap();
        fs::write(&pair.key, key.serialize_pem()).unwrap();
        pair
    }
}

/// Valid from 2020 until 2099.
fn params(subject: &str, names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, subject);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2099, 1, 1);
    params.subject_alt_names = names
        .iter()
        .map(|name| match name.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName((*name).try_into().unwrap()),
        })
        .collect();
    params.use_authority_key_identifier_extension = true;
    params
}
