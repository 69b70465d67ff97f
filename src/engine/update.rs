//! UPDATE: what was marked is removed, and the maildrop let go (RFC 1939 section 6).

use super::Service;
use super::reply::{Answer, Reply, messages};
use crate::maildrop::Maildrop;

/// The state that QUIT leads to from TRANSACTION. It ends with the session.
#[derive(Debug)]
pub(super) struct Update {
    maildrop: Maildrop,
    marked: Vec<bool>,
}

impl Update {
    /// Begins with what TRANSACTION leaves.
    pub(super) fn new(maildrop: Maildrop, marked: Vec<bool>) -> Self {
        Self { maildrop, marked }
    }

    /// Removes the marked messages, releases the lock and takes leave.
    pub(super) fn commit(self, service: &Service) -> Answer {
        let left = self.marked.iter().filter(|&&marked| !marked).count();
        self.maildrop.commit(&self.marked)?;
        let left = if left == 0 { "maildrop empty".to_owned() } else { format!("{} left", messages(left)) };
        Ok(Reply::ok(format!("{} POP3 server signing off ({left})", service.policy.host())))
    }
}
