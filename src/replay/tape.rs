//! The tape: recordings in memory, session by session, each exchange with the octets of its answer.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::path::Path;

use bytes::{Bytes, BytesMut};

use crate::pop3::dissect::Request;
use crate::pop3::lines::{Unstuffer, split, split_ending};
use crate::pop3::response::StatusLine;
use crate::pop3::secret::MASK;
use crate::pop3::{Command, Event, Keyword, State, Status};
use crate::recording::file::{Input, recordings};
use crate::recording::format::{Integrity, ReadError, Reading};
use crate::recording::{By, Entry, How};
use crate::wire::{Close, Micros, Run, Side};

/// Recorded sessions in their order.
#[derive(Debug, Clone, Default)]
pub struct Tape {
    /// The sessions.
    pub sessions: Vec<Taped>,
}

/// A recorded session.
#[derive(Debug, Clone, Default)]
pub struct Taped {
    /// Where it was read from.
    pub name: String,
    /// The greeting; None where none came.
    pub greeting: Option<Taken>,
    /// The exchanges in order: commands with their answers. A SASL exchange is one of them.
    pub exchanges: Vec<Taken>,
    /// How the server ended the session, where it did before the client: when, and by what.
    pub end: Option<(Micros, Close)>,
    /// The recording was read to its end.
    pub whole: bool,
    /// The server was not reached: what was answered is poptape's own.
    pub failed: bool,
}

/// A recorded exchange.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Its number in the recording.
    pub n: u32,
    /// The command line without its ending, secrets masked as in the recording. Empty for the greeting.
    pub command: Bytes,
    /// Whether the server answered it with a challenge first (RFC 5034 section 4).
    pub challenged: bool,
    /// None where no status came.
    pub status: Option<Status>,
    /// The state before it.
    pub state: State,
    /// It was recorded under TLS.
    pub tls: bool,
    /// When the command came.
    pub at: Micros,
    /// The answer's octets in the pieces in which they came, each with its time. Of a SASL exchange only the
    /// last line: its challenges are new ones each time.
    pub pieces: Vec<(Micros, Bytes)>,
    /// How many octets of `pieces` are the body, and where they begin.
    pub body: Option<(usize, usize)>,
    /// False where the body lacks its terminator, or octets are missing: it is never given as it was recorded.
    pub complete: bool,
    /// How many octets of the answer came before the first that are missing.
    pub gap: Option<usize>,
}

/// Why a tape cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TapeError {
    /// A file or folder cannot be read, or is no recording.
    #[error("cannot read {name}: {error}")]
    Unreadable {
        /// Which.
        name: String,
        /// Why.
        error: ReadError,
    },
    /// There is nothing to replay.
    #[error("there is no recorded session in {0}")]
    Empty(String),
}

impl Tape {
    /// Reads recordings and captures: files, and folders of them. Gives what could be read only in part with it, in
    /// words.
    pub fn open<P: AsRef<Path>>(
        paths: impl IntoIterator<Item = P>,
        reading: &Reading,
    ) -> Result<(Self, Vec<String>), TapeError> {
        let (mut tape, mut warnings, mut names) = (Self::default(), Vec::new(), Vec::new());
        for path in paths {
            let path = path.as_ref();
            names.push(path.display().to_string());
            let unreadable =
                |name: &Path, error| TapeError::Unreadable { name: name.display().to_string(), error };
            for file in recordings(path).map_err(|error| unreadable(path, ReadError::Io(error)))? {
                let name = file.display().to_string();
                let input = Input::open(&file).map_err(|error| unreadable(&file, error))?;
                let integrity = tape.read(&name, input, reading).map_err(|error| unreadable(&file, error))?;
                match integrity {
                    Integrity::Whole => {}
                    Integrity::Unfinished => {
                        warnings.push(format!("{name} is incomplete: all that was flushed is used"));
                    }
                    Integrity::Damaged(how) => {
                        warnings.push(format!("{name} is damaged: {how}. What comes before is used"));
                    }
                    Integrity::Lacking(what) => {
                        warnings.push(format!("{name} does not hold all: {what}"));
                    }
                }
            }
        }
        if tape.sessions.is_empty() {
            return Err(TapeError::Empty(names.join(", ")));
        }
        Ok((tape, warnings))
    }

    /// Reads one file.
    pub fn read(&mut self, name: &str, input: Input, reading: &Reading) -> Result<Integrity, ReadError> {
        let mut takings = BTreeMap::new();
        let summary = input.play(reading, &mut |session, entry| {
            takings.entry(session).or_insert_with(|| Taking::new(name)).entry(entry);
            Ok(())
        })?;
        for taking in takings.into_values() {
            let mut taped = taking.finish();
            taped.whole = matches!(summary.integrity, Integrity::Whole | Integrity::Lacking(_));
            if taped.greeting.is_some() || !taped.exchanges.is_empty() {
                self.sessions.push(taped);
            }
        }
        Ok(summary.integrity)
    }
}

