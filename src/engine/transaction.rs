//! TRANSACTION: the client reads the messages and marks those it wants removed (RFC 1939 sections 5 and 7).

use super::Service;
use super::arguments::Arguments;
use super::capabilities::capabilities;
use super::facts::Facts;
use super::output::Output;
use super::reply::{Answer, Refusal, Reply};
use super::request::Request;
use super::responder::Canned;
use super::transfer::Transfer;
use super::turn::{Stage, Turn};
use super::update::Update;
use super::wording::Say;
use crate::pop3::{Command, Keyword, State, Status};
use crate::wire::{Ask, Listing, NotRead, Piece};

/// The state in which a maildrop is open. The only place where deletion marks are made.
#[derive(Debug)]
pub(super) struct Transaction {
    user: String,
    listing: Listing,
    /// For each message whether it is marked as deleted.
    marked: Vec<bool>,
    /// How many are not, and their octets.
    left: (usize, u64),
    /// The highest number that was accessed (LAST, RFC 1460 section 5).
    highest: usize,
}

/// A message on its way to the client.
#[derive(Debug)]
pub(super) struct Sending {
    transaction: Transaction,
    transfer: Transfer,
    /// What is said before it.
    reply: Option<Reply>,
}

impl Transaction {
    /// Begins with no message marked.
    pub(super) fn new(listing: Listing, user: String) -> Self {
        let marked = vec![false; listing.len()];
        let left = (listing.len(), listing.iter().map(|scan| scan.size).sum());
        Self { user, listing, marked, left, highest: 0 }
    }

    /// For each message whether it is marked as deleted.
    pub(super) fn marked(&self) -> &[bool] {
        &self.marked
    }

    /// How many messages are not marked, and their octets.
    pub(super) fn facts(&self) -> Facts {
        Facts { user: Some(self.user.clone()), count: self.left.0, size: self.left.1, ..Facts::default() }
    }

    /// Answers a command; gives what comes of it.
    pub(super) fn handle(mut self, service: &mut Service, request: Result<Request<'_>, Refusal>) -> Turn {
        let request = match request {
            Ok(request) => request,
            Err(refusal) => return Turn::answer(Stage::Transaction(self), Err(refusal)),
        };
        if request.keyword() == Keyword::Quit && request.counted().is_ok() {
            return self.quit(None);
        }
        match self.transfer(service, &request) {
            Ok(Some((transfer, reply))) => {
                let ask = transfer.ask();
                Turn::ask(Stage::Sending(Sending { transaction: self, transfer, reply: Some(reply) }), ask)
            }
            Ok(None) => {
                let answer = self.answer(service, &request);
                Turn::answer(Stage::Transaction(self), answer)
            }
            Err(refusal) => Turn::answer(Stage::Transaction(self), Err(refusal)),
        }
    }

    fn quit(self, canned: Option<Canned>) -> Turn {
        let (marked, facts) = (self.marked.clone(), self.facts());
        let removes = marked.contains(&true);
        Turn::ask(Stage::Update(Update::new(facts, removes, canned)), Ask::Commit { marked })
    }

    /// RETR and TOP.
    fn transfer(
        &mut self,
        service: &Service,
        request: &Request<'_>,
    ) -> Result<Option<(Transfer, Reply)>, Refusal> {
        let keyword = request.keyword();
        if !matches!(keyword, Keyword::Retr | Keyword::Top) {
            return Ok(None);
        }
        let arguments = request.arguments()?;
        // Whether there is such a message comes before how many arguments there are, so that `TOP 100` is
        // answered as RFC 1939's `TOP 100 3` is.
        let place = self.place(request, &arguments)?;
        if keyword == Keyword::Top && place.is_some() && arguments.get(1).is_none() {
            return Err(request.refuse(Say::LineCountMissing));
        }
        arguments.check_number()?;
        let Some(place) = place else { return Err(request.refuse(Say::NumberMissing)) };
        let scan = &self.listing[place];
        let number = place as u64 + 1;
        if scan.utf8 && !service.utf8 && service.policy().has(Keyword::Utf8) {
            return Err(Refusal::of_message(Say::NeedsUtf8, number));
        }
        let facts = Facts { n: Some(number), size: scan.size, ..self.facts() };
        let (say, transfer) = if keyword == Keyword::Top {
            let transfer = Transfer::top(place, arguments.lines()?);
            (Say::Top, if request.quirks().top_gap { transfer.with_gap() } else { transfer })
        } else {
            (Say::Retr, Transfer::retr(place))
        };
        if keyword == Keyword::Retr || !request.quirks().last_without_top {
            self.highest = self.highest.max(place + 1);
        }
        Ok(Some((transfer, Reply::about(say, facts))))
    }

