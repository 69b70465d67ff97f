//! Playback: records of a file to entries, through the same dissector as live.

use std::collections::HashMap;
use std::io::{self, BufRead};

use super::entry::Entry;
use super::format::{Format, ReadError, Reading, Record, Summary};
use crate::pop3::{Dissector, Event};

/// Where entries go, each with the number of its session in the file; an error ends the reading.
pub type Take<'a> = dyn FnMut(u32, &Entry) -> io::Result<()> + 'a;

/// Reads a file in `format` and hands its entries on, those of a session in order. They end with [`Entry::Ended`] only
/// where the recording does; whatever was cut off, the events are those of all that was there.
pub fn play(
    format: &dyn Format,
    input: &mut dyn BufRead,
    reading: &Reading,
    take: &mut Take<'_>,
) -> Result<Summary, ReadError> {
    let mut open = HashMap::new();
    let summary = format.read(input, reading, &mut |session, record| {
        let over = matches!(record, Record::End(_));
        let dissector = open.entry(session).or_insert_with(|| Dissector::new(format.masks(reading)));
        Playback { session, dissector, take }.record(record)?;
        if over {
            open.remove(&session);
        }
        Ok(())
    })?;
    let mut cut: Vec<_> = open.into_iter().collect();
    cut.sort_unstable_by_key(|&(session, _)| session);
    for (session, mut dissector) in cut {
        Playback { session, dissector: &mut dissector, take }.finish()?;
    }
    Ok(summary)
}

struct Playback<'a, 't> {
    session: u32,
    dissector: &'a mut Dissector,
    take: &'a mut Take<'t>,
}

impl Playback<'_, '_> {
    fn record(&mut self, record: Record) -> io::Result<()> {
        match record {
            Record::Header(header) => self.give(&Entry::Opened(header)),
            Record::Octets(side, run) => {
                self.dissect(|dissector, mut out| dissector.feed_run(side, run, &mut out))
            }
            Record::Missing(side, octets) => {
                self.dissect(|dissector, mut out| dissector.missing(side, octets, &mut out))
            }
            Record::Tls(tls) => {
                if tls.begins_anew() {
                    self.dissect(|dissector, mut out| dissector.tls_started(tls.readable, &mut out))?;
                }
                self.give(&Entry::Tls(tls))
            }
            Record::Step(step) => {
                self.dissector.tell(*step);
                Ok(())
            }
            Record::Note(note) => self.give(&Entry::Note(note)),
            Record::Closed(side, how, at) => {
                self.dissect(|dissector, mut out| dissector.close(side, &mut out))?;
                self.give(&Entry::Closed { side, how, at })
            }
            Record::Unknown(key, value) => self.give(&Entry::Unknown { key, value }),
            Record::End(end) => {
                self.finish()?;
                self.give(&Entry::Ended(end))
            }
        }
    }

    fn give(&mut self, entry: &Entry) -> io::Result<()> {
        (self.take)(self.session, entry)
    }

    /// What was held back comes out, and what waits for an answer got none.
    fn finish(&mut self) -> io::Result<()> {
        self.dissect(|dissector, mut out| dissector.finish(&mut out))
    }

    fn dissect(&mut self, run: impl FnOnce(&mut Dissector, &mut dyn FnMut(Event))) -> io::Result<()> {
        let mut result = Ok(());
        let (session, take) = (self.session, &mut self.take);
        run(self.dissector, &mut |event| {
            if result.is_ok() {
                result = take(session, &Entry::Event(event));
            }
        });
        result
    }
}
