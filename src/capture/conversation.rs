//! A TCP connection: two streams, told in the order in which its ends can have seen them.
//!
//! A segment says what its sender had received when it was sent. So it is told when its own stream has come to it, and
//! the other has come to what it acknowledges: commands and answers stand in their order even where the capture has
//! its frames in another.

use std::net::SocketAddr;

use bytes::Bytes;

use super::dates::Dates;
use super::segment::Segment;
use super::stream::{Head, Mark, Piece, Stream, What};
use super::{Nanos, Saw, WINDOW};
use crate::wire::{Close, Micros, Side};

/// So many frames of a connection are awaited for its SYN; without one its first octets are where they are by then.
const SETTLING: u64 = 16;

/// And so many octets.
const SETTLING_OCTETS: usize = 256 << 10;

/// So many frames of a connection what was received is awaited; it may be in the capture, out of order.
const PATIENCE: u64 = 48;

/// A connection. Who is the client is a guess until a SYN or the octets tell.
#[derive(Debug)]
pub(super) struct Conversation {
    /// Who is thought to have connected.
    pub(super) client: SocketAddr,
    /// To whom.
    pub(super) server: SocketAddr,
    /// Frames of it.
    pub(super) frames: u64,
    /// Who connected, by the handshake: the one that is called the client here, or the other.
    pub(super) connected: Option<Side>,
    streams: [Stream; 2],
    settled: bool,
    dates: Dates,
    misdated: bool,
    closed: Option<(Side, Close)>,
    over: bool,
}

impl Conversation {
    /// A connection from this segment on; `at_server`: it is thought to come from the server.
    pub(super) fn new(segment: &Segment<'_>, at_server: bool) -> Self {
        let (client, server) =
            if at_server { (segment.to, segment.from) } else { (segment.from, segment.to) };
        Self {
            client,
            server,
            frames: 0,
            connected: None,
            streams: <[Stream; 2]>::default(),
            settled: false,
            dates: Dates::new(segment.at),
            misdated: false,
            closed: None,
            over: false,
        }
    }

    /// When it began: microsecond 0 of it.
    pub(super) const fn start(&self) -> Nanos {
        self.dates.start()
    }

    /// What waits for its turn, in octets.
    pub(super) fn weight(&self) -> usize {
        self.streams.iter().map(Stream::weight).sum()
    }

    /// The sequence numbers of a side's SYN and of what comes next from it, where they are known.
    pub(super) fn ends(&self, side: Side) -> (Option<u32>, Option<u32>) {
        let stream = &self.streams[side as usize];
        (stream.initial, stream.next.map(|next| next as u32))
    }

    /// Whether a segment begins another connection between the same ports.
    pub(super) fn is_followed_by(&self, segment: &Segment<'_>) -> bool {
        /// A SYN that comes late is not far from the octets that came before it.
        const NEAR: u64 = 1 << 20;
        let (initial, next) = self.ends(self.side(segment));
        segment.syn
            && match (initial, next) {
                (Some(initial), _) => initial != segment.seq,
                (None, Some(next)) => u64::from(next.abs_diff(segment.seq)) > NEAR,
                (None, None) => false,
            }
    }

