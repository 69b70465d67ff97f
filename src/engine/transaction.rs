//! TRANSACTION: the client reads the messages and marks those it wants removed (RFC 1939 sections 5 and 7).

use super::capabilities::capabilities;
use super::reply::{Answer, Refusal, Reply, messages, octets};
use super::request::{Arguments, Request};
use super::update::Update;
use super::{Service, Stage};
use crate::maildrop::{Maildrop, Message};
use crate::pop3::{Keyword, State};

/// The state in which a maildrop is open. The only place where deletion marks are made.
#[derive(Debug)]
pub(super) struct Transaction {
    maildrop: Maildrop,
    /// For each message whether it is marked as deleted.
    marked: Vec<bool>,
}

impl Transaction {
    /// Begins with no message marked.
    pub(super) fn new(maildrop: Maildrop) -> Self {
        let marked = vec![false; maildrop.messages().len()];
        Self { maildrop, marked }
    }

    /// Answers a command; gives the state after it.
    pub(super) fn handle(
        mut self,
        service: &Service,
        request: Result<Request<'_>, Refusal>,
    ) -> (Option<Stage>, Answer) {
        match request {
            Ok(request) if request.keyword() == Keyword::Quit && request.counted().is_ok() => {
                (None, Update::new(self.maildrop, self.marked).commit(service))
            }
            request => {
                let answer = request.and_then(|request| self.answer(&request));
                (Some(Stage::Transaction(self)), answer)
            }
        }
    }

    fn answer(&mut self, request: &Request<'_>) -> Answer {
        request.legal_in(State::Transaction)?;
        let keyword = request.keyword();
        let arguments = request.arguments()?;
        // Whether there is such a message comes before how many arguments there are, so that `TOP 100` is
        // answered as RFC 1939's `TOP 100 3` is.
        let message = match keyword {
            Keyword::List | Keyword::Uidl => self.place(&arguments).map_err(|refusal| match refusal {
                Refusal::NoSuchMessage => Refusal::OnlySoMany(self.marked.len()),
                other => other,
            })?,
            Keyword::Retr | Keyword::Dele | Keyword::Top => self.place(&arguments)?,
            _ => None,
        };
        if keyword == Keyword::Top && message.is_some() && arguments.get(1).is_none() {
            return Err(request.line_count_missing());
        }
        arguments.check_number()?;
        match (keyword, message) {
            (Keyword::Stat, _) => {
                let (count, size) = self.totals();
                Ok(Reply::ok(format!("{count} {size}")))
            }
            (Keyword::List, Some(at)) => Ok(Reply::ok(self.line(at, size))),
            (Keyword::List, None) => Ok(Reply::ok(self.drop_listing()).with_body(self.lines(size))),
            (Keyword::Uidl, Some(at)) => Ok(Reply::ok(self.line(at, unique_id))),
            (Keyword::Uidl, None) => Ok(Reply::ok("").with_body(self.lines(unique_id))),
            (Keyword::Retr, Some(at)) => {
                let message = &self.maildrop.messages()[at];
                Ok(Reply::ok(octets(message.size())).with_body(message.retr()))
            }
            (Keyword::Top, Some(at)) => {
                let lines = arguments.number(1)?;
                Ok(Reply::ok("").with_body(self.maildrop.messages()[at].top(lines)))
            }
            (Keyword::Dele, Some(at)) => {
                self.marked[at] = true;
                Ok(Reply::ok(format!("message {} deleted", at + 1)))
            }
            (Keyword::Noop, _) => Ok(Reply::ok("")),
            (Keyword::Rset, _) => {
                self.marked.fill(false);
                Ok(Reply::ok(format!("maildrop has {}", self.drop_listing())))
            }
            (Keyword::Capa, _) => Ok(capabilities()),
            _ => Err(request.not_implemented()),
        }
    }

    /// Where the message stands that the first argument names; None without an argument. A message marked as
    /// deleted cannot be named (RFC 1939 section 5).
    fn place(&self, arguments: &Arguments<'_>) -> Result<Option<usize>, Refusal> {
        if arguments.get(0).is_none() {
            return Ok(None);
        }
        let number = usize::try_from(arguments.number(0)?).unwrap_or(usize::MAX);
        let at = number.checked_sub(1).ok_or(Refusal::NoSuchMessage)?;
        match self.marked.get(at) {
            Some(false) => Ok(Some(at)),
            Some(true) => Err(Refusal::Deleted(number)),
            None => Err(Refusal::NoSuchMessage),
        }
    }

    /// The messages that are not marked, each with its place.
    fn present(&self) -> impl Iterator<Item = (usize, &Message)> {
        let places = self.maildrop.messages().iter().enumerate().zip(&self.marked);
        places.filter(|&(_, &marked)| !marked).map(|(place, _)| place)
    }

    /// How many messages are not marked, and their octets.
    fn totals(&self) -> (usize, u64) {
        self.present().fold((0, 0), |(count, size), (_, message)| (count + 1, size + message.size()))
    }

    /// The totals in words: `2 messages (320 octets)`.
    pub(super) fn drop_listing(&self) -> String {
        let (count, size) = self.totals();
        format!("{} ({})", messages(count), octets(size))
    }

    /// A scan listing or unique-id listing: the message's number and a fact about it.
    fn line(&self, at: usize, fact: fn(&Message) -> String) -> String {
        format!("{} {}", at + 1, fact(&self.maildrop.messages()[at]))
    }

    /// A listing for each message that is not marked. None begins with a dot, so there is nothing to stuff.
    fn lines(&self, fact: fn(&Message) -> String) -> String {
        let mut lines = String::new();
        for (at, _) in self.present() {
            lines.push_str(&self.line(at, fact));
            lines.push_str("\r\n");
        }
        lines
    }
}

fn size(message: &Message) -> String {
    message.size().to_string()
}

fn unique_id(message: &Message) -> String {
    message.unique_id().to_string()
}
