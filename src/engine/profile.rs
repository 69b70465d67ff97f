//! Profiles: a server's settings as a file, TOML or JSON, and the personalities that ship as such files.
//!
//! A profile is the members of [`Policy`] and [`Rest`] in one table. With `personality` it begins from that one's
//! table; what it says itself comes before.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::accounts::{Accounts, Password};
use super::policy::Policy;
use crate::maildrop::{Reset, UniqueId};

/// A personality: a real server's wording and ways.
#[derive(Debug)]
pub struct Personality {
    /// Its name in a profile.
    pub name: &'static str,
    /// What it is, for people.
    pub what: &'static str,
    /// What the text of its greeting begins with, by which a recording of it is recognized; of an empty one, that
    /// there is none.
    pub greets: Option<&'static str>,
    /// Its profile.
    pub profile: &'static str,
}

/// Every personality that ships.
#[rustfmt::skip]
pub const PERSONALITIES: &[Personality] = &[
    Personality { name: "rfc",       greets: None, what: "keeps to the RFCs in each word; the default", profile: "" },
    Personality { name: "courier",   greets: Some("Hello there."), what: "the POP3 server of Courier",                  profile: include_str!("personalities/courier.toml") },
    Personality { name: "dovecot",   greets: Some("Dovecot "), what: "the POP3 server of Dovecot",                  profile: include_str!("personalities/dovecot.toml") },
    Personality { name: "mailutils", greets: Some("POP3 Ready <"), what: "pop3d of GNU Mailutils",                      profile: include_str!("personalities/mailutils.toml") },
    Personality { name: "popa3d",    greets: Some(""), what: "popa3d, which says as little as it can",      profile: include_str!("personalities/popa3d.toml") },
];

/// What a server is configured to be, and what belongs to it beside the sessions' policy.
#[derive(Debug)]
pub struct Profile {
    /// What its sessions are.
    pub policy: Policy,
    /// Everything else.
    pub rest: Rest,
}

/// The members of a profile that are not [`Policy`]'s.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Rest {
    /// Users and their passwords.
    pub users: std::collections::BTreeMap<String, String>,
    /// Whether everybody else is let in too, with any password.
    pub any_user: bool,
    /// Unique-ids for the messages, in their order; those that are left over have their own.
    pub unique_ids: Vec<String>,
    /// Whether a maildrop may be open in more than one session.
    pub shared: bool,
    /// How long deletions hold: `"never"` undone, or until the end of the `"session"`.
    pub reset: Option<Reset>,
}

/// Why a profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// It is not TOML, or not JSON where it begins with a brace.
    #[error("it is neither TOML nor JSON: {0}")]
    Syntax(String),
    /// A member is wrong.
    #[error("{0}")]
    Member(String),
    /// There is no such personality.
    #[error("there is no personality {0:?}; there are {names}", names = names())]
    Personality(String),
    /// RFC 1939 does not allow it.
    #[error("{0:?} is not a unique-id: 1 to 70 printable ASCII characters (RFC 1939 section 7)")]
    UniqueId(String),
}

fn names() -> String {
    PERSONALITIES.iter().map(|row| row.name).collect::<Vec<_>>().join(", ")
}

impl Personality {
    /// The one whose server greets with this text.
    pub fn that_greets(text: &str) -> Option<&'static Self> {
        let greets = |row: &&Self| match row.greets {
            Some("") => text.is_empty(),
            Some(beginning) => text.starts_with(beginning),
            None => false,
        };
        PERSONALITIES.iter().find(greets)
    }
}

const REST: [&str; 5] = ["users", "any-user", "unique-ids", "shared", "reset"];

impl Profile {
    /// Takes a profile's text. `personality` is the one that was asked for beside it, which counts more than
    /// its own.
    pub fn parse(text: &str, personality: Option<&str>) -> Result<Self, ProfileError> {
        Self::from_table(table(text)?, personality)
    }

    /// The same with further members that count more than the text's.
    pub fn parse_with(
        text: &str,
        personality: Option<&str>,
        more: Map<String, Value>,
    ) -> Result<Self, ProfileError> {
        let mut table = table(text)?;
        merge(&mut table, more);
        Self::from_table(table, personality)
    }