    /// Takes a segment, and gives what can be told.
    pub(super) fn take(&mut self, segment: &Segment<'_>, out: &mut Vec<Saw>) {
        self.frames += 1;
        let at = self.time(segment.at, out);
        let side = self.side(segment);
        if segment.syn {
            self.begin(side, segment);
        }
        let stream = &mut self.streams[side as usize];
        let place = stream.place(segment.seq.wrapping_add(segment.syn.into()));
        if !stream.believes(place) {
            return;
        }
        let ack = segment.ack.and_then(|ack| self.streams[side.other() as usize].acknowledge(ack));
        let stream = &mut self.streams[side as usize];
        let order = self.frames;
        if segment.length > 0 {
            let cut = (segment.length - segment.payload.len()) as u64;
            let prompt = self.settled && cut == 0 && stream.is_next(place);
            if prompt && self.has_come_to(side.other(), ack) {
                self.streams[side as usize].advance(segment.length as u64);
                out.push(Saw::Octets(side, at, Bytes::copy_from_slice(segment.payload)));
            } else {
                let octets = Bytes::copy_from_slice(segment.payload);
                self.streams[side as usize].insert(place, &Piece { at, order, ack, octets, cut });
            }
        } else {
            stream.touch(place);
        }
        let stream = &mut self.streams[side as usize];
        let mark = Mark { place: place + segment.length as u64, at, order, ack };
        if segment.fin {
            stream.finish(mark);
        }
        if segment.rst {
            stream.reset(mark);
        }
        self.settle(segment.rst, out);
        if self.settled {
            self.drain(out);
            self.lose_patience(WINDOW, out);
        }
    }

    /// Tells all that waits, holes and all.
    pub(super) fn give_up_waiting(&mut self, out: &mut Vec<Saw>) {
        self.settle(true, out);
        self.drain(out);
        self.lose_patience(0, out);
    }

    /// There are no more frames of it.
    pub(super) fn finish(&mut self, out: &mut Vec<Saw>) {
        self.settle(true, out);
        self.drain(out);
        while let Some((side, head)) = self.heads().min_by_key(|(_, head)| head.order) {
            self.give_up(side, head, out);
            self.drain(out);
        }
        if self.over {
            return;
        }
        for side in [Side::Client, Side::Server] {
            self.acknowledged(side, out);
        }
        out.push(Saw::Ended { at: self.dates.last(), by: None });
    }

    /// What a peer has received, and nobody sees any more. One octet more than there is is the FIN.
    fn acknowledged(&mut self, side: Side, out: &mut Vec<Saw>) {
        let stream = &mut self.streams[side as usize];
        if !stream.finished && stream.next.is_some_and(|next| stream.acked > next + 1) {
            let octets = stream.skip_to(stream.acked);
            out.push(Saw::Missing(side, octets));
        }
    }

    fn side(&self, segment: &Segment<'_>) -> Side {
        if segment.from == self.client { Side::Client } else { Side::Server }
    }

    /// The time of a frame, with a word on the first that is dated wrong.
    fn time(&mut self, at: Nanos, out: &mut Vec<Saw>) -> Micros {
        if !self.dates.take(at) && !self.misdated {
            self.misdated = true;
            let text = "a frame's date does not fit the session: it is given the time of the one before";
            out.push(Saw::Note(self.dates.last(), "misdated", text.to_owned()));
        }
        self.dates.last()
    }

    fn begin(&mut self, side: Side, segment: &Segment<'_>) {
        self.connected = Some(if segment.ack.is_some() { side.other() } else { side });
        let stream = &mut self.streams[side as usize];
        if stream.initial.is_none() {
            if self.settled {
                stream.initial = Some(segment.seq);
            } else {
                stream.begin(segment.seq);
            }
        }
    }

    /// Begins to tell once it is known where both streams begin, or it is no use to wait for that.
    fn settle(&mut self, now: bool, out: &mut Vec<Saw>) {
        let known = self.streams.iter().all(|stream| stream.initial.is_some());
        let waited = self.frames >= SETTLING || self.weight() > SETTLING_OCTETS;
        if !self.settled && (known || waited || now) {
            self.settled = true;
            if self.connected.is_none() {
                let text = "the capture does not have the session's beginning";
                out.push(Saw::Note(0, "from-the-middle", text.to_owned()));
            }
        }
        if self.settled {
            for stream in &mut self.streams {
                stream.settle(self.connected.is_some());
            }
        }
    }

    fn has_come_to(&self, side: Side, ack: Option<u64>) -> bool {
        ack.is_none_or(|ack| self.streams[side as usize].next.is_some_and(|next| next >= ack))
    }

