//! A small language for captures: two hosts speak, and what was captured of it is then spoilt.

use etherparse::PacketBuilder;

use crate::capture::{Capture, Frame, Nanos, Options, Saw, Tally};
use crate::wire::Side::{self, Client, Server};

/// A frame of its own.
#[derive(Debug, Clone)]
pub(super) struct Shot {
    pub(super) at: Nanos,
    pub(super) link: u32,
    pub(super) octets: Vec<u8>,
    pub(super) length: u32,
}

/// 2023-11-14, and some nanoseconds.
pub(super) const START: Nanos = 1_700_000_000_000_000_999;

/// A connection, with the Ethernet frames that were captured of it.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    pub(super) ports: [u16; 2],
    pub(super) seq: [u32; 2],
    pub(super) v6: bool,
    pub(super) at: Nanos,
    pub(super) shots: Vec<Shot>,
}

#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are bits of the header")]
pub(super) struct Flags {
    pub(super) syn: bool,
    pub(super) fin: bool,
    pub(super) rst: bool,
    pub(super) no_ack: bool,
}

impl Wire {
    /// Without a handshake.
    pub(super) fn middle(client: u16, server: u16) -> Self {
        Self { ports: [client, server], seq: [1000, 0xffff_fff0], v6: false, at: START, shots: Vec::new() }
    }

    /// With one.
    pub(super) fn open(client: u16, server: u16) -> Self {
        Self::middle(client, server).handshake()
    }

    pub(super) fn handshake(mut self) -> Self {
        self.send(Client, Flags { syn: true, no_ack: true, ..Flags::default() }, b"");
        self.send(Server, Flags { syn: true, ..Flags::default() }, b"");
        self.send(Client, Flags::default(), b"");
        self
    }

    /// A segment as it is due.
    pub(super) fn send(&mut self, side: Side, flags: Flags, payload: &[u8]) -> &mut Self {
        let seq = self.seq[side as usize];
        self.send_at(side, seq, flags, payload);
        let taken = payload.len() as u32 + u32::from(flags.syn) + u32::from(flags.fin);
        self.seq[side as usize] = seq.wrapping_add(taken);
        self
    }

    /// A segment at another place of the stream.
    pub(super) fn send_at(&mut self, side: Side, seq: u32, flags: Flags, payload: &[u8]) -> &mut Self {
        let ack = self.seq[side.other() as usize];
        let (from, to) = (self.ports[side as usize], self.ports[side.other() as usize]);
        let host = |side: Side| if side == Client { 1 } else { 2 };
        let (one, other) = (host(side), host(side.other()));
        let link = PacketBuilder::ethernet2([2, 0, 0, 0, 0, one], [2, 0, 0, 0, 0, other]);
        let ip = if self.v6 {
            let address = |host| [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host];
            link.ipv6(address(one), address(other), 64)
        } else {
            link.ipv4([10, 0, 0, one], [10, 0, 0, other], 64)
        };
        let mut tcp = ip.tcp(from, to, seq, 65535);
        if !flags.no_ack {
            tcp = tcp.ack(ack);
        }
        if flags.syn {
            tcp = tcp.syn();
        }
        if flags.fin {
            tcp = tcp.fin();
        }
        if flags.rst {
            tcp = tcp.rst();
        }
        let mut octets = Vec::new();
        tcp.write(&mut octets, payload).unwrap();
        self.shots.push(Shot { at: self.at, link: 1, length: octets.len() as u32, octets });
        self.at += 1_000_000;
        self
    }

    pub(super) fn say(&mut self, side: Side, text: &str) -> &mut Self {
        self.send(side, Flags::default(), text.as_bytes())
    }

    /// Lines as `C: text` and `S: text`, each a segment.
    pub(super) fn lines(&mut self, lines: &[&str]) -> &mut Self {
        for line in lines {
            let (side, text) = line.split_at(3);
            self.say(if side == "C: " { Client } else { Server }, &format!("{text}\r\n"));
        }
        self
    }

    pub(super) fn close(&mut self) -> &mut Self {
        let fin = Flags { fin: true, ..Flags::default() };
        self.send(Client, fin, b"").send(Server, fin, b"").send(Client, Flags::default(), b"")
    }

    /// Every frame in its IP packet alone.
    pub(super) fn packets(&self) -> Vec<Vec<u8>> {
        self.shots.iter().map(|shot| shot.octets[14..].to_vec()).collect()
    }

    pub(super) fn told(&self) -> Vec<String> {
        told(&self.shots)
    }
}

/// What is seen of frames.
pub(super) fn seen(shots: &[Shot], options: Options) -> (Vec<(u32, Saw)>, Tally) {
    let mut capture = Capture::new(options);
    let mut seen = Vec::new();
    let mut see = |number, saw| {
        seen.push((number, saw));
        Ok(())
    };
    for shot in shots {
        let frame = Frame { at: shot.at, link: shot.link, octets: &shot.octets, length: shot.length };
        capture.frame(&frame, &mut see).unwrap();
    }
    capture.finish(&mut see).unwrap();
    (seen, capture.tally().clone())
}

/// The same to read: what one side says in a row is one line.
pub(super) fn told(shots: &[Shot]) -> Vec<String> {
    lines(&seen(shots, Options::default()).0)
}

pub(super) fn lines(seen: &[(u32, Saw)]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut last = None;
    for (number, saw) in seen {
        let who = |side: &Side| if *side == Client { "C" } else { "S" };
        let now = if let Saw::Octets(side, ..) = saw { Some((*number, *side)) } else { None };
        let line = match saw {
            Saw::Opened { client, server, .. } => format!("{number} {client} > {server}"),
            Saw::Octets(side, _, octets) => {
                let text = String::from_utf8_lossy(octets);
                if now == last
                    && let Some(line) = lines.last_mut()
                {
                    line.push_str(&text);
                    continue;
                }
                format!("{number} {}: {text}", who(side))
            }
            Saw::Missing(side, octets) => format!("{number} {} misses {octets}", who(side)),
            Saw::Tls(tls) => format!("{number} TLS readable {}", tls.readable),
            Saw::Note(_, kind, _) => format!("{number} note {kind}"),
            Saw::Closed(side, how, _) => format!("{number} {} {how:?}", who(side)),
            Saw::Ended { by: None, .. } => format!("{number} cut"),
            Saw::Ended { by: Some((side, how)), .. } => format!("{number} ended by {} {how:?}", who(side)),
        };
        last = now;
        lines.push(line);
    }
    lines.iter().map(|line| line.replace("\r\n", "|")).collect()
}