impl Taken {
    fn new(n: u32, command: Bytes) -> Self {
        Self {
            n,
            command,
            challenged: false,
            status: None,
            state: State::Authorization,
            tls: false,
            at: 0,
            pieces: Vec::new(),
            body: None,
            complete: true,
            gap: None,
        }
    }

    /// A command of a session that is not recorded.
    pub(super) fn asked(line: &[u8]) -> Self {
        Self::new(0, Bytes::copy_from_slice(line))
    }

    /// The command's keyword.
    pub fn keyword(&self) -> Keyword {
        Command::parse(&self.command).keyword
    }

    /// The command as a person reads it, secrets masked also where the recording kept them.
    pub fn shown(&self) -> String {
        shown(&self.command)
    }

    /// The text of the status line.
    pub fn text(&self) -> String {
        let octets = self.octets();
        let line = split(&octets).next().unwrap_or_default();
        String::from_utf8_lossy(StatusLine::parse(line).text).into_owned()
    }

    /// How many octets the answer has.
    fn len(&self) -> usize {
        self.pieces.iter().map(|(_, piece)| piece.len()).sum()
    }

    /// All octets of the answer.
    pub fn octets(&self) -> Bytes {
        match &self.pieces[..] {
            [(_, only)] => only.clone(),
            pieces => pieces.iter().map(|(_, piece)| &piece[..]).collect::<Vec<_>>().concat().into(),
        }
    }

    /// The body with byte-stuffing undone, up to octets that are missing; None where there is none.
    pub fn content(&self) -> Option<Vec<u8>> {
        let (from, len) = self.body?;
        let octets = self.octets();
        let len = self.gap.map_or(len, |gap| gap.saturating_sub(from).min(len));
        let mut content = Vec::with_capacity(len);
        Unstuffer::default().push(&octets[from..from + len], &mut content);
        Some(content)
    }
}

/// Whether a line could be a SASL payload that nobody asked for, base64 or masked.
pub(super) fn could_be_payload(line: &[u8]) -> bool {
    let is_base64 = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'=');
    let payload = line.len() >= 8 && line.len().is_multiple_of(4) && line.iter().all(is_base64);
    (payload || line == MASK) && Command::parse(line).keyword == Keyword::Unknown
}

/// A command as it may be shown: without its secret, and without what could be one, a SASL payload that nobody asked
/// for.
pub(super) fn shown(line: &[u8]) -> String {
    let command = Command::parse(line);
    if could_be_payload(line) {
        return String::from_utf8_lossy(MASK).into_owned();
    }
    match command.hidden(line) {
        Some(range) => [&line[..range.start], MASK].concat().escape_ascii().to_string(),
        None => line.escape_ascii().to_string(),
    }
}

/// Makes a session of its entries.
#[derive(Debug)]
struct Taking {
    taped: Taped,
    /// The exchanges whose answer is not settled, in order; usually one.
    open: VecDeque<Taken>,
    /// Those of them that are SASL responses.
    responses: HashSet<u32>,
    /// Exchanges whose request nobody saw: what was answered is for nobody.
    unseen: HashSet<u32>,
    /// The greeting has come.
    greeted: bool,
    /// What comes is under TLS.
    tls: bool,
    /// When the last arrival of the server's octets was.
    arrival: Micros,
    closed: Option<(Micros, Close)>,
}

impl Taking {
    fn new(name: &str) -> Self {
        Self {
            taped: Taped { name: name.to_owned(), ..Taped::default() },
            open: VecDeque::new(),
            responses: HashSet::new(),
            unseen: HashSet::new(),
            greeted: false,
            tls: false,
            arrival: 0,
            closed: None,
        }
    }

