//! Profiles: a server's settings as a file, TOML or JSON, and the personalities that ship as such files.
//!
//! A profile is the members of [`Policy`] and [`Rest`] in one table. With `personality` it begins from that one's
//! table; what it says itself comes before.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde_json::{Map, Value};

use super::accounts::{Accounts, Password};
use super::policy::Policy;
use crate::maildrop::{Reset, UniqueId};
use crate::pop3::secret::Secret;

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
    #[serde(deserialize_with = "users")]
    pub users: BTreeMap<String, Secret>,
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
    /// Two messages would have the same.
    #[error("unique-ids has {0:?} twice")]
    Twice(String),
}

/// Users and passwords; an error shows none of them.
fn users<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Secret>, D::Error> {
    let users = BTreeMap::deserialize(deserializer);
    users.map_err(|_| D::Error::custom("it is a table of names and passwords, each a text in quotes"))
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
        let (rest, policy) = (members(rest)?, members(policy)?);
        Ok(Self { policy, rest })
    }

    /// Who may log in.
    pub fn accounts(&self) -> Accounts {
        let users = self.rest.users.iter().map(|(user, password)| (user, Password::Is(password.clone())));
        let accounts: Accounts = users.collect();
        if self.rest.any_user {
            accounts.admit_others();
        }
        accounts
    }

    /// The ids of the first messages.
    pub fn unique_ids(&self) -> Result<Vec<UniqueId>, ProfileError> {
        let mut seen = HashSet::new();
        let ids = self.rest.unique_ids.iter().map(|id| {
            if !seen.insert(id) {
                return Err(ProfileError::Twice(id.clone()));
            }
            UniqueId::new(id).ok_or_else(|| ProfileError::UniqueId(id.clone()))
        });
        ids.collect()
    }
}

/// Takes members as they are to be; what is wrong is told with its key.
fn members<T: DeserializeOwned>(table: Map<String, Value>) -> Result<T, ProfileError> {
    let names: HashSet<_> = table.keys().map(|name| format!("unknown field `{name}`")).collect();
    serde_path_to_error::deserialize(Value::Object(table)).map_err(|error| {
        let (path, text) = (error.path().to_string(), error.inner().to_string());
        // Of an unknown member the text has the name already, and the members of `Policy` to choose from.
        let nested = ["quirks", "wording", "capabilities"].iter().any(|table| path.starts_with(table));
        if !nested && text.split(',').next().is_some_and(|beginning| names.contains(beginning)) {
            let rest = REST.join("`, `");
            return ProfileError::Member(format!("{text}, `{rest}`, `personality`"));
        }
        ProfileError::Member(if path == "." { text } else { format!("{path}: {text}") })
    })
}

fn table(text: &str) -> Result<Map<String, Value>, ProfileError> {
    if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| ProfileError::Syntax(error.to_string()))
    } else {
        // Not the line itself, which may hold a password.
        toml::from_str(text).map_err(|error: toml::de::Error| {
            let before = &text[..error.span().map_or(0, |span| span.start).min(text.len())];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            ProfileError::Syntax(format!("{} at line {line} column {column}", error.message().trim()))
        })
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
            ("hots = 1", "`host`"),
            (
                "hots = 1",
                "`line-limit`, `quirks`, `wording`, `users`, `any-user`, `unique-ids`, `shared`, `reset`, `personality`",
            ),
            ("expire = \"soon\"", "expire: it is a number of days or \"never\""),
            ("mechanisms = [\"FOO\"]", "mechanisms: there is no mechanism FOO; there are "),
            ("idle-timeout = \"1\"", "idle-timeout: invalid type"),
            ("[quirks]\ndele-again = 1", "quirks.dele-again: invalid type"),
            ("[quirks]\nhost = 1", "unknown field `host`, expected one of `blanks`"),
            ("shared = 1", "shared: invalid type"),
            ("[users]\nada = 1234", "users.ada: it is a table of names and passwords"),
            ("host = \"x\"\n[users]\nada = \"hunter2", "at line 3 column "),
            ("[wording]\nhello = \"x\"", "hello"),
            ("[wording]\ndele = \"{x}\"", "{x}"),
            ("personality = \"exchange\"", "exchange"),
            ("reset = \"often\"", "often"),
        ] {
            let error = Profile::parse(text, None).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
            assert!(!error.contains("hunter2") && !error.contains("1234"), "{text}: {error}");
        }
        let twice = Profile::parse("unique-ids = [\"a\", \"b\", \"a\"]", None).unwrap();
        assert_eq!(twice.unique_ids().unwrap_err().to_string(), "unique-ids has \"a\" twice");
        assert!(Profile::parse("unique-ids = [\"a b\"]", None).unwrap().unique_ids().is_err());
    }

    #[test]
    fn no_password_is_shown() {
        let profile = Profile::parse("[users]\nada = \"hunter2\"", None).unwrap();
        let shown = format!("{profile:?}");
        assert!(shown.contains("ada") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn every_personality_is_a_profile() {
        for row in PERSONALITIES {
            Profile::parse("", Some(row.name)).unwrap();
        }
    }
}
