//! The [`Dissector`]: the octets of both sides in, [`Event`]s out. It pairs each response with its command,
//! frames bodies, follows SASL and STLS, and masks secrets, live and offline alike.
//!
//! Two promises hold whatever comes: the runs of the events, per side and in order, are exactly the octets
//! that went in (but for masked secrets), and how the octets were cut into chunks changes nothing but the
//! arrivals. Nothing a peer does is an error.
//!
//! ```text
//!   client octets -> Lines | LongLine | Upload | Waiting (for the reply to STLS) | Opaque
//!   server octets -> Lines | LongLine | Body (up to the terminator)              | Opaque
//!                       |
//!                  pending commands, oldest first: who is being answered
//! ```

use std::collections::VecDeque;
use std::mem::take;

use bytes::Bytes;
use memchr::{memchr, memchr_iter, memmem};

use super::command::{Command, Keyword, Shape};
use super::lines::{Ending, split_ending};
use super::response::{Status, StatusLine};
use super::sasl;
use super::secret::{MASK, Secrets};
use super::state::State;
use crate::wire::{Arrivals, Micros, Run, Side};

/// The longest line that is held until it is whole; a longer one is passed on in pieces.
pub const MAX_LINE: usize = 64 * 1024;

/// How many octets of requests may wait for an answer before further ones are given up on.
pub const MAX_OUTSTANDING: usize = 32 * 1024 * 1024;

/// What the client asked with an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// A command line.
    Command(Keyword),
    /// A line that answers a SASL challenge.
    SaslResponse,
    /// A dot-terminated upload (`XTND XMIT`).
    Upload,
}

/// What the dissector found. `n` counts a session's exchanges: 0 is the greeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A request, whole, or the first [`MAX_LINE`] octets of it.
    Request {
        /// The exchange it opens.
        n: u32,
        /// The line with its ending.
        run: Run,
        /// What it asks.
        request: Request,
        /// What a SASL payload in it said.
        step: Option<Box<sasl::Step>>,
    },
    /// More octets of the same request: the rest of a long line, or an upload's next line.
    RequestMore {
        /// The exchange.
        n: u32,
        /// The octets.
        run: Run,
    },
    /// A status line, whole, or the first [`MAX_LINE`] octets of it. Opens an exchange of its own where
    /// no [`Event::Request`] had this `n`: the greeting, or a response that nothing asked for.
    Status {
        /// The exchange it answers.
        n: u32,
        /// The line with its ending.
        run: Run,
        /// None where a status was due and something else came.
        status: Option<Status>,
        /// What a SASL challenge in it said.
        step: Option<Box<sasl::Step>>,
    },
    /// The rest of a long status line.
    StatusMore {
        /// The exchange.
        n: u32,
        /// The octets.
        run: Run,
    },
    /// Octets of a body as they are on the wire, byte-stuffing included, cut anywhere. After the
    /// [`Event::End`] of their exchange they are lines that nothing asked for, attached to it.
    Body {
        /// The exchange.
        n: u32,
        /// The octets.
        run: Run,
    },
    /// The line that closes a body.
    Terminator {
        /// The exchange.
        n: u32,
        /// The line with its ending.
        run: Run,
    },
    /// The exchange has its answer, or the session ended without one.
    End(Box<Outcome>),
    /// Lines without a status came while another command was outstanding: whether they belong to this
    /// exchange cannot be known.
    Ambiguous {
        /// The exchange they were attached to.
        n: u32,
    },
    /// Octets that are no POP3: what follows an accepted STLS that nobody here can look into.
    Opaque {
        /// Who sent them.
        side: Side,
        /// The octets.
        run: Run,
    },
}

/// What an exchange came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The exchange.
    pub n: u32,
    /// What was asked; None for the greeting and for a response that nothing asked for.
    pub request: Option<Request>,
    /// None where no status came.
    pub status: Option<Status>,
    /// The state before the request was answered.
    pub state: State,
    /// The state after.
    pub after: State,
    /// When the request's last octet came (the session's beginning for the greeting, the response's
    /// first octet for a response that nothing asked for).
    pub at: Micros,
    /// From then until the response's last octet; None without a response.
    pub took: Option<Micros>,
    /// Lines of the body; None where there is no body.
    pub lines: Option<u64>,
    /// Octets of the body once byte-stuffing is undone, without the terminator.
    pub octets: Option<u64>,
    /// All octets of the response as sent.
    pub wire: u64,
    /// False where a body lacks its terminator.
    pub complete: bool,
}

