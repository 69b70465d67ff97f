//! What the hellos say (RFC 8446 section 4.1, RFC 5246 section 7.4.1).

use tls_parser::{SNIType, TlsCipherSuite, TlsExtension};

use super::suite::Suite;
use crate::capture::keylog::Random;

/// The random octets that make a server's hello a request to try again (RFC 8446 section 4.1.3).
const RETRY: Random = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// The versions that can be decrypted.
pub(super) const TLS12: u16 = 0x0303;
pub(super) const TLS13: u16 = 0x0304;

/// What the client asks for.
#[derive(Debug, Clone)]
pub(super) struct ClientHello {
    pub(super) random: Random,
    pub(super) server_name: Option<String>,
    /// Data follows before the server has said anything (0-RTT).
    pub(super) early_data: bool,
}

/// What the server chose.
#[derive(Debug, Clone)]
pub(super) struct ServerHello {
    pub(super) random: Random,
    pub(super) version: u16,
    pub(super) suite: u16,
    pub(super) compressed: bool,
    pub(super) alpn: Option<String>,
}

impl ClientHello {
    /// Of the body of a message.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let (_, hello) = tls_parser::parse_tls_handshake_client_hello(body).ok()?;
        let extensions = extensions(hello.ext.unwrap_or_default());
        Some(Self {
            random: hello.random.try_into().ok()?,
            server_name: extensions.iter().find_map(server_name),
            early_data: extensions.iter().any(|one| matches!(one, TlsExtension::EarlyData(_))),
        })
    }
}

impl ServerHello {
    /// Of the body of a message.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let (_, hello) = tls_parser::parse_tls_handshake_server_hello(body).ok()?;
        let extensions = extensions(hello.ext.unwrap_or_default());
        let chosen = extensions.iter().find_map(|one| match one {
            TlsExtension::SupportedVersions(versions) => versions.first().map(|version| version.0),
            _ => None,
        });
        Some(Self {
            random: hello.random.try_into().ok()?,
            version: chosen.unwrap_or(hello.version.0),
            suite: hello.cipher.0,
            compressed: hello.compression.0 != 0,
            alpn: extensions.iter().find_map(protocol),
        })
    }

    /// It asks for another hello.
    pub(super) fn is_retry(&self) -> bool {
        self.random == RETRY
    }

    /// The suite, where it can be opened.
    pub(super) fn suite(&self) -> Option<Suite> {
        Suite::find(self.version, self.suite).filter(|_| !self.compressed)
    }

    /// The version by the name that recordings use.
    pub(super) fn version_name(&self) -> String {
        match self.version {
            0x0300 => "SSLv3".into(),
            0x0301 => "TLSv1.0".into(),
            0x0302 => "TLSv1.1".into(),
            TLS12 => "TLSv1.2".into(),
            TLS13 => "TLSv1.3".into(),
            draft @ 0x7f00..=0x7fff => format!("TLSv1.3 draft {}", draft & 0xff),
            other => format!("0x{other:04x}"),
        }
    }

    /// The suite by its IANA name.
    pub(super) fn suite_name(&self) -> String {
        TlsCipherSuite::from_id(self.suite)
            .map_or_else(|| format!("0x{:04x}", self.suite), |suite| suite.name.to_owned())
    }
}

/// The protocol that a TLS 1.3 server agrees on in its `EncryptedExtensions` (RFC 8446 section 4.3.1).
pub(super) fn encrypted_protocol(body: &[u8]) -> Option<String> {
    extensions(body.get(2..)?).iter().find_map(protocol)
}

/// One by one, since what is wrong with one says nothing about the others.
fn extensions(mut list: &[u8]) -> Vec<TlsExtension<'_>> {
    let mut all = Vec::new();
    while let &[_, _, high, low, ..] = list {
        let length = 4 + usize::from(u16::from_be_bytes([high, low]));
        let Some((one, after)) = list.split_at_checked(length) else {
            break;
        };
        all.extend(tls_parser::parse_tls_extension(one).ok().map(|(_, extension)| extension));
        list = after;
    }
    all
}

fn server_name(extension: &TlsExtension<'_>) -> Option<String> {
    let TlsExtension::SNI(names) = extension else {
        return None;
    };
    let (_, name) = names.iter().find(|(kind, _)| *kind == SNIType::HostName)?;
    Some(String::from_utf8_lossy(name).into_owned())
}

fn protocol(extension: &TlsExtension<'_>) -> Option<String> {
    let TlsExtension::ALPN(names) = extension else {
        return None;
    };
    names.first().map(|name| String::from_utf8_lossy(name).into_owned())
}
