//! Where a server departs from the RFCs: each departure is a setting of its own, in a profile's `[quirks]`.

use serde::Deserialize;

use super::policy::keywords;
use super::request::MAX_COMMAND;
use crate::pop3::{Keyword, State};

/// Departures from the RFCs that real servers have. None by default.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own in a profile")]
pub struct Quirks {
    /// Where blanks may stand in a command line.
    pub blanks: Blanks,
    /// What is a number.
    pub numbers: Numbers,
    /// The same for TOP, where it shall be another.
    pub top_numbers: Option<Numbers>,
    /// Commands that take more arguments than they have, and leave them unread.
    #[serde(deserialize_with = "keywords")]
    pub extra_arguments: Vec<Keyword>,
    /// Commands whose last argument may be missing: it is an empty one then.
    #[serde(deserialize_with = "keywords")]
    pub empty_arguments: Vec<Keyword>,
    /// Commands that are unknown, not misplaced, in a state that they do not belong to.
    #[serde(deserialize_with = "keywords")]
    pub unknown_in_wrong_state: Vec<Keyword>,
    /// All that follows the blank behind USER is the name.
    pub name_is_rest_of_line: bool,
    /// How long the name of USER waits for PASS.
    pub name_lasts: NameLasts,
    /// A second USER is refused, and the name stays the first.
    pub first_name_stays: bool,
    /// After USER everything but PASS and QUIT is refused.
    pub only_pass_after_user: bool,
    /// UTF8 may come after login too.
    pub utf8_after_login: bool,
    /// A message may be marked as deleted again.
    pub dele_again: bool,
    /// LAST does not count a message that only TOP showed.
    pub last_without_top: bool,
    /// TOP sends a second empty line before the body, where lines of it are asked for.
    pub top_gap: bool,
    /// AUTH without a mechanism lists them.
    pub auth_lists: bool,
    /// A failed login ends the session.
    pub closes_after_failed_login: bool,
    /// A command line that is too long ends the session, once it is: its end is not waited for.
    pub closes_after_long_line: bool,
    /// After so many commands in a row that are not known or have no place in their state the session ends; 0:
    /// never.
    pub bad_commands: Limits,
    /// The longest command line in octets, its ending included; 0: as in RFC 2449 section 4.
    pub command_limit: Limits,
}

impl Quirks {
    /// The longest command line in a state.
    pub(super) fn longest_command(&self, state: State) -> usize {
        match self.command_limit.of(state) {
            0 => MAX_COMMAND,
            limit => limit as usize,
        }
    }
}

/// Where blanks may stand in a command line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blanks {
    /// One before each argument (RFC 1939 section 3).
    #[default]
    One,
    /// The same, and one behind the last word.
    OneBehind,
    /// One before each argument, any number before the command and behind the last word.
    Around,
    /// Any number before each argument and behind the last one, none before the command.
    Behind,
    /// Any number everywhere.
    Anywhere,
}

/// What is a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Numbers {
    /// Digits (RFC 1939 section 4).
    #[default]
    Digits,
    /// The same, and what comes behind them is refused as noise before it is seen whether there is such a
    /// message; so is a number that is too large for 32 bits.
    DigitsThenNoise,
    /// A plus may stand before the digits.
    Plus,
    /// A minus, too: a negative number is a huge one.
    Signed,
    /// The same, and what comes behind the digits is not read; without digits it is 0 (C's `strtoul`).
    Leading,
    /// The same in 32 bits, where what is larger begins again (C's `atoi`).
    Atoi,
}

/// How long the name of USER waits for PASS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameLasts {
    /// Until any command but CAPA (RFC 1939 section 7, RFC 2449 section 5) and AUTH (RFC 5034 section 4).
    #[default]
    Command,
    /// Until PASS, whatever comes between.
    Pass,
    /// Until a login: PASS may come again.
    Login,
}

/// A number for each stage.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Limits {
    /// Before login.
    pub before_login: u32,
    /// After login.
    pub after_login: u32,
}

impl Limits {
    pub(super) fn of(self, state: State) -> u32 {
        if state == State::Authorization { self.before_login } else { self.after_login }
    }
}