/// A request that waits for its response.
#[derive(Debug, Clone, Copy)]
struct Pending {
    n: u32,
    sent: Micros,
    request: Request,
    shape: Shape,
    /// Of its line.
    octets: u32,
}

/// How the next client line is to be read while a SASL exchange goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Command,
    /// A challenge is out: whatever comes answers it.
    Response,
    /// AUTH is unanswered or was just refused: base64 that is no command may be a payload sent early.
    Either,
}

#[derive(Debug, Clone, Copy)]
enum ClientMode {
    Lines,
    LongLine { n: u32, hidden: bool, after_cr: bool },
    Upload { n: Option<u32> },
    Waiting,
    Opaque,
}

#[derive(Debug)]
enum ServerMode {
    Lines,
    /// The rest of a line whose first part is out; where it was a status line, its exchange ends with it.
    LongLine {
        n: u32,
        open: Option<Box<OpenReply>>,
    },
    Body(Box<OpenReply>),
    Opaque,
}

/// A response as far as it came.
#[derive(Debug)]
struct OpenReply {
    outcome: Outcome,
    shape: Shape,
    /// The status line ended with a bare LF, so the terminator may too.
    bare_lf: bool,
    at_line_start: bool,
    body: u64,
    newlines: u64,
    dots: u64,
}

/// A side's octets on their way: those held back from earlier chunks, with their arrivals.
#[derive(Debug, Default)]
struct Held {
    octets: Vec<u8>,
    arrivals: Arrivals,
    /// The earliest time that the next arrival may have: no two of one side are equal.
    next: Micros,
    /// When the last octet came.
    last: Micros,
}

/// The chunk being read.
struct Cursor {
    data: Bytes,
    arrivals: Arrivals,
    at: usize,
}

impl Cursor {
    fn rest(&self) -> &[u8] {
        &self.data[self.at..]
    }
}

impl Held {
    fn cursor(&mut self, at: Micros, data: Bytes) -> Cursor {
        let at = at.max(self.next);
        self.next = at + 1;
        self.last = at;
        Cursor { data, arrivals: smallvec::smallvec![(0, at)], at: 0 }
    }

    /// The held octets and the next `len` of the chunk as one run.
    fn take(&mut self, cursor: &mut Cursor, len: usize) -> Run {
        let end = cursor.at + len;
        let chunk = cursor.data.slice(cursor.at..end);
        let shift = self.octets.len();
        let mut arrivals = take(&mut self.arrivals);
        // A chunk has one arrival unless it was held whole for STLS, so this rarely loops.
        while let Some(&(offset, at)) = cursor.arrivals.first().filter(|arrival| (arrival.0 as usize) < end) {
            arrivals.push(((offset as usize + shift - cursor.at) as u32, at));
            cursor.arrivals.remove(0);
        }
        cursor.at = end;
        let bytes = if shift == 0 {
            chunk
        } else {
            let mut octets = take(&mut self.octets);
            octets.extend_from_slice(&chunk);
            Bytes::from(octets)
        };
        Run { bytes, arrivals }
    }

    /// Keeps the next `len` octets of the chunk back, to its end.
    fn keep(&mut self, cursor: &mut Cursor, len: usize) {
        let shift = self.octets.len();
        self.octets.extend_from_slice(&cursor.rest()[..len]);
        let held = take(&mut cursor.arrivals);
        self.arrivals
            .extend(held.into_iter().map(|(offset, at)| ((offset as usize + shift - cursor.at) as u32, at)));
        cursor.at += len;
    }

    /// What is held, as a run.
    fn release(&mut self) -> Run {
        Run { bytes: take(&mut self.octets).into(), arrivals: take(&mut self.arrivals) }
    }
}

