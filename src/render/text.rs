//! A session's entries to lines, live and offline the same.

use super::escape::safe_beginning;
use super::exchange::{foot, head, indented, lack, unit};
use super::filter::Filter;
use super::span::{Line, Role};
use super::tls;
use super::units::{counted, duration, grouped, seconds};
use crate::pop3::dissect::Request;
use crate::pop3::lines::{split, split_ending, unstuffed};
use crate::pop3::{Event, Keyword, Status};
use crate::recording::{Assembler, By, End, Entry, Exchange, How};
use crate::wire::{Close, Micros, Side};

/// Octets of a body that are kept for its summary.
const KEPT: usize = 16 * 1024;

/// The same where the body's lines are shown: with a filter, which must see the whole exchange first.
const KEPT_LINES: usize = 256 * 1024;

/// Octets of a body's line that are shown at once.
const LINE: usize = 4096;

/// Attached lines that are shown.
const ATTACHED: u32 = 10;

/// How much is shown of what messages hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub enum Verbosity {
    /// From, Subject, Date.
    Summary,
    /// Every line of the header.
    Headers,
    /// Every line.
    All,
}

impl Verbosity {
    /// For as many `-v` as were given.
    pub const fn of_count(count: u8) -> Self {
        match count {
            0 => Self::Summary,
            1 => Self::Headers,
            _ => Self::All,
        }
    }
}

/// Renders one session.
#[derive(Debug)]
pub struct Text {
    session: u32,
    verbosity: Verbosity,
    assembler: Assembler,
    exchanges: u64,
    errors: u64,
    up: u64,
    down: u64,
    /// Whether QUIT was among the commands.
    quit: bool,
    /// Whether octets came that are no POP3.
    opaque: bool,
    /// Whether the session's end was seen.
    over: bool,
    current: Current,
}

/// How far an exchange is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    /// Nothing of it is out.
    #[default]
    Coming,
    /// Its first line is out, the body's lines follow ([`Verbosity::All`]).
    Begun,
    /// It is over: further lines are attached to it.
    Ended,
}

/// The exchange whose response is coming or came last.
#[derive(Debug, Default)]
struct Current {
    /// The part of a body's line that came, at [`Verbosity::All`].
    partial: Vec<u8>,
    /// Whether `partial` is not the beginning of its line.
    continues: bool,
    stage: Stage,
    /// Its number.
    n: Option<u32>,
    /// Whether the filter kept it back.
    hidden: bool,
    /// How many lines are attached.
    attached: u32,
}

impl Text {
    /// For a session from its beginning on.
    pub fn new(verbosity: Verbosity) -> Self {
        Self {
            session: 1,
            verbosity,
            assembler: Assembler::new(if verbosity == Verbosity::All { KEPT_LINES } else { KEPT }),
            exchanges: 0,
            errors: 0,
            up: 0,
            down: 0,
            quit: false,
            opaque: false,
            over: false,
            current: Current::default(),
        }
    }

    /// Hands the lines of the next entry to `out`. With a filter only exchanges that pass it have any.
    pub fn take(&mut self, entry: &Entry, filter: Option<&Filter>, out: &mut dyn FnMut(Line)) {
        match entry {
            Entry::Opened(header) => {
                self.session = header.session;
                if filter.is_some() {
                    return;
                }
                let upstream = header.upstream.strip_prefix("pop3://").unwrap_or(&header.upstream);
                let origin = header.origin.iter().map(|origin| format!(", from {origin}"));
                let text = format!("opened   {} -> {upstream}{}", header.client, origin.collect::<String>());
                out(self.line().with(Role::Text, safe_beginning(text.as_bytes(), LINE)));
            }
            Entry::Event(event) => self.event(event, filter, out),
            Entry::Note(note) if filter.is_none() => {
                out(self.at(note.at).with(Role::Warning, safe_beginning(note.text.as_bytes(), LINE)));
            }
            Entry::Tls(facts) => {
                if facts.begins_anew() {
                    // What follows is said to be opaque here.
                    self.opaque = !facts.readable;
                }
                if filter.is_none() {
                    let whole = self.verbosity >= Verbosity::Headers;
                    tls::lines(self.session, facts, whole).into_iter().for_each(out);
                }
            }
            Entry::Closed { side, how, at } if filter.is_none() => {
                let side = side.name();
                let text = match how {
                    Close::Finished => return,
                    Close::Truncated => {
                        format!("the {side} ended TLS without close_notify: the end may be missing")
                    }
                    Close::Reset => format!("the {side} reset the connection"),
                };
                out(self.at(*at).with(Role::Warning, text));
            }
            Entry::Ended(end) => {
                self.over = true;
                if filter.is_none() {
                    out(self.summary(end));
                }
            }
            _ => {}
        }
    }