    fn entry(&mut self, entry: &Entry) {
        match entry {
            Entry::Event(event) => self.event(event),
            Entry::Closed { side: Side::Server, how, at } => {
                self.closed.get_or_insert((*at, *how));
            }
            Entry::Tls(tls) if tls.begins_anew() && tls.readable => {
                self.settle();
                self.tls = true;
            }
            Entry::Ended(end) if end.how == How::ConnectFailed => self.taped.failed = true,
            Entry::Ended(end)
                if end.by == By::Server && matches!(end.how, How::Finished | How::Truncated | How::Reset) =>
            {
                self.taped.end = self.closed;
            }
            _ => {}
        }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Request { n, run, request, .. } => {
                let line = Bytes::copy_from_slice(split_ending(&run.bytes).0);
                if *request == Request::SaslResponse {
                    self.responses.insert(*n);
                }
                self.open.push_back(Taken { tls: self.tls, ..Taken::new(*n, line) });
            }
            // A line so long is compared by its first 64 KiB.
            Event::RequestMore { .. }
            | Event::Ambiguous { .. }
            | Event::Missing { n: None, .. }
            | Event::Opaque { .. } => {}
            Event::Missing { n: Some(n), side, .. } => {
                self.open(*n);
                if let Some(taken) = self.of(*n) {
                    taken.complete = false;
                    if *side == Side::Server {
                        taken.gap = taken.gap.or(Some(taken.len()));
                    }
                }
            }
            Event::Status { n, run, .. } => {
                self.settle();
                if !self.open.iter().any(|taken| taken.n == *n) {
                    // The greeting, or a line that nothing asked for: the server sent it after what came before.
                    if *n == 0 && !self.greeted {
                        self.greeted = true;
                        self.open.push_front(Taken::new(0, Bytes::new()));
                    }
                }
                self.octets(*n, run);
            }
            Event::StatusMore { n, run } => self.octets(*n, run),
            Event::Body { n, run } => {
                if let Some(taken) = self.of(*n) {
                    let (from, len) = taken.body.unwrap_or_else(|| (taken.len(), 0));
                    taken.body = Some((from, len + run.bytes.len()));
                }
                self.octets(*n, run);
            }
            Event::Terminator { n, run } => {
                if let Some(taken) = self.of(*n) {
                    let from = taken.len();
                    taken.body.get_or_insert((from, 0));
                }
                self.octets(*n, run);
            }
            Event::End(outcome) => {
                if let Some(taken) = self.of(outcome.n) {
                    (taken.status, taken.state, taken.at) = (outcome.status, outcome.state, outcome.at);
                    taken.complete &= outcome.complete;
                    if outcome.lines.is_none() {
                        taken.body = None;
                    }
                }
            }
        }
    }

    /// Octets are missing: where that is the first of an exchange, it is the greeting, or one whose request nobody saw.
    fn open(&mut self, n: u32) {
        let known = |taken: &Taken| taken.n == n;
        if n == 0 && !self.greeted {
            self.greeted = true;
            self.open.push_front(Taken::new(0, Bytes::new()));
        } else if n > 0 && !self.open.iter().any(known) && !self.taped.exchanges.last().is_some_and(known) {
            self.unseen.insert(n);
            self.open.push_back(Taken::new(n, Bytes::new()));
        }
    }

    /// The exchange that octets belong to: where nothing asked for them, the one before.
    fn of(&mut self, n: u32) -> Option<&mut Taken> {
        if let Some(at) = self.open.iter().position(|taken| taken.n == n) {
            return self.open.get_mut(at);
        }
        self.taped.exchanges.last_mut().or(self.taped.greeting.as_mut())
    }

    fn octets(&mut self, n: u32, run: &Run) {
        let mut arrival = self.arrival;
        let mut pieces: Vec<(Micros, Bytes)> = Vec::new();
        let mut from = 0;
        for &(offset, at) in &run.arrivals {
            let offset = offset as usize;
            if offset > from {
                pieces.push((arrival, run.bytes.slice(from..offset)));
            }
            (from, arrival) = (offset, at);
        }
        if from < run.bytes.len() {
            pieces.push((arrival, run.bytes.slice(from..)));
        }
        self.arrival = arrival;
        if let Some(taken) = self.of(n) {
            for (at, octets) in pieces {
                match taken.pieces.last_mut() {
                    Some((last, piece)) if *last == at => {
                        let mut joined = BytesMut::from(std::mem::take(piece));
                        joined.extend_from_slice(&octets);
                        *piece = joined.freeze();
                    }
                    _ => taken.pieces.push((at, octets)),
                }
            }
        }
    }

    /// Moves what is answered to its place.
    fn settle(&mut self) {
        while let Some(taken) = self.open.pop_front_if(|taken| !taken.pieces.is_empty() || taken.n == 0) {
            self.place(taken);
        }
    }

    fn place(&mut self, taken: Taken) {
        if taken.n == 0 {
            self.taped.greeting = Some(taken);
            return;
        }
        if self.unseen.remove(&taken.n) {
            return;
        }
        // A SASL response belongs to its AUTH: the answer to the last one is what came of it.
        if self.responses.remove(&taken.n)
            && let Some(auth) = self.taped.exchanges.last_mut()
            && auth.keyword() == Keyword::Auth
            && auth.status == Some(Status::Continue)
        {
            auth.challenged = true;
            (auth.status, auth.pieces, auth.body) = (taken.status, taken.pieces, None);
            (auth.complete, auth.gap) = (auth.complete && taken.complete, auth.gap.or(taken.gap));
            auth.at = taken.at;
            return;
        }
        self.taped.exchanges.push(taken);
    }

    fn finish(mut self) -> Taped {
        self.settle();
        // What got no answer: nothing is known of it but that it was asked.
        for taken in std::mem::take(&mut self.open) {
            self.place(taken);
        }
        self.taped
    }
}
