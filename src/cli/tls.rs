//! TLS on the command line: towards clients for every verb that serves, towards the upstream for `record`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use rustls::pki_types::ServerName;
use rustls::{KeyLog, RootCertStore};

use super::ca::CaDir;
use super::failure::Failure;
use super::output::{say, warn};
use crate::net::address::Upstream;
use crate::net::tls::acceptor::{Acceptor, Failing, Identity};
use crate::net::tls::authority::Flaw;
use crate::net::tls::connector::{Connecting, Connector};
use crate::net::tls::identity::{certificates, load_identity, load_roots};
use crate::net::tls::keylog::KeyLogFile;
use crate::wire::Security;

/// Where secrets go: the first is poptape's alone, the second what other programs heed too.
const KEY_LOGS: [&str; 2] = ["POPTAPE_SSLKEYLOGFILE", "SSLKEYLOGFILE"];

/// TLS towards clients.
#[derive(Debug, Args)]
#[command(next_help_heading = "TLS towards clients")]
pub(super) struct ClientTls {
    /// How TLS comes to connections, where -l does not say it by its scheme: not at all, by STLS, or before
    /// anything else
    #[arg(long, value_enum, default_value = "off", value_name = "off|stls|implicit")]
    tls: SecurityChoice,

    /// The certificate to show, PEM; otherwise poptape's own authority makes one for each name, see poptape ca
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,

    /// Its private key, PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,

    #[command(flatten)]
    ca_dir: CaDir,

    /// Fail with every client in this way, to see what it does about it
    #[arg(long, value_enum, value_name = "HOW")]
    tls_fail: Option<FailChoice>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SecurityChoice {
    Off,
    Stls,
    Implicit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailChoice {
    /// An alert instead of a handshake
    Handshake,
    /// A certificate that has expired
    CertExpired,
    /// A certificate for another host
    CertWrongHost,
    /// A certificate of an authority that nobody trusts
    CertUntrusted,
    /// A reset instead of a handshake
    Reset,
}

impl FailChoice {
    fn failing(self) -> Failing {
        match self {
            Self::Handshake => Failing::Handshake,
            Self::Reset => Failing::Reset,
            Self::CertExpired => Failing::Certificate(Flaw::Expired),
            Self::CertWrongHost => Failing::Certificate(Flaw::WrongHost),
            Self::CertUntrusted => Failing::Certificate(Flaw::Untrusted),
        }
    }
}

impl ClientTls {
    /// How TLS comes to a listener whose address does not say it.
    pub(super) fn security(&self) -> Security {
        match self.tls {
            SecurityChoice::Off => Security::Plain,
            SecurityChoice::Stls => Security::Stls,
            SecurityChoice::Implicit => Security::Implicit,
        }
    }

    /// Who does the handshakes with clients of these listeners; None: none of them has TLS. A certificate that is made
    /// is for `names` too.
    pub(super) fn acceptor(
        &self,
        listeners: &[Security],
        names: Vec<String>,
        key_log: Option<Arc<dyn KeyLog>>,
    ) -> Result<Option<Arc<Acceptor>>, Failure> {
        if listeners.iter().all(|security| *security == Security::Plain) {
            if self.tls_fail.is_some() || self.cert.is_some() {
                return Err(Failure::usage(
                    "--tls-fail and --cert are for listeners with TLS: add --tls stls or --tls implicit",
                ));
            }
            return Ok(None);
        }
        let identity = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => Identity::Given(load_identity(cert, key).map_err(Failure::usage)?),
            _ => Identity::Minted(Arc::new(self.ca_dir.open()?)),
        };
        let failing = self.tls_fail.map(FailChoice::failing);
        if let (Identity::Given(_), Some(Failing::Certificate(_))) = (&identity, failing) {
            return Err(Failure::usage(
                "--tls-fail cert-... makes a certificate of its own: leave --cert out",
            ));
        }
        Ok(Some(Arc::new(Acceptor::new(identity, names).failing(failing).key_log(key_log))))
    }
}

/// TLS towards the upstream.
#[derive(Debug, Args)]
#[command(next_help_heading = "TLS towards the server")]
pub(super) struct UpstreamTls {
    /// Whom to trust instead of the system's authorities, PEM; a server's own certificate is trusted as it is
    #[arg(long, value_name = "FILE")]
    upstream_ca: Option<PathBuf>,

