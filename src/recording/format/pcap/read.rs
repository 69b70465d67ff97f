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

/// The port of POP3 in TLS (RFC 8314 section 7.1).
const POP3S: u16 = 995;

/// See [`super::Format::read`].
pub(super) fn read(
    kind: Kind,
    input: &mut dyn BufRead,
    reading: &Reading,
    feed: &mut Feed<'_>,
) -> Result<Summary, ReadError> {
    let mut capture = Capture::new(reading.capture.clone());
    let mut sessions = Sessions { reading, feed, open: HashMap::new(), missing: (0, 0), dark: 0 };
    let mut see = |session, saw| sessions.saw(session, saw);
    let integrity = frames::read(kind, input, &mut |item| match item {
        Item::Frame(frame) => capture.frame(&frame, &mut see),
        Item::Keys(text) => {
            capture.add_keys(text);
            Ok(())
        }
    })?;
    capture.finish(&mut see)?;
    let (tally, missing) = (capture.tally(), sessions.missing);
    // With keys that open nothing a note in the session says so.
    let dark = if reading.capture.keys.is_empty() { sessions.dark } else { 0 };
    let (mut remarks, lacks) = (remarks(tally, dark), lacks(tally, missing));
    if tally.sessions == 0 {
        remarks.extend(lacks);
        if tally.others_elsewhere > 0 {
            remarks.push("--port says where else POP3 is spoken".to_owned());
        }
        return Err(ReadError::NoSession(nothing(remarks, integrity)));
    }
    let integrity = match integrity {
        Integrity::Whole if !lacks.is_empty() => Integrity::Lacking(lacks.join("; ")),
        // The damage is why there are gaps.
        integrity => {
            remarks.extend(lacks);
            integrity
        }
    };
    Ok(Summary { integrity, remarks })
}

/// Sessions on their way.
struct Sessions<'a, 'f> {
    reading: &'a Reading,
    feed: &'a mut Feed<'f>,
    open: HashMap<u32, Open>,
    /// Octets, and sessions that lack some.
    missing: (u64, u64),
    /// Sessions in TLS that nothing opened.
    dark: u64,
}

/// A session on its way.
#[derive(Debug, Default)]
struct Open {
    /// The time of each side's last arrival: what comes at the same time belongs to it.
    arrivals: [Option<Micros>; 2],
    /// Some of its octets are missing.
    lacks: bool,
}

impl Sessions<'_, '_> {
    fn saw(&mut self, session: u32, saw: Saw) -> io::Result<()> {
        let record = match saw {
            Saw::Opened { at, client, server } => {
                self.open.insert(session, Open::default());
                Record::Header(Box::new(Header {
                    generator: GENERATOR.to_owned(),
                    session,
                    started: DateTime::from_timestamp_nanos(at),
                    client: client.to_string(),
                    listener: server.to_string(),
                    upstream: format!("{}://{server}", if server.port() == POP3S { "pop3s" } else { "pop3" }),
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
            Saw::Missing(side, octets) => {
                self.lacks(session, octets);
                Record::Missing(side, octets)
            }
            Saw::Tls(tls) => {
                self.dark += u64::from(!tls.readable);
                Record::Tls(tls)
            }
            Saw::Note(at, kind, text) => Record::Note(Note { at, kind: kind.to_owned(), text }),
            Saw::Closed(side, how, at) => Record::Closed(side, how, at),
            Saw::Ended { at, by } => {
                self.open.remove(&session);
                let (by, how) = match by {
                    Some((side, Close::Finished)) => (By::from(side), How::Finished),
                    Some((side, Close::Truncated)) => (By::from(side), How::Truncated),
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
        let last = &mut self.open.entry(session).or_default().arrivals;
        if last[side as usize].replace(at) == Some(at) {
            return Arrivals::new();
        }
        smallvec::smallvec![(0, at)]
    }

    /// Nothing is missing where only a line may have been cut.
    fn lacks(&mut self, session: u32, octets: u64) {
        if octets > 0 {
            let lacked = std::mem::replace(&mut self.open.entry(session).or_default().lacks, true);
            self.missing.0 += octets;
            self.missing.1 += u64::from(!lacked);
        }
    }
}

/// Why there is no session.
fn nothing(remarks: Vec<String>, integrity: Integrity) -> String {
    let mut found = Vec::new();
    if let Integrity::Damaged(how) = integrity {
        found.push(how);
    }
    found.extend(remarks);
    if found.is_empty() { "it holds no frame".to_owned() } else { found.join("; ") }
}

/// What was left aside, in words.
fn remarks(tally: &Tally, dark: u64) -> Vec<String> {
    let mut remarks = Vec::new();
    let mut say = |count: u64, one: &str, many: &str| match count {
        0 => {}
        1 => remarks.push(format!("1 {one}")),
        _ => remarks.push(format!("{count} {many}")),
    };
    let in_tls = match tally.others_in_tls {
        0 => String::new(),
        count => format!(", {count} of them in TLS"),
    };
    say(
        tally.others,
        &format!("other TCP conversation was skipped{in_tls}"),
        &format!("other TCP conversations were skipped{in_tls}"),
    );
    say(
        dark,
        "session is in TLS that was not opened: --keylog takes its secrets",
        "sessions are in TLS that was not opened: --keylog takes their secrets",
    );
    say(tally.not_tcp, "frame is no TCP over IP", "frames are no TCP over IP");
    say(
        tally.unknown_link,
        "frame is of a link type that is not read",
        "frames are of link types that are not read",
    );
    remarks
}

/// What the sessions lack, in words.
fn lacks(tally: &Tally, (octets, sessions): (u64, u64)) -> Vec<String> {
    let mut lacks = Vec::new();
    let are = if octets == 1 { "octet is" } else { "octets are" };
    let of = if sessions == 1 { "session" } else { "sessions" };
    if octets > 0 {
        lacks.push(format!("{octets} {are} missing in {sessions} {of}, and marked there"));
    }
    match tally.damaged {
        0 => {}
        1 => lacks.push("1 frame has a damaged header".to_owned()),
        frames => lacks.push(format!("{frames} frames have damaged headers")),
    }
    match tally.flushed {
        0 => {}
        1 => lacks.push("1 session was ended for another: --max-open allows for more".to_owned()),
        flushed => {
            lacks.push(format!("{flushed} sessions were ended for others: --max-open allows for more"));
        }
    }
    lacks
}
