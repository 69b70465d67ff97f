//! One direction of a connection, put in order by its sequence numbers.
//!
//! Positions are sequence numbers that do not wrap: their lower 32 bits are what the segments say.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::wire::Micros;

/// What a piece that waits costs beside its octets.
const EACH: usize = 128;

/// How far ahead of all that was seen of a stream a segment or an acknowledgement is believed: the peer cannot have
/// received what was never sent, and a capture does not lose more at once of a session that is worth reading.
const AHEAD: u64 = 16 << 20;

/// What a segment brings besides its place.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    /// When.
    pub(super) at: Micros,
    /// The number of its frame in the connection.
    pub(super) order: u64,
    /// How far its sender had received the other direction.
    pub(super) ack: Option<u64>,
    /// What was captured of it.
    pub(super) octets: Bytes,
    /// How much a snap length cut off.
    pub(super) cut: u64,
}

impl Piece {
    const fn length(&self) -> u64 {
        self.octets.len() as u64 + self.cut
    }

    /// What of it lies in these places, counted from its own first.
    fn part(&self, from: u64, to: u64) -> Self {
        let there = self.octets.len() as u64;
        let (start, end) = (from.min(there), to.min(there));
        let octets = self.octets.slice(start as usize..end as usize);
        // A small part would keep all of it alive.
        let small = octets.len() < self.octets.len() / 2;
        let octets = if small { Bytes::copy_from_slice(&octets) } else { octets };
        Self { octets, cut: to - from - (end - start), ..*self }
    }
}

/// FIN or RST.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub(super) place: u64,
    pub(super) at: Micros,
    pub(super) order: u64,
    pub(super) ack: Option<u64>,
}

/// What comes next of a stream, perhaps behind a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Piece,
    Finish,
    Reset,
}

/// Where, and what must have come before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) what: What,
    pub(super) place: u64,
    pub(super) order: u64,
    pub(super) ack: Option<u64>,
}

/// A direction.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// The sequence number of its SYN.
    pub(super) initial: Option<u32>,
    /// Up to where it was told, once it is known where it begins.
    pub(super) next: Option<u64>,
    /// Its FIN was told.
    pub(super) finished: bool,
    /// Up to where the peer has received it.
    pub(super) acked: u64,
    /// Some place of it, the greatest that was seen.
    seen: Option<u64>,
    /// The place of the segment before, if that was not believed.
    doubted: Option<u64>,
    /// The first that the peer asked for.
    asked: Option<u64>,
    /// The greatest place of a segment without octets.
    empty: Option<u64>,
    waiting: BTreeMap<u64, Piece>,
    /// What of it is there, without holes: from where to where. A segment need not be held against every piece.
    runs: BTreeMap<u64, u64>,
    /// What `waiting` costs.
    weight: usize,
    finish: Option<Mark>,
    reset: Option<Mark>,
}

impl Stream {
    /// What waits, in octets.
    pub(super) const fn weight(&self) -> usize {
        self.weight
    }

    /// The place of a sequence number: the one nearest to where the stream is.
    pub(super) fn place(&self, seq: u32) -> u64 {
        let near = self.next.or(self.seen).unwrap_or(1 << 32 | u64::from(seq));
        let step = i64::from(seq.wrapping_sub(near as u32).cast_signed());
        near.saturating_add_signed(step)
    }

    /// A SYN says where it begins.
    pub(super) fn begin(&mut self, seq: u32) {
        let first = self.place(seq.wrapping_add(1));
        self.initial = Some(seq);
        self.next = Some(first);
        self.seen = self.seen.max(Some(first));
        self.forget_before(first);
    }

    /// Where it begins if no SYN says it: where its first octets are, or where the peer expects it. `handshake`: the
    /// peer's SYN was seen, so that what the peer asked for first is the beginning.
    pub(super) fn settle(&mut self, handshake: bool) {
        if self.next.is_none() {
            let first = self.waiting.first_key_value().map(|(&place, _)| place);
            // A single zero is what some send to keep a connection alive, in the place of an octet sent long ago.
            let probe = |piece: &Piece| piece.cut == 0 && &piece.octets[..] == b"\0";
            self.next = match self.waiting.first_key_value() {
                Some((&place, piece)) if probe(piece) => Some(place + 1),
                Some((&place, _)) if handshake => Some(self.asked.map_or(place, |asked| asked.min(place))),
                _ => first.or(self.empty.max(self.asked)),
            };
            if let Some(next) = self.next {
                self.forget_before(next);
            }
        }
    }