    fn answer(&mut self, service: &mut Service, request: &Request<'_>) -> Answer {
        let keyword = request.keyword();
        let arguments = request.arguments()?;
        let message = match keyword {
            Keyword::List | Keyword::Uidl | Keyword::Dele => self.place(request, &arguments)?,
            _ => None,
        };
        if keyword == Keyword::Lang {
            return language(request);
        }
        arguments.check_number()?;
        match (keyword, message) {
            (Keyword::Stat, _) => Ok(Reply::about(Say::Stat, self.facts())),
            (Keyword::List, None) => {
                Ok(Reply::about(Say::List, self.facts()).with_body(self.lines(|scan| scan.size.to_string())))
            }
            (Keyword::Uidl, None) => Ok(Reply::about(Say::Uidl, self.facts())
                .with_body(self.lines(|scan| scan.unique_id.to_string()))),
            (Keyword::List, Some(at)) => Ok(Reply::about(Say::ListOne, self.facts_of(at))),
            (Keyword::Uidl, Some(at)) => Ok(Reply::about(Say::UidlOne, self.facts_of(at))),
            (Keyword::Dele, Some(at)) => {
                self.mark(at);
                Ok(Reply::about(Say::Dele, self.facts_of(at)))
            }
            (Keyword::Noop, _) => Ok(Reply::ok(Say::Noop)),
            (Keyword::Rset, _) => {
                self.unmark();
                Ok(Reply::about(Say::Rset, self.facts()))
            }
            (Keyword::Last, _) => {
                Ok(Reply::about(Say::Last, Facts { n: Some(self.highest as u64), ..self.facts() }))
            }
            (Keyword::Capa, _) => {
                Ok(Reply::ok(Say::Capa).with_body(capabilities(service, State::Transaction)))
            }
            (Keyword::Utf8, _) => {
                service.utf8 = true;
                Ok(Reply::ok(Say::Utf8))
            }
            _ => Err(request.refuse(Say::NotImplementedLater)),
        }
    }

    fn mark(&mut self, at: usize) {
        if !std::mem::replace(&mut self.marked[at], true) {
            self.left = (self.left.0 - 1, self.left.1 - self.listing[at].size);
        }
        self.highest = self.highest.max(at + 1);
    }

    fn unmark(&mut self) {
        *self = Self::new(std::sync::Arc::clone(&self.listing), std::mem::take(&mut self.user));
    }

    /// Where the message stands that the first argument names; None without an argument. A message marked as
    /// deleted cannot be named (RFC 1939 section 5).
    fn place(&self, request: &Request<'_>, arguments: &Arguments<'_>) -> Result<Option<usize>, Refusal> {
        let Some(number) = arguments.message()? else { return Ok(None) };
        let listing = matches!(request.keyword(), Keyword::List | Keyword::Uidl);
        let none = if listing { Say::NoSuchMessageToList } else { Say::NoSuchMessage };
        // How many there were at login (RFC 1939 section 5, LIST).
        let facts = || Facts {
            n: Some(number),
            count: self.marked.len(),
            command: Keyword::row(request.keyword()),
            ..self.facts_with(self.marked.len())
        };
        let at = usize::try_from(number).unwrap_or(usize::MAX).checked_sub(1);
        let at = at.ok_or_else(|| Refusal::about(if listing { none } else { Say::Zero }, facts()))?;
        match self.marked.get(at) {
            Some(false) => Ok(Some(at)),
            Some(true) if request.keyword() == Keyword::Dele && request.quirks().dele_again => Ok(Some(at)),
            Some(true) => Err(Refusal::about(Say::Deleted, facts())),
            None => Err(Refusal::about(none, facts())),
        }
    }