/// See the [module](self).
#[derive(Debug)]
pub struct Dissector {
    secrets: Secrets,
    client: Held,
    server: Held,
    client_mode: ClientMode,
    server_mode: ServerMode,
    pending: VecDeque<Pending>,
    /// Octets of the requests in `pending`, each with what it costs to keep.
    outstanding: usize,
    expect: Expect,
    sasl: Option<Box<sasl::Exchange>>,
    /// What a recording says of the SASL payload that it masked, for the next line of a side.
    told: Option<Box<sasl::Step>>,
    state: State,
    greeted: bool,
    next_n: u32,
    /// The exchange that lines without a status are attached to, and whether its command is unknown.
    latest: (u32, bool),
    ambiguous: bool,
}

impl Dissector {
    /// For a session from its first octet on.
    pub fn new(secrets: Secrets) -> Self {
        Self {
            secrets,
            client: Held::default(),
            server: Held::default(),
            client_mode: ClientMode::Lines,
            server_mode: ServerMode::Lines,
            pending: VecDeque::new(),
            outstanding: 0,
            expect: Expect::Command,
            sasl: None,
            told: None,
            state: State::Authorization,
            greeted: false,
            next_n: 1,
            latest: (0, false),
            ambiguous: false,
        }
    }

    /// The state after the last answered command.
    pub const fn state(&self) -> State {
        self.state
    }

    /// How many commands wait for their answer.
    pub fn outstanding(&self) -> usize {
        self.pending.len()
    }

    /// Tells what a masked payload said that comes next (from a recording).
    pub fn tell(&mut self, step: sasl::Step) {
        self.told = Some(Box::new(step));
    }

