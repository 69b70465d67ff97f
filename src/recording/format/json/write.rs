//! Entries to JSON, in one pass. What has to wait for its place in the file is held, up to a bound: requests
//! sent ahead while an earlier response is coming, a body's line that has not ended.

use std::collections::VecDeque;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

use super::line::{self, PIECE};
use super::tls::TlsMember;
use super::{MAGIC, VERSION};
use crate::pop3::dissect::Request;
use crate::pop3::{Event, Secrets, sasl};
use crate::recording::format::Writer;
use crate::recording::{End, Entry, Header, Note};
use crate::wire::{Arrivals, Close, Micros, Run, Side, Tls};

/// Requests sent ahead are held up to this many octets, then written before their turn.
const AHEAD: usize = 1 << 20;

/// And at most so many: they are part of every tail.
const AHEAD_COUNT: usize = 64;

/// A member of an exchange's element, in the order in which they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Member {
    Missing,
    Command,
    Reply,
    Body,
    Terminator,
}

/// What is open in the file, from the outside in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before the first element, or between two.
    Between,
    /// In the element of an exchange, after a member.
    Exchange { n: u32, after: Member },
    /// In the list that is a member's value.
    List { n: u32, member: Member, empty: bool },
    /// In the list of opaque octets of a side.
    Opaque { side: Side, empty: bool },
}

/// A request that waits for its place.
#[derive(Debug, Clone)]
struct Ahead {
    n: u32,
    run: Run,
    request: Request,
    step: Option<Box<sasl::Step>>,
}

/// See the [module](self).
#[derive(Debug, Clone)]
pub(super) struct JsonWriter {
    any: bool,
    place: Place,
    ahead: VecDeque<Ahead>,
    ahead_octets: usize,
    /// The exchange whose response is under way; the greeting's is from the beginning.
    answering: Option<u32>,
    /// A body's line whose end has not come.
    partial: Vec<u8>,
    partial_arrivals: Arrivals,
    /// Whether `partial` begins a line.
    line_start: bool,
    /// What stands beside the stream and came in the middle of an exchange.
    later: Vec<Entry>,
    /// The time of each side's last arrival.
    last: [Micros; 2],
}

impl Default for JsonWriter {
    fn default() -> Self {
        Self {
            any: false,
            place: Place::Between,
            ahead: VecDeque::new(),
            ahead_octets: 0,
            answering: Some(0),
            partial: Vec::new(),
            partial_arrivals: Arrivals::new(),
            line_start: true,
            later: Vec::new(),
            last: [0; 2],
        }
    }
}

impl Writer for JsonWriter {
    fn take(&mut self, _: u32, entry: &Entry, out: &mut Vec<u8>) {
        self.entry(entry, out);
    }

    fn tail(&self, out: &mut Vec<u8>) {
        self.clone().rest(out);
        out.extend_from_slice(b"\n], \"end\": null}\n");
    }
}