    fn facts_with(&self, count: usize) -> Facts {
        Facts { count, ..self.facts() }
    }

    fn facts_of(&self, at: usize) -> Facts {
        let scan = &self.listing[at];
        let id = Some(scan.unique_id.to_string());
        Facts { n: Some(at as u64 + 1), size: scan.size, id, ..self.facts() }
    }

    /// A line for each message that is not marked: its number and a fact about it. None begins with a dot, so
    /// there is nothing to stuff.
    fn lines(&self, fact: fn(&crate::wire::mail::Scan) -> String) -> String {
        use std::fmt::Write as _;
        let mut lines = String::with_capacity(self.left.0 * 16);
        for (at, scan) in self.listing.iter().enumerate().filter(|&(at, _)| !self.marked[at]) {
            // Writing to a String cannot fail.
            let _ = write!(lines, "{} {}\r\n", at + 1, fact(scan));
        }
        lines
    }

    /// Does what a recorded answer to a command means.
    pub(super) fn follow(mut self, line: &[u8], canned: Canned) -> Turn {
        let command = Command::parse(line);
        let number =
            command.words().next().and_then(|word| std::str::from_utf8(word).ok()?.parse::<usize>().ok());
        let place = number.and_then(|number| number.checked_sub(1)).filter(|&at| at < self.marked.len());
        if canned.status == Some(Status::Ok) {
            match (command.keyword, place) {
                (Keyword::Quit, _) => return self.quit(Some(canned)),
                (Keyword::Dele, Some(at)) => self.mark(at),
                (Keyword::Rset, _) => self.unmark(),
                (Keyword::Retr | Keyword::Top, Some(at)) => self.highest = self.highest.max(at + 1),
                _ => {}
            }
        }
        Turn::canned(Stage::Transaction(self), canned)
    }
}

impl Sending {
    /// Takes the next octets of the message.
    pub(super) fn read(
        mut self,
        service: &Service,
        result: Result<Piece, NotRead>,
        output: &mut Output,
    ) -> Option<Turn> {
        let Ok(piece) = result else {
            // In the middle of a body there is no way to say so but to break off.
            return self
                .reply
                .map(|_| Turn::answer(Stage::Transaction(self.transaction), Err(Say::NotRead.into())));
        };
        if let Some(reply) = self.reply.take() {
            service.say(output, b"", Status::Ok, reply.say, &reply.facts);
        }
        if self.transfer.take(&piece, output) {
            return Some(Turn::nothing(Stage::Transaction(self.transaction)));
        }
        let ask = self.transfer.ask();
        Some(Turn::ask(Stage::Sending(self), ask))
    }
}

/// LANG (RFC 6856 section 3): English is all there is.
pub(super) fn language(request: &Request<'_>) -> Answer {
    let arguments = request.counted()?;
    let Some(wanted) = arguments.get(0) else {
        return Ok(Reply::ok(Say::Languages).with_body("en English\r\ni-default English\r\n"));
    };
    let primary = wanted.split('-').next().unwrap_or_default();
    let language = match wanted {
        "*" => "en",
        _ if wanted.eq_ignore_ascii_case("i-default") => "i-default",
        _ if primary.eq_ignore_ascii_case("en") => "en",
        _ => return Err(request.refuse(Say::NoSuchLanguage)),
    };
    Ok(Reply::about(Say::Lang, Facts { language, ..Facts::default() }))
}
