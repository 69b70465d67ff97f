//! A turn: what comes of a command, of a SASL response or of an answer from the maildrops. The states make them,
//! the engine carries them out.

use super::authorization::{Authorization, Exchange, Opening};
use super::reply::{Answer, Refusal};
use super::responder::Canned;
use super::transaction::{Sending, Transaction};
use super::update::Update;
use crate::pop3::{State, Status};
use crate::wire::Ask;

/// Where a session stands.
#[derive(Debug)]
pub(super) enum Stage {
    /// Before login: commands are answered.
    Authorization(Authorization),
    /// A line of the client is a SASL response.
    Exchange(Exchange),
    /// A maildrop is being opened.
    Opening(Opening),
    /// The TLS handshake is under way (RFC 2595 section 4).
    Securing,
    /// After login: commands are answered.
    Transaction(Transaction),
    /// A message is on its way.
    Sending(Sending),
    /// QUIT was accepted: marked messages are being removed.
    Update(Update),
    /// The session is over.
    Over,
}

impl Stage {
    /// The state as RFC 1939 has it.
    pub(super) fn state(&self) -> State {
        match self {
            Self::Authorization(_) | Self::Exchange(_) | Self::Opening(_) | Self::Securing => {
                State::Authorization
            }
            Self::Transaction(_) | Self::Sending(_) => State::Transaction,
            Self::Update(_) | Self::Over => State::Update,
        }
    }

    /// Whether the next line of the client is wanted.
    pub(super) fn listens(&self) -> bool {
        matches!(self, Self::Authorization(_) | Self::Exchange(_) | Self::Transaction(_))
    }
}

/// What comes of something, in this order.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) say: Saying,
    pub(super) stage: Stage,
    pub(super) ask: Option<Ask>,
    /// TLS begins once everything is sent.
    pub(super) secure: bool,
    /// This stands for a recorded answer that cannot be given.
    pub(super) overruled: bool,
}

/// What is sent.
#[derive(Debug)]
pub(super) enum Saying {
    Nothing,
    Answer(Answer),
    /// A status line with a text of its own.
    Text(Status, String),
    Challenge(Vec<u8>),
    Canned(Canned),
}

impl Turn {
    fn new(stage: Stage, say: Saying) -> Self {
        Self { say, stage, ask: None, secure: false, overruled: false }
    }

    pub(super) fn nothing(stage: Stage) -> Self {
        Self::new(stage, Saying::Nothing)
    }

    pub(super) fn answer(stage: Stage, answer: Answer) -> Self {
        Self::new(stage, Saying::Answer(answer))
    }

    pub(super) fn overruled(stage: Stage, refusal: Refusal) -> Self {
        Self { overruled: true, ..Self::answer(stage, Err(refusal)) }
    }

    pub(super) fn text(stage: Stage, status: Status, text: String) -> Self {
        Self::new(stage, Saying::Text(status, text))
    }

    pub(super) fn challenge(exchange: Exchange, payload: Vec<u8>) -> Self {
        Self::new(Stage::Exchange(exchange), Saying::Challenge(payload))
    }

    pub(super) fn canned(stage: Stage, canned: Canned) -> Self {
        Self::new(stage, Saying::Canned(canned))
    }

    pub(super) fn ask(stage: Stage, ask: Ask) -> Self {
        Self { ask: Some(ask), ..Self::new(stage, Saying::Nothing) }
    }
}
