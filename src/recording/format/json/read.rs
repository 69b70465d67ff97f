//! JSON to records, as a stream: what is in memory is one item, never a file, and no item is larger than
//! [`LIMIT`].

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::line::{Spelled, octets_of_text};
use super::tls::{SideMember, TlsMember};
use super::{MAGIC, VERSION};
use crate::pop3::{Secrets, sasl};
use crate::recording::format::{Feed, Integrity, ReadError, Record};
use crate::recording::{By, End, Header, How, Note};
use crate::wire::{Arrivals, Close, Micros, Run, Side};

/// The most octets of a file that one value may take: the writer keeps far below.
const LIMIT: u64 = 16 << 20;

/// The only session of a file.
const SESSION: u32 = 1;

/// Body lines are handed on together up to this many octets.
const BATCH: usize = 64 * 1024;

/// See [`super::Format::read`].
pub(super) fn read(input: &mut dyn BufRead, feed: &mut Feed<'_>) -> Result<Integrity, ReadError> {
    let budget = Rc::new(Cell::new(LIMIT));
    let limited = Limited { input, budget: Rc::clone(&budget) };
    let mut state = Reading {
        feed,
        failed: None,
        budget,
        header: None,
        opened: false,
        streams: [Stream::default(), Stream::default()],
        exchange: None,
        whole: false,
    };
    // It is read octet by octet: a buffer right below makes that cheap.
    let limited = BufReader::with_capacity(BATCH, limited);
    let mut deserializer = serde_json::Deserializer::from_reader(limited);
    let result = Document(&mut state).deserialize(&mut deserializer).and_then(|()| deserializer.end());
    let flushed = state.flush();
    if let Some(failure) = state.failed.take() {
        return Err(failure);
    }
    flushed?;
    match result {
        Ok(()) if state.whole => Ok(Integrity::Whole),
        Ok(()) => Ok(Integrity::Unfinished),
        Err(error) if !state.opened => Err(ReadError::Foreign(error.to_string())),
        Err(error) if error.is_eof() => Ok(Integrity::Unfinished),
        Err(error) => {
            let place = state.exchange.map_or_else(String::new, |n| format!("in or after exchange {n}: "));
            Ok(Integrity::Damaged(format!("{place}{error}")))
        }
    }
}

/// Ends the reading where one value takes more than its budget.
struct Limited<'a> {
    input: &'a mut dyn BufRead,
    budget: Rc<Cell<u64>>,
}

impl Read for Limited<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        let Some(left) = self.budget.get().checked_sub(read as u64) else {
            return Err(io::Error::other(format!("a value is longer than {} MiB", LIMIT >> 20)));
        };
        self.budget.set(left);
        Ok(read)
    }
}

/// A side's octets that are not handed on yet.
#[derive(Default)]
struct Stream {
    octets: Vec<u8>,
    arrivals: Arrivals,
    last: Option<Micros>,
}

struct Reading<'a, 'f> {
    feed: &'a mut Feed<'f>,
    failed: Option<ReadError>,
    budget: Rc<Cell<u64>>,
    header: Option<Box<Header>>,
    opened: bool,
    streams: [Stream; 2],
    exchange: Option<u64>,
    whole: bool,
}

impl Reading<'_, '_> {
    /// Ends the reading with an error that is not the JSON's.
    fn fail<E: de::Error>(&mut self, error: ReadError) -> E {
        self.failed = Some(error);
        E::custom("stopped")
    }

    fn give<E: de::Error>(&mut self, record: Record) -> Result<(), E> {
        (self.feed)(SESSION, record).map_err(|error| self.fail(error.into()))
    }

    fn progress(&self) {
        self.budget.set(LIMIT);
    }

    /// An arrival of a side begins here, unless it is the one that is under way.
    fn arrival(&mut self, side: Side, at: Micros) {
        let stream = &mut self.streams[side as usize];
        if stream.last != Some(at) {
            stream.last = Some(at);
            stream.arrivals.push((stream.octets.len() as u32, at));
        }
    }

    fn flush_side<E: de::Error>(&mut self, side: Side) -> Result<(), E> {
        let stream = &mut self.streams[side as usize];
        if stream.octets.is_empty() && stream.arrivals.is_empty() {
            return Ok(());
        }
        let bytes = Bytes::from(std::mem::take(&mut stream.octets));
        let arrivals = std::mem::take(&mut stream.arrivals);
        self.give(Record::Octets(side, Run { bytes, arrivals }))
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.failed.is_some() {
            return Ok(());
        }
        for side in [Side::Client, Side::Server] {
            self.flush_side::<serde_json::Error>(side).map_err(io::Error::from)?;
        }
        Ok(())
    }

