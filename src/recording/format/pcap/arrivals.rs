//! Segments as the octets arrived: one an arrival.
//!
//! Where a recording is read its octets come in the order of exchanges, so that an arrival may come in pieces with
//! octets of the other side between them. Its pieces are then segments of the same time, by which a reader knows them.

use super::conversation::Line;
use super::segment::Label;
use crate::wire::{Micros, Run, Side};

/// The arrival of each side that may go on.
#[derive(Debug, Clone, Default)]
pub(super) struct Arriving {
    sides: [Arrival; 2],
}

#[derive(Debug, Clone, Default)]
struct Arrival {
    at: Micros,
    octets: Vec<u8>,
    label: Label,
}

impl Arriving {
    /// Takes a side's next octets.
    pub(super) fn octets(&mut self, side: Side, run: &Run, label: Label, line: &mut Line<'_>) {
        let mut from = 0;
        let mut label = Some(label);
        for &(offset, at) in &run.arrivals {
            let until = (offset as usize).clamp(from, run.bytes.len());
            self.more(side, &run.bytes[from..until], &mut label, line);
            from = until;
            self.write(side, line);
            self.sides[side as usize].at = at;
        }
        self.more(side, &run.bytes[from..], &mut label, line);
    }

    /// More of a side's arrival.
    fn more(&mut self, side: Side, mut octets: &[u8], label: &mut Option<Label>, line: &mut Line<'_>) {
        while !octets.is_empty() {
            let arrival = &mut self.sides[side as usize];
            let room = line.longest() - arrival.octets.len();
            if room == 0 {
                self.write(side, line);
                continue;
            }
            let (now, later) = octets.split_at(room.min(octets.len()));
            arrival.octets.extend_from_slice(now);
            arrival.label.join(label.take().unwrap_or_default());
            octets = later;
        }
    }

    /// Writes what there is of a side's arrival, after what the other side sent before it.
    fn write(&mut self, side: Side, line: &mut Line<'_>) {
        let other = &self.sides[side.other() as usize];
        if !self.sides[side as usize].octets.is_empty() && other.at < self.sides[side as usize].at {
            self.write_only(side.other(), line);
        }
        self.write_only(side, line);
    }

    fn write_only(&mut self, side: Side, line: &mut Line<'_>) {
        let Arrival { at, octets, label } = &mut self.sides[side as usize];
        if !octets.is_empty() {
            line.data(side, *at, octets, std::mem::take(label));
            octets.clear();
        }
    }

    /// Writes what there is of both sides.
    pub(super) fn finish(&mut self, line: &mut Line<'_>) {
        self.write(Side::Client, line);
        self.write(Side::Server, line);
    }
}
