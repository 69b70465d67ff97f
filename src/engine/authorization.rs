//! AUTHORIZATION: the client says who it is (RFC 1939 sections 4 and 7, RFC 5034).

use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::capabilities::capabilities;
use super::facts::Facts;
use super::quirks::NameLasts;
use super::reply::{Refusal, Reply};
use super::request::Request;
use super::responder::Canned;
use super::sasl::{self, First, Mechanism, Next};
use super::transaction::{self, language};
use super::turn::{Stage, Turn};
use super::wording::Say;
use super::{Service, apop_digest};
use crate::pop3::lines::split_ending;
use crate::pop3::{Command, Keyword, State, Status};
use crate::wire::{Ask, Listing, OpenError};

/// The state before login.
#[derive(Debug, Default)]
pub(super) struct Authorization {
    /// Whom the last USER named, as long as PASS may still follow.
    user: Option<String>,
}

/// An AUTH that waits for the client's next response.
#[derive(Debug)]
pub(super) struct Exchange {
    authorization: Authorization,
    mechanism: Box<dyn Mechanism>,
    /// What is answered at its end, whatever its outcome; it was recorded.
    canned: Option<Canned>,
}

/// A user who has proven to be the one and whose maildrop is being opened.
#[derive(Debug)]
pub(super) struct Opening {
    user: String,
    canned: Option<Canned>,
    /// Where the session is if it cannot be opened.
    otherwise: Authorization,
}

impl Authorization {
    /// Answers a command; gives what comes of it.
    pub(super) fn handle(self, service: &mut Service, request: Result<Request<'_>, Refusal>) -> Turn {
        let quirks = &service.policy().quirks;
        let keyword = request.as_ref().ok().map(Request::keyword);
        if self.user.is_some() {
            if quirks.only_pass_after_user && !matches!(keyword, Some(Keyword::Pass | Keyword::Quit)) {
                let stage = Stage::Authorization(Self::default());
                return Turn::answer(stage, Err(Say::NotAfterUser.into()));
            }
            if quirks.first_name_stays && keyword == Some(Keyword::User) {
                return Turn::answer(Stage::Authorization(self), Err(Say::UserAgain.into()));
            }
        }
        // PASS follows USER at once (RFC 1939 section 7), but CAPA is free to come between (RFC 2449
        // section 5) and a refused AUTH is as if it had not been sent (RFC 5034 section 4).
        let keeps = match quirks.name_lasts {
            NameLasts::Command => matches!(keyword, Some(Keyword::Capa | Keyword::Auth)),
            NameLasts::Pass => keyword != Some(Keyword::Pass),
            NameLasts::Login => true,
        };
        let kept = self.user.clone().filter(|_| keeps);
        match request.and_then(|request| self.step(service, &request)) {
            Ok(turn) => turn,
            Err(refusal) => Turn::answer(Stage::Authorization(Self { user: kept }), Err(refusal)),
        }
    }

    fn step(self, service: &mut Service, request: &Request<'_>) -> Result<Turn, Refusal> {
        match request.keyword() {
            // Every name is welcome: who knows which exist is half way in (RFC 1939 section 13).
            Keyword::User => {
                service.check_plaintext()?;
                let user = request.user()?;
                let facts = Facts { user: Some(user.clone()), ..Facts::default() };
                let stage = Stage::Authorization(Self { user: Some(user) });
                Ok(Turn::answer(stage, Ok(Reply::about(Say::User, facts))))
            }
            Keyword::Pass => {
                service.check_plaintext()?;
                let user = self.user.clone().ok_or_else(|| request.refuse(Say::NoUser))?;
                let proven = service.admits(&user, request.whole(Say::PasswordMissing)?);
                Self::default().log_in(service, user, proven, Say::BadCredentials, None)
            }
            Keyword::Apop => {
                let timestamp = service.timestamp().ok_or_else(|| request.refuse(Say::NoTimestamp))?;
                let arguments = request.counted()?;
                let (user, digest) = (arguments.text(0)?.to_owned(), arguments.text(1)?);
                let right = |secret: &[u8]| apop_digest(&timestamp, secret) == digest;
                let proven = service.server.accounts.admits(&user, right);
                Self::default().log_in(service, user, proven, Say::BadCredentials, None)
            }
            Keyword::Auth => self.auth(service, request, None),
            Keyword::Capa => {
                request.counted()?;
                let body = capabilities(service, State::Authorization);
                Ok(Turn::answer(Stage::Authorization(self), Ok(Reply::ok(Say::Capa).with_body(body))))
            }
            Keyword::Utf8 => {
                request.counted()?;
                service.utf8 = true;
                Ok(Turn::answer(Stage::Authorization(Self::default()), Ok(Reply::ok(Say::Utf8))))
            }
            Keyword::Lang => {
                let reply = language(request)?;
                Ok(Turn::answer(Stage::Authorization(Self::default()), Ok(reply)))
            }
            Keyword::Stls => {
                request.counted()?;
                if !service.may_start_tls() {
                    return Err(request.refuse(Say::NoTls));
                }
                Ok(Turn { secure: true, ..Turn::answer(Stage::Securing, Ok(Reply::ok(Say::Stls))) })
            }
            // There is no UPDATE: nothing was opened (RFC 1939 section 4).
            Keyword::Quit => {
                request.counted()?;
                Ok(Turn::answer(Stage::Over, Ok(Reply::ok(Say::QuitEarly))))
            }
            _ => Err(request.refuse(Say::NotImplemented)),
        }
    }

