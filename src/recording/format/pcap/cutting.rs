//! Where the octets of a session are cut into segments.

use super::Segments;
use super::arrivals::Arriving;
use super::conversation::Line;
use super::exchanges::Exchanges;
use super::segment::Label;
use crate::pop3::Event;
use crate::wire::Side;
use crate::wire::{Close, Micros};

/// What is held of a session until it can be cut.
#[derive(Debug, Clone)]
pub(super) enum Cutting {
    /// As a dissector likes it.
    Exchanges(Box<Exchanges>),
    /// As it came.
    Arrivals(Arriving),
}

impl Cutting {
    pub(super) fn new(segments: Segments) -> Self {
        match segments {
            Segments::Wireshark => Self::Exchanges(Box::default()),
            Segments::Recorded => Self::Arrivals(Arriving::default()),
        }
    }

    /// Takes the next octets.
    pub(super) fn event(&mut self, event: &Event, label: Label, line: &mut Line<'_>) {
        match self {
            Self::Exchanges(exchanges) => exchanges.event(event, label, line),
            Self::Arrivals(arriving) => match event {
                Event::Missing { side, octets, .. } => {
                    arriving.finish(line);
                    line.skip(*side, *octets);
                }
                event => {
                    if let Some((side, run)) = event.octets() {
                        arriving.octets(side, run, label, line);
                    }
                }
            },
        }
    }

    /// TLS begins, and what follows is its plaintext or opaque.
    pub(super) fn tls(&mut self, readable: bool, line: &mut Line<'_>) {
        match self {
            Self::Exchanges(exchanges) => exchanges.tls(readable, line),
            Self::Arrivals(arriving) => arriving.finish(line),
        }
    }

    /// A side ends its direction.
    pub(super) fn close(&mut self, side: Side, how: Close, at: Micros, line: &mut Line<'_>) {
        match self {
            Self::Exchanges(exchanges) => exchanges.close(side, how, at, line),
            Self::Arrivals(arriving) => {
                arriving.finish(line);
                line.close(side, how, at);
            }
        }
    }

    /// Cuts all that is held.
    pub(super) fn finish(&mut self, line: &mut Line<'_>) {
        match self {
            Self::Exchanges(exchanges) => exchanges.finish(line),
            Self::Arrivals(arriving) => arriving.finish(line),
        }
    }
}