    /// Takes the next octets of a side, which arrived at `at`.
    pub fn feed(&mut self, side: Side, at: Micros, chunk: Bytes, out: &mut impl FnMut(Event)) {
        let held = match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        };
        let cursor = held.cursor(at, chunk);
        if cursor.data.is_empty() {
            // In a recording: an arrival that brought nothing but part of a masked secret.
            let offset = held.octets.len() as u32;
            held.arrivals.extend(cursor.arrivals.into_iter().map(|(_, at)| (offset, at)));
            return;
        }
        match side {
            Side::Client => self.client_octets(cursor, out),
            Side::Server => self.server_octets(cursor, out),
        }
    }

    /// Takes note that a side sends no more: what was held back of it is cut off there.
    pub fn close(&mut self, side: Side, out: &mut impl FnMut(Event)) {
        match side {
            Side::Client => self.client_closed(out),
            Side::Server => self.server_closed(out),
        }
    }

    /// Ends the session: both sides are closed, and what still waits for an answer got none.
    pub fn finish(&mut self, out: &mut impl FnMut(Event)) {
        self.close(Side::Client, out);
        self.close(Side::Server, out);
        for pending in take(&mut self.pending) {
            out(self.unanswered(pending));
        }
    }

    fn unanswered(&self, pending: Pending) -> Event {
        Event::End(Box::new(Outcome {
            n: pending.n,
            request: Some(pending.request),
            status: None,
            state: self.state,
            after: self.state,
            at: pending.sent,
            took: None,
            lines: None,
            octets: None,
            wire: 0,
            complete: true,
        }))
    }

    /// Queues a request for its answer. A peer that never answers must not cost memory without end.
    fn wait_for_answer(&mut self, pending: Pending, out: &mut impl FnMut(Event)) {
        let cost = pending.octets as usize + size_of::<Pending>();
        if self.outstanding + cost > MAX_OUTSTANDING {
            out(self.unanswered(pending));
        } else {
            self.outstanding += cost;
            self.pending.push_back(pending);
        }
    }

    fn next_answered(&mut self) -> Option<Pending> {
        let pending = self.pending.pop_front()?;
        self.outstanding -= pending.octets as usize + size_of::<Pending>();
        Some(pending)
    }

    fn new_n(&mut self) -> u32 {
        let n = self.next_n;
        self.next_n = n.saturating_add(1);
        n
    }

    // ---- the client's side

    fn client_octets(&mut self, mut cursor: Cursor, out: &mut impl FnMut(Event)) {
        while !cursor.rest().is_empty() {
            let rest = cursor.rest();
            let all = rest.len();
            match self.client_mode {
                ClientMode::Lines | ClientMode::Upload { .. } => {
                    let room = MAX_LINE - self.client.octets.len();
                    let within = &rest[..rest.len().min(room)];
                    match memchr(b'\n', within) {
                        Some(end) => {
                            let run = self.client.take(&mut cursor, end + 1);
                            self.client_line(run, out);
                        }
                        None if within.len() == room => {
                            let run = self.client.take(&mut cursor, room);
                            self.client_line(run, out);
                        }
                        None => self.client.keep(&mut cursor, all),
                    }
                }
                ClientMode::LongLine { n, hidden, after_cr } => {
                    let end = memchr(b'\n', rest);
                    let len = end.map_or(rest.len(), |end| end + 1);
                    let was_cr = if len >= 2 { rest[len - 2] == b'\r' } else { after_cr };
                    let last_cr = rest[len - 1] == b'\r';
                    let mut run = self.client.take(&mut cursor, len);
                    if hidden {
                        let ending: &'static [u8] = match (end, was_cr) {
                            (None, _) => b"",
                            (Some(_), true) => b"\r\n",
                            (Some(_), false) => b"\n",
                        };
                        run.bytes = Bytes::from_static(ending);
                        run.arrivals.iter_mut().for_each(|arrival| arrival.0 = 0);
                    }
                    self.client_mode = match end {
                        Some(_) => ClientMode::Lines,
                        None => ClientMode::LongLine { n, hidden, after_cr: last_cr },
                    };
                    if let Some(waiting) = self.pending.iter_mut().rfind(|pending| pending.n == n) {
                        waiting.sent = self.client.last;
                    }
                    out(Event::RequestMore { n, run });
                }
                ClientMode::Waiting if self.client.octets.len() + rest.len() <= MAX_LINE => {
                    self.client.keep(&mut cursor, all);
                }
                ClientMode::Waiting | ClientMode::Opaque => {
                    self.client_mode = ClientMode::Opaque;
                    let run = self.client.take(&mut cursor, all);
                    out(Event::Opaque { side: Side::Client, run });
                }
            }
        }
    }

    /// A line, whole or its first [`MAX_LINE`] octets.
    fn client_line(&mut self, run: Run, out: &mut impl FnMut(Event)) {
        self.settle_bare_terminator(out);
        let whole = run.bytes.ends_with(b"\n");
        if let ClientMode::Upload { n } = self.client_mode {
            self.upload_line(n, run, whole, out);
            return;
        }
        let n = self.new_n();
        let command = Command::parse(&run.bytes);
        let sent = self.client.last;
        let response = match self.expect {
            Expect::Command => false,
            Expect::Response => true,
            Expect::Either => {
                command.keyword == Keyword::Unknown && looks_like_payload(split_ending(&run.bytes).0)
            }
        };
        let (request, shape, hidden) = if response {
            self.expect = Expect::Either;
            let end = split_ending(&run.bytes).0.len();
            let hidden = (end > 0 && &run.bytes[..end] != b"*").then_some(0..end);
            (Request::SaslResponse, Shape::Sasl, hidden)
        } else {
            self.expect = Expect::Command;
            let shape = self.begin(&command);
            (Request::Command(command.keyword), shape, command.hidden(&run.bytes))
        };
        let step = match (&hidden, request) {
            (Some(range), Request::SaslResponse | Request::Command(Keyword::Auth)) => {
                self.step(Side::Client, &run.bytes[range.clone()])
            }
            _ => None,
        };
        let secret = hidden.is_some();
        let stls = request == Request::Command(Keyword::Stls);
        let octets = run.bytes.len() as u32;
        out(Event::Request { n, run: self.masked(run, hidden), request, step });
        self.wait_for_answer(Pending { n, sent, request, shape, octets }, out);
        if !whole {
            let hidden = secret && self.secrets == Secrets::Redact;
            self.client_mode = ClientMode::LongLine { n, hidden, after_cr: false };
        } else if stls {
            self.client_mode = ClientMode::Waiting;
        }
    }

    /// Notes what a command sets going; gives the shape that its `+OK` will have.
    fn begin(&mut self, command: &Command<'_>) -> Shape {
        let shape = command.keyword.row().map_or(Shape::Unknown, |row| row.shape);
        match shape {
            Shape::MultiLineWithoutArgument if command.has_argument() => Shape::SingleLine,
            Shape::MultiLineWithoutArgument => Shape::MultiLine,
            Shape::Sasl => match command.words().next() {
                Some(mechanism) => {
                    self.sasl = Some(Box::new(sasl::Exchange::new(mechanism)));
                    self.expect = Expect::Either;
                    Shape::Sasl
                }
                None => Shape::MultiLine,
            },
            Shape::Upload => match command.words().next() {
                Some(word) if word.eq_ignore_ascii_case(b"XMIT") => Shape::Upload,
                _ => Shape::SingleLine,
            },
            shape => shape,
        }
    }

    fn upload_line(&mut self, n: Option<u32>, run: Run, whole: bool, out: &mut impl FnMut(Event)) {
        let last = whole && split_ending(&run.bytes).0 == b".";
        let n = if let Some(n) = n {
            out(Event::RequestMore { n, run });
            n
        } else {
            let n = self.new_n();
            out(Event::Request { n, run, request: Request::Upload, step: None });
            n
        };
        self.client_mode = if last { ClientMode::Lines } else { ClientMode::Upload { n: Some(n) } };
        if last {
            let sent = self.client.last;
            let (request, shape) = (Request::Upload, Shape::SingleLine);
            self.wait_for_answer(Pending { n, sent, request, shape, octets: 0 }, out);
        }
    }

    fn client_closed(&mut self, out: &mut impl FnMut(Event)) {
        if let ClientMode::Waiting = self.client_mode {
            self.client_mode = ClientMode::Lines;
            self.unhold_client(out);
        }
        if !self.client.octets.is_empty() || !self.client.arrivals.is_empty() {
            let run = self.client.release();
            self.client_line(run, out);
            self.client_mode = ClientMode::Lines;
        }
    }

    /// Reads again what was held while STLS waited for its answer.
    fn unhold_client(&mut self, out: &mut impl FnMut(Event)) {
        let Run { bytes, arrivals } = self.client.release();
        self.client_octets(Cursor { data: bytes, arrivals, at: 0 }, out);
    }

    // ---- secrets

    fn step(&mut self, side: Side, payload: &[u8]) -> Option<Box<sasl::Step>> {
        let told = self.told.take();
        let decoded = self.sasl.as_mut().map(|exchange| Box::new(exchange.step(side, payload)));
        if payload == MASK { told } else { decoded }
    }

    fn masked(&self, run: Run, hidden: Option<std::ops::Range<usize>>) -> Run {
        let Some(range) = hidden.filter(|_| self.secrets == Secrets::Redact) else { return run };
        let Run { bytes, mut arrivals } = run;
        let shown = |offset: u32| {
            let offset = offset as usize;
            let offset = if offset >= range.end {
                offset - range.len() + MASK.len()
            } else {
                offset.min(range.start + MASK.len())
            };
            offset as u32
        };
        for (offset, _) in &mut arrivals {
            *offset = shown(*offset);
        }
        let octets = [&bytes[..range.start], MASK, &bytes[range.end..]].concat();
        Run { bytes: octets.into(), arrivals }
    }

    // ---- the server's side

    fn server_octets(&mut self, mut cursor: Cursor, out: &mut impl FnMut(Event)) {
        while !cursor.rest().is_empty() {
            let rest = cursor.rest();
            let all = rest.len();
            match self.server_mode {
                ServerMode::Lines => {
                    let room = MAX_LINE - self.server.octets.len();
                    let within = &rest[..rest.len().min(room)];
                    match memchr(b'\n', within) {
                        Some(end) => {
                            let run = self.server.take(&mut cursor, end + 1);
                            self.server_line(run, out);
                        }
                        None if within.len() == room => {
                            let run = self.server.take(&mut cursor, room);
                            self.server_line(run, out);
                        }
                        None => self.server.keep(&mut cursor, all),
                    }
                }
                ServerMode::LongLine { n, ref mut open } => {
                    let end = memchr(b'\n', rest);
                    let run = self.server.take(&mut cursor, end.map_or(all, |end| end + 1));
                    if let Some(open) = open {
                        open.outcome.wire += run.bytes.len() as u64;
                        open.bare_lf = !run.bytes.ends_with(b"\r\n");
                        out(Event::StatusMore { n, run });
                    } else {
                        out(Event::Body { n, run });
                    }
                    if end.is_some() {
                        let mode = std::mem::replace(&mut self.server_mode, ServerMode::Lines);
                        if let ServerMode::LongLine { open: Some(open), .. } = mode {
                            self.status_ended(open, out);
                        }
                    }
                }
                ServerMode::Body(_) => self.body_octets(&mut cursor, out),
                ServerMode::Opaque => {
                    let run = self.server.take(&mut cursor, all);
                    out(Event::Opaque { side: Side::Server, run });
                }
            }
        }
    }

    /// A line where a status is due, whole or its first [`MAX_LINE`] octets.
    fn server_line(&mut self, run: Run, out: &mut impl FnMut(Event)) {
        let status = Status::of(&run.bytes);
        let (latest, unknown) = self.latest;
        if !self.greeted {
            self.greeted = true;
            return self.reply(0, None, status, run, out);
        }
        if status.is_none() && (self.pending.is_empty() || unknown) {
            return self.attach(latest, run, out);
        }
        match self.next_answered() {
            Some(pending) => self.reply(pending.n, Some(pending), status, run, out),
            None => {
                let n = self.new_n();
                self.reply(n, None, status, run, out);
            }
        }
    }

    /// A line without a status that answers nothing: it belongs to the exchange before it.
    fn attach(&mut self, n: u32, run: Run, out: &mut impl FnMut(Event)) {
        if !self.pending.is_empty() && !self.ambiguous {
            self.ambiguous = true;
            out(Event::Ambiguous { n });
        }
        match split_ending(&run.bytes) {
            (b".", Ending::Crlf | Ending::Lf) => out(Event::Terminator { n, run }),
            (_, ending) => {
                out(Event::Body { n, run });
                if ending == Ending::None {
                    self.server_mode = ServerMode::LongLine { n, open: None };
                }
            }
        }
    }

    fn reply(
        &mut self,
        n: u32,
        pending: Option<Pending>,
        status: Option<Status>,
        run: Run,
        out: &mut impl FnMut(Event),
    ) {
        let first = run.arrivals.first().map_or(self.server.last, |&(_, at)| at);
        let request = pending.map(|pending| pending.request);
        let at = match pending {
            Some(pending) => pending.sent,
            None if n == 0 => 0,
            None => first,
        };
        let shape = pending.map_or(Shape::SingleLine, |pending| pending.shape);
        self.latest = (n, shape == Shape::Unknown && status == Some(Status::Ok));
        self.ambiguous = false;
        let before = self.state;
        let challenge = self.advance(request, shape, status);
        let whole = run.bytes.ends_with(b"\n");
        let mut hidden = None;
        let mut step = None;
        if challenge && status == Some(Status::Continue) {
            let text = split_ending(&run.bytes).0;
            let payload = StatusLine::parse(text).text;
            if !payload.is_empty() {
                hidden = Some(text.len() - payload.len()..text.len());
                step = self.step(Side::Server, payload);
            }
        }
        let run = self.masked(run, hidden);
        let open = Box::new(OpenReply {
            outcome: Outcome {
                n,
                request,
                status,
                state: before,
                after: self.state,
                at,
                took: None,
                lines: None,
                octets: None,
                wire: run.bytes.len() as u64,
                complete: true,
            },
            shape,
            bare_lf: !run.bytes.ends_with(b"\r\n"),
            at_line_start: true,
            body: 0,
            newlines: 0,
            dots: 0,
        });
        out(Event::Status { n, run, status, step });
        if whole {
            self.status_ended(open, out);
        } else {
            self.server_mode = ServerMode::LongLine { n, open: Some(open) };
        }
    }

    /// Moves the state on; says whether the response is a SASL challenge.
    fn advance(&mut self, request: Option<Request>, shape: Shape, status: Option<Status>) -> bool {
        let Some(request) = request else { return false };
        match (request, shape, status) {
            (_, Shape::Sasl, Some(Status::Continue)) => {
                // Where the client did not wait for the challenge its answer is already here.
                let sent = self.pending.front().is_some_and(|next| next.request == Request::SaslResponse);
                self.expect = if sent { Expect::Either } else { Expect::Response };
                return true;
            }
            // Exchange answers `AUTH NTLM` with +OK where a challenge is due.
            (Request::Command(Keyword::Auth), Shape::Sasl, Some(Status::Ok))
                if self.sasl.as_deref().is_some_and(sasl::Exchange::is_ntlm) =>
            {
                self.expect = Expect::Response;
            }
            (_, Shape::Sasl, Some(Status::Ok)) => {
                self.state = self.state.after(Keyword::Auth);
                self.expect = Expect::Command;
            }
            // `AUTH` alone asks for a list.
            (Request::Command(Keyword::Auth), ..) => {}
            (Request::Command(keyword), _, Some(Status::Ok)) => self.state = self.state.after(keyword),
            _ => {}
        }
        false
    }

    /// The status line is whole: a body follows, or the exchange is over.
    fn status_ended(&mut self, open: Box<OpenReply>, out: &mut impl FnMut(Event)) {
        if open.multi_line() {
            self.server_mode = ServerMode::Body(open);
            return;
        }
        let Outcome { request, status, .. } = open.outcome;
        let upload = open.shape == Shape::Upload;
        self.reply_ended(open, true, out);
        match (request, status) {
            (Some(Request::Command(Keyword::Stls)), Some(Status::Ok)) => {
                self.server_mode = ServerMode::Opaque;
                self.client_mode = ClientMode::Opaque;
                if !self.client.octets.is_empty() {
                    let run = self.client.release();
                    out(Event::Opaque { side: Side::Client, run });
                }
            }
            (Some(Request::Command(Keyword::Stls)), _) if matches!(self.client_mode, ClientMode::Waiting) => {
                self.client_mode = ClientMode::Lines;
                self.unhold_client(out);
            }
            (_, Some(Status::Ok)) if upload && matches!(self.client_mode, ClientMode::Lines) => {
                self.client_mode = ClientMode::Upload { n: None };
            }
            _ => {}
        }
    }

    fn reply_ended(&mut self, mut open: Box<OpenReply>, complete: bool, out: &mut impl FnMut(Event)) {
        let multi_line = open.multi_line();
        let outcome = &mut open.outcome;
        outcome.took = Some(self.server.last.saturating_sub(outcome.at));
        outcome.complete = complete;
        if multi_line {
            outcome.lines = Some(open.newlines + u64::from(!open.at_line_start));
            outcome.octets = Some(open.body - open.dots);
        }
        out(Event::End(Box::new(open.outcome)));
    }

    fn body_octets(&mut self, cursor: &mut Cursor, out: &mut impl FnMut(Event)) {
        let ServerMode::Body(open) = &mut self.server_mode else { return };
        // Held is at most the beginning of what could be a terminator: two octets, looked at together
        // with the ones that follow.
        let tail = self.server.octets.len();
        let found = if tail > 0 {
            let more = cursor.rest().len().min(3);
            let mut joined = [0; 5];
            joined[..tail].copy_from_slice(&self.server.octets);
            joined[tail..tail + more].copy_from_slice(&cursor.rest()[..more]);
            match terminator(&joined[..tail + more], open.bare_lf) {
                Terminator::Whole(len) => Found { body: 0, dots: 0, end: Terminator::Whole(len - tail) },
                Terminator::Begun => {
                    self.server.keep(cursor, more);
                    return;
                }
                Terminator::Not => {
                    // What was held is text; the chunk goes on as if it had never been cut.
                    let run = self.server.release();
                    open.count(&run.bytes, 1);
                    let n = open.outcome.n;
                    out(Event::Body { n, run });
                    return;
                }
            }
        } else {
            find_terminator(cursor.rest(), open.at_line_start, open.bare_lf)
        };
        let n = open.outcome.n;
        if found.body > 0 {
            let run = self.server.take(cursor, found.body);
            open.count(&run.bytes, found.dots);
            out(Event::Body { n, run });
        }
        match found.end {
            Terminator::Whole(len) => {
                let run = self.server.take(cursor, len);
                self.body_terminated(run, out);
            }
            Terminator::Begun => {
                let all = cursor.rest().len();
                self.server.keep(cursor, all);
            }
            Terminator::Not => {}
        }
    }

    fn body_terminated(&mut self, run: Run, out: &mut impl FnMut(Event)) {
        if let ServerMode::Body(mut open) = std::mem::replace(&mut self.server_mode, ServerMode::Lines) {
            open.outcome.wire += run.bytes.len() as u64;
            out(Event::Terminator { n: open.outcome.n, run });
            self.reply_ended(open, true, out);
        }
    }

    /// A lone dot between bare LFs ends a body only where the server writes bare LFs throughout, or where
    /// nothing came after it until the client, having nothing outstanding, sent its next line.
    fn settle_bare_terminator(&mut self, out: &mut impl FnMut(Event)) {
        if self.server.octets == b".\n"
            && self.pending.is_empty()
            && matches!(self.server_mode, ServerMode::Body(_))
        {
            let run = self.server.release();
            self.body_terminated(run, out);
        }
    }

    fn server_closed(&mut self, out: &mut impl FnMut(Event)) {
        if self.server.octets == b".\n" && matches!(self.server_mode, ServerMode::Body(_)) {
            let run = self.server.release();
            return self.body_terminated(run, out);
        }
        let held = !self.server.octets.is_empty();
        match std::mem::replace(&mut self.server_mode, ServerMode::Lines) {
            ServerMode::Lines => {
                if held {
                    let run = self.server.release();
                    self.server_line(run, out);
                    self.server_closed(out);
                }
            }
            ServerMode::LongLine { open: Some(open), .. } => {
                let complete = !open.multi_line();
                self.reply_ended(open, complete, out);
            }
            ServerMode::LongLine { .. } => {}
            ServerMode::Body(mut open) => {
                if held {
                    let run = self.server.release();
                    open.count(&run.bytes, 1);
                    out(Event::Body { n: open.outcome.n, run });
                }
                self.reply_ended(open, false, out);
            }
            ServerMode::Opaque => self.server_mode = ServerMode::Opaque,
        }
    }
}

