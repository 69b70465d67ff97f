//! Playback: records of a file to entries, through the same dissector as live.

use std::io::{self, BufRead};

use super::entry::Entry;
use super::format::{Format, Integrity, ReadError, Record};
use crate::pop3::{Dissector, Event, Secrets};

/// Where entries go; an error ends the reading.
pub type Take<'a> = dyn FnMut(&Entry) -> io::Result<()> + 'a;

/// Reads a file in `format` and hands its entries on, in order. They end with [`Entry::Ended`] only where the
/// recording does; whatever was cut off, the events are those of all that was there.
pub fn play(
    format: &dyn Format,
    input: &mut dyn BufRead,
    take: &mut Take<'_>,
) -> Result<Integrity, ReadError> {
    // What had to be masked was masked when it was recorded; a file is shown as it is.
    let mut playback = Playback { dissector: Dissector::new(Secrets::Keep), take };
    let integrity = format.read(input, &mut |record| playback.record(record))?;
    playback.finish()?;
    Ok(integrity)
}

struct Playback<'a, 't> {
    dissector: Dissector,
    take: &'a mut Take<'t>,
}

impl Playback<'_, '_> {
    fn record(&mut self, record: Record) -> io::Result<()> {
        match record {
            Record::Header(header) => (self.take)(&Entry::Opened(header)),
            Record::Octets(side, run) => {
                self.dissect(|dissector, mut out| dissector.feed_run(side, run, &mut out))
            }
            Record::Step(step) => {
                self.dissector.tell(*step);
                Ok(())
            }
            Record::Note(note) => (self.take)(&Entry::Note(note)),
            Record::Closed(side, how, at) => {
                self.dissect(|dissector, mut out| dissector.close(side, &mut out))?;
                (self.take)(&Entry::Closed { side, how, at })
            }
            Record::Unknown(key, value) => (self.take)(&Entry::Unknown { key, value }),
            Record::End(end) => {
                self.finish()?;
                (self.take)(&Entry::Ended(end))
            }
        }
    }

    /// What was held back comes out, and what waits for an answer got none.
    fn finish(&mut self) -> io::Result<()> {
        self.dissect(|dissector, mut out| dissector.finish(&mut out))
    }

    fn dissect(&mut self, run: impl FnOnce(&mut Dissector, &mut dyn FnMut(Event))) -> io::Result<()> {
        let mut result = Ok(());
        let take = &mut self.take;
        run(&mut self.dissector, &mut |event| {
            if result.is_ok() {
                result = take(&Entry::Event(event));
            }
        });
        result
    }
}