    /// Says that the recording ends before the session did.
    pub fn finish(&self, filter: Option<&Filter>, out: &mut dyn FnMut(Line)) {
        if !self.over && filter.is_none() {
            let (exchanges, up, down) =
                (counted(self.exchanges, "exchange"), grouped(self.up), grouped(self.down));
            let text = format!("the recording ends here: {exchanges}, {up} octets up, {down} down so far");
            out(self.line().with(Role::Warning, text));
        }
    }

    fn line(&self) -> Line {
        Line::default().with(Role::Session, format!("#{:<2} ", self.session))
    }

    fn at(&self, at: Micros) -> Line {
        self.line().with(Role::Time, format!("{:>9}", seconds(at))).with(Role::Mark, " ! ")
    }

    fn event(&mut self, event: &Event, filter: Option<&Filter>, out: &mut dyn FnMut(Line)) {
        match event.octets() {
            Some((Side::Client, run)) => self.up += run.bytes.len() as u64,
            Some((Side::Server, run)) => self.down += run.bytes.len() as u64,
            None => {}
        }
        let settled = self.assembler.take(event);
        if let Some(current) = self.assembler.current().filter(|current| self.current.n != Some(current.n)) {
            self.current = Current { n: Some(current.n), ..Current::default() };
        }
        match event {
            Event::Body { run, .. } if self.current.stage == Stage::Ended => {
                self.attached_lines(&run.bytes, out);
            }
            Event::Body { run, .. } if self.verbosity == Verbosity::All && filter.is_none() => {
                if std::mem::replace(&mut self.current.stage, Stage::Begun) == Stage::Coming
                    && let Some(exchange) = self.assembler.current()
                {
                    out(head(self.session, exchange));
                    if let Some(octets) = exchange.missing {
                        out(indented(self.session).with(Role::Warning, lack(octets)));
                    }
                }
                self.body(&run.bytes, out);
            }
            Event::End(outcome) if self.assembler.current().is_none_or(|current| current.n != outcome.n) => {
                // It was given up on while another one's response is coming.
                let passes = |exchange: &Exchange| filter.is_none_or(|f| f.matches(self.session, exchange));
                if let Some(exchange) = settled.filter(|exchange| exchange.n == outcome.n && passes(exchange))
                {
                    self.exchanges += 1;
                    out(head(self.session, &exchange));
                }
            }
            Event::End(outcome) => {
                self.partial_line(out);
                let stage = std::mem::replace(&mut self.current.stage, Stage::Ended);
                if outcome.request.is_some() {
                    self.exchanges += 1;
                    self.errors += u64::from(outcome.status == Some(Status::Err));
                }
                self.quit |= outcome.request == Some(Request::Command(Keyword::Quit));
                let Some(exchange) = self.assembler.current() else { return };
                self.current.hidden = filter.is_some_and(|filter| !filter.matches(self.session, exchange));
                if stage == Stage::Begun {
                    foot(self.session, exchange).into_iter().for_each(out);
                } else if !self.current.hidden
                    && self.verbosity == Verbosity::All
                    && exchange.octets.is_some()
                {
                    out(head(self.session, exchange));
                    self.kept_body(exchange).into_iter().for_each(out);
                } else if !self.current.hidden {
                    unit(self.session, exchange, self.verbosity == Verbosity::Headers)
                        .into_iter()
                        .for_each(out);
                }
            }
            Event::Missing { n, octets, .. }
                if n.is_some() && self.current.n == *n && self.current.stage != Stage::Coming =>
            {
                self.partial_line(out);
                self.current.continues = false;
                if !self.current.hidden {
                    let text = format!("{} here", lack(*octets));
                    out(indented(self.session).with(Role::Warning, text));
                }
            }
            Event::Ambiguous { .. } if !self.current.hidden => {
                let text = "whether the lines that follow belong to it cannot be known";
                out(indented(self.session).with(Role::Warning, text));
            }
            Event::Opaque { .. } if !self.opaque && filter.is_none() => {
                self.opaque = true;
                let text = "what follows is no POP3: it is relayed and recorded, and cannot be shown";
                out(indented(self.session).with(Role::Warning, text));
            }
            _ => {}
        }
    }

