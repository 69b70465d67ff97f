//! What a mock server received, and what a test may say about it.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use crate::pop3::dissect::Request;
use crate::pop3::{Command, Event, Keyword, Status};
use crate::recording::Entry;
use crate::wire::Tls;

/// A command that was received. Secrets are masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The session's number, from 1, in the order in which clients connected.
    pub session: u32,
    /// What it asks.
    pub keyword: Keyword,
    /// The line without its ending; octets that are not printable ASCII are escaped.
    pub line: String,
    /// How it was answered; None: not yet.
    pub status: Option<Status>,
}

impl Received {
    /// The arguments, as far as they are separated by blanks.
    pub fn arguments(&self) -> Vec<&str> {
        self.line.split_ascii_whitespace().skip(1).collect()
    }

    /// Whether this is the command: a keyword stands for all its commands, a whole line for itself alone. Case counts
    /// in arguments only.
    pub fn is(&self, command: &str) -> bool {
        let (name, rest) = split(&self.line);
        let (wanted, arguments) = split(command);
        name.eq_ignore_ascii_case(wanted) && (arguments.is_empty() || arguments == rest)
    }
}

/// What the parser takes for a blank, also as it stands in an escaped line.
const BLANKS: [&str; 3] = [" ", "\t", "\\t"];

/// The keyword and what follows the blank behind it, as [`Command::parse`] sees them.
fn split(mut line: &str) -> (&str, &str) {
    while let Some(rest) = BLANKS.iter().find_map(|blank| line.strip_prefix(blank)) {
        line = rest;
    }
    let blanks = BLANKS.iter().filter_map(|blank| Some((line.find(blank)?, blank.len())));
    blanks.min().map_or((line, ""), |(at, len)| (&line[..at], &line[at + len..]))
}

impl fmt::Display for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} {}", self.session, self.line)?;
        match self.status {
            Some(status) => write!(f, " -> {}", status.name()),
            None => f.write_str(" -> no answer yet"),
        }
    }
}

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    least: usize,
    most: usize,
}

/// So many times.
pub const fn times(count: usize) -> Times {
    Times { least: count, most: count }
}

/// Not at all.
pub const fn never() -> Times {
    times(0)
}

/// One time.
pub const fn once() -> Times {
    times(1)
}

/// So many times or more.
pub const fn at_least(count: usize) -> Times {
    Times { least: count, most: usize::MAX }
}

impl Times {
    const fn holds(self, count: usize) -> bool {
        self.least <= count && count <= self.most
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self { most: 0, .. } => f.write_str("never"),
            Self { least: 1, most: 1 } => f.write_str("once"),
            Self { least: 1, most: usize::MAX } => f.write_str("once or more"),
            Self { least, most: usize::MAX } => write!(f, "{least} times or more"),
            Self { least, .. } => write!(f, "{least} times"),
        }
    }
}

/// The commands of all sessions, in the order in which they came. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Log(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    received: Vec<Received>,
    handshakes: Vec<Tls>,
    /// Where the commands are that wait for their answer, by session and exchange.
    open: HashMap<(u32, u32), usize>,
}

impl Log {
    /// Takes a session's next entry.
    pub(super) fn take(&self, session: u32, entry: &Entry) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match entry {
            Entry::Event(Event::Request { n, run, request: Request::Command(keyword), .. }) => {
                let line = crate::pop3::lines::split_ending(&run.bytes).0.escape_ascii().to_string();
                let at = lines.received.len();
                lines.open.insert((session, *n), at);
                lines.received.push(Received { session, keyword: *keyword, line, status: None });
            }
            Entry::Event(Event::End(outcome)) => {
                if let Some(at) = lines.open.remove(&(session, outcome.n)) {
                    lines.received[at].status = outcome.status;
                }
            }
            Entry::Tls(tls) => lines.handshakes.push((**tls).clone()),
            _ => {}
        }
    }

    pub(super) fn handshakes(&self) -> Vec<Tls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).handshakes.clone()
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).received.clone()
    }

    /// Why an expectation does not hold; None: it does.
    pub(super) fn complaint(&self, command: &str, times: Times) -> Option<String> {
        let received = self.received();
        let count = received.iter().filter(|one| one.is(command)).count();
        if times.holds(count) {
            return None;
        }
        let counted = if count == 1 { "once".to_owned() } else { format!("{count} times") };
        let mut text = format!("expected {command} {times}, received it {counted}");
        // Writing to a String cannot fail.
        let keyword = Command::parse(command.as_bytes()).keyword;
        let near = received.iter().filter(|one| one.keyword == keyword && !one.is(command));
        let near: Vec<_> = near.map(ToString::to_string).collect();
        if !near.is_empty() {
            let _ = write!(text, "\nnear misses:\n  {}", near.join("\n  "));
        }
        let all: Vec<_> = received.iter().map(ToString::to_string).collect();
        let all = if all.is_empty() { "nothing".to_owned() } else { format!("\n  {}", all.join("\n  ")) };
        let _ = write!(text, "\nreceived: {all}");
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyword_stands_for_all_its_commands() {
        let received = |line: &str| Received {
            session: 1,
            keyword: Command::parse(line.as_bytes()).keyword,
            line: line.to_owned(),
            status: None,
        };
        assert!(received("DELE 1").is("dele") && received("dele 1").is("DELE 1"));
        assert!(!received("DELE 12").is("DELE 1") && !received("LIST").is("LIST 1"));
        assert!(received("DELE\\t1").is("DELE") && received("DELE\\t1").is("DELE 1"));
        assert!(received(" \\tdele 1").is("DELE\t1") && !received("DELE\\t1").is("DELE 2"));
        assert_eq!(received("TOP 1 10").arguments(), ["1", "10"]);
    }

    #[test]
    fn how_often_is_said_in_words() {
        let log = Log::default();
        let line = "NOOP".to_owned();
        let one = Received { session: 1, keyword: Keyword::Noop, line, status: None };
        log.0.lock().unwrap().received.push(one);
        let says = |times| log.complaint("NOOP", times).unwrap_or_default();
        assert!(says(never()).starts_with("expected NOOP never, received it once\n"));
        assert!(says(times(2)).starts_with("expected NOOP 2 times, received it once\n"));
        let complaint = log.complaint("QUIT", at_least(1)).unwrap();
        assert!(complaint.starts_with("expected QUIT once or more, received it 0 times\n"), "{complaint}");
    }
}
