//! Masking: the one place where a secret leaves the stream, before any event holds it.

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

    pub(super) fn masked(&self, run: Run, hidden: Option<std::ops::Range<usize>>) -> Run {
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
}
