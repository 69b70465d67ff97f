//! Octets on their way into segments.

use memchr::memmem;

use super::conversation::Line;
use crate::pop3::dissect::Request;
use crate::pop3::secret::MASK;
use crate::pop3::{Event, Keyword, Status};
use crate::wire::{Micros, Run, Side};

/// What is remarked of a segment: the exchanges that begin in it, and what is masked in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Label {
    /// The first and the last.
    pub(super) exchanges: Option<(u32, u32)>,
    /// `password`.
    pub(super) masked: Option<&'static str>,
}

impl Label {
    /// Of what an event brings; `redacted` where secrets are masked.
    pub(super) fn of(event: &Event, redacted: bool) -> Self {
        let (n, run, secret) = match event {
            Event::Request { n, run, request, .. } => (*n, run, secret(*request)),
            Event::Status { n, run, status, .. } => {
                (*n, run, (*status == Some(Status::Continue)).then_some("challenge"))
            }
            _ => return Self::default(),
        };
        let masked = secret.filter(|_| redacted && memmem::find(&run.bytes, MASK).is_some());
        Self { exchanges: Some((n, n)), masked }
    }

    /// That of both. An upload, or the rest of a request, may go on behind what was asked after it.
    pub(super) fn join(&mut self, other: Self) {
        self.exchanges = match (self.exchanges, other.exchanges) {
            (Some((first, last)), Some((from, to))) => Some((first.min(from), last.max(to))),
            (mine, others) => mine.or(others),
        };
        self.masked = self.masked.or(other.masked);
    }
}

/// The secret that a request holds.
const fn secret(request: Request) -> Option<&'static str> {
    match request {
        Request::Command(Keyword::Pass) => Some("password"),
        Request::Command(Keyword::Apop) => Some("digest"),
        Request::Command(Keyword::Auth) | Request::SaslResponse => Some("SASL response"),
        Request::Command(_) | Request::Upload => None,
    }
}

/// The most octets for which room is kept where none wait: sessions are idle for most of their time.
const ROOM: usize = 1024;

/// Octets of a side that are not cut yet, with their arrivals.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiting {
    octets: Vec<u8>,
    /// How many of them are cut off.
    start: usize,
    /// Where arrivals begin, and when they came.
    arrivals: Vec<(usize, Micros)>,
    label: Label,
}

impl Waiting {
    pub(super) fn rest(&self) -> &[u8] {
        &self.octets[self.start..]
    }

    /// Adds a side's next octets; `last` is the time of that side's last arrival.
    pub(super) fn push(&mut self, run: &Run, label: Label, last: &mut Micros) {
        self.octets.drain(..self.start);
        let first = self.arrivals.partition_point(|&(offset, _)| offset <= self.start).saturating_sub(1);
        self.arrivals.drain(..first);
        for (offset, _) in &mut self.arrivals {
            *offset = offset.saturating_sub(self.start);
        }
        self.start = 0;
        let shift = self.octets.len();
        if shift == 0 {
            self.arrivals.clear();
            self.arrivals.push((0, *last));
        }
        self.arrivals.extend(run.arrivals.iter().map(|&(offset, at)| (shift + offset as usize, at)));
        *last = run.last_arrival().unwrap_or(*last);
        self.octets.extend_from_slice(&run.bytes);
        self.label.join(label);
    }

    /// Writes the next `length` octets as a segment of a side.
    pub(super) fn cut(&mut self, side: Side, length: usize, line: &mut Line<'_>) {
        let end = self.start + length;
        let arrived = self.arrivals.partition_point(|&(offset, _)| offset < end);
        let at = arrived.checked_sub(1).map_or(0, |last| self.arrivals[last].1);
        line.data(side, at, &self.octets[self.start..end], std::mem::take(&mut self.label));
        self.start = end;
        if end == self.octets.len() {
            self.start = 0;
            self.octets.clear();
            self.octets.shrink_to(ROOM);
            self.arrivals.clear();
            self.arrivals.shrink_to(ROOM / size_of::<(usize, Micros)>());
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::super::Kind;
    use super::super::conversation::Conversation;
    use super::super::file::File;
    use super::*;

    #[test]
    fn an_idle_session_costs_no_room_for_what_is_written() {
        let peer = std::net::SocketAddr::from(([127, 0, 0, 1], 110));
        let mut conversation = Conversation::new(1, peer, peer, DateTime::UNIX_EPOCH);
        let mut line = Line {
            conversation: &mut conversation,
            file: &File::new(Kind::Pcap),
            packet: &mut Vec::new(),
            out: &mut Vec::new(),
        };
        let mut waiting = Waiting::default();
        let mut last = 0;
        let run = |length: usize, at| Run { bytes: vec![b'a'; length].into(), arrivals: [(0, at)].into() };
        waiting.push(&run(60_000, 1), Label::default(), &mut last);
        waiting.push(&run(40_000, 2), Label::default(), &mut last);
        waiting.cut(Side::Server, 65_000, &mut line);
        assert_eq!(waiting.rest().len(), 35_000);
        waiting.cut(Side::Server, 35_000, &mut line);
        assert!(waiting.rest().is_empty() && waiting.octets.capacity() <= ROOM);
        waiting.push(
            &Run { bytes: "b".into(), arrivals: smallvec::smallvec![] },
            Label::default(),
            &mut last,
        );
        assert_eq!((waiting.rest(), &waiting.arrivals[..]), (&b"b"[..], &[(0, 2)][..]));
    }
}
