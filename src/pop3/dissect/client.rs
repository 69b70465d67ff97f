//! The client's octets: command lines, SASL responses, uploads.

use bytes::Bytes;
use memchr::memchr;

use super::held::Cursor;
use super::{Dissector, Event, MAX_LINE, Pending, Request};
use crate::pop3::command::{Command, Keyword, Shape};
use crate::pop3::lines::split_ending;
use crate::pop3::sasl;
use crate::pop3::secret::{MASK, Secrets};
use crate::pop3::state::State;
use crate::wire::{Run, Side};

/// How the next client line is to be read while a SASL exchange goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expect {
    Command,
    /// A challenge is out: whatever comes answers it.
    Response,
    /// AUTH is unanswered: base64 that is no command is a payload sent early.
    Either,
    /// AUTH was refused: the same, until a command that is known comes. Rather a word too many is masked
    /// than a password too few.
    Refused,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum ClientMode {
    Lines,
    /// `secret`: so is what is still to come of it.
    LongLine {
        n: u32,
        secret: bool,
        after_cr: bool,
    },
    Upload {
        n: Option<u32>,
    },
    Waiting,
    Opaque,
}

impl Dissector {
    pub(super) fn client_octets(&mut self, mut cursor: Cursor, out: &mut impl FnMut(Event)) {
        while !cursor.rest().is_empty() {
            let rest = cursor.rest();
            let all = rest.len();
            match self.client_mode {
                ClientMode::Lines | ClientMode::Upload { .. } => {
                    if let Some(len) = self.client.line(&mut cursor) {
                        let run = self.client.take(&mut cursor, len);
                        self.client_line(run, out);
                    }
                }
                ClientMode::LongLine { n, secret, after_cr } => {
                    let end = memchr(b'\n', rest);
                    let len = end.map_or(rest.len(), |end| end + 1);
                    let was_cr = if len >= 2 { rest[len - 2] == b'\r' } else { after_cr };
                    let last_cr = rest[len - 1] == b'\r';
                    let mut run = self.client.take(&mut cursor, len);
                    if secret && self.secrets == Secrets::Redact {
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
                        None => ClientMode::LongLine { n, secret, after_cr: last_cr },
                    };
                    self.went_on(n);
                    out(Event::RequestMore { n, run });
                }
                ClientMode::Waiting if self.client.octets.len() + rest.len() <= MAX_LINE => {
                    self.client.keep(&mut cursor, all);
                }
                ClientMode::Waiting => {
                    // It waits no longer for the answer, and is read as what it is.
                    self.client.keep(&mut cursor, all);
                    self.client_mode = ClientMode::Opaque;
                    self.unhold_client(out);
                }
                ClientMode::Opaque => self.opaque_octets(Side::Client, &mut cursor, out),
            }
        }
    }

    /// A line, whole or its first [`MAX_LINE`] octets.
    pub(super) fn client_line(&mut self, mut run: Run, out: &mut impl FnMut(Event)) {
        self.settle_bare_terminator(out);
        let whole = run.bytes.ends_with(b"\n");
        if let ClientMode::Upload { n } = self.client_mode {
            self.upload_line(n, run, whole, out);
            return;
        }
        let command = Command::parse(&run.bytes);
        if let Some((n, secret)) = self.rest_of_request(&command) {
            let end = split_ending(&run.bytes).0.len();
            self.mask(&mut run, (secret && end > 0).then_some(0..end));
            if !whole {
                self.client_mode = ClientMode::LongLine { n, secret, after_cr: run.bytes.ends_with(b"\r") };
            }
            return out(Event::RequestMore { n, run });
        }
        self.client_had_its_answer(out);
        let n = self.new_n();
        let sent = self.client.last;
        // Where octets were missing before login, what is no command may be what is left of a password.
        let may_be_rest =
            command.keyword == Keyword::Unknown && self.gaps.any && self.state == State::Authorization;
        let end = text_end(&run.bytes);
        let text = &run.bytes[..end];
        let response = match self.expect {
            Expect::Command => false,
            Expect::Response => true,
            Expect::Either => command.keyword == Keyword::Unknown && looks_like_payload(text),
            Expect::Refused => {
                command.keyword == Keyword::Unknown
                    && !text.is_empty()
                    && (may_be_rest || looks_like_payload(text))
            }
        };
        let (request, shape, hidden) = if response {
            if self.expect != Expect::Refused {
                self.expect = Expect::Either;
            }
            let hidden = (end > 0 && text != b"*").then_some(0..end);
            (Request::SaslResponse, Shape::Sasl, hidden)
        } else {
            self.expect = Expect::Command;
            let shape = self.begin(&command);
            let rest = (may_be_rest && end > 0).then_some(0..end);
            (Request::Command(command.keyword), shape, command.hidden(&run.bytes).or(rest))
        };
        let step = match (&hidden, request) {
            (Some(range), Request::SaslResponse | Request::Command(Keyword::Auth)) => {
                self.step(Side::Client, &run.bytes[range.clone()])
            }
            (None, Request::SaslResponse) => {
                self.sasl.iter_mut().for_each(|exchange| exchange.skip());
                None
            }
            _ => None,
        };
        let secret = hidden.is_some();
        let stls = request == Request::Command(Keyword::Stls);
        let octets = run.bytes.len() as u32;
        self.mask(&mut run, hidden);
        out(Event::Request { n, run, request, step });
        self.wait_for_answer(Pending { n, sent, request: Some(request), shape, octets }, out);
        if !whole {
            self.client_mode = ClientMode::LongLine { n, secret, after_cr: false };
        } else if stls {
            self.client_mode = ClientMode::Waiting;
        }
    }

