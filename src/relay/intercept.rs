//! What passes, looked at before it goes on, where the legs differ in what they say of TLS: the upstream's leg has a
//! dissector of its own, capability lists are edited, and STLS is found in what the client sends.

use bytes::{Bytes, BytesMut};

use super::list::{Edit, List};
use crate::pop3::dissect::Request;
use crate::pop3::{Dissector, Event, Keyword, Secrets, State, Status};
use crate::recording::Observer;
use crate::wire::{Micros, Side};

/// A line that is longer is no STLS, whatever it begins with.
const LONGEST_STLS: usize = 512;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Intercept {
    upstream: Dissector,
    /// The exchanges on the upstream's leg that are looked at, oldest first.
    watched: Vec<(u32, Keyword)>,
    list: List,
    /// The beginning of a client's line that may become STLS, and has not gone on.
    withheld: BytesMut,
    at: Micros,
}

/// What came of the client's octets.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// These go on.
    pub(super) forward: Bytes,
    /// Then it said STLS: the line, and what came behind it in clear.
    pub(super) stls: Option<(Bytes, Bytes)>,
}

/// What came of the upstream's octets.
#[derive(Debug, Default)]
pub(super) struct Answered {
    /// These go on.
    pub(super) forward: Bytes,
    /// What was changed in them, a note's kind and text each.
    pub(super) changed: Vec<(&'static str, String)>,
    /// Then STLS was answered: the line, whether by `+OK`, and what came behind it.
    pub(super) stls: Option<(Bytes, bool, Bytes)>,
}

impl Intercept {
    pub(super) fn new() -> Self {
        Self {
            // What goes on is what came.
            upstream: Dissector::new(Secrets::Keep),
            watched: Vec::new(),
            list: List::default(),
            withheld: BytesMut::new(),
            at: 0,
        }
    }

    /// Takes the client's octets, lets the observer see them, and finds STLS in them. What comes behind it was not
    /// observed.
    pub(super) fn client(&mut self, observer: &mut Observer, at: Micros, mut octets: Bytes) -> Sent {
        let mut arrival = Some(at);
        let mut whole = BytesMut::new();
        while !octets.is_empty() {
            let len = memchr::memchr(b'\n', &octets).map_or(octets.len(), |end| end + 1);
            let line = octets.split_to(len);
            let command = observer.feed_part(Side::Client, arrival.take(), line.clone());
            self.withheld.extend_from_slice(&line);
            if line.ends_with(b"\n") && command == Some(Keyword::Stls) {
                let stls = Some((self.withheld.split().freeze(), octets));
                return Sent { forward: whole.freeze(), stls };
            }
            if line.ends_with(b"\n") || !may_become_stls(&self.withheld) {
                whole.unsplit(self.withheld.split());
            }
        }
        Sent { forward: whole.freeze(), stls: None }
    }

    /// The client sends no more: what was withheld goes on as it is.
    pub(super) fn client_closed(&mut self) -> Bytes {
        self.withheld.split().freeze()
    }

    /// Takes note of what goes to the upstream.
    pub(super) fn forwarded(&mut self, at: Micros, octets: Bytes) {
        let watched = &mut self.watched;
        self.at = at;
        self.upstream.feed(Side::Client, at, octets, &mut |event| {
            if let Event::Request { n, request: Request::Command(keyword), .. } = event
                && matches!(keyword, Keyword::Capa | Keyword::Stls | Keyword::Auth)
            {
                watched.push((n, keyword));
            }
        });
    }

    /// Takes the upstream's octets, and edits its lists.
    pub(super) fn server(&mut self, at: Micros, octets: Bytes, edit: Edit) -> Answered {
        let mut events = Vec::new();
        self.at = at;
        self.upstream.feed(Side::Server, at, octets, &mut |event| events.push(event));
        self.answered(events, edit)
    }

    /// The upstream sends no more: what was held back of it.
    pub(super) fn server_closed(&mut self, edit: Edit) -> Bytes {
        let mut events = Vec::new();
        self.upstream.close(Side::Server, &mut |event| events.push(event));
        let Answered { forward, stls, .. } = self.answered(events, edit);
        let rest = self.list.rest();
        let stls = stls.map(|(line, _, rest)| [line, rest].concat()).unwrap_or_default();
        [&forward[..], &rest, &stls].concat().into()
    }

