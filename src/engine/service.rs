//! What a session needs in every state: the server it belongs to, what is its own from birth, and how it
//! speaks.

use std::fmt::Write as _;
use std::sync::Arc;

use md5::{Digest as _, Md5};

use super::accounts::Accounts;
use super::facts::{About, Facts};
use super::output::Output;
use super::policy::Policy;
use super::reply::Refusal;
use super::wording::Say;
use crate::pop3::{Keyword, Status};
use crate::wire::{Micros, Security};

/// What the sessions of a server have in common.
#[derive(Debug)]
pub struct Server {
    /// What it is configured to be.
    pub policy: Policy,
    /// Who may log in.
    pub accounts: Accounts,
}

impl Server {
    /// A server that keeps to the RFCs, for these users.
    pub fn new(accounts: Accounts) -> Self {
        Self { policy: Policy::default(), accounts }
    }
}

/// What a session is born with: dice and clock come in by this door alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Birth {
    /// Printable ASCII without comma, space or brackets, another one in every session, and not to be guessed.
    /// The greeting's timestamp, challenges and nonces are made from it.
    pub nonce: String,
    /// How long the server has been running.
    pub at: Micros,
    /// How TLS comes to the connection.
    pub security: Security,
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Service {
    pub(super) server: Arc<Server>,
    pub(super) birth: Birth,
    /// The connection is under TLS.
    pub(super) tls: bool,
    /// The session is in UTF8 mode (RFC 6856 section 2).
    pub(super) utf8: bool,
    /// Since the session began.
    pub(super) now: Micros,
    /// The timestamp of a recorded greeting.
    shown: Option<String>,
}

impl Service {
    pub(super) fn new(server: Arc<Server>, birth: Birth) -> Self {
        let tls = birth.security == Security::Implicit;
        Self { server, birth, tls, utf8: false, now: 0, shown: None }
    }

    pub(super) fn policy(&self) -> &Policy {
        &self.server.policy
    }

    /// Takes note of a recorded greeting.
    pub(super) fn greeted_with(&mut self, greeting: &[u8]) {
        let text = String::from_utf8_lossy(greeting);
        let mark = text.find('<').and_then(|from| Some(&text[from..=from + text[from..].find('>')?]));
        self.shown = mark.filter(|mark| mark.contains('@')).map(str::to_owned);
    }

    /// The greeting's timestamp, angle brackets included; None where APOP is not for this server.
    pub(super) fn timestamp(&self) -> Option<String> {
        if self.shown.is_some() {
            return self.shown.clone();
        }
        let there = self.policy().apop && self.policy().has(Keyword::Apop);
        there.then(|| format!("<{}@{}>", self.birth.nonce, self.policy().host.as_str()))
    }

    /// Whether a password or token that was sent as it is lets a user in.
    pub(super) fn admits(&self, user: &str, password: &[u8]) -> bool {
        !self.policy().apop_only.contains(user)
            && self.server.accounts.admits(user, |secret| secret == password)
    }

    /// Refuses what would send a password in clear where it must not be.
    pub(super) fn check_plaintext(&self) -> Result<(), Refusal> {
        if self.admits_plaintext() { Ok(()) } else { Err(Say::NeedsTls.into()) }
    }

    /// Whether a password may be sent as it is: in clear by default only where there is no better way.
    pub(super) fn admits_plaintext(&self) -> bool {
        self.tls || self.policy().plaintext.unwrap_or(!self.has_stls())
    }

    fn has_stls(&self) -> bool {
        self.birth.security == Security::Stls && self.policy().has(Keyword::Stls)
    }

    /// Whether TLS can begin: once is enough (RFC 2595 section 4), and not after UTF8 (RFC 6856 section 2.1).
    pub(super) fn may_start_tls(&self) -> bool {
        self.has_stls() && !self.tls && !self.utf8
    }

    /// Whether a user's last login is long enough ago (RFC 2449 section 6.5).
    pub(super) fn may_log_in_again(&self, user: &str) -> bool {
        let delay = Micros::from(self.policy().login_delay) * 1_000_000;
        self.server.accounts.last_login(user).is_none_or(|last| self.moment() >= last.saturating_add(delay))
    }

    /// Notes that a user has logged in.
    pub(super) fn logged_in(&self, user: &str) {
        if self.policy().login_delay > 0 {
            self.server.accounts.log_in(user, self.moment());
        }
    }

    /// How long the server has been running.
    fn moment(&self) -> Micros {
        self.birth.at + self.now
    }

    /// Writes a status line about a situation.
    pub(super) fn say(&self, output: &mut Output, line: &[u8], status: Status, say: Say, facts: &Facts) {
        let timestamp =
            if say == Say::Greeting { self.timestamp().unwrap_or_default() } else { String::new() };
        let host = self.policy().host.as_str();
        let about = About { facts, host, timestamp: &timestamp, line };
        self.text(output, status, &self.policy().wording.fill(say, &about));
    }

    /// Writes a status line with a text that may begin with a response code (RFC 2449 section 8).
    pub(super) fn text(&self, output: &mut Output, status: Status, text: &str) {
        let code = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let text = match code {
            Some((_, rest)) if !self.policy().response_codes => rest.trim_start(),
            _ => text,
        };
        output.status(status, text, self.utf8);
    }
}

/// The MD5 digest of the timestamp, brackets included, followed by the secret (RFC 1939 section 7).
pub(super) fn apop_digest(timestamp: &str, secret: &[u8]) -> String {
    hex(&Md5::new().chain_update(timestamp).chain_update(secret).finalize())
}

/// Lower-case hexadecimal.
pub(super) fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut hex, octet| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{octet:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    /// P3-046: the example of RFC 1939 section 7.
    #[test]
    fn the_digest_of_the_rfc() {
        let timestamp = "<1896.697170952@dbc.mtview.ca.us>";
        assert_eq!(super::apop_digest(timestamp, b"tanstaaf"), "c4c9334bac560ecc979e58001b3e22fb");
    }
}
