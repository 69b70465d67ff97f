//! Secrets: what hides them. The dissector masks with these, so that no sink ever sees one.

use std::fmt;

/// What stands in a recording where a secret stood.
pub const MASK: &[u8; 8] = b"********";

/// Whether secrets are masked at the parser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Secrets {
    /// The default: passwords, digests and SASL payloads become [`MASK`].
    #[default]
    Redact,
    /// The user asked to keep them (`--secrets keep`).
    Keep,
}

/// A password or the like that poptape itself must hold. Shows itself to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes the octets in charge.
    pub fn new(octets: impl Into<Vec<u8>>) -> Self {
        Self(octets.into())
    }

    /// The octets, for a comparison or a digest.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_itself_to_nobody() {
        let secret = Secret::new("tanstaaf");
        assert_eq!(format!("{secret} {secret:?}"), "******** ********");
    }
}
