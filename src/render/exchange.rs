//! An exchange as one unit of lines.

use super::escape::safe_beginning;
use super::span::{Line, Role};
use super::units::{counted, duration, grouped, seconds};
use super::{listing, message};
use crate::pop3::dissect::Request;
use crate::pop3::{Keyword, Status, sasl};
use crate::recording::Exchange;
use crate::wire::Micros;

/// An answer that takes longer is called slow.
pub const SLOW: Micros = 1_000_000;

/// Octets of a command or a status text that are shown.
pub(super) const SHOWN: usize = 400;

/// Where the columns begin, so that units stand under each other.
pub(super) const COMMAND: usize = 16;
pub(super) const REPLY: usize = 34;
pub(super) const LATENCY: usize = 86;

/// How the details are indented.
const INDENT: usize = REPLY;

/// The unit of an exchange. `headers`: show a message's header lines instead of their summary.
pub fn unit(session: u32, exchange: &Exchange, headers: bool) -> Vec<Line> {
    let mut unit = vec![head(session, exchange)];
    unit.extend(
        details(exchange, headers).into_iter().map(|(role, text)| indented(session).with(role, text)),
    );
    unit
}

/// What was asked and answered, in one line.
pub fn head(session: u32, exchange: &Exchange) -> Line {
    let slow = slow(exchange);
    let failed = matches!(exchange.status, None | Some(Status::Err)) || !exchange.complete;
    let mark = match (failed, slow) {
        (true, _) => "!",
        (false, Some(_)) => "~",
        (false, None) => " ",
    };
    let at = if exchange.n == 0 { exchange.replied.unwrap_or(exchange.at) } else { exchange.at };
    let mut line = Line::default()
        .with(Role::Session, format!("#{session:<3}"))
        .with(Role::Time, format!("{:>9}", seconds(at)))
        .with(Role::Mark, format!(" {mark}"));
    line = pad(line, COMMAND).with(Role::Command, command(exchange));
    line = pad(line, REPLY);
    line = match (exchange.status, exchange.text()) {
        (Some(status), text) => {
            let role = if status == Status::Err { Role::Err } else { Role::Ok };
            line.with(role, status.name()).with(Role::Text, spaced(text.unwrap_or_default()))
        }
        (None, Some(text)) => line.with(Role::Err, "no status:").with(Role::Text, spaced(text)),
        (None, None) if exchange.missing.is_some() => line.with(Role::Err, "answer not seen"),
        (None, None) => line.with(Role::Err, "no answer"),
    };
    measures(pad(line, LATENCY), exchange, slow)
}

/// The line below a body that was shown line by line.
pub fn foot(session: u32, exchange: &Exchange) -> Vec<Line> {
    let mut foot = vec![measures(pad(indented(session), LATENCY), exchange, slow(exchange))];
    foot.extend(warnings(exchange).map(|text| indented(session).with(Role::Warning, text)));
    foot
}

/// How long, how much, and what it changed.
fn measures(mut line: Line, exchange: &Exchange, slow: Option<Micros>) -> Line {
    if let Some(took) = exchange.took {
        line = match slow {
            Some(_) => line.with(Role::Slow, format!("{:>7} slow", duration(took))),
            None => line.with(Role::Latency, format!("{:>7}", duration(took))),
        };
    }
    if let Some(octets) = exchange.octets {
        let lines = counted(exchange.lines.unwrap_or_default(), "line");
        line = line.with(Role::Detail, format!("  {} octets, {lines}", grouped(octets)));
    }
    if exchange.after != exchange.state {
        line = line.with(Role::State, format!("  -> {}", exchange.after.name()));
    }
    line
}

fn slow(exchange: &Exchange) -> Option<Micros> {
    exchange.took.filter(|&took| took >= SLOW && exchange.request.is_some())
}

/// The beginning of a line that belongs to the unit above it.
pub fn indented(session: u32) -> Line {
    pad(Line::default().with(Role::Session, format!("#{session}")), INDENT)
}

/// What was asked, in the words of a user.
fn command(exchange: &Exchange) -> String {
    let line = |octets: &[u8]| safe_beginning(octets, SHOWN);
    match (&exchange.command, exchange.request) {
        (Some(command), Some(Request::SaslResponse)) => format!("(SASL) {}", line(command)),
        (Some(_), Some(Request::Upload)) => "(upload)".to_owned(),
        (Some(command), _) if command.is_empty() => "(empty line)".to_owned(),
        (Some(command), _) => line(command),
        (None, _) if exchange.n == 0 => "(greeting)".to_owned(),
        (None, _) if exchange.missing.is_some() => "(not seen)".to_owned(),
        (None, _) => "(nothing asked)".to_owned(),
    }
}

fn details(exchange: &Exchange, headers: bool) -> Vec<(Role, String)> {
    let mut details = Vec::new();
    for (step, of) in [(&exchange.asked_step, "client"), (&exchange.reply_step, "server")] {
        details.extend(step.as_deref().map(|step| (Role::Detail, sasl(step, of))));
    }
    if let Some(lines) = exchange.lines {
        match exchange.request {
            // Without the status line it is not known to begin here.
            Some(Request::Command(Keyword::Retr | Keyword::Top)) if exchange.status.is_none() => {}
            Some(Request::Command(Keyword::Retr | Keyword::Top)) if headers => {
                let line = |line| (Role::Body, safe_beginning(line, SHOWN));
                details.extend(message::header_lines(&exchange.body).map(line));
            }
            Some(Request::Command(Keyword::Retr | Keyword::Top)) => {
                let field = |(name, value)| (Role::Detail, format!("{name}: {value}"));
                details.extend(message::summary(&exchange.body).into_iter().map(field));
            }
            _ => details
                .extend(listing::rows(&exchange.body, lines).into_iter().map(|row| (Role::Detail, row))),
        }
    }
    details.extend(exchange.missing.map(|octets| (Role::Warning, lack(octets))));
    details.extend(warnings(exchange).map(|text| (Role::Warning, text.to_owned())));
    details
}

fn warnings(exchange: &Exchange) -> impl Iterator<Item = &'static str> {
    let cut = exchange.octets.is_some() && !exchange.complete && !exchange.terminated;
    let cut = cut.then_some("the body ends without its terminator");
    let ambiguous = exchange.ambiguous.then_some("whether these lines belong to it cannot be known");
    cut.into_iter().chain(ambiguous)
}

/// How many octets are missing, in words.
pub fn lack(octets: u64) -> String {
    match octets {
        0 => "octets are missing, and nobody knows how many".to_owned(),
        1 => "1 octet is missing".to_owned(),
        octets => format!("{} octets are missing", grouped(octets)),
    }
}

fn sasl(step: &sasl::Step, of: &str) -> String {
    let shown = |text: &str| safe_beginning(text.as_bytes(), SHOWN);
    let mut words = vec![format!("{of}, {}:", shown(&step.mechanism))];
    words.extend(step.user.as_deref().map(|user| format!("user {}", shown(user))));
    words.extend(step.authorization_id.as_deref().map(|id| format!("acting as {}", shown(id))));
    words.extend(step.detail.as_deref().map(shown));
    if words.len() == 1 {
        words.push("nothing to be shown".to_owned());
    }
    words.join(" ")
}

fn spaced(text: &[u8]) -> String {
    if text.is_empty() { String::new() } else { format!(" {}", safe_beginning(text, SHOWN)) }
}

pub(super) fn pad(line: Line, column: usize) -> Line {
    let missing = column.saturating_sub(line.width());
    // A column that is full still ends with a gap.
    line.with(Role::Text, " ".repeat(missing.max(1)))
}
