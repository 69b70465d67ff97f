//! A session that the key log may open: both lanes, and what is said in them.

use bytes::Bytes;

use super::hello::{self, ClientHello, ServerHello, TLS13};
use super::lane::{Lane, Step};
use super::messages::{CLIENT_HELLO, ENCRYPTED_EXTENSIONS, FINISHED, KEY_UPDATE, Messages};
use super::opener::{Opened, Opener};
use super::record::{ALERT, APPLICATION_DATA, HANDSHAKE};
use super::{Out, alert};
use crate::capture::keylog::{KeyLog, Label};
use crate::wire::{Micros, Side};

/// Whether the secrets are the right ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// Nothing was opened yet.
    Open,
    /// Something opened.
    Proven,
    /// Something did not before anything had.
    Refuted,
}

/// A session.
pub(super) struct Session {
    client: Half,
    server: Half,
    tls13: bool,
    early_told: bool,
    /// What the server agreed on under protection.
    pub(super) alpn: Option<String>,
    pub(super) proof: Proof,
}

struct Half {
    lane: Lane,
    messages: Messages,
}

impl Session {
    /// None where the key log lacks what it takes.
    pub(super) fn new(client: &ClientHello, server: &ServerHello, keys: &KeyLog) -> Option<Self> {
        let suite = server.suite()?;
        let tls13 = server.version == TLS13;
        let [client, server] = if tls13 {
            let opener =
                |label| keys.get(&client.random, label).and_then(|secret| Opener::tls13(suite, secret));
            [
                Lane::tls13(opener(Label::ClientHandshake), opener(Label::ClientTraffic)?, client.early_data),
                Lane::tls13(opener(Label::ServerHandshake), opener(Label::ServerTraffic)?, false),
            ]
        } else {
            let master = keys.get(&client.random, Label::Master)?;
            Opener::tls12(suite, master, &client.random, &server.random)?.map(Lane::tls12)
        };
        let half = |lane| Half { lane, messages: Messages::default() };
        Some(Self {
            client: half(client),
            server: half(server),
            tls13,
            early_told: false,
            alpn: None,
            proof: Proof::Open,
        })
    }

    /// The handshake is over.
    pub(super) const fn is_agreed(&self) -> bool {
        self.client.lane.is_last() && self.server.lane.is_last()
    }

    /// What waits for the rest of its record or is looked through, in octets.
    pub(super) fn weight(&self) -> usize {
        [&self.client, &self.server].map(|half| half.lane.weight() + half.messages.weight()).iter().sum()
    }

    /// Waits for nothing any more: a side of which something waits stays closed from here on.
    pub(super) fn let_go(&mut self, at: Micros, out: &mut dyn FnMut(Out)) {
        for side in [Side::Client, Side::Server] {
            if self.half(side).lane.weight() > 0 {
                self.half(side).lane.give_up();
                Self::hopeless(side, at, out);
                self.steps(side, at, out);
            }
        }
    }

    /// The next octets of a side.
    pub(super) fn octets(&mut self, side: Side, at: Micros, octets: &[u8], out: &mut dyn FnMut(Out)) {
        self.half(side).lane.add(octets);
        self.steps(side, at, out);
    }

    /// So many octets of a side are missing.
    pub(super) fn missing(&mut self, side: Side, octets: u64) {
        self.half(side).lane.missing(octets);
    }

    /// Nothing more comes from a side.
    pub(super) fn close(&mut self, side: Side, at: Micros, out: &mut dyn FnMut(Out)) {
        let rest = self.half(side).lane.close();
        if !rest.is_empty() {
            let (name, count) = (side.name(), rest.len());
            out(Out::Note(
                at,
                "tls-cut",
                format!("the last {count} octets that the {name} sent under TLS could not be decrypted"),
            ));
            out(Out::Opaque(side, at, rest));
        }
    }

    const fn half(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    fn steps(&mut self, side: Side, at: Micros, out: &mut dyn FnMut(Out)) {
        let name = side.name();
        while self.proof != Proof::Refuted {
            match self.half(side).lane.step() {
                Step::More => return,
                Step::Early if !self.early_told => {
                    self.early_told = true;
                    let text = "the client sent data before the server's hello (0-RTT), which is left out";
                    out(Out::Note(at, "tls-early-data", text.to_owned()));
                }
                Step::Opened(opened) => self.opened(side, at, opened, out),
                Step::Found(lost, opened) => {
                    let text = format!("{lost} octets that the {name} sent under TLS could not be decrypted");
                    out(Out::Note(at, "tls-undecrypted", text));
                    self.opened(side, at, opened, out);
                }
                Step::Lost | Step::Hopeless if self.proof == Proof::Open => self.proof = Proof::Refuted,
                Step::Passed | Step::Early | Step::Lost => {}
                Step::Hopeless => Self::hopeless(side, at, out),
                Step::Opaque(octets) => out(Out::Opaque(side, at, octets)),
            }
        }
    }

    fn hopeless(side: Side, at: Micros, out: &mut dyn FnMut(Out)) {
        let text = format!("what the {} sends under TLS can no longer be decrypted", side.name());
        out(Out::Note(at, "tls-undecrypted", text));
    }

    fn opened(&mut self, side: Side, at: Micros, opened: Opened, out: &mut dyn FnMut(Out)) {
        self.proof = Proof::Proven;
        match opened.kind {
            APPLICATION_DATA if opened.content.is_empty() => {}
            APPLICATION_DATA => out(Out::Plain(side, at, Bytes::from(opened.content))),
            ALERT => alert::note(side, at, &opened.content).into_iter().for_each(out),
            HANDSHAKE => {
                for message in self.half(side).messages.add(&opened.content) {
                    match message.kind {
                        FINISHED if self.tls13 => self.half(side).lane.finished(),
                        KEY_UPDATE if self.tls13 => self.half(side).lane.update(),
                        ENCRYPTED_EXTENSIONS => self.alpn = hello::encrypted_protocol(&message.body),
                        CLIENT_HELLO => self.renegotiated(at, out),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    /// The new handshake is under the keys of the old, and its keys follow from secrets that no log names by it.
    fn renegotiated(&mut self, at: Micros, out: &mut dyn FnMut(Out)) {
        let text = "the client begins another handshake in this one (renegotiation), which is not decrypted";
        out(Out::Note(at, "tls-renegotiation", text.to_owned()));
        self.client.lane.give_up();
        self.server.lane.give_up();
    }
}
