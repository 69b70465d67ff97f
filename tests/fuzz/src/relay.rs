//! Anything that can happen to a relayed session, under every policy about TLS.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use poptape::pop3::Secrets;
use poptape::recording::{By, Entry, Header, How};
use poptape::relay::{Policy, Relay};
use poptape::wire::{Action, Close, Handshake, Input, Machine, Security, Side, Tls, TlsFailure};

use super::script::{Step, joined, octet_by_octet, steps};

/// The upstream is connected or not; a handshake succeeds, succeeds behind octets in clear, or fails; client or server
/// finish, are cut off, or break off; the time has come; poptape is stopped.
const MARKS: &[u8] = b"KkHLhfFuUrRWP";

const SECURITIES: [Security; 3] = [Security::Plain, Security::Stls, Security::Implicit];

/// What is sent in clear where a handshake is due; no script has it elsewhere.
const TAINT: u8 = 1;

/// What the first two octets say: what is done about TLS, and whether things happen in the order in which the world has
/// them happen.
fn setting(first: u8, second: u8) -> (Policy, bool) {
    let at = usize::from(first);
    let policy = Policy {
        client: SECURITIES[at % 3],
        upstream: SECURITIES[at / 3 % 3],
        strip_stls: second & 1 != 0,
        stls_respond: (second & 2 != 0).then(|| "-ERR [SYS/PERM] not today".to_owned()),
        strip_plus: second & 4 != 0,
        has_certificate: second & 8 != 0,
    };
    (policy, second & 16 == 0)
}

/// A relay ends once and does nothing then; what passes is what came, and nothing of it that came in clear where TLS was
/// due; how it was cut changes nothing.
pub fn relay(script: &[u8]) {
    let [first, second, script @ ..] = script else { return };
    let (policy, orderly) = setting(*first, *second);
    let policy = Arc::new(policy);
    let script: Vec<u8> = script.iter().map(|&octet| if octet == TAINT { b'?' } else { octet }).collect();
    let cut = steps(&script, MARKS);
    if !orderly {
        return anyhow(&policy, &cut);
    }
    let seen = Seen::play(&policy, &cut);
    seen.judge(&policy);
    // What comes behind STLS or its answer in the same read is another story (RFC 2595 section 4).
    let negotiated = [(policy.client, Side::Client), (policy.upstream, Side::Server)];
    let negotiated = negotiated
        .iter()
        .any(|&(security, side)| security != Security::Implicit && seen.began[side as usize] > 0);
    // Nor is there one place for an answer of its own among what the server says unasked.
    if !negotiated && !seen.answered {
        for (how, steps) in [("joined", joined(&cut)), ("octet by octet", octet_by_octet(&cut))] {
            let other = Seen::play(&policy, &steps);
            assert_eq!(other.sent, seen.sent, "{how}");
            assert_eq!((other.done, other.ended), (seen.done.clone(), seen.ended), "{how}");
        }
    }
}

/// Inputs in an order that the world does not have are survived.
fn anyhow(policy: &Arc<Policy>, steps: &[Step]) {
    let mut relay = Relay::new(header(), policy);
    let (mut actions, mut ended, mut at) = (Vec::new(), 0, 0);
    relay.handle(at, Input::Opened, &mut actions);
    for step in steps {
        let over = actions.contains(&Action::Close);
        actions.clear();
        at += 10;
        let input = match step {
            Step::Octets(side, octets) => Input::Received(*side, Bytes::copy_from_slice(octets)),
            // Both legs in turn.
            Step::Mark(letter) => mark(*letter, if at % 20 == 0 { Side::Client } else { Side::Server }),
        };
        relay.handle(at, input, &mut actions);
        assert!(!over || actions.is_empty(), "{actions:?} after the end");
        ended += relay.entries().iter().filter(|entry| matches!(entry, Entry::Ended(_))).count();
        assert!(ended <= 1, "it ends twice");
        if ended == 1 && !actions.contains(&Action::Close) {
            actions.clear();
            relay.handle(at, Input::Stop, &mut actions);
            assert!(actions.is_empty(), "{actions:?} after the end");
        }
    }
}

fn mark(letter: u8, leg: Side) -> Input {
    let close = |side, how| Input::Closed(side, how);
    match letter {
        b'K' => Input::Connected(SocketAddr::from((Ipv4Addr::LOCALHOST, 110))),
        b'k' => Input::ConnectFailed("so it \u{434}\r\n is".to_owned()),
        b'H' => handshake(leg, false, false),
        b'L' => handshake(leg, false, true),
        b'h' => handshake(leg, true, true),
        b'f' => close(Side::Client, Close::Finished),
        b'F' => close(Side::Server, Close::Finished),
        b'u' => close(Side::Client, Close::Truncated),
        b'U' => close(Side::Server, Close::Truncated),
        b'r' => close(Side::Client, Close::Reset),
        b'R' => close(Side::Server, Close::Reset),
        b'W' => Input::Woke,
        _ => Input::Stop,
    }
}