    /// The peer has received it up to here; gives the place if that can be.
    pub(super) fn acknowledge(&mut self, ack: u32) -> Option<u64> {
        let place = self.place(ack);
        if self.next.max(self.seen).is_some_and(|far| place > far + AHEAD) {
            return None;
        }
        self.acked = self.acked.max(place);
        self.asked = Some(self.asked.map_or(place, |asked| asked.min(place)));
        self.seen = self.seen.or(Some(place));
        Some(place)
    }

    /// Whether a segment may be here. Far ahead of all others it is a stray one, unless the next is there too.
    pub(super) fn believes(&mut self, place: u64) -> bool {
        let doubted = self.doubted.take();
        let agrees = |other: u64| other != place && other.abs_diff(place) <= AHEAD;
        let believed = self.next.max(self.seen).is_none_or(|far| place <= far + AHEAD);
        if believed || doubted.is_some_and(agrees) {
            return true;
        }
        self.doubted = Some(place);
        false
    }

    /// A segment without octets was here.
    pub(super) fn touch(&mut self, place: u64) {
        self.empty = self.empty.max(Some(place));
        self.seen = self.seen.max(Some(place));
    }

    /// Whether octets at this place could be told at once.
    pub(super) fn is_next(&self, place: u64) -> bool {
        self.next == Some(place)
            && !self.finished
            && self.waiting.is_empty()
            && self.finish.is_none()
            && self.reset.is_none()
    }

    /// Octets that were told at once.
    pub(super) fn advance(&mut self, octets: u64) {
        let next = self.next.unwrap_or_default() + octets;
        self.next = Some(next);
        self.seen = self.seen.max(Some(next));
    }

    /// Keeps octets until it is their turn: what of them is not there yet.
    pub(super) fn insert(&mut self, place: u64, piece: &Piece) {
        let end = place + piece.length();
        let mut from = place.max(self.next.unwrap_or_default());
        if self.finished || from >= end {
            return;
        }
        self.seen = self.seen.max(Some(end));
        let mut run = from;
        if let Some((&first, &last)) = self.runs.range(..=from).next_back().filter(|(_, last)| **last >= from)
        {
            (run, from) = (first, last);
        }
        while from < end {
            let next = self.runs.range(from.max(run + 1)..=end).next();
            let (until, then) = next.map_or((end, end), |(&first, &last)| (first, last));
            if from < until {
                self.wait(from, piece.part(from - place, until - place));
            }
            self.runs.remove(&until);
            self.runs.insert(run, then);
            from = then;
        }
    }

    fn wait(&mut self, place: u64, part: Piece) {
        self.weight += part.octets.len() + EACH;
        self.waiting.insert(place, part);
    }

    fn pop(&mut self) -> Option<(u64, Piece)> {
        let (place, piece) = self.waiting.pop_first()?;
        self.weight -= piece.octets.len() + EACH;
        let rest = place + piece.length();
        if let Some((_, end)) = self.runs.pop_first().filter(|(_, end)| rest < *end) {
            self.runs.insert(rest, end);
        }
        Some((place, piece))
    }

    /// A FIN behind the octets at this place.
    pub(super) fn finish(&mut self, mark: Mark) {
        let old = self.next.is_some_and(|next| mark.place < next);
        if !self.finished && !old && self.finish.is_none_or(|there| mark.place < there.place) {
            self.finish = Some(mark);
        }
    }

    /// A RST, if it is near enough to be believed. One behind what is awaited is void (RFC 9293 section 3.10.7.4), but
    /// for the place of the FIN, from which some send it.
    pub(super) fn reset(&mut self, mut mark: Mark) {
        if let Some(next) = self.next {
            if mark.place + u64::from(self.finished) < next || mark.place > next + AHEAD {
                return;
            }
            mark.place = mark.place.max(next);
        }
        self.reset = self.reset.or(Some(mark));
    }

    /// What comes next.
    pub(super) fn head(&self) -> Option<Head> {
        let mark = |what, mark: Mark| Head { what, place: mark.place, order: mark.order, ack: mark.ack };
        let piece = self.waiting.first_key_value().map(|(&place, piece)| Head {
            what: What::Piece,
            place,
            order: piece.order,
            ack: piece.ack,
        });
        let finish = self.finish.map(|it| mark(What::Finish, it));
        let reset = self.reset.map(|it| mark(What::Reset, it));
        [piece, finish, reset].into_iter().flatten().min_by_key(|head| head.place)
    }

