//! Watches a handshake until it is known what it agreed on and its data begins.

use bytes::BytesMut;

use super::hello::{ClientHello, ServerHello, TLS13};
use super::messages::{CLIENT_HELLO, Messages, SERVER_HELLO};
use super::record::{self, ALERT, APPLICATION_DATA, Cut, HANDSHAKE, Record};
use crate::wire::{Micros, Side, Tls};

/// What octets of a handshake say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing before there are more.
    More,
    /// An alert in clear.
    Alert(Vec<u8>),
    /// The hellos are known, and more came: the secrets may be there.
    Agreed,
    /// Application data begins: the secrets must be there now.
    Data,
    /// This is no handshake that can be followed.
    Malformed,
}

/// A handshake.
#[derive(Debug, Default)]
pub(super) struct Watch {
    client: Half,
    server: Half,
    pub(super) client_hello: Option<ClientHello>,
    pub(super) server_hello: Option<ServerHello>,
    /// TLS 1.3: the client sent something under protection, its `Finished` most likely. What is protected after
    /// that, from either side, is data.
    client_protects: bool,
    /// Octets are missing, without which it does not show when the data begins.
    blind: bool,
}

#[derive(Debug, Default)]
struct Half {
    octets: BytesMut,
    messages: Messages,
}

impl Watch {
    /// Takes the next octets of a side; [`Watch::step`] says what they bring.
    pub(super) fn add(&mut self, side: Side, octets: &[u8]) {
        self.half(side).octets.extend_from_slice(octets);
    }

    /// What is kept of it, in octets.
    pub(super) fn weight(&self) -> usize {
        [&self.client, &self.server].map(|half| half.octets.len() + half.messages.weight()).iter().sum()
    }

    /// What both agreed on, once it is known.
    pub(super) const fn hellos(&self) -> Option<(&ClientHello, &ServerHello)> {
        match (&self.client_hello, &self.server_hello) {
            (Some(client), Some(server)) => Some((client, server)),
            _ => None,
        }
    }

    /// What the hellos say, of a handshake that was over at this time.
    pub(super) fn facts(&self, at: Micros) -> Box<Tls> {
        let (client, server) = (self.client_hello.as_ref(), self.server_hello.as_ref());
        Box::new(Tls {
            at,
            version: server.map(ServerHello::version_name),
            cipher: server.map(ServerHello::suite_name),
            server_name: client.and_then(|hello| hello.server_name.clone()),
            alpn: server.and_then(|hello| hello.alpn.clone()),
            ..Tls::default()
        })
    }

    /// Octets of a side are missing. A hello may be whole in a record that is not.
    pub(super) fn missing(&mut self, side: Side) {
        self.blind = true;
        let octets = self.half(side).octets.split();
        if octets.first() == Some(&HANDSHAKE) {
            self.record(side, &Record { kind: HANDSHAKE, octets: &octets });
        }
    }

    /// The next thing that the octets of a side say.
    pub(super) fn step(&mut self, side: Side) -> Seen {
        if self.blind {
            return Seen::Data;
        }
        loop {
            let half = self.half(side);
            let length = match record::first(&half.octets) {
                Cut::More => return Seen::More,
                Cut::Malformed => return Seen::Malformed,
                Cut::Whole(record) => record.octets.len(),
            };
            let Some(kind) = half.octets.first().copied() else {
                return Seen::More;
            };
            let octets = half.octets.split_to(length);
            let seen = self.record(side, &Record { kind, octets: &octets });
            if seen != Seen::More {
                return seen;
            }
        }
    }

    const fn half(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    fn record(&mut self, side: Side, record: &Record<'_>) -> Seen {
        match record.kind {
            // What is protected is longer.
            ALERT if record.fragment().len() == 2 => Seen::Alert(record.fragment().to_vec()),
            HANDSHAKE if self.hellos().is_none() => {
                let messages = self.half(side).messages.add(record.fragment());
                let well = messages.iter().all(|message| match (side, message.kind) {
                    (Side::Client, CLIENT_HELLO) => self.client_hello(&message.body),
                    (Side::Server, SERVER_HELLO) => self.server_hello(&message.body),
                    _ => true,
                });
                if well { Seen::More } else { Seen::Malformed }
            }
            APPLICATION_DATA => self.protected(side),
            _ => self.agreed(),
        }
    }

    /// Of several (after a request to try again) the last counts; their random octets are the same.
    fn client_hello(&mut self, body: &[u8]) -> bool {
        self.client_hello = ClientHello::parse(body);
        self.client_hello.is_some()
    }

    fn server_hello(&mut self, body: &[u8]) -> bool {
        let hello = ServerHello::parse(body);
        let well = hello.is_some();
        self.server_hello = hello.filter(|hello| !hello.is_retry());
        well
    }

    fn protected(&mut self, side: Side) -> Seen {
        match &self.server_hello {
            // Early data, or the frames came in another order.
            None => Seen::More,
            Some(hello) if hello.version < TLS13 => Seen::Data,
            Some(_) if self.client_protects => Seen::Data,
            Some(_) => {
                self.client_protects = side == Side::Client;
                self.agreed()
            }
        }
    }

    const fn agreed(&self) -> Seen {
        if self.hellos().is_some() { Seen::Agreed } else { Seen::More }
    }
}