impl JsonWriter {
    fn entry(&mut self, entry: &Entry, out: &mut Vec<u8>) {
        match entry {
            Entry::Opened(header) => open(header, out),
            Entry::Event(event) => self.event(event, out),
            _ if self.answering.is_some() && self.place != Place::Between && is_beside(entry) => {
                self.later.push(entry.clone());
            }
            Entry::Note(note) => self.note(note, out),
            Entry::Closed { side, how, at } => self.closed(*side, *how, *at, out),
            Entry::Tls(tls) => self.tls(tls, out),
            Entry::Unknown { key, value } => self.unknown(key, value, out),
            Entry::Sealed(_) => {}
            Entry::Ended(end) => {
                self.rest(out);
                close(end, out);
            }
        }
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Request { n, run, request, step } => {
                let ahead = Ahead { n: *n, run: run.clone(), request: *request, step: step.clone() };
                if self.answering.is_none() && self.ahead.is_empty() && !self.unanswered() {
                    return self.request(&ahead, out);
                }
                self.ahead_octets += run.bytes.len();
                self.ahead.push_back(ahead);
                if self.ahead_octets > AHEAD || self.ahead.len() > AHEAD_COUNT {
                    self.flush_ahead(out);
                }
            }
            Event::RequestMore { n, run } => {
                if self.is_ahead(*n) {
                    self.flush_ahead(out);
                }
                self.list(*n, Member::Command, Side::Client, out);
                self.items(run, Side::Client, false, out);
            }
            Event::Status { n, run, step, .. } => {
                self.turn(*n, out);
                self.answering = Some(*n);
                self.exchange(*n, Member::Reply, out);
                self.arrival_key("reply_at_us", run, Side::Server, out);
                Self::step_key("reply_sasl", step.as_deref(), out);
                self.scalar_or_list("reply", *n, Member::Reply, run, Side::Server, false, out);
            }
            Event::StatusMore { n, run } => {
                self.list(*n, Member::Reply, Side::Server, out);
                self.items(run, Side::Server, false, out);
            }
            Event::Body { n, run } => {
                self.list(*n, Member::Body, Side::Server, out);
                self.body(run, out);
            }
            Event::Terminator { n, run } => {
                self.list(*n, Member::Body, Side::Server, out);
                self.terminator(*n, run, out);
            }
            Event::End(outcome) => {
                if self.is_ahead(outcome.n) {
                    self.flush_ahead(out);
                }
                self.answering = None;
                for entry in std::mem::take(&mut self.later) {
                    self.entry(&entry, out);
                }
            }
            Event::Missing { n, side, octets } => self.missing(*n, *side, *octets, out),
            Event::Ambiguous { .. } => {}
            Event::Opaque { side, run } => self.opaque(*side, run, out),
        }
    }

    /// Whether the open element is a request that has no response yet.
    fn unanswered(&self) -> bool {
        matches!(
            self.place,
            Place::Exchange { after: Member::Missing | Member::Command, .. }
                | Place::List { member: Member::Command, .. }
        )
    }

    fn request(&mut self, ahead: &Ahead, out: &mut Vec<u8>) {
        let Ahead { n, run, request, step } = ahead;
        self.exchange(*n, Member::Command, out);
        self.arrival_key("at_us", run, Side::Client, out);
        Self::step_key("sasl", step.as_deref(), out);
        let upload = *request == Request::Upload;
        self.scalar_or_list("command", *n, Member::Command, run, Side::Client, upload, out);
    }

    /// A request's turn has come: it is answered.
    fn turn(&mut self, n: u32, out: &mut Vec<u8>) {
        if let Some(ahead) = self.ahead.pop_front_if(|ahead| ahead.n == n) {
            self.ahead_octets -= ahead.run.bytes.len();
            self.request(&ahead, out);
        }
    }

    /// A gap closes the open element, so that it comes at its place in the stream of its side.
    fn missing(&mut self, n: Option<u32>, side: Side, octets: u64, out: &mut Vec<u8>) {
        let value = json!({"side": side.name(), "octets": octets});
        let Some(n) = n else {
            self.flush_ahead(out);
            self.element(out);
            return out.extend_from_slice(format!("{{\"missing\": {value}}}").as_bytes());
        };
        match side {
            Side::Client => self.flush_ahead(out),
            Side::Server => self.turn(n, out),
        }
        self.element(out);
        out.extend_from_slice(format!("{{\"n\": {n}, \"missing\": {value}").as_bytes());
        self.place = Place::Exchange { n, after: Member::Missing };
    }

    /// What comes after it in the file is inside of it, unless it is a fact beside the stream.
    fn tls(&mut self, tls: &Tls, out: &mut Vec<u8>) {
        if tls.begins_anew() {
            self.rest(out);
        }
        self.element(out);
        let value = json!({"at_us": tls.at, "tls": TlsMember::from(tls.clone())}).to_string();
        out.extend_from_slice(line::harmless(&value).as_bytes());
    }

    /// Whether a request waits for its place. They wait in order.
    fn is_ahead(&self, n: u32) -> bool {
        self.ahead.binary_search_by_key(&n, |ahead| ahead.n).is_ok()
    }

    fn flush_ahead(&mut self, out: &mut Vec<u8>) {
        for ahead in std::mem::take(&mut self.ahead) {
            self.request(&ahead, out);
        }
        self.ahead_octets = 0;
    }

    /// Writes all that waits: nothing more comes, or a tail is wanted.
    fn rest(&mut self, out: &mut Vec<u8>) {
        self.flush_ahead(out);
        self.answering = None;
        for entry in std::mem::take(&mut self.later) {
            self.entry(&entry, out);
        }
        self.between(out);
    }

    // ---- structure

    /// Closes what is open, so that an element can begin.
    fn between(&mut self, out: &mut Vec<u8>) {
        if let Place::List { n, member, .. } = self.place {
            self.partial_item(out);
            out.extend_from_slice(b"\n]");
            if member == Member::Body {
                out.extend_from_slice(b", \"terminator\": null");
            }
            self.place = Place::Exchange { n, after: member };
        }
        match self.place {
            Place::Between => return,
            Place::Opaque { .. } => out.extend_from_slice(b"\n]}"),
            Place::Exchange { .. } | Place::List { .. } => out.push(b'}'),
        }
        self.place = Place::Between;
    }

    fn element(&mut self, out: &mut Vec<u8>) {
        self.between(out);
        out.extend_from_slice(if self.any { b",\n" } else { b"\n" });
        self.any = true;
    }

    /// Makes ready for a member of an exchange; a new element where the open one is past it.
    fn exchange(&mut self, n: u32, member: Member, out: &mut Vec<u8>) {
        if let Place::List { n: open, member: list, .. } = self.place
            && open == n
            && list < member
            && list != Member::Body
        {
            out.extend_from_slice(b"\n]");
            self.place = Place::Exchange { n, after: list };
        }
        match self.place {
            Place::Exchange { n: open, after } if open == n && after < member => {}
            _ => {
                self.element(out);
                out.extend_from_slice(format!("{{\"n\": {n}").as_bytes());
            }
        }
        self.place = Place::Exchange { n, after: member };
    }

    /// Makes ready for the next item of a member's list.
    fn list(&mut self, n: u32, member: Member, side: Side, out: &mut Vec<u8>) {
        if matches!(self.place, Place::List { n: open, member: list, .. } if open == n && list == member) {
            return;
        }
        self.exchange(n, member, out);
        let key = match member {
            Member::Command => "command",
            Member::Reply => "reply",
            Member::Missing | Member::Body | Member::Terminator => "body",
        };
        out.extend_from_slice(format!(", \"{key}\": [").as_bytes());
        self.place = Place::List { n, member, empty: true };
        if side == Side::Server && member == Member::Body {
            self.line_start = true;
        }
    }

    fn item(&mut self, out: &mut Vec<u8>) {
        if let Place::List { empty, .. } | Place::Opaque { empty, .. } = &mut self.place {
            out.extend_from_slice(if *empty { b"\n  " } else { b",\n  " });
            *empty = false;
        }
    }

    fn key(key: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(format!(", \"{key}\": ").as_bytes());
    }

    // ---- values

    fn arrival_key(&mut self, key: &str, run: &Run, side: Side, out: &mut Vec<u8>) {
        if let Some(&(0, at)) = run.arrivals.first() {
            self.last[side as usize] = at;
        }
        Self::key(key, out);
        out.extend_from_slice(self.last[side as usize].to_string().as_bytes());
    }

    fn step_key(key: &str, step: Option<&sasl::Step>, out: &mut Vec<u8>) {
        let Some(step) = step else { return };
        let members = [
            ("mechanism", Some(&step.mechanism)),
            ("user", step.user.as_ref()),
            ("authorization_id", step.authorization_id.as_ref()),
            ("detail", step.detail.as_ref()),
        ];
        let value: Value = members
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?.clone()))))
            .collect::<serde_json::Map<_, _>>()
            .into();
        Self::key(key, out);
        out.extend_from_slice(value.to_string().as_bytes());
    }

    /// The first octets of a line: a value where the line is whole, else the beginning of a list of pieces.
    #[expect(clippy::too_many_arguments, reason = "a member's name, place and value belong together")]
    fn scalar_or_list(
        &mut self,
        key: &str,
        n: u32,
        member: Member,
        run: &Run,
        side: Side,
        list: bool,
        out: &mut Vec<u8>,
    ) {
        Self::key(key, out);
        let first = usize::from(run.arrivals.first().is_some_and(|arrival| arrival.0 == 0));
        let later = &run.arrivals[first..];
        if run.bytes.ends_with(b"\n") && !list {
            line::push(&run.bytes, false, true, later, out);
            if let Some(&(_, at)) = later.last() {
                self.last[side as usize] = at;
            }
            return;
        }
        out.push(b'[');
        self.place = Place::List { n, member, empty: true };
        self.pieces(&run.bytes, later, side, false, true, out);
    }

    /// A run as items of the open list, its arrivals as marks.
    fn items(&mut self, run: &Run, side: Side, in_body: bool, out: &mut Vec<u8>) {
        let mut arrivals = run.arrivals.as_slice();
        while let Some((&(0, at), rest)) = arrivals.split_first() {
            self.mark(at, side, out);
            arrivals = rest;
        }
        self.pieces(&run.bytes, arrivals, side, in_body, self.line_start, out);
    }

    fn mark(&mut self, at: Micros, side: Side, out: &mut Vec<u8>) {
        self.item(out);
        out.extend_from_slice(format!("{{\"at_us\": {at}}}").as_bytes());
        self.last[side as usize] = at;
    }

    /// One line, or part of one, as items of at most [`PIECE`] octets.
    fn pieces(
        &mut self,
        octets: &[u8],
        mut arrivals: &[(u32, Micros)],
        side: Side,
        in_body: bool,
        first: bool,
        out: &mut Vec<u8>,
    ) {
        let mut start = 0;
        while start < octets.len() || !arrivals.is_empty() {
            let end = octets.len().min(start + PIECE);
            let within = arrivals.iter().take_while(|arrival| (arrival.0 as usize) < end).count();
            let (mine, rest) = arrivals.split_at(if end == octets.len() { arrivals.len() } else { within });
            arrivals = rest;
            let mine: Arrivals = mine.iter().map(|&(offset, at)| (offset - start as u32, at)).collect();
            self.item(out);
            line::push(&octets[start..end], in_body, first && start == 0, &mine, out);
            if let Some(&(_, at)) = mine.last() {
                self.last[side as usize] = at;
            }
            start = end;
        }
    }

    // ---- bodies

    /// Cuts a body's octets into lines.
    fn body(&mut self, run: &Run, out: &mut Vec<u8>) {
        let mut arrivals = run.arrivals.as_slice();
        let mut start = 0;
        while start < run.bytes.len() || !arrivals.is_empty() {
            let room = (PIECE - self.partial.len()).min(run.bytes.len() - start);
            let rest = &run.bytes[start..start + room];
            let (len, whole) = match memchr::memchr(b'\n', rest) {
                Some(end) => (end + 1, true),
                None => (room, self.partial.len() + room >= PIECE),
            };
            let end = start + len;
            while let Some((&(offset, at), tail)) = arrivals.split_first() {
                if offset as usize >= end && end < run.bytes.len() {
                    break;
                }
                self.partial_arrivals.push((offset - start as u32 + self.partial.len() as u32, at));
                arrivals = tail;
            }
            if whole && self.partial.is_empty() && self.partial_arrivals.is_empty() {
                // The common case, in place.
                self.item(out);
                line::push(&run.bytes[start..end], true, self.line_start, &[], out);
                self.line_start = run.bytes[end - 1] == b'\n';
            } else {
                self.partial.extend_from_slice(&run.bytes[start..end]);
                if whole {
                    self.partial_item(out);
                }
            }
            start = end;
        }
    }

    /// The held part of a body's line, as far as it came.
    fn partial_item(&mut self, out: &mut Vec<u8>) {
        if self.partial.is_empty() && self.partial_arrivals.is_empty() {
            return;
        }
        let run = Run {
            bytes: std::mem::take(&mut self.partial).into(),
            arrivals: std::mem::take(&mut self.partial_arrivals),
        };
        self.items(&run, Side::Server, true, out);
        self.line_start = run.bytes.is_empty() && self.line_start || run.bytes.ends_with(b"\n");
    }

    fn terminator(&mut self, n: u32, run: &Run, out: &mut Vec<u8>) {
        self.partial_item(out);
        let mut arrivals = run.arrivals.as_slice();
        while let Some((&(0, at), rest)) = arrivals.split_first() {
            self.mark(at, Side::Server, out);
            arrivals = rest;
        }
        out.extend_from_slice(b"\n]");
        if &run.bytes[..] != b".\r\n" || !arrivals.is_empty() {
            Self::key("terminator", out);
            line::push(&run.bytes, false, true, arrivals, out);
            if let Some(&(_, at)) = arrivals.last() {
                self.last[Side::Server as usize] = at;
            }
        }
        self.place = Place::Exchange { n, after: Member::Terminator };
    }

    // ---- what is not an exchange

    fn opaque(&mut self, side: Side, run: &Run, out: &mut Vec<u8>) {
        if !matches!(self.place, Place::Opaque { side: open, .. } if open == side) {
            self.flush_ahead(out);
            self.element(out);
            out.extend_from_slice(format!("{{\"opaque\": \"{}\", \"octets\": [", side.name()).as_bytes());
            self.place = Place::Opaque { side, empty: true };
        }
        let mut start = 0;
        for &(offset, at) in &run.arrivals {
            self.base64(&run.bytes[start..offset as usize], out);
            self.mark(at, side, out);
            start = offset as usize;
        }
        self.base64(&run.bytes[start..], out);
    }

    fn base64(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        for piece in octets.chunks(PIECE) {
            self.item(out);
            out.extend_from_slice(b"{\"base64\": \"");
            out.extend_from_slice(BASE64_STANDARD.encode(piece).as_bytes());
            out.extend_from_slice(b"\"}");
        }
    }

    fn note(&mut self, note: &Note, out: &mut Vec<u8>) {
        self.element(out);
        let value = json!({"at_us": note.at, "note": note.kind, "text": note.text});
        out.extend_from_slice(value.to_string().as_bytes());
    }

    fn closed(&mut self, side: Side, how: Close, at: Micros, out: &mut Vec<u8>) {
        self.element(out);
        let how = match how {
            Close::Finished => "finished",
            Close::Truncated => "truncated",
            Close::Reset => "reset",
        };
        let value = json!({"at_us": at, "closed": side.name(), "how": how});
        out.extend_from_slice(value.to_string().as_bytes());
    }

    /// Goes into the element that is open, or one of its own.
    fn unknown(&mut self, key: &str, value: &Value, out: &mut Vec<u8>) {
        if let Place::Exchange { .. } = self.place {
            out.extend_from_slice(b", ");
        } else {
            self.element(out);
            out.push(b'{');
        }
        line::push_string(key, out);
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.to_string().as_bytes());
        if self.place == Place::Between {
            out.push(b'}');
        }
    }
}

