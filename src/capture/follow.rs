//! Segments to conversations: which are open, which are known to be none of ours, and how many.

use std::io;
use std::net::SocketAddr;

use super::conversation::Conversation;
use super::recognize::Known;
use super::segment::Segment;
use super::session::{Session, State, Told};
use super::table::{Ends, Place, Table};
use super::{Nanos, Options, Saw, See, Tally};
use crate::wire::Side;

/// The most octets that wait in all conversations together. Above it the one that would make it more waits for
/// nothing.
const WAITING: usize = 64 << 20;

/// The ports of POP3 (RFC 1939 section 3, RFC 8314 section 7.1).
const PORTS: [u16; 2] = [110, 995];

/// How far from where a connection ended a segment is thought to be a late one of it.
const LATE: u32 = 16 << 20;

/// What the table holds, by its class in it.
const OPEN: usize = 0;
const DONE: usize = 1;

#[derive(Debug)]
enum Entry {
    /// A conversation that is followed.
    Open(Box<Open>),
    /// One that is not any more.
    Done(Done),
}

#[derive(Debug)]
struct Open {
    conversation: Conversation,
    session: Session,
    /// A SYN in the middle that begins another connection, if that is seen to go on.
    doubted: Option<Syn>,
}

/// A SYN.
#[derive(Debug, Clone, Copy)]
struct Syn {
    at: Nanos,
    from: SocketAddr,
    to: SocketAddr,
    seq: u32,
}

impl Syn {
    /// Whether a segment answers it, or goes on from it.
    fn is_confirmed_by(&self, segment: &Segment<'_>) -> bool {
        let next = self.seq.wrapping_add(1);
        if segment.from == self.from {
            !segment.syn && segment.seq == next
        } else {
            segment.syn && segment.ack == Some(next)
        }
    }

    const fn segment(&self) -> Segment<'static> {
        let Self { at, from, to, seq } = *self;
        Segment { at, from, to, seq, ack: None, syn: true, fin: false, rst: false, payload: b"", length: 0 }
    }
}

impl Open {
    fn weight(&self) -> usize {
        self.conversation.weight() + self.session.weight()
    }
}

/// What is kept of a conversation, so that its late segments begin no other.
#[derive(Debug)]
struct Done {
    /// It is another's, and goes on.
    other: bool,
    /// Of each end, the lower address first: the sequence number of the SYN, and the next.
    ends: [(Option<u32>, Option<u32>); 2],
}

/// Follows conversations.
#[derive(Debug)]
pub(super) struct Follower {
    pub(super) options: Options,
    pub(super) tally: Tally,
    table: Table<Entry>,
    waiting: usize,
    /// What a segment brought; empty between them.
    seen: Vec<Saw>,
}

impl Follower {
    pub(super) fn new(options: Options) -> Self {
        Self { options, tally: Tally::default(), table: Table::new(), waiting: 0, seen: Vec::new() }
    }