    /// Appends an item of a list, or a line by itself, to a side's stream.
    fn spelled<E: de::Error>(
        &mut self,
        side: Side,
        item: &Spelled,
        in_body: bool,
        first: bool,
    ) -> Result<(), E> {
        if let Some(at) = item.mark() {
            self.arrival(side, at);
            return Ok(());
        }
        let stream = &mut self.streams[side as usize];
        let start = stream.octets.len();
        item.octets(in_body, first, &mut stream.octets).map_err(E::custom)?;
        let len = stream.octets.len() - start;
        let mut before = 0;
        for &(offset, at) in &item.arrivals {
            if offset as usize > len || offset < before {
                return Err(E::custom(format!(
                    "an arrival at octet {offset} of a line of {len}, after {before}"
                )));
            }
            before = offset;
            stream.last = Some(at);
            stream.arrivals.push((start as u32 + offset, at));
        }
        Ok(())
    }

    fn open<E: de::Error>(&mut self) -> Result<(), E> {
        if !self.opened {
            let Some(header) = self.header.take() else {
                return Err(E::custom("the member \"session\" must come before \"exchanges\""));
            };
            self.opened = true;
            self.give(Record::Header(header))?;
        }
        Ok(())
    }
}

/// The whole file.
struct Document<'r, 'a, 'f>(&'r mut Reading<'a, 'f>);

impl<'de> DeserializeSeed<'de> for Document<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a recording, which is a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let reading = self.0;
        let mut format = None;
        let mut version = None;
        let mut generator = String::new();
        let mut outer = Map::new();
        let mut end: Option<Box<End>> = None;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "format" => format = Some(map.next_value::<String>()?),
                "version" => {
                    let found = map.next_value::<u64>()?;
                    version = Some(found);
                    if found > VERSION {
                        return Err(reading.fail(ReadError::TooNew { found, known: VERSION }));
                    }
                }
                "generator" => generator = map.next_value()?,
                "session" => {
                    if format.as_deref() != Some(MAGIC) || version.is_none() {
                        return Err(de::Error::custom(format!(
                            "it must begin with \"format\": \"{MAGIC}\" and \"version\""
                        )));
                    }
                    reading.header = Some(Box::new(map.next_value::<SessionMember>()?.header()));
                }
                "exchanges" => {
                    if let Some(header) = &mut reading.header {
                        header.generator.clone_from(&generator);
                        header.outer = std::mem::take(&mut outer);
                    }
                    reading.open()?;
                    map.next_value_seed(Elements(reading))?;
                }
                "end" => end = map.next_value::<Option<EndMember>>()?.map(|member| Box::new(member.end())),
                _ => {
                    outer.insert(key, map.next_value::<Value>()?);
                }
            }
            reading.progress();
        }
        if !reading.opened {
            return Err(de::Error::custom("it has no \"exchanges\""));
        }
        for side in [Side::Client, Side::Server] {
            reading.flush_side(side)?;
        }
        if let Some(mut end) = end {
            end.outer = outer;
            reading.whole = true;
            reading.give(Record::End(end))?;
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct SessionMember {
    #[serde(default = "one")]
    number: u32,
    started: DateTime<Utc>,
    #[serde(default)]
    client: String,
    #[serde(default)]
    listener: String,
    #[serde(default)]
    upstream: String,
    server: Option<String>,
    secrets: Option<String>,
    origin: Option<String>,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

const fn one() -> u32 {
    1
}

impl SessionMember {
    fn header(self) -> Header {
        Header {
            generator: String::new(),
            session: self.number,
            started: self.started,
            client: self.client,
            listener: self.listener,
            upstream: self.upstream,
            server: self.server,
            origin: self.origin,
            secrets: if self.secrets.as_deref() == Some("kept") { Secrets::Keep } else { Secrets::Redact },
            unknown: self.unknown,
            outer: Map::new(),
        }
    }
}

#[derive(Deserialize)]
struct EndMember {
    at_us: Micros,
    by: String,
    how: String,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

impl EndMember {
    fn end(self) -> End {
        let by = [By::Client, By::Server].into_iter().find(|by| by.name() == self.by).unwrap_or(By::Poptape);
        let how =
            How::NAMES.iter().find(|(_, name)| *name == self.how).map_or(How::Finished, |(how, _)| *how);
        End { at: self.at_us, by, how, unknown: self.unknown, outer: Map::new() }
    }
}

/// The list of elements.
struct Elements<'r, 'a, 'f>(&'r mut Reading<'a, 'f>);

impl<'de> DeserializeSeed<'de> for Elements<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Elements<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of exchanges")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Element(self.0))?.is_some() {
            self.0.progress();
        }
        Ok(())
    }
}

/// An exchange, a note, a close or opaque octets.
struct Element<'r, 'a, 'f>(&'r mut Reading<'a, 'f>);

