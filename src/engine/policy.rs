//! What a server is configured to be: its name, and whom it lets in.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use md5::{Digest as _, Md5};

use crate::pop3::secret::Secret;

/// How a server presents itself and whom it serves. Shared by its sessions.
#[derive(Debug, Clone)]
pub struct Policy {
    host: String,
    users: Users,
}

/// Who may log in.
#[derive(Debug, Clone)]
pub enum Users {
    /// Everyone, with any password.
    Any,
    /// These, each with the password. Names and passwords are compared octet for octet.
    Listed(BTreeMap<String, Secret>),
}

impl FromIterator<(String, Secret)> for Users {
    fn from_iter<I: IntoIterator<Item = (String, Secret)>>(users: I) -> Self {
        Self::Listed(users.into_iter().collect())
    }
}

impl Policy {
    /// A server by the name of RFC 1939's example, `dewey`.
    pub fn new(users: Users) -> Self {
        Self { host: "dewey".to_owned(), users }
    }

    /// Gives it another name. Characters that have no place in the greeting's timestamp are left out, and
    /// what is longer than a domain name may be (RFC 1939 section 7, RFC 1035 section 2.3.4).
    pub fn with_host(mut self, host: &str) -> Self {
        let fits = |c: &char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '@');
        self.host = host.chars().filter(fits).take(255).collect();
        self
    }

    /// The name that the greeting's timestamp and the farewell give.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether PASS with this string lets the user in (RFC 1939 section 7).
    pub(super) fn admits(&self, user: &str, password: &[u8]) -> bool {
        self.knows(user, |secret| secret.reveal() == password)
    }

    /// Whether APOP with this digest, made with this timestamp, lets the user in (RFC 1939 section 7).
    pub(super) fn admits_digest(&self, user: &str, timestamp: &str, digest: &str) -> bool {
        self.knows(user, |secret| apop_digest(timestamp, secret) == digest)
    }

    fn knows(&self, user: &str, proven: impl FnOnce(&Secret) -> bool) -> bool {
        match &self.users {
            Users::Any => true,
            Users::Listed(users) => users.get(user).is_some_and(proven),
        }
    }
}

/// The MD5 digest of the timestamp, brackets included, followed by the secret, in lower-case hexadecimal
/// (RFC 1939 section 7).
fn apop_digest(timestamp: &str, secret: &Secret) -> String {
    let digest = Md5::new().chain_update(timestamp).chain_update(secret.reveal()).finalize();
    digest.iter().fold(String::with_capacity(32), |mut hex, octet| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{octet:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P3-046: the example of RFC 1939 section 7.
    #[test]
    fn the_digest_of_the_rfc() {
        let policy = Policy::new([("mrose".to_owned(), Secret::new("tanstaaf"))].into_iter().collect());
        let timestamp = "<1896.697170952@dbc.mtview.ca.us>";
        let digest = "c4c9334bac560ecc979e58001b3e22fb";
        assert!(policy.admits_digest("mrose", timestamp, digest));
        assert!(!policy.admits_digest("mrose", timestamp, &digest.to_uppercase()));
        assert!(!policy.admits_digest("mrose", "<1897.697170952@dbc.mtview.ca.us>", digest));
        assert!(!policy.admits_digest("kcope", timestamp, digest));
    }

    #[test]
    fn a_host_fits_into_a_timestamp_and_a_line() {
        let host = |name: &str| Policy::new(Users::Any).with_host(name).host().to_owned();
        assert_eq!(host("mail.example.org"), "mail.example.org");
        assert_eq!(host("a b\r\n<c>@d\u{434}"), "abcd");
        assert_eq!(host(&"x".repeat(300)).len(), 255);
    }
}