    /// Notes what a command sets going; gives the shape that its `+OK` will have.
    #[inline]
    fn begin(&mut self, command: &Command<'_>) -> Shape {
        match command.keyword.row().map_or(Shape::Unknown, |row| row.shape) {
            shape @ (Shape::SingleLine | Shape::MultiLine | Shape::Unknown) => shape,
            shape => self.begin_by_arguments(shape, command),
        }
    }

    fn begin_by_arguments(&mut self, shape: Shape, command: &Command<'_>) -> Shape {
        match shape {
            Shape::MultiLineWithoutArgument if command.has_argument() => Shape::SingleLine,
            Shape::MultiLineWithoutArgument => Shape::MultiLine,
            Shape::Sasl => match command.words().next() {
                Some(mechanism) => {
                    let mut exchange = Box::new(sasl::Exchange::new(mechanism));
                    if command.words().nth(1) == Some(b"=") {
                        exchange.skip();
                    }
                    self.sasl = Some(exchange);
                    self.expect = Expect::Either;
                    Shape::Sasl
                }
                None => Shape::MultiLine,
            },
            Shape::Upload => match command.words().next() {
                Some(word) if word.eq_ignore_ascii_case(b"XMIT") => Shape::Upload,
                Some(word) if word.eq_ignore_ascii_case(b"XLST") => Shape::MultiLine,
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
            self.upload_ended(n, out);
        }
    }

    fn upload_ended(&mut self, n: u32, out: &mut impl FnMut(Event)) {
        let sent = self.client.last;
        let (request, shape) = (Some(Request::Upload), Shape::SingleLine);
        self.wait_for_answer(Pending { n, sent, request, shape, octets: 0 }, out);
    }

    pub(super) fn client_closed(&mut self, out: &mut impl FnMut(Event)) {
        if let ClientMode::Waiting = self.client_mode {
            self.client_mode = ClientMode::Lines;
            self.unhold_client(out);
        }
        if !self.client.octets.is_empty() || !self.client.arrivals.is_empty() {
            let run = self.client.release();
            self.client_line(run, out);
        }
        if let ClientMode::Upload { n: Some(n) } = self.client_mode {
            self.upload_ended(n, out);
        }
        if !matches!(self.client_mode, ClientMode::Opaque) {
            self.client_mode = ClientMode::Lines;
        }
    }

    /// Reads again what was held while STLS waited for its answer.
    pub(super) fn unhold_client(&mut self, out: &mut impl FnMut(Event)) {
        let Run { bytes, arrivals } = self.client.release();
        self.client_octets(Cursor::new(bytes, arrivals), out);
    }
}

/// Where the text of a line ends; one that was cut off in its ending has none of it.
fn text_end(line: &[u8]) -> usize {
    let text = split_ending(line).0;
    text.strip_suffix(b"\r").unwrap_or(text).len()
}

/// Whether a line could be a SASL payload: base64, `*`, `=`, or one that is masked already.
fn looks_like_payload(text: &[u8]) -> bool {
    text == b"*"
        || text == MASK
        || text.iter().all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
}