    fn from_table(mut table: Map<String, Value>, personality: Option<&str>) -> Result<Self, ProfileError> {
        let own = table.remove("personality");
        let name = personality.or_else(|| own.as_ref().and_then(Value::as_str)).unwrap_or("rfc");
        let row = PERSONALITIES.iter().find(|row| row.name == name);
        let row = row.ok_or_else(|| ProfileError::Personality(name.to_owned()))?;
        let mut merged = self::table(row.profile)?;
        merge(&mut merged, table);
        let (rest, policy): (Map<_, _>, Map<_, _>) =
            merged.into_iter().partition(|(key, _)| REST.contains(&key.as_str()));
        let wrong = |error: serde_json::Error| ProfileError::Member(error.to_string());
        let rest: Rest = serde_json::from_value(Value::Object(rest)).map_err(wrong)?;
        let policy = serde_json::from_value(Value::Object(policy)).map_err(wrong)?;
        Ok(Self { policy, rest })
    }

    /// Who may log in.
    pub fn accounts(&self) -> Accounts {
        let users = self.rest.users.iter().map(|(user, password)| (user, Password::from(password.as_str())));
        let accounts: Accounts = users.collect();
        if self.rest.any_user {
            accounts.admit_others();
        }
        accounts
    }

    /// The ids of the first messages.
    pub fn unique_ids(&self) -> Result<Vec<UniqueId>, ProfileError> {
        let ids = self.rest.unique_ids.iter();
        ids.map(|id| UniqueId::new(id).ok_or_else(|| ProfileError::UniqueId(id.clone()))).collect()
    }
}

fn table(text: &str) -> Result<Map<String, Value>, ProfileError> {
    if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| ProfileError::Syntax(error.to_string()))
    } else {
        toml::from_str(text).map_err(|error| ProfileError::Syntax(error.to_string()))
    }
}

/// Tables are merged, everything else is replaced.
fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Expire;

    #[test]
    fn toml_and_json_are_one_shape() {
        let toml = Profile::parse(
            "host = \"mail.example.org\"\nexpire = \"never\"\ndisabled = [\"TOP\"]\nany-user = true\n\
             unique-ids = [\"a\", \"b\"]\n[users]\nada = \"secret\"\n[wording]\ndele = \"{n} is gone\"\n\
             [quirks]\ndele-again = true\n[capabilities]\nbefore-login = [\"USER\"]\n",
            None,
        )
        .unwrap();
        let json = Profile::parse(
            r#" {"host": "mail.example.org", "expire": "never", "disabled": ["top"], "any-user": true,
                "unique-ids": ["a", "b"], "users": {"ada": "secret"}, "wording": {"dele": "{n} is gone"},
                "quirks": {"dele-again": true}, "capabilities": {"before-login": ["USER"]}}"#,
            None,
        )
        .unwrap();
        assert_eq!(format!("{:?}{:?}", toml.policy, toml.rest), format!("{:?}{:?}", json.policy, json.rest));
        assert_eq!(toml.policy.expire, Some(Expire::Never));
        assert_eq!(toml.unique_ids().unwrap().len(), 2);
        assert_eq!(Profile::parse("expire = 30", None).unwrap().policy.expire, Some(Expire::Days(30)));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, says) in [
            ("[", "neither TOML nor JSON"),
            ("{", "neither TOML nor JSON"),
            ("hots = 1", "hots"),
            ("disabled = [\"XYZZY\"]", "XYZZY"),
            ("expire = \"soon\"", "Expire"),
            ("[wording]\nhello = \"x\"", "hello"),
            ("[wording]\ndele = \"{x}\"", "{x}"),
            ("personality = \"exchange\"", "exchange"),
            ("reset = \"often\"", "often"),
        ] {
            let error = Profile::parse(text, None).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
        assert!(Profile::parse("unique-ids = [\"a b\"]", None).unwrap().unique_ids().is_err());
    }

    #[test]
    fn every_personality_is_a_profile() {
        for row in PERSONALITIES {
            Profile::parse("", Some(row.name)).unwrap();
        }
    }
}
