//! Masking: the one place where a secret leaves the stream, before any event holds it.

use std::ops::Range;

use super::Dissector;
use crate::pop3::sasl;
use crate::pop3::secret::{MASK, Secrets};
use crate::wire::{Run, Side};

impl Dissector {
    pub(super) fn step(&mut self, side: Side, payload: &[u8]) -> Option<Box<sasl::Step>> {
        let told = self.told.take();
        let decoded = self.sasl.as_mut().map(|exchange| Box::new(exchange.step(side, payload)));
        if payload == MASK { told } else { decoded }
    }

    /// Masks what is hidden in a run. Where nothing is, as in most, it stays in its place.
    #[inline]
    pub(super) fn mask(&self, run: &mut Run, hidden: Option<Range<usize>>) {
        if let Some(range) = hidden
            && self.secrets == Secrets::Redact
        {
            mask(run, &range);
        }
    }
}

fn mask(run: &mut Run, range: &Range<usize>) {
    let shown = |offset: u32| {
        let offset = offset as usize;
        let offset = if offset >= range.end {
            offset - range.len() + MASK.len()
        } else {
            offset.min(range.start + MASK.len())
        };
        offset as u32
    };
    for (offset, _) in &mut run.arrivals {
        *offset = shown(*offset);
    }
    run.bytes = [&run.bytes[..range.start], MASK, &run.bytes[range.end..]].concat().into();
}