    /// Lines that nothing asked for, below the exchange that they are attached to.
    fn attached_lines(&mut self, octets: &[u8], out: &mut dyn FnMut(Line)) {
        self.current.attached += 1;
        if self.current.hidden || self.current.attached > ATTACHED {
            return;
        }
        let text = if self.current.attached == ATTACHED {
            "… and more lines".to_owned()
        } else {
            safe_beginning(split_ending(octets).0, LINE)
        };
        out(indented(self.session).with(Role::Mark, "+ ").with(Role::Body, text));
    }

    /// Octets of a body, as lines as far as they are whole.
    fn body(&mut self, octets: &[u8], out: &mut dyn FnMut(Line)) {
        for line in split(octets) {
            let room = LINE - self.current.partial.len();
            for piece in [&line[..line.len().min(room)], &line[line.len().min(room)..]] {
                for piece in piece.chunks(LINE) {
                    self.current.partial.extend_from_slice(piece);
                    if self.current.partial.len() >= LINE || self.current.partial.ends_with(b"\n") {
                        self.partial_line(out);
                    }
                }
            }
        }
    }

    /// A body as far as it was kept.
    fn kept_body(&self, exchange: &Exchange) -> Vec<Line> {
        let mark = |text| indented(self.session).with(Role::Mark, "| ").with(Role::Body, text);
        let text = |line| mark(safe_beginning(split_ending(line).0, LINE));
        let mut lines: Vec<Line> = split(&exchange.body).map(text).collect();
        let missing = exchange.octets.unwrap_or_default().saturating_sub(exchange.body.len() as u64);
        if missing > 0 {
            lines.push(mark(format!(
                "… ({} more octets; without a filter all lines are shown)",
                grouped(missing)
            )));
        }
        lines
    }

    fn partial_line(&mut self, out: &mut dyn FnMut(Line)) {
        if self.current.partial.is_empty() {
            return;
        }
        let octets = std::mem::take(&mut self.current.partial);
        let continues = self.current.continues;
        let line = if continues { &octets } else { unstuffed(&octets) };
        let mark = if continues { "  " } else { "| " };
        self.current.continues = !octets.ends_with(b"\n");
        let text = safe_beginning(split_ending(line).0, LINE);
        out(indented(self.session).with(Role::Mark, mark).with(Role::Body, text));
    }

    fn summary(&self, end: &End) -> Line {
        let by = match end.by {
            By::Client => "the client",
            By::Server => "the server",
            By::Poptape => "poptape",
        };
        let after = if self.quit { " after QUIT" } else { "" };
        let how = match end.how {
            How::Finished => format!("closed by {by}{after}"),
            How::Reset => format!("reset by {by}"),
            How::ConnectFailed => "ended: the upstream could not be connected".to_owned(),
            // Many clients end so, and nothing is missing.
            How::Truncated if self.quit && end.by == By::Client => {
                format!("closed by {by}{after}, without close_notify")
            }
            How::Truncated => format!("cut off by {by} in the middle of TLS, without close_notify"),
            How::TlsFailed => "ended: the TLS handshake failed".to_owned(),
            How::Cut => "still open where the capture ends".to_owned(),
            How::Stopped => "ended: poptape was stopped".to_owned(),
        };
        let text = format!(
            "{how}: {}, {} -ERR, {} octets up, {} down, {}",
            counted(self.exchanges, "exchange"),
            self.errors,
            grouped(self.up),
            grouped(self.down),
            duration(end.at),
        );
        self.line().with(Role::Text, text)
    }
}
