//! Any capture file to records: its frames to sessions.

use std::collections::HashMap;
use std::io::{self, BufRead};

use chrono::DateTime;

use super::Kind;
use super::frames::{self, Item};
use crate::capture::{Capture, Saw, Tally};
use crate::recording::format::{Feed, Integrity, ReadError, Reading, Record, Summary};
use crate::recording::{By, End, Header, How, Note};
use crate::wire::{Arrivals, Close, Micros, Run, Side};

/// What a recording that was made of a capture names as its maker.
const GENERATOR: &str = concat!("poptape ", env!("CARGO_PKG_VERSION"));

/// See [`super::Format::read`].
pub(super) fn read(
    kind: Kind,
    input: &mut dyn BufRead,
    reading: &Reading,
    feed: &mut Feed<'_>,
) -> Result<Summary, ReadError> {
    let mut capture = Capture::new(reading.capture.clone());
    let mut sessions = Sessions { reading, feed, arrivals: HashMap::new() };
    let mut see = |session, saw| sessions.saw(session, saw);
    let integrity = frames::read(kind, input, &mut |item| match item {
        Item::Frame(frame) => capture.frame(&frame, &mut see),
        Item::Keys(text) => {
            capture.add_keys(text);
            Ok(())
        }
    })?;
    capture.finish(&mut see)?;
    let tally = capture.tally();
    if tally.sessions == 0 {
        return Err(ReadError::NoSession(nothing(tally, &integrity)));
    }
    Ok(Summary { integrity, remarks: remarks(tally) })
}

/// Sessions on their way.
struct Sessions<'a, 'f> {
    reading: &'a Reading,
    feed: &'a mut Feed<'f>,
    /// The time of each side's last arrival: what comes at the same time belongs to it.
    arrivals: HashMap<u32, [Option<Micros>; 2]>,
}

impl Sessions<'_, '_> {
    fn saw(&mut self, session: u32, saw: Saw) -> io::Result<()> {
        let record = match saw {
            Saw::Opened { at, client, server } => {
                self.arrivals.insert(session, [None; 2]);
                Record::Header(Box::new(Header {
                    generator: GENERATOR.to_owned(),
                    session,
                    started: DateTime::from_timestamp_nanos(at),
                    client: client.to_string(),
                    listener: server.to_string(),
                    upstream: format!("pop3://{server}"),
                    server: Some(server.to_string()),
                    secrets: self.reading.secrets,
                    origin: Some(self.reading.name.clone().unwrap_or_else(|| "a capture".to_owned())),
                    unknown: serde_json::Map::new(),
                    outer: serde_json::Map::new(),
                }))
            }
            Saw::Octets(side, at, bytes) => {
                let arrivals = self.arrival(session, side, at);
                Record::Octets(side, Run { bytes, arrivals })
            }
            Saw::Missing(side, octets) => Record::Missing(side, octets),
            Saw::Tls(tls) => Record::Tls(Box::new(tls)),
            Saw::Note(at, kind, text) => Record::Note(Note { at, kind: kind.to_owned(), text }),
            Saw::Closed(side, how, at) => Record::Closed(side, how, at),
            Saw::Ended { at, by } => {
                self.arrivals.remove(&session);
                let (by, how) = match by {
                    Some((side, Close::Finished)) => (By::from(side), How::Finished),
                    Some((side, Close::Reset)) => (By::from(side), How::Reset),
                    None => (By::Poptape, How::Cut),
                };
                let (unknown, outer) = Default::default();
                Record::End(Box::new(End { at, by, how, unknown, outer }))
            }
        };
        (self.feed)(session, record)
    }

    fn arrival(&mut self, session: u32, side: Side, at: Micros) -> Arrivals {
        let last = self.arrivals.entry(session).or_default();
        if last[side as usize].replace(at) == Some(at) {
            return Arrivals::new();
        }
        smallvec::smallvec![(0, at)]
    }
}

/// Why there is no session.
fn nothing(tally: &Tally, integrity: &Integrity) -> String {
    let mut found = Vec::new();
    if let Integrity::Damaged(how) = integrity {
        found.push(how.clone());
    }
    found.extend(remarks(tally));
    if found.is_empty() { "it holds no frame".to_owned() } else { found.join("; ") }
}

/// What was left aside, in words.
fn remarks(tally: &Tally) -> Vec<String> {
    let mut remarks = Vec::new();
    let mut say = |count: u64, one: &str, many: &str| match count {
        0 => {}
        1 => remarks.push(format!("1 {one}")),
        _ => remarks.push(format!("{count} {many}")),
    };
    say(tally.others, "other TCP conversation was skipped", "other TCP conversations were skipped");
    say(tally.not_tcp, "frame is no TCP over IP", "frames are no TCP over IP");
    say(tally.damaged, "frame has a damaged header", "frames have damaged headers");
    say(
        tally.unknown_link,
        "frame is of a link type that is not read",
        "frames are of link types that are not read",
    );
    say(
        tally.flushed,
        "session was ended for another: --max-open allows for more",
        "sessions were ended for others: --max-open allows for more",
    );
    remarks
}