    /// Begins a SASL exchange (RFC 5034 section 4).
    fn auth(
        self,
        service: &mut Service,
        request: &Request<'_>,
        canned: Option<Canned>,
    ) -> Result<Turn, Refusal> {
        let arguments = request.counted()?;
        let Some(name) = arguments.get(0) else {
            return if service.policy().quirks.auth_lists {
                let names: String = sasl::offered(service).flat_map(|row| [row.name, "\r\n"]).collect();
                let reply = Reply::ok(Say::Mechanisms).with_body(names);
                Ok(Turn::answer(Stage::Authorization(self), Ok(reply)))
            } else {
                Err(request.refuse(Say::MechanismMissing))
            };
        };
        let row = sasl::offered(service).find(|row| row.name.eq_ignore_ascii_case(name));
        let row = row.ok_or_else(|| request.refuse(Say::NoMechanism))?;
        let initial = arguments.get(1);
        if row.first == First::Server && initial.is_some() {
            return Err(request.refuse(Say::NoInitialResponse));
        }
        let (mechanism, challenge) = (row.begin)(service);
        let exchange = Exchange { authorization: self, mechanism, canned };
        match initial {
            None => Ok(Turn::challenge(exchange, challenge)),
            Some("=") => Ok(exchange.payload(service, Some(Vec::new()))),
            Some(payload) => Ok(exchange.payload(service, BASE64_STANDARD.decode(payload).ok())),
        }
    }

    /// Opens the maildrop of a user who has proven to be the one (RFC 1939 section 4); where nothing comes of
    /// it, the session is here again.
    fn log_in(
        self,
        service: &Service,
        user: String,
        proven: bool,
        refusal: Say,
        canned: Option<Canned>,
    ) -> Result<Turn, Refusal> {
        let about = |say| Refusal::about(say, Facts { user: Some(user.clone()), ..Facts::default() });
        // A listed one is told once the password is right (RFC 3206 section 4); the others have none that could be.
        if let Some(text) = service.policy().refused.get(&user)
            && (proven || service.server.accounts.password(&user).is_none())
        {
            return Ok(Turn::text(Stage::Authorization(self), Status::Err, text.clone()));
        }
        if !proven {
            return Err(about(refusal));
        }
        if !service.may_log_in_again(&user) {
            return Err(about(Say::LoginDelay));
        }
        let opening = Opening { otherwise: self, ..Opening::new(&user, canned) };
        Ok(Turn::ask(Stage::Opening(opening), Ask::Open { user }))
    }

    /// Does what a recorded answer to a command means. Where the engine cannot go along with a login, it answers so
    /// itself.
    pub(super) fn follow(self, service: &mut Service, line: &[u8], canned: Canned) -> Turn {
        let command = Command::parse(line);
        let word = || command.words().next().map(|word| String::from_utf8_lossy(word).into_owned());
        let accepted = canned.status == Some(Status::Ok);
        match command.keyword {
            // Its challenges and responses are not those of the recording: only what came of it is.
            Keyword::Auth if word().is_some() && (accepted || canned.challenged) => {
                let server = Arc::clone(&service.server);
                let request = Request::parse(line, &server.policy, State::Authorization);
                let kept = self.user.clone();
                match request.and_then(|request| self.auth(service, &request, Some(canned))) {
                    Ok(turn) => turn,
                    Err(refusal) => Turn::overruled(Stage::Authorization(Self { user: kept }), refusal),
                }
            }
            Keyword::User if accepted => {
                let name = String::from_utf8_lossy(command.arguments).into_owned();
                Turn::canned(Stage::Authorization(Self { user: Some(name) }), canned)
            }
            Keyword::Pass if accepted => {
                let user = self.user.clone().unwrap_or_default();
                let proven = service.admits(&user, command.arguments);
                self.enter(user, proven, canned)
            }
            Keyword::Apop if accepted => {
                let user = word().unwrap_or_default();
                let digest = command.words().nth(1).unwrap_or_default();
                let timestamp = service.timestamp().unwrap_or_default();
                let right = |secret: &[u8]| apop_digest(&timestamp, secret).as_bytes() == digest;
                let proven = service.server.accounts.admits(&user, right);
                self.enter(user, proven, canned)
            }
            Keyword::Quit if accepted => Turn::canned(Stage::Over, canned),
            Keyword::Utf8 if accepted => {
                service.utf8 = true;
                Turn::canned(Stage::Authorization(self), canned)
            }
            // Whether the server that was recorded forgets the name is seen where it matters: at the next PASS.
            _ => Turn::canned(Stage::Authorization(self), canned),
        }
    }