impl<'de> DeserializeSeed<'de> for Element<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Element<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an exchange, which is a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let reading = self.0;
        let mut at = None;
        let (mut note, mut text, mut closed, mut how) = (None, String::new(), None, None);
        let (mut opaque, mut tls) = (None, None);
        let mut body = false;
        let mut terminated = false;
        let mut unknown = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "n" => reading.exchange = Some(map.next_value()?),
                "missing" => {
                    let missing = map.next_value::<MissingMember>()?;
                    let side = missing.side.into();
                    reading.flush_side(side)?;
                    reading.give(Record::Missing(side, missing.octets))?;
                }
                "at_us" => at = Some(map.next_value::<Micros>()?),
                "command" => {
                    if let Some(at) = at {
                        reading.arrival(Side::Client, at);
                    }
                    map.next_value_seed(Octets { reading, side: Side::Client, in_body: false })?;
                    reading.flush_side(Side::Client)?;
                }
                "reply_at_us" => {
                    let at = map.next_value()?;
                    reading.arrival(Side::Server, at);
                }
                "sasl" | "reply_sasl" => {
                    let step = map.next_value::<StepMember>()?.step();
                    reading.give(Record::Step(Box::new(step)))?;
                }
                "reply" => map.next_value_seed(Octets { reading, side: Side::Server, in_body: false })?,
                "body" => {
                    body = true;
                    map.next_value_seed(Octets { reading, side: Side::Server, in_body: true })?;
                }
                "terminator" => {
                    terminated = true;
                    map.next_value_seed(Terminator(reading))?;
                }
                "note" => note = Some(map.next_value()?),
                "tls" => tls = Some(map.next_value::<TlsMember>()?),
                "text" => text = map.next_value()?,
                "closed" => closed = Some(map.next_value::<SideMember>()?.into()),
                "how" => how = Some(map.next_value::<String>()?),
                "opaque" => opaque = Some(map.next_value::<SideMember>()?.into()),
                "octets" => {
                    let Some(side) = opaque else {
                        return Err(de::Error::custom("\"opaque\" must come before \"octets\""));
                    };
                    map.next_value_seed(Octets { reading, side, in_body: false })?;
                    reading.flush_side(side)?;
                }
                _ => {
                    unknown.push((key, map.next_value()?));
                }
            }
            reading.progress();
        }
        if body && !terminated {
            reading.streams[Side::Server as usize].octets.extend_from_slice(b".\r\n");
        }
        reading.flush_side(Side::Server)?;
        for (key, value) in unknown {
            reading.give(Record::Unknown(key, value))?;
        }
        if let Some(tls) = tls {
            reading.flush_side(Side::Client)?;
            reading.give(Record::Tls(Box::new(tls.tls(at.unwrap_or_default()))))?;
        } else if let Some(kind) = note {
            reading.give(Record::Note(Note { at: at.unwrap_or_default(), kind, text }))?;
        } else if let Some(side) = closed {
            let how = match how.as_deref() {
                Some("reset") => Close::Reset,
                Some("truncated") => Close::Truncated,
                _ => Close::Finished,
            };
            reading.give(Record::Closed(side, how, at.unwrap_or_default()))?;
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct MissingMember {
    side: SideMember,
    octets: u64,
}

#[derive(Deserialize)]
struct StepMember {
    #[serde(default)]
    mechanism: String,
    user: Option<String>,
    authorization_id: Option<String>,
    detail: Option<String>,
}

impl StepMember {
    fn step(self) -> sasl::Step {
        sasl::Step {
            mechanism: self.mechanism,
            user: self.user,
            authorization_id: self.authorization_id,
            detail: self.detail,
        }
    }
}

/// A line, or a list of lines and marks, of a side.
struct Octets<'r, 'a, 'f> {
    reading: &'r mut Reading<'a, 'f>,
    side: Side,
    in_body: bool,
}

impl<'de> DeserializeSeed<'de> for Octets<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Octets<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a line: a string, an object or a list of them")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        let octets = &mut self.reading.streams[self.side as usize].octets;
        let first = octets.last().is_none_or(|&b| b == b'\n');
        octets_of_text(text.as_bytes(), self.in_body, first, b"\r\n", octets);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let item = Spelled::deserialize(de::value::MapAccessDeserializer::new(map))?;
        self.reading.spelled(self.side, &item, self.in_body, true)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { reading, side, in_body } = self;
        let mut first = true;
        while let Some(()) = seq.next_element_seed(Item { reading, side, in_body, first: &mut first })? {
            reading.progress();
            if reading.streams[side as usize].octets.len() >= BATCH {
                reading.flush_side(side)?;
            }
        }
        Ok(())
    }
}

/// One item of a list; `first` says whether it begins a line.
struct Item<'r, 'a, 'f> {
    reading: &'r mut Reading<'a, 'f>,
    side: Side,
    in_body: bool,
    first: &'r mut bool,
}

impl<'de> DeserializeSeed<'de> for Item<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Item<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a line: a string or an object")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        let octets = &mut self.reading.streams[self.side as usize].octets;
        octets_of_text(text.as_bytes(), self.in_body, *self.first, b"\r\n", octets);
        *self.first = true;
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let item = Spelled::deserialize(de::value::MapAccessDeserializer::new(map))?;
        self.reading.spelled(self.side, &item, self.in_body, *self.first)?;
        if item.mark().is_none() {
            *self.first = self.reading.streams[self.side as usize].octets.ends_with(b"\n");
        }
        Ok(())
    }
}

/// What closed a body; `null` where nothing did.
struct Terminator<'r, 'a, 'f>(&'r mut Reading<'a, 'f>);

impl<'de> DeserializeSeed<'de> for Terminator<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match Option::<Spelled>::deserialize(deserializer)? {
            Some(item) => self.0.spelled(Side::Server, &item, false, true),
            None => Ok(()),
        }
    }
}