    /// Takes a segment.
    pub(super) fn segment(&mut self, segment: &Segment<'_>, see: &mut See<'_>) -> io::Result<()> {
        let ends = Ends::of(segment.from, segment.to);
        let Some(place) = self.table.find(&ends) else { return self.begin(ends, segment, see) };
        match self.table.get(place) {
            Some(Entry::Open(open)) => {
                if let Some(syn) = open.doubted.take_if(|syn| syn.is_confirmed_by(segment)) {
                    self.end(place, see)?;
                    self.begin(ends, &syn.segment(), see)?;
                    return self.segment(segment, see);
                }
                if open.conversation.is_followed_by(segment) {
                    let Segment { at, from, to, seq, ack, .. } = *segment;
                    if ack.is_none() {
                        // It may be an old one, or nobody's: a session does not end for it alone.
                        open.doubted = Some(Syn { at, from, to, seq });
                        return Ok(());
                    }
                    self.end(place, see)?;
                    return self.begin(ends, segment, see);
                }
                self.table.touch(place, OPEN);
                self.go_on(place, ends, segment, see)
            }
            Some(Entry::Done(done)) => {
                if done.is_followed_by(segment, ends) {
                    self.table.remove(place);
                    return self.begin(ends, segment, see);
                }
                self.tally.other_frames += u64::from(done.other);
                self.table.touch(place, DONE);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The capture is at its end.
    pub(super) fn finish(&mut self, see: &mut See<'_>) -> io::Result<()> {
        while let Some(place) = self.table.idle(OPEN) {
            self.end(place, see)?;
        }
        Ok(())
    }

    /// How many conversations are known, and how many octets wait in them.
    #[cfg(test)]
    pub(super) const fn size(&self) -> usize {
        self.table.len(OPEN) + self.table.len(DONE)
    }

    #[cfg(test)]
    pub(super) const fn waits(&self) -> usize {
        self.waiting
    }

    /// A conversation begins, and the longest idle makes room for it.
    fn begin(&mut self, ends: Ends, segment: &Segment<'_>, see: &mut See<'_>) -> io::Result<()> {
        while self.table.len(OPEN) >= self.options.max_open.max(1) {
            let Some(place) = self.table.idle(OPEN) else { break };
            self.tally.flushed += u64::from(self.end(place, see)?);
        }
        let conversation = Conversation::new(segment, self.comes_from_server(segment));
        let session = Session::new(self.known(&conversation));
        let open = Entry::Open(Box::new(Open { conversation, session, doubted: None }));
        let place = self.table.insert(ends, OPEN, open);
        self.go_on(place, ends, segment, see)
    }

    fn go_on(
        &mut self,
        place: Place,
        ends: Ends,
        segment: &Segment<'_>,
        see: &mut See<'_>,
    ) -> io::Result<()> {
        let Self { options, tally, table, waiting, seen, .. } = self;
        let Some(Entry::Open(open)) = table.get(place) else { return Ok(()) };
        let Open { conversation, session, .. } = &mut **open;
        let before = conversation.weight() + session.weight();
        conversation.take(segment, seen);
        if segment.syn {
            session.know(known(options, conversation));
        }
        let mut told = Told { keys: &options.keys, tally, see };
        let mut state = tell(conversation, session, seen, &mut told)?;
        *waiting = *waiting + conversation.weight() + session.weight() - before;
        if state == State::Open && *waiting > WAITING {
            *waiting -= conversation.weight() + session.weight();
            conversation.give_up_waiting(seen);
            state = tell(conversation, session, seen, &mut told)?;
            if state == State::Open {
                state = session.let_go(conversation, &mut told)?;
            }
            *waiting += conversation.weight() + session.weight();
        }
        if state != State::Open {
            self.close(place, ends, state == State::Other);
        }
        Ok(())
    }

    /// Leaves of a conversation what tells its late segments.
    fn close(&mut self, place: Place, ends: Ends, other: bool) {
        let Some(entry) = self.table.get(place) else { return };
        let Entry::Open(open) = entry else { return };
        self.waiting -= open.weight();
        let conversation = &open.conversation;
        if other {
            skip(open, &mut self.tally);
        }
        let low = if conversation.client == ends.low { Side::Client } else { Side::Server };
        let done = Done { other, ends: [conversation.ends(low), conversation.ends(low.other())] };
        *entry = Entry::Done(done);
        self.table.touch(place, DONE);
        while self.table.len(DONE) > self.options.max_open.max(1) {
            let Some(place) = self.table.idle(DONE) else { break };
            self.table.remove(place);
        }
    }

    /// A conversation is not followed any more, though it may go on; gives whether it was told.
    fn end(&mut self, place: Place, see: &mut See<'_>) -> io::Result<bool> {
        let Some(Entry::Open(mut open)) = self.table.remove(place) else { return Ok(false) };
        self.waiting -= open.weight();
        let Open { conversation, session, .. } = &mut *open;
        conversation.finish(&mut self.seen);
        let mut told = Told { keys: &self.options.keys, tally: &mut self.tally, see };
        tell(conversation, session, &mut self.seen, &mut told)?;
        let told = session.is_told();
        if !told {
            skip(&open, &mut self.tally);
        }
        Ok(told)
    }

    /// Who is the server, by what a first segment says: its SYN, else a port of POP3, else the lower port.
    fn comes_from_server(&self, segment: &Segment<'_>) -> bool {
        let pop3 = |port| is_pop3(&self.options, port);
        if segment.syn {
            return segment.ack.is_some();
        }
        match (pop3(segment.from.port()), pop3(segment.to.port())) {
            (true, false) => true,
            (false, true) => false,
            _ => segment.from.port() < segment.to.port(),
        }
    }

    fn known(&self, conversation: &Conversation) -> Known {
        known(&self.options, conversation)
    }
}

/// Counts a conversation that is no POP3.
fn skip(open: &Open, tally: &mut Tally) {
    tally.others += 1;
    tally.others_in_tls += u64::from(open.session.is_in_tls());
    tally.others_elsewhere += u64::from(!open.session.is_at_server());
    tally.other_frames += open.conversation.frames;
}

/// Hands on what a segment brought, up to where it is known to be another's or over.
fn tell(
    conversation: &Conversation,
    session: &mut Session,
    seen: &mut Vec<Saw>,
    told: &mut Told<'_, '_>,
) -> io::Result<State> {
    for saw in seen.drain(..) {
        let state = session.take(conversation, saw, told)?;
        if state != State::Open {
            return Ok(state);
        }
    }
    Ok(State::Open)
}

fn is_pop3(options: &Options, port: u16) -> bool {
    PORTS.contains(&port) || options.ports.contains(&port)
}

fn known(options: &Options, conversation: &Conversation) -> Known {
    let connected = conversation.connected;
    let of = |side| match side {
        Side::Client => conversation.client,
        Side::Server => conversation.server,
    };
    let port = [Side::Server, Side::Client]
        .into_iter()
        .find(|&side| connected != Some(side) && is_pop3(options, of(side).port()));
    Known { port, connected }
}

impl Done {
    /// Whether a segment begins another connection, or belongs to one whose beginning is not there.
    fn is_followed_by(&self, segment: &Segment<'_>, ends: Ends) -> bool {
        let (initial, next) = self.ends[usize::from(segment.from != ends.low)];
        if segment.syn {
            return initial != Some(segment.seq);
        }
        let far = |next: u32| next.wrapping_sub(segment.seq).cast_signed().unsigned_abs() > LATE;
        !self.other && segment.length > 0 && next.is_some_and(far)
    }
}