    /// Take whatever certificate the server shows. Anybody could be that server
    #[arg(short = 'k', long)]
    insecure: bool,

    /// The certificate to show where the server asks for one, PEM
    #[arg(long, value_name = "FILE", requires = "upstream_key")]
    upstream_cert: Option<PathBuf>,

    /// Its private key, PEM
    #[arg(long, value_name = "FILE", requires = "upstream_cert")]
    upstream_key: Option<PathBuf>,

    /// The name to ask the server for, and that its certificate has to be for, instead of the one in the URL
    #[arg(long, value_name = "NAME")]
    upstream_sni: Option<String>,
}

impl UpstreamTls {
    /// Whether the server can be shown a certificate.
    pub(super) fn has_certificate(&self) -> bool {
        self.upstream_cert.is_some()
    }

    /// Who does the handshakes with the upstream. `follows`: also where its URL is plain, once a client asks for STLS.
    pub(super) fn connector(
        &self,
        upstream: &Upstream,
        follows: bool,
        key_log: Option<Arc<dyn KeyLog>>,
    ) -> Result<Option<Arc<Connector>>, Failure> {
        if upstream.security == Security::Plain && !follows {
            let unused = self.insecure
                || self.upstream_ca.is_some()
                || self.upstream_cert.is_some()
                || self.upstream_sni.is_some();
            if unused {
                return Err(Failure::usage(format!(
                    "there is no TLS to {upstream}: write pop3s:// or pop3+stls://, or give --tls stls to follow a client's STLS"
                )));
            }
            return Ok(None);
        }
        if self.insecure {
            warn(&format!(
                "-k: the certificate of {upstream} is NOT verified; whoever stands between can read and change everything"
            ));
        }
        let name = self.upstream_sni.as_deref().unwrap_or(&upstream.host);
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| Failure::usage(format!("{name:?} is no name that a certificate can be for")))?;
        let (roots, pinned) = match &self.upstream_ca {
            Some(path) => {
                (load_roots(path).map_err(Failure::usage)?, certificates(path).map_err(Failure::usage)?)
            }
            None => (system_roots(self.insecure)?, Vec::new()),
        };
        let identity = match (&self.upstream_cert, &self.upstream_key) {
            (Some(cert), Some(key)) => Some(load_identity(cert, key).map_err(Failure::usage)?),
            _ => None,
        };
        let connecting = Connecting { name, roots, pinned, insecure: self.insecure, identity, key_log };
        let connector =
            Connector::new(connecting).map_err(|error| Failure::runtime(format!("no TLS: {error}")))?;
        Ok(Some(Arc::new(connector)))
    }
}

/// Whom the system trusts.
fn system_roots(insecure: bool) -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() && !insecure {
        return Err(Failure::usage(
            "this system trusts no certificate authority (is a package like ca-certificates missing?): name one with --upstream-ca FILE, or do not verify with -k",
        ));
    }
    Ok(roots)
}

/// The key log that the environment asks for.
pub(super) fn key_log() -> Result<Option<Arc<dyn KeyLog>>, Failure> {
    let told = |name: &&str| std::env::var_os(name).filter(|path| !path.is_empty());
    let Some(path) = KEY_LOGS.iter().find_map(told) else { return Ok(None) };
    let path = Path::new(&path);
    let log = KeyLogFile::open(path).map_err(|error| Failure::writing(path, &error))?;
    say(&format!("the secrets of TLS go to {}: whoever has that file can read the sessions", path.display()));
    Ok(Some(Arc::new(log)))
}