    /// Opens the maildrop for a recorded login.
    fn enter(self, user: String, proven: bool, canned: Canned) -> Turn {
        if !proven {
            let facts = Facts { user: Some(user), ..Facts::default() };
            let refusal = Refusal::about(Say::BadCredentials, facts);
            return Turn::overruled(Stage::Authorization(self), refusal);
        }
        let opening = Opening { otherwise: self, ..Opening::new(&user, Some(canned)) };
        Turn::ask(Stage::Opening(opening), Ask::Open { user })
    }
}

impl Exchange {
    /// Takes the client's line (RFC 5034 section 4).
    pub(super) fn respond(self, service: &mut Service, line: Option<&[u8]>) -> Turn {
        let Some(line) = line else { return self.fail(Say::ResponseTooLong) };
        match split_ending(line).0 {
            b"*" => self.fail(Say::Cancelled),
            payload => {
                let payload = BASE64_STANDARD.decode(payload).ok();
                self.payload(service, payload)
            }
        }
    }

    fn payload(mut self, service: &mut Service, payload: Option<Vec<u8>>) -> Turn {
        let Some(payload) = payload else { return self.fail(Say::NotBase64) };
        let bad = if payload.is_empty() { Say::EmptyResponse } else { Say::BadAuth };
        match self.mechanism.respond(service, &payload) {
            Next::Challenge(challenge) => Turn::challenge(self, challenge),
            Next::Failed => self.fail(bad),
            Next::Done(user) => match self.canned {
                Some(canned) if canned.status != Some(Status::Ok) => {
                    Turn::canned(Stage::Authorization(self.authorization), canned)
                }
                canned => {
                    let kept = self.authorization.user.clone();
                    match self.authorization.log_in(service, user, true, Say::BadAuth, canned) {
                        Ok(turn) => turn,
                        Err(refusal) => {
                            Turn::answer(Stage::Authorization(Authorization { user: kept }), Err(refusal))
                        }
                    }
                }
            },
        }
    }

    /// The session is as if AUTH had not been sent (RFC 5034 section 4).
    fn fail(self, say: Say) -> Turn {
        let stage = Stage::Authorization(self.authorization);
        match self.canned {
            Some(canned) if canned.status == Some(Status::Err) => Turn::canned(stage, canned),
            Some(_) => Turn::overruled(stage, say.into()),
            None => Turn::answer(stage, Err(say.into())),
        }
    }
}

impl Opening {
    fn new(user: &str, canned: Option<Canned>) -> Self {
        Self { user: user.to_owned(), canned, otherwise: Authorization::default() }
    }

    /// Goes on once the maildrop is open, or is not.
    pub(super) fn opened(self, service: &Service, result: Result<Listing, OpenError>) -> Turn {
        match result {
            Ok(listing) => {
                service.logged_in(&self.user);
                let transaction = transaction::Transaction::new(listing, self.user);
                let facts = transaction.facts();
                let stage = Stage::Transaction(transaction);
                match self.canned {
                    Some(canned) => Turn::canned(stage, canned),
                    None => Turn::answer(stage, Ok(Reply::about(Say::LoggedIn, facts))),
                }
            }
            Err(error) => {
                let say = match error {
                    OpenError::InUse => Say::InUse,
                    OpenError::Unreadable => Say::Unreadable,
                };
                let facts = Facts { user: Some(self.user), ..Facts::default() };
                let overruled = self.canned.is_some();
                let stage = Stage::Authorization(self.otherwise);
                Turn { overruled, ..Turn::answer(stage, Err(Refusal::about(say, facts))) }
            }
        }
    }
}