    /// Takes the piece that comes next.
    pub(super) fn take_piece(&mut self) -> Option<Piece> {
        let (place, piece) = self.pop()?;
        self.next = Some(place + piece.length());
        Some(piece)
    }

    /// Takes the FIN: what claims to come after it does not count.
    pub(super) fn take_finish(&mut self) -> Option<Mark> {
        let mark = self.finish.take()?;
        self.finished = true;
        self.next = self.next.max(Some(mark.place + 1));
        self.waiting.clear();
        self.runs.clear();
        self.weight = 0;
        Some(mark)
    }

    /// Takes the RST.
    pub(super) fn take_reset(&mut self) -> Option<Mark> {
        self.reset.take()
    }

    /// Goes on behind a hole; gives its octets.
    pub(super) fn skip_to(&mut self, place: u64) -> u64 {
        let octets = place.saturating_sub(self.next.unwrap_or(place));
        self.next = self.next.max(Some(place));
        octets
    }

    fn forget_before(&mut self, first: u64) {
        while self.waiting.first_key_value().is_some_and(|(&place, _)| place < first)
            && let Some((place, piece)) = self.pop()
        {
            self.insert(place, &piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(octets: &'static str) -> Piece {
        Piece { at: 0, order: 0, ack: None, octets: Bytes::from_static(octets.as_bytes()), cut: 0 }
    }

    fn told(stream: &mut Stream) -> String {
        let mut text = String::new();
        while let Some(piece) = stream.take_piece() {
            text.push_str(std::str::from_utf8(&piece.octets).unwrap());
        }
        text
    }

    #[test]
    fn of_octets_that_came_twice_the_first_stay() {
        let mut stream = Stream::default();
        stream.begin(u32::MAX - 3);
        let place = stream.next.unwrap();
        stream.insert(place + 2, &piece("cd"));
        stream.insert(place + 6, &piece("gh"));
        stream.insert(place + 1, &piece("BCDEFGHI"));
        stream.insert(place, &piece("ab"));
        assert_eq!(told(&mut stream), "aBcdEFghI");
        assert_eq!(stream.weight(), 0);
        assert_eq!(stream.next, Some(place + 9), "past the wrap");
    }

    #[test]
    fn pieces_that_meet_are_one_run() {
        let mut stream = Stream::default();
        stream.begin(0);
        let place = stream.next.unwrap() + 1;
        for at in (0..1000).step_by(2) {
            stream.insert(place + at, &piece("x"));
        }
        assert_eq!(stream.runs.len(), 500);
        // As a snap length cuts it.
        let cut = Piece { cut: 999, ..piece("y") };
        stream.insert(place, &cut);
        assert_eq!(stream.runs, BTreeMap::from([(place, place + 1000)]));
        let weight = stream.weight();
        stream.insert(place, &cut);
        assert_eq!((stream.weight(), stream.waiting.len()), (weight, 1000));
        for left in (0..1000).rev() {
            stream.take_piece();
            assert_eq!((stream.waiting.len(), stream.runs.len()), (left, usize::from(left > 0)));
        }
    }

    #[test]
    fn a_part_does_not_keep_the_whole() {
        let whole = Piece { octets: Bytes::from(vec![0; 60_000]), ..piece("") };
        let mut stream = Stream::default();
        stream.insert(0, &whole);
        stream.insert(1, &whole);
        stream.take_piece();
        let part = stream.take_piece().unwrap();
        let Piece { octets, .. } = whole;
        assert!(part.octets.len() == 1 && !octets.as_ptr_range().contains(&part.octets.as_ptr()));
    }

    #[test]
    fn a_segment_far_ahead_is_believed_with_the_next() {
        let mut stream = Stream::default();
        stream.begin(0);
        let (near, far) = (stream.place(500), stream.place(0x7000_0000));
        assert!(stream.believes(near) && !stream.believes(far) && !stream.believes(far), "seen twice");
        assert!(stream.believes(near) && !stream.believes(far) && stream.believes(far + 5));
    }

    #[test]
    fn an_acknowledgement_of_what_cannot_be_is_not_believed() {
        let mut stream = Stream::default();
        stream.begin(0);
        assert_eq!(stream.acknowledge(500), Some(stream.place(500)));
        assert_eq!(stream.acknowledge(0x7000_0000), None);
    }
}