fn handshake(leg: Side, failed: bool, clear: bool) -> Input {
    let failure = failed.then(|| TlsFailure { reason: "so it is".to_owned(), ..TlsFailure::default() });
    let tls = Tls { readable: !failed, failure, ..Tls::of(leg) };
    let clear = if clear { Bytes::from_static(&[TAINT, b'\r', b'\n']) } else { Bytes::new() };
    Input::Tls(Box::new(Handshake { clear, ..Handshake::new(tls) }))
}

fn header() -> Header {
    Header {
        generator: "fuzz".to_owned(),
        session: 1,
        started: chrono::DateTime::UNIX_EPOCH,
        client: String::new(),
        listener: String::new(),
        upstream: String::new(),
        server: None,
        secrets: Secrets::Keep,
        origin: None,
        unknown: serde_json::Map::new(),
        outer: serde_json::Map::new(),
    }
}

/// A session in the order of the world, and what was seen of it.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Seen {
    relay: Relay,
    at: u64,
    /// It is to be connected, or is.
    connecting: bool,
    connected: bool,
    /// The leg whose handshake is due.
    securing: Option<Side>,
    /// Sides that send no more.
    finished: [bool; 2],
    /// Sides that nothing is sent to any more.
    shut: [bool; 2],
    /// How often TLS was to begin.
    began: [u32; 2],
    /// What each side sent, and was sent.
    received: [Vec<u8>; 2],
    sent: [Vec<u8>; 2],
    /// How much of both there was, by side as above, when the client's handshake was over.
    secured: Option<([usize; 2], [usize; 2])>,
    /// What was done but for sending.
    done: Vec<Action>,
    /// The octets that were observed of the server.
    observed: Vec<u8>,
    entries: usize,
    /// It has answered STLS itself.
    answered: bool,
    ended: Option<(By, How)>,
    over: bool,
}

impl Seen {
    fn play(policy: &Arc<Policy>, steps: &[Step]) -> Self {
        let mut seen = Self {
            relay: Relay::new(header(), policy),
            at: 0,
            connecting: false,
            connected: false,
            securing: None,
            finished: [false; 2],
            shut: [false; 2],
            began: [0; 2],
            received: [Vec::new(), Vec::new()],
            sent: [Vec::new(), Vec::new()],
            secured: None,
            done: Vec::new(),
            observed: Vec::new(),
            entries: 0,
            answered: false,
            ended: None,
            over: false,
        };
        seen.input(Input::Opened);
        for step in steps {
            seen.step(step);
        }
        seen.input(Input::Stop);
        assert!(seen.over, "stopped, and not over");
        seen
    }

    fn step(&mut self, step: &Step) {
        if self.over {
            return;
        }
        if self.connecting {
            if let Step::Mark(letter @ (b'K' | b'k' | b'P')) = step {
                self.connecting = false;
                self.connected = *letter == b'K';
                return self.input(mark(*letter, Side::Client));
            }
            // The world waits for it.
            (self.connecting, self.connected) = (false, true);
            self.input(mark(b'K', Side::Client));
            return self.step(step);
        }
        if let Some(leg) = self.securing {
            match step {
                Step::Mark(b'W') => {}
                Step::Mark(letter @ (b'H' | b'L' | b'h')) => return self.secure(leg, *letter),
                // A leg that is lost meanwhile has no handshake any more.
                Step::Mark(b'r' | b'R' | b'P') => self.securing = None,
                _ => {
                    self.secure(leg, b'H');
                    return self.step(step);
                }
            }
        }
        match step {
            Step::Octets(side, octets) if self.sends(*side) => {
                self.received[*side as usize].extend_from_slice(octets);
                self.input(Input::Received(*side, Bytes::copy_from_slice(octets)));
            }
            Step::Mark(letter) => match mark(*letter, Side::Client) {
                Input::Closed(side, how) if self.sends(side) => {
                    self.finished[side as usize] = true;
                    self.shut[side as usize] |= how == Close::Reset;
                    self.input(Input::Closed(side, how));
                }
                input @ (Input::Woke | Input::Stop) => self.input(input),
                _ => {}
            },
            Step::Octets(..) => {}
        }
    }

    fn secure(&mut self, leg: Side, letter: u8) {
        self.securing = None;
        if leg == Side::Client && letter != b'h' {
            self.secured = Some((self.received.each_ref().map(Vec::len), self.sent.each_ref().map(Vec::len)));
        }
        self.input(mark(letter, leg));
    }

    /// Whether something can come from a side.
    fn sends(&self, side: Side) -> bool {
        !self.finished[side as usize] && (side == Side::Client || self.connected)
    }

