//! AUTHORIZATION: the client says who it is (RFC 1939 sections 4 and 7).

use super::capabilities::capabilities;
use super::reply::{Answer, Refusal, Reply};
use super::request::Request;
use super::transaction::Transaction;
use super::{Service, Stage};
use crate::pop3::{Keyword, State};

/// The state before login.
#[derive(Debug, Default)]
pub(super) struct Authorization {
    /// Whom the last USER named, as long as PASS may still follow.
    user: Option<String>,
}

impl Authorization {
    /// Answers a command; gives the state after it.
    pub(super) fn handle(
        self,
        service: &Service,
        request: Result<Request<'_>, Refusal>,
    ) -> (Option<Stage>, Answer) {
        // PASS follows USER at once (RFC 1939 section 7), but CAPA is free to come between (RFC 2449
        // section 5) and a refused AUTH is as if it had not been sent (RFC 5034 section 4).
        let kept = match request.map(|request| request.keyword()) {
            Ok(Keyword::Capa | Keyword::Auth) => self.user.clone(),
            _ => None,
        };
        match request.and_then(|request| self.step(service, &request)) {
            Ok((stage, reply)) => (stage, Ok(reply)),
            Err(refusal) => (Some(Stage::Authorization(Self { user: kept })), Err(refusal)),
        }
    }

    fn step(self, service: &Service, request: &Request<'_>) -> Result<(Option<Stage>, Reply), Refusal> {
        request.legal_in(State::Authorization)?;
        match request.keyword() {
            // Every name is welcome: who knows which exist is half way in (RFC 1939 section 13).
            Keyword::User => {
                let user = request.counted()?.text(0)?.to_owned();
                Ok((Some(Stage::Authorization(Self { user: Some(user) })), Reply::ok("")))
            }
            Keyword::Pass => {
                let user = self.user.ok_or(Refusal::NoUser)?;
                let proven = service.policy.admits(&user, request.password()?);
                log_in(service, &user, proven)
            }
            Keyword::Apop => {
                let timestamp = service.timestamp.as_ref().ok_or(Refusal::NoTimestamp)?;
                let arguments = request.counted()?;
                let (user, digest) = (arguments.text(0)?, arguments.text(1)?);
                let proven = service.policy.admits_digest(user, timestamp, digest);
                log_in(service, user, proven)
            }
            Keyword::Capa => {
                request.counted()?;
                Ok((Some(Stage::Authorization(self)), capabilities()))
            }
            // There is no UPDATE: nothing was opened (RFC 1939 section 4).
            Keyword::Quit => {
                request.counted()?;
                Ok((None, Reply::ok(format!("{} POP3 server signing off", service.policy.host()))))
            }
            _ => Err(request.not_implemented()),
        }
    }
}

/// Opens the maildrop of a user who has proven to be the one (RFC 1939 section 4).
fn log_in(service: &Service, user: &str, proven: bool) -> Result<(Option<Stage>, Reply), Refusal> {
    if !proven {
        return Err(Refusal::BadCredentials);
    }
    let transaction = Transaction::new(service.source.open(user)?);
    let reply = Reply::ok(format!("{user}'s maildrop has {}", transaction.drop_listing()));
    Ok((Some(Stage::Transaction(transaction)), reply))
}
