//! How much a server puts up with: after which refusals it ends the session itself.

use super::quirks::Quirks;
use super::wording::Say;
use crate::pop3::State;

/// What it has put up with so far.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// Bad commands in a row.
    bad: u32,
}

/// Why the session ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// The refusal has said it all.
    AtOnce,
    /// This is said, unasked.
    After(Say),
}

impl Patience {
    /// Takes what was refused, None: nothing was, in a state; whether it was too much.
    pub(super) fn spend(&mut self, quirks: &Quirks, refused: Option<Say>, state: State) -> Option<Lost> {
        if !refused.is_some_and(is_bad_command) {
            self.bad = 0;
        }
        match refused? {
            Say::BadCredentials | Say::BadAuth | Say::EmptyResponse if quirks.closes_after_failed_login => {
                Some(Lost::AtOnce)
            }
            Say::TooLong | Say::TooLongLater if quirks.closes_after_long_line => Some(Lost::AtOnce),
            say if is_bad_command(say) => {
                self.bad += 1;
                let say = if state == State::Authorization { Say::TooMany } else { Say::TooManyLater };
                (self.bad == quirks.bad_commands.of(state)).then_some(Lost::After(say))
            }
            _ => None,
        }
    }
}

/// Whether the command is not one, or not one here.
fn is_bad_command(refused: Say) -> bool {
    matches!(
        refused,
        Say::Unknown
            | Say::UnknownLater
            | Say::NoCommandLater
            | Say::NotImplemented
            | Say::NotImplementedLater
            | Say::WrongState
            | Say::WrongStateLater
            | Say::TooLong
            | Say::TooLongLater
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Limits;

    #[test]
    fn only_bad_commands_in_a_row_count() {
        let quirks = Quirks { bad_commands: Limits { before_login: 2, after_login: 0 }, ..Quirks::default() };
        let mut patience = Patience::default();
        let mut spend = |refused| patience.spend(&quirks, refused, State::Authorization);
        assert_eq!(spend(Some(Say::Unknown)), None);
        assert_eq!(spend(None), None);
        assert_eq!(spend(Some(Say::WrongState)), None);
        assert_eq!(spend(Some(Say::BadCredentials)), None);
        assert_eq!(spend(Some(Say::Unknown)), None);
        assert_eq!(spend(Some(Say::NotImplemented)), Some(Lost::After(Say::TooMany)));
        let mut later = Patience::default();
        assert!((0..99).all(|_| later.spend(&quirks, Some(Say::UnknownLater), State::Transaction).is_none()));
    }
}