impl OpenReply {
    fn multi_line(&self) -> bool {
        self.shape == Shape::MultiLine && self.outcome.status == Some(Status::Ok)
    }

    /// Counts octets of the body, `dots` of which are there for byte-stuffing.
    fn count(&mut self, octets: &[u8], dots: u64) {
        self.outcome.wire += octets.len() as u64;
        self.body += octets.len() as u64;
        self.newlines += memchr_iter(b'\n', octets).count() as u64;
        self.dots += dots;
        self.at_line_start = octets.ends_with(b"\n");
    }
}

/// Whether a line that begins with a dot is the terminator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Terminator {
    /// It is, with this many octets.
    Whole(usize),
    /// It may be, once more octets are here.
    Begun,
    /// It is text.
    Not,
}

/// Judges the octets of a line that begins with a dot.
fn terminator(line: &[u8], bare_lf: bool) -> Terminator {
    match &line[1..] {
        [] | [b'\r'] => Terminator::Begun,
        [b'\r', b'\n', ..] => Terminator::Whole(3),
        [b'\n', ..] if bare_lf => Terminator::Whole(2),
        [b'\n'] => Terminator::Begun,
        _ => Terminator::Not,
    }
}

struct Found {
    /// Octets of the body before what ends them.
    body: usize,
    /// Dots among them that byte-stuffing put there.
    dots: u64,
    end: Terminator,
}

/// Looks for the terminator in the octets of a body. Only lines that begin with a dot are looked at.
fn find_terminator(octets: &[u8], at_line_start: bool, bare_lf: bool) -> Found {
    let mut dots = 0;
    let mut candidate = (at_line_start && octets.first() == Some(&b'.')).then_some(0);
    let mut from = 0;
    loop {
        let Some(at) = candidate.or_else(|| memmem::find(&octets[from..], b"\n.").map(|at| from + at + 1))
        else {
            return Found { body: octets.len(), dots, end: Terminator::Not };
        };
        match terminator(&octets[at..], bare_lf) {
            Terminator::Not => dots += 1,
            end => return Found { body: at, dots, end },
        }
        candidate = None;
        from = at + 1;
    }
}

/// Whether a line could be a SASL payload: base64, `*` or `=`.
fn looks_like_payload(text: &[u8]) -> bool {
    text == b"*" || text.iter().all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
}