    fn heads(&self) -> impl Iterator<Item = (Side, Head)> {
        [Side::Client, Side::Server]
            .into_iter()
            .filter_map(|side| self.streams[side as usize].head().map(|head| (side, head)))
    }

    fn is_at(&self, side: Side, head: &Head) -> bool {
        self.streams[side as usize].next.is_some_and(|next| head.place <= next)
    }

    /// Tells whatever its turn has come.
    fn drain(&mut self, out: &mut Vec<Saw>) {
        while let Some((side, head)) = self
            .heads()
            .filter(|(side, head)| self.is_at(*side, head) && self.has_come_to(side.other(), head.ack))
            .min_by_key(|(_, head)| head.order)
        {
            self.tell(side, head.what, out);
        }
    }

    /// Goes on without what is awaited too long, or while more than `limit` waits for it.
    fn lose_patience(&mut self, limit: usize, out: &mut Vec<Saw>) {
        loop {
            let heavy = self.weight() > limit;
            let Some((side, head)) = self
                .heads()
                .filter(|(side, head)| {
                    let old = head.order + PATIENCE <= self.frames;
                    let received = self.streams[*side as usize].acked >= head.place;
                    heavy || old && (received || self.is_at(*side, head))
                })
                .min_by_key(|(_, head)| head.order)
            else {
                return;
            };
            self.give_up(side, head, out);
            self.drain(out);
        }
    }

    /// Does not wait any more for what this waits for.
    fn give_up(&mut self, side: Side, head: Head, out: &mut Vec<Saw>) {
        let (hole, to) = if self.is_at(side, &head) {
            // It answers what is not there. Where that is there, each waits for the other, which cannot be.
            let theirs = self.streams[side.other() as usize].head();
            let to = head.ack.unwrap_or_default();
            (side.other(), theirs.map_or(to, |theirs| theirs.place.min(to)))
        } else {
            (side, head.place)
        };
        // One octet that was received and is followed by nothing is the FIN.
        let stream = &mut self.streams[hole as usize];
        let is_finish =
            hole != side && stream.head().is_none() && stream.next.is_some_and(|next| next + 1 == to);
        match stream.skip_to(to) {
            0 => self.tell(side, head.what, out),
            1 if is_finish => {}
            octets => out.push(Saw::Missing(hole, octets)),
        }
    }

    fn tell(&mut self, side: Side, what: What, out: &mut Vec<Saw>) {
        let stream = &mut self.streams[side as usize];
        match what {
            What::Piece => {
                if let Some(piece) = stream.take_piece() {
                    if !piece.octets.is_empty() {
                        out.push(Saw::Octets(side, piece.at, piece.octets));
                    }
                    if piece.cut > 0 {
                        out.push(Saw::Missing(side, piece.cut));
                    }
                }
            }
            What::Finish => {
                if let Some(mark) = stream.take_finish() {
                    self.close(side, Close::Finished, mark.at, out);
                }
            }
            What::Reset => {
                if let Some(mark) = stream.take_reset() {
                    self.reset(side, mark.at, out);
                }
            }
        }
    }

    /// Both directions end, with what there is of them.
    fn reset(&mut self, side: Side, at: Micros, out: &mut Vec<Saw>) {
        while let Some((side, head)) = {
            for stream in &mut self.streams {
                stream.take_reset();
            }
            self.drain(out);
            self.heads().min_by_key(|(_, head)| head.order)
        } {
            self.give_up(side, head, out);
        }
        if !self.over {
            self.acknowledged(side, out);
            self.close(side, Close::Reset, at, out);
        }
    }

    fn close(&mut self, side: Side, how: Close, at: Micros, out: &mut Vec<Saw>) {
        out.push(Saw::Closed(side, how, at));
        self.closed = self.closed.or(Some((side, how)));
        if how == Close::Reset || self.streams.iter().all(|stream| stream.finished) {
            self.over = true;
            out.push(Saw::Ended { at, by: self.closed });
        }
    }
}
