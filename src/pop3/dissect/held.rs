//! The octets of a side on their way: what is held back until it can be judged, and where arrivals begin.

use std::mem::take;

use bytes::Bytes;
use memchr::memchr;

use super::MAX_LINE;

use crate::wire::{Arrivals, Micros, Run};

/// A side's octets on their way: those held back from earlier chunks, with their arrivals.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) octets: Vec<u8>,
    pub(super) arrivals: Arrivals,
    /// The earliest time that the next arrival may have: no two of one side are equal.
    next: Micros,
    /// When the last octet came.
    pub(super) last: Micros,
}

/// The chunk being read.
pub(super) struct Cursor {
    pub(super) data: Bytes,
    pub(super) arrivals: Arrivals,
    /// How many of them have begun.
    arrived: usize,
    pub(super) at: usize,
}

impl Cursor {
    pub(super) fn new(data: Bytes, arrivals: Arrivals) -> Self {
        Self { data, arrivals, arrived: 0, at: 0 }
    }

    pub(super) fn rest(&self) -> &[u8] {
        &self.data[self.at..]
    }
}

impl Held {
    pub(super) fn cursor(&mut self, run: Run) -> Cursor {
        let Run { bytes, mut arrivals } = run;
        for (_, at) in &mut arrivals {
            *at = (*at).max(self.next);
            self.next = at.saturating_add(1);
        }
        Cursor::new(bytes, arrivals)
    }

    /// The held octets and the next `len` of the chunk as one run.
    #[inline]
    pub(super) fn take(&mut self, cursor: &mut Cursor, len: usize) -> Run {
        let held = !self.octets.is_empty() || !self.arrivals.is_empty();
        if held || cursor.at == 0 || cursor.arrived < cursor.arrivals.len() {
            return self.take_with_arrivals(cursor, len);
        }
        // In the midst of what one read brought there is nothing more to look at.
        let end = cursor.at + len;
        let bytes = cursor.data.slice(cursor.at..end);
        cursor.at = end;
        Run { bytes, arrivals: Arrivals::new() }
    }

    fn take_with_arrivals(&mut self, cursor: &mut Cursor, len: usize) -> Run {
        let end = cursor.at + len;
        let shift = self.octets.len();
        let mut arrivals = take(&mut self.arrivals);
        while let Some(&(offset, at)) = cursor.arrivals.get(cursor.arrived)
            && (offset as usize) < end
        {
            arrivals.push(((offset as usize + shift - cursor.at) as u32, at));
            self.last = at;
            cursor.arrived += 1;
        }
        let bytes = if shift > 0 {
            let mut octets = take(&mut self.octets);
            octets.extend_from_slice(&cursor.data[cursor.at..end]);
            Bytes::from(octets)
        } else if len == cursor.data.len() {
            // A chunk that is one run, as in lock-step, is handed on as it is.
            cursor.at = 0;
            return Run { bytes: take(&mut cursor.data), arrivals };
        } else {
            cursor.data.slice(cursor.at..end)
        };
        cursor.at = end;
        Run { bytes, arrivals }
    }

    /// How many octets of the chunk make the next line whole, or fill its first [`MAX_LINE`] octets; none
    /// where its end has not come, and then what is there is kept.
    #[inline]
    pub(super) fn line(&mut self, cursor: &mut Cursor) -> Option<usize> {
        let rest = cursor.rest();
        let (all, room) = (rest.len(), MAX_LINE - self.octets.len());
        match memchr(b'\n', &rest[..all.min(room)]) {
            Some(end) => Some(end + 1),
            None if all >= room => Some(room),
            None => {
                self.keep(cursor, all);
                None
            }
        }
    }

    /// Keeps the next `len` octets of the chunk back, to its end.
    pub(super) fn keep(&mut self, cursor: &mut Cursor, len: usize) {
        let shift = self.octets.len();
        self.octets.extend_from_slice(&cursor.rest()[..len]);
        let held = &cursor.arrivals[cursor.arrived..];
        self.last = held.last().map_or(self.last, |arrival| arrival.1);
        self.arrivals
            .extend(held.iter().map(|&(offset, at)| ((offset as usize + shift - cursor.at) as u32, at)));
        cursor.arrived = cursor.arrivals.len();
        cursor.at += len;
    }

    /// What is held, as a run.
    pub(super) fn release(&mut self) -> Run {
        Run { bytes: take(&mut self.octets).into(), arrivals: take(&mut self.arrivals) }
    }
}
