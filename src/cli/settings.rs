//! The settings of a built-in server on the command line: a profile, and the flags that count more than it.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use serde_json::{Map, Value, json};

use super::failure::Failure;
use crate::engine::{Accounts, PERSONALITIES, Password, Profile};
use crate::pop3::Keyword;
use crate::pop3::secret::Secret;

/// What a server is to be.
#[derive(Debug, Args)]
#[command(next_help_heading = "The server")]
pub(super) struct Settings {
    /// Who may log in: NAME:PASSWORD, or "any" for everybody with any password; may be repeated
    #[arg(long, value_name = "NAME:PASSWORD")]
    user: Vec<String>,

    /// Whose wording and ways the server has
    #[arg(long, value_parser = PossibleValuesParser::new(PERSONALITIES.iter().map(|row| row.name)))]
    personality: Option<String>,

    /// Settings from a file, TOML or JSON; see the README. Flags count more
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,

    /// The text of the greeting
    #[arg(long, value_name = "TEXT")]
    greeting: Option<String>,

    /// The server's name, in the greeting's timestamp and in its farewell
    #[arg(long, value_name = "NAME")]
    host: Option<String>,

    /// A command that the server shall not have; may be repeated
    #[arg(long, value_name = "COMMAND")]
    disable: Vec<String>,

    /// Seconds between two logins of a user
    #[arg(long, value_name = "SECONDS")]
    login_delay: Option<u32>,

    /// What CAPA says of how long messages are kept: days, or "never"
    #[arg(long, value_name = "DAYS")]
    expire: Option<String>,

    /// Seconds of silence after which the server closes; 0: never
    #[arg(long, value_name = "SECONDS")]
    idle_timeout: Option<u32>,

    /// Leave response codes such as [IN-USE] out of the texts
    #[arg(long)]
    no_response_codes: bool,

    /// Let several sessions have a maildrop open at once
    #[arg(long)]
    no_lock: bool,

    /// When deletions are undone that do not reach the source
    #[arg(long, value_name = "WHEN", value_parser = PossibleValuesParser::new(["session", "never"]))]
    reset: Option<String>,
}

impl Settings {
    /// The profile with the flags in it.
    pub(super) fn profile(&self) -> Result<Profile, Failure> {
        let (text, name) = match &self.profile {
            None => (String::new(), String::new()),
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| {
                    Failure::usage(format!("cannot read the profile {}: {error}", path.display()))
                })?;
                (text, format!("the profile {}: ", path.display()))
            }
        };
        let personality = self.personality.as_deref();
        // The file first, so that its mistakes are told as its own.
        Profile::parse(&text, personality).map_err(|error| Failure::usage(format!("{name}{error}")))?;
        let mut profile = Profile::parse_with(&text, personality, self.flags()).map_err(Failure::usage)?;
        for name in &self.disable {
            match Keyword::of(name.as_bytes()) {
                Keyword::Unknown => {
                    return Err(Failure::usage(format!("--disable: there is no command {name}")));
                }
                keyword => profile.policy.disabled.push(keyword),
            }
        }
        Ok(profile)
    }

    /// The flags as a profile's table.
    fn flags(&self) -> Map<String, Value> {
        let mut table = Map::new();
        let mut set = |name: &str, value: Value| {
            if !value.is_null() {
                table.insert(name.to_owned(), value);
            }
        };
        set("host", json!(self.host));
        set("wording", self.greeting.as_ref().map_or(Value::Null, |text| json!({ "greeting": text })));
        set("login-delay", json!(self.login_delay));
        set("idle-timeout", json!(self.idle_timeout));
        set("reset", json!(self.reset));
        set(
            "expire",
            match &self.expire {
                Some(days) => days.parse::<u32>().map_or_else(|_| json!(days), |days| json!(days)),
                None => Value::Null,
            },
        );
        set("response-codes", if self.no_response_codes { json!(false) } else { Value::Null });
        set("shared", if self.no_lock { json!(true) } else { Value::Null });
        table
    }

    /// Who may log in; None: nobody was named.
    pub(super) fn accounts(&self, profile: &Profile) -> Result<Option<Accounts>, Failure> {
        let accounts = profile.accounts();
        for user in &self.user {
            if user == "any" {
                accounts.admit_others();
            } else {
                let (name, password) = name_and_password(user)?;
                accounts.add(name, Password::Is(password));
            }
        }
        let nobody = self.user.is_empty() && profile.rest.users.is_empty() && !profile.rest.any_user;
        Ok((!nobody).then_some(accounts))
    }
}

/// A user as given on the command line. What is wrong is not shown: it may be a password.
pub(super) fn name_and_password(user: &str) -> Result<(String, Secret), Failure> {
    match user.split_once(':') {
        Some((name, password)) if !name.is_empty() && !password.is_empty() => {
            Ok((name.to_owned(), Secret::new(password)))
        }
        _ => Err(Failure::usage(
            "--user is given what is not of the form NAME:PASSWORD, with something in both",
        )),
    }
}