/// Whether an entry can wait for the end of an exchange: it changes nothing for the octets that follow.
fn is_beside(entry: &Entry) -> bool {
    match entry {
        Entry::Note(_) | Entry::Closed { .. } => true,
        Entry::Tls(tls) => !tls.begins_anew(),
        Entry::Opened(_) | Entry::Event(_) | Entry::Sealed(_) | Entry::Unknown { .. } | Entry::Ended(_) => {
            false
        }
    }
}

fn open(header: &Header, out: &mut Vec<u8>) {
    let mut session = json!({
        "number": header.session,
        "started": header.started.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
        "client": header.client,
        "listener": header.listener,
        "upstream": header.upstream,
        "server": header.server,
        "secrets": if header.secrets == Secrets::Keep { "kept" } else { "redacted" },
    });
    if let Value::Object(members) = &mut session {
        members
            .extend(header.origin.iter().map(|origin| ("origin".to_owned(), Value::from(origin.as_str()))));
        members.extend(header.unknown.clone());
    }
    let generator = Value::from(header.generator.as_str());
    let outer = members(&header.outer);
    out.extend_from_slice(
        format!(
            "{{\"format\": \"{MAGIC}\", \"version\": {VERSION}, \"generator\": {generator}{outer},\n\
             \"session\": {session},\n\"exchanges\": ["
        )
        .as_bytes(),
    );
}

fn close(end: &End, out: &mut Vec<u8>) {
    let mut value = json!({"at_us": end.at, "by": end.by.name(), "how": end.how.name()});
    if let Value::Object(members) = &mut value {
        members.extend(end.unknown.clone());
    }
    let outer = members(&end.outer);
    out.extend_from_slice(format!("\n], \"end\": {value}{outer}}}\n").as_bytes());
}

/// Members as they continue an object.
fn members(members: &serde_json::Map<String, Value>) -> String {
    members
        .iter()
        .fold(String::new(), |text, (key, value)| format!("{text}, {}: {value}", Value::from(key.as_str())))
}