    fn input(&mut self, input: Input) {
        self.at += 10;
        let mut actions = Vec::new();
        self.relay.handle(self.at, input, &mut actions);
        for action in actions {
            assert!(!self.over, "{action:?} after the end");
            match &action {
                Action::Send(side, octets) => {
                    let at = *side as usize;
                    let there = *side == Side::Client || self.connected;
                    assert!(there, "{octets:?} to a server that is not connected");
                    assert!(self.done.is_empty() || !self.is_finished(*side), "{octets:?} after FIN");
                    assert!(!octets.is_empty(), "nothing is sent");
                    if !self.shut[at] {
                        self.sent[at].extend_from_slice(octets);
                    }
                    continue;
                }
                Action::Connect => {
                    assert!(!self.connected && !self.connecting, "connected twice");
                    self.connecting = true;
                }
                Action::StartTls(side) => {
                    self.began[*side as usize] += 1;
                    assert!(self.began[*side as usize] == 1, "TLS begins twice");
                    assert!(self.securing.is_none(), "two handshakes at once");
                    self.securing = Some(*side);
                }
                // What is lost is no leg any more.
                Action::Reset(side) => {
                    self.shut[*side as usize] = true;
                    self.finished[*side as usize] = true;
                }
                Action::Close => self.over = true,
                _ => {}
            }
            self.done.push(action);
        }
        self.look();
    }

    fn is_finished(&self, side: Side) -> bool {
        self.done.iter().any(|done| matches!(done, Action::Finish(of) | Action::Truncate(of) if *of == side))
    }

    /// Looks at what was found.
    fn look(&mut self) {
        for entry in self.relay.entries() {
            assert!(self.ended.is_none(), "{entry:?} after the end");
            let opened = matches!(entry, Entry::Opened(_));
            assert_eq!(opened, self.entries == 0, "{entry:?} is entry {}", self.entries);
            self.entries += 1;
            match entry {
                Entry::Event(event) => {
                    if let Some((Side::Server, run)) = event.octets() {
                        self.observed.extend_from_slice(&run.bytes);
                    }
                }
                Entry::Note(note) => self.answered |= note.kind == "stls-answered",
                Entry::Ended(end) => self.ended = Some((end.by, end.how)),
                _ => {}
            }
        }
        assert_eq!(self.ended.is_some(), self.over, "over is one thing, ended another");
    }

    fn judge(&self, policy: &Policy) {
        let [to_client, to_server] = &self.sent;
        let [from_client, from_server] = &self.received;
        for sent in &self.sent {
            assert!(!sent.contains(&TAINT), "what was said in clear goes on: {}", text(sent));
        }
        if !self.shut[Side::Client as usize] {
            assert_eq!(text(&self.observed), text(to_client), "what is recorded is not what was sent");
        }
        let strips = policy.strip_stls || policy.stls_respond.is_some();
        // The relay has asked for TLS itself.
        let asked = policy.upstream == Security::Stls && !from_client.starts_with(to_server);
        let own: &[u8] = if asked { b"STLS\r\n" } else { b"" };
        let to_server = to_server.strip_prefix(own).unwrap_or(to_server);
        let alike = match (policy.client, policy.upstream) {
            (Security::Plain, _) => true,
            (Security::Stls, _) => false,
            (Security::Implicit, upstream) => upstream != Security::Plain,
        };
        if alike && !strips && !policy.strip_plus {
            assert!(from_client.starts_with(to_server), "{} is not what came", text(to_server));
            let refused = to_client.len() > from_server.len() || !from_server.starts_with(to_client);
            if policy.upstream != Security::Stls && refused {
                let own = to_client.strip_prefix(&from_server[..]).unwrap_or(to_client);
                assert!(own.starts_with(b"-ERR [SYS/TEMP] poptape"), "{} is not what came", text(to_client));
            }
        }
        if policy.upstream != Security::Plain && self.began[Side::Server as usize] == 0 {
            assert!(to_server.is_empty() || to_server == b"STLS\r\n", "{} without TLS", text(to_server));
        }
        if let (Security::Stls, false, Some((received, sent))) = (policy.client, strips, self.secured) {
            let [client, server] = [Side::Client as usize, Side::Server as usize];
            let own = own.len().min(sent[server]);
            let (clear, inside) = (&to_server[..sent[server] - own], &to_server[sent[server] - own..]);
            assert!(from_client[..received[client]].starts_with(clear), "{} before TLS", text(clear));
            assert!(within(inside, &from_client[received[client]..]), "{} was in clear", text(inside));
        }
    }
}

/// Whether all of `some` is in `all`, in order.
fn within(some: &[u8], all: &[u8]) -> bool {
    let mut all = all.iter();
    some.iter().all(|octet| all.any(|other| other == octet))
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}
