//! The states of a session and what moves it (RFC 1939 section 3).
//!
//! ```text
//!   greeting -> AUTHORIZATION --(PASS, APOP or AUTH: +OK)--> TRANSACTION --(QUIT)--> UPDATE -> closed
//!                     |
//!                     +--(QUIT)--> closed
//! ```

use super::command::Keyword;

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum State {
    /// The client has not yet identified itself.
    #[default]
    Authorization,
    /// The maildrop is open.
    Transaction,
    /// QUIT was accepted in TRANSACTION: marked messages go now.
    Update,
}

impl State {
    /// The RFC's own word, upper case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authorization => "AUTHORIZATION",
            Self::Transaction => "TRANSACTION",
            Self::Update => "UPDATE",
        }
    }

    /// The state after a command was answered `+OK` in this one.
    #[must_use]
    pub const fn after(self, keyword: Keyword) -> Self {
        match (self, keyword) {
            (Self::Authorization, Keyword::Pass | Keyword::Apop | Keyword::Auth | Keyword::Rpop) => {
                Self::Transaction
            }
            (Self::Transaction, Keyword::Quit) => Self::Update,
            (same, _) => same,
        }
    }
}