    fn answered(&mut self, events: Vec<Event>, edit: Edit) -> Answered {
        let mut answered = Answered::default();
        let mut forward = Pieces::default();
        for event in events {
            if let Event::End(outcome) = &event {
                self.watched.retain(|(n, _)| *n != outcome.n);
                continue;
            }
            let Some((Side::Server, run)) = event.octets() else { continue };
            let octets = run.bytes.clone();
            if let Some((_, _, rest)) = &mut answered.stls {
                *rest = [&rest[..], &octets].concat().into();
                continue;
            }
            let of =
                |n: u32| self.watched.iter().find(|(watched, _)| *watched == n).map(|(_, keyword)| *keyword);
            match event {
                Event::Status { n, status, .. } if of(n) == Some(Keyword::Stls) => {
                    answered.stls = Some((octets, status == Some(Status::Ok), Bytes::new()));
                }
                Event::Body { n, .. } if of(n).is_some() => {
                    let names_alone = of(n) == Some(Keyword::Auth);
                    forward.push(self.list.lines(&octets, names_alone, edit, &mut answered.changed));
                }
                Event::Terminator { n, .. } if of(n) == Some(Keyword::Capa) => {
                    forward.push(self.list.end(edit, &mut answered.changed));
                    forward.push(octets);
                }
                _ => forward.push(octets),
            }
        }
        answered.forward = forward.join();
        answered
    }

    /// TLS stands on the upstream's leg too.
    pub(super) fn tls_started(&mut self) {
        self.upstream.tls_started(true, &mut |_| {});
        self.watched.clear();
    }

    /// The state on the upstream's leg.
    pub(super) fn state(&self) -> State {
        self.upstream.state()
    }

    /// Whether the upstream owes no answer.
    pub(super) fn is_quiet(&self) -> bool {
        self.upstream.is_quiet()
    }
}

/// Octets that go on, as they came where they are of one piece.
#[derive(Debug, Default)]
struct Pieces(Vec<Bytes>);

impl Pieces {
    fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.0.push(piece);
        }
    }

    fn join(mut self) -> Bytes {
        if self.0.len() < 2 { self.0.pop().unwrap_or_default() } else { self.0.concat().into() }
    }
}

/// Whether the beginning of a line may be one of STLS.
fn may_become_stls(line: &[u8]) -> bool {
    let known = line.len().min(4);
    line.len() <= LONGEST_STLS && line[..known].eq_ignore_ascii_case(&b"STLS"[..known])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stls_is_found_however_it_is_cut() {
        let all = b"CAPA\r\nstls\r\nUSER x\r\n";
        for cut in 0..all.len() {
            let (mut intercept, mut observer) = (Intercept::new(), Observer::new(Secrets::Redact));
            let (mut forward, mut found) = (Vec::new(), None);
            for part in [&all[..cut], &all[cut..]] {
                if found.is_some() {
                    continue;
                }
                let sent = intercept.client(&mut observer, 0, Bytes::copy_from_slice(part));
                forward.extend_from_slice(&sent.forward);
                found = sent.stls.map(|(line, _)| line);
            }
            assert_eq!(forward, b"CAPA\r\n", "{cut}");
            assert_eq!(found.as_deref(), Some(&b"stls\r\n"[..]), "{cut}");
        }
    }

    #[test]
    fn stls_in_a_sasl_exchange_is_a_response() {
        let (mut intercept, mut observer) = (Intercept::new(), Observer::new(Secrets::Redact));
        for (side, line) in
            [(Side::Server, "+OK\r\n"), (Side::Client, "AUTH CRAM-MD5\r\n"), (Side::Server, "+ eA==\r\n")]
        {
            observer.feed(side, 0, line.into());
        }
        let sent = intercept.client(&mut observer, 1, "STLS\r\n".into());
        assert_eq!((&sent.forward[..], sent.stls), (&b"STLS\r\n"[..], None));
    }

    #[test]
    fn a_half_line_that_is_not_stls_waits_for_nothing() {
        let (mut intercept, mut observer) = (Intercept::new(), Observer::new(Secrets::Redact));
        assert_eq!(&intercept.client(&mut observer, 0, "ST".into()).forward[..], b"");
        assert_eq!(&intercept.client(&mut observer, 1, "A".into()).forward[..], b"STA");
        assert_eq!(&intercept.client(&mut observer, 2, "T\r\nS".into()).forward[..], b"T\r\n");
        assert_eq!(&intercept.client_closed()[..], b"S");
    }
}
