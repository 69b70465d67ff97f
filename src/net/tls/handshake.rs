//! The handshake on a leg, on either side of it: what came of it, for people to read.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rustls::server::Acceptor as Hello;
use rustls::{Connection, ServerConnection};
use tokio::time::timeout;

use super::acceptor::{Acceptor, Failing};
use super::authority::Flaw;
use super::connector::Connector;
use super::layer::Layer;
use super::{certificate, failure};
use crate::net::leg::Leg;
use crate::net::pool::Pool;
use crate::pop3::excerpt;
use crate::wire::{Alert, Handshake, Side, Tls, TlsFailure};

/// How long a peer gets.
const LIMIT: Duration = Duration::from_secs(30);

/// So many octets in clear are thrown away where a handshake is due; a peer that sends more wants none.
const MAX_CLEAR: usize = 64 * 1024;

/// The records that TLS is made of, from `change_cipher_spec` to `application_data` (RFC 8446 section 5.1).
const RECORDS: std::ops::RangeInclusive<u8> = 20..=23;

/// A fatal `handshake_failure` in a record of its own (RFC 8446 sections 5.1 and 6), which a client that has said no more
/// than its hello understands.
const HANDSHAKE_FAILURE: &[u8] = &[21, 3, 3, 0, 2, 2, 40];

/// Lets the peer of a leg begin TLS, as its server.
pub(in crate::net) async fn accept(leg: &mut Leg, acceptor: &Acceptor, pool: &Pool) -> Handshake {
    let mut handshake = Handshake::new(Tls::of(Side::Client));
    let mut opening = Opening::new(leg.used());
    let result = timeout(LIMIT, async {
        let (connection, rest) = hello(leg, acceptor, pool, &mut opening, &mut handshake.tls).await?;
        finish(leg, connection.into(), rest, pool, &mut opening).await
    });
    let result = result.await.unwrap_or_else(|_| Err(opening.silence(Side::Client)));
    conclude(leg, result, &mut handshake.tls);
    if let Some(Failing::Certificate(flaw)) = acceptor.failure() {
        let flaw = match flaw {
            Flaw::Expired => "has expired",
            Flaw::WrongHost => "is for another host",
            Flaw::Untrusted => "is signed by nobody whom anybody trusts",
        };
        handshake.flaw = Some(flaw);
        if let Some(failure) = &mut handshake.tls.failure {
            failure.hint = Some(format!("as it should be: --tls-fail showed it a certificate that {flaw}"));
        }
    }
    handshake.clear = opening.clear();
    handshake
}

/// Begins TLS on a leg, as its client.
pub(in crate::net) async fn connect(leg: &mut Leg, connector: &Connector, pool: &Pool) -> Handshake {
    let mut tls = Tls { server_name: connector.asked_for(), ..Tls::of(Side::Server) };
    let mut opening = Opening::new(leg.used());
    let (connection, judge, asked) = match connector.connection() {
        Ok(made) => made,
        Err(error) => {
            conclude(leg, Err(failure::plain(error.to_string())), &mut tls);
            return Handshake::new(tls);
        }
    };
    let result = timeout(LIMIT, finish(leg, connection.into(), Bytes::new(), pool, &mut opening));
    let result = result.await.unwrap_or_else(|_| Err(opening.silence(Side::Server)));
    let result = result.map_err(|why| if asked.in_vain() { failure::without_certificate(why) } else { why });
    (tls.chain, tls.trust) = judge.found();
    conclude(leg, result, &mut tls);
    let remark = (tls.failure.is_none() && asked.in_vain()).then(|| {
        "the server asked for a client certificate, and got none: --upstream-cert FILE --upstream-key FILE".to_owned()
    });
    Handshake { clear: opening.clear(), remark, ..Handshake::new(tls) }
}

/// Nobody here can do it: a machine asked for TLS on a leg that has none.
pub(in crate::net) fn impossible(leg: &mut Leg, side: Side) -> Handshake {
    let mut tls = Tls::of(side);
    conclude(leg, Err(failure::plain("there is no TLS on this leg")), &mut tls);
    Handshake::new(tls)
}

/// The peer has gone before it began.
pub(in crate::net) fn gone(side: Side) -> Handshake {
    Handshake::new(Tls { failure: Some(failure::gone(side, true)), ..Tls::of(side) })
}

/// Where handshake messages are due: what is none is put aside.
struct Opening {
    /// TLS was asked for in clear, so that more may come in clear before it.
    asked: bool,
    clear: BytesMut,
    begun: bool,
    /// In the middle of a line in clear.
    in_line: bool,
}

impl Opening {
    fn new(asked: bool) -> Self {
        Self { asked, clear: BytesMut::new(), begun: false, in_line: false }
    }

    /// What of `octets` is TLS; why there is none, where there cannot be any.
    fn records(&mut self, leg: Side, mut octets: Bytes) -> Result<Bytes, TlsFailure> {
        while !self.begun && !octets.is_empty() {
            if !self.in_line && RECORDS.contains(&octets[0]) {
                self.begun = true;
                break;
            }
            let line = memchr::memchr(b'\n', &octets);
            self.in_line = line.is_none();
            let len = line.map_or(octets.len(), |end| end + 1);
            self.clear.extend_from_slice(&octets.split_to(len));
            if !self.asked || self.clear.len() > MAX_CLEAR {
                return Err(failure::clear(leg, &excerpt(leg, &self.clear)));
            }
        }
        Ok(octets)
    }

    /// What came in clear after STLS. Where TLS comes first, it is why there is none.
    fn clear(self) -> Bytes {
        if self.asked { self.clear.freeze() } else { Bytes::new() }
    }

    fn silence(&self, leg: Side) -> TlsFailure {
        failure::silent(leg, LIMIT.as_secs(), self.asked)
    }

    /// The peer has gone.
    fn gone(&self, leg: Side, reset: bool) -> TlsFailure {
        if !self.begun && !self.clear.is_empty() {
            failure::clear(leg, &excerpt(leg, &self.clear))
        } else if !self.begun && !self.asked && !reset {
            failure::mute(leg)
        } else {
            failure::gone(leg, reset)
        }
    }
}

/// Reads the client's hello, and chooses what to show it. Gives the records that came behind it, too.
async fn hello(
    leg: &mut Leg,
    acceptor: &Acceptor,
    pool: &Pool,
    opening: &mut Opening,
    tls: &mut Tls,
) -> Result<(ServerConnection, Bytes), TlsFailure> {
    let (mut hello, mut rest) = (Hello::default(), Bytes::new());
    let accepted = loop {
        if rest.is_empty() {
            rest = read(leg, Side::Client, pool, opening).await?;
        }
        // It takes a part of much at once, and nothing behind the word that nothing comes.
        let mut records = &rest[..];
        let taken = hello.read_tls(&mut records).map_err(|error| failure::plain(error.to_string()))?;
        if taken == 0 && !rest.is_empty() {
            return Err(opening.gone(Side::Client, false));
        }
        drop(rest.split_to(taken));
        match hello.accept() {
            Ok(None) => {}
            Ok(Some(accepted)) => break accepted,
            Err((error, mut alert)) => {
                return Err(told(leg, failure::of(Side::Client, &error), &mut alert));
            }
        }
    };
    tls.server_name = accepted.client_hello().server_name().map(ToOwned::to_owned);
    match acceptor.failure() {
        Some(Failing::Handshake) => {
            leg.send_raw(HANDSHAKE_FAILURE);
            let alert = Some(Alert { name: "handshake_failure".to_owned(), sent: true });
            return Err(TlsFailure { alert, ..failure::plain("refused on purpose: --tls-fail handshake") });
        }
        Some(Failing::Reset) => {
            leg.reset_at_end();
            return Err(failure::plain("reset on purpose: --tls-fail reset"));
        }
        _ => {}
    }
    let config = acceptor.config(&accepted.client_hello(), leg.local_address()).map_err(failure::plain)?;
    let config = leg.sniffer().map_or_else(|| Arc::clone(&config), |by| Arc::new(by.overhearing(&config)));
    let connection = accepted
        .into_connection(config)
        .map_err(|(error, mut alert)| told(leg, failure::of(Side::Client, &error), &mut alert))?;
    Ok((connection, rest))
}

/// Sends an alert that says why it came to nothing.
fn told(leg: &mut Leg, why: TlsFailure, alert: &mut rustls::server::AcceptedAlert) -> TlsFailure {
    let mut record = Vec::new();
    // Writing into memory cannot fail.
    let _ = alert.write_all(&mut record);
    leg.send_raw(&record);
    why
}

/// Takes a handshake to its end, beginning with the records that there are.
async fn finish(
    leg: &mut Leg,
    connection: Connection,
    mut records: Bytes,
    pool: &Pool,
    opening: &mut Opening,
) -> Result<(), TlsFailure> {
    let side = match &connection {
        Connection::Client(_) => Side::Server,
        Connection::Server(_) => Side::Client,
    };
    leg.secure(Layer::new(connection));
    loop {
        let Some(layer) = leg.layer() else { return Ok(()) };
        layer.shake_hands(&records).map_err(|error| failure::of(side, &error))?;
        let (over, closed) = (!layer.connection().is_handshaking(), layer.is_closed());
        leg.sent().await.map_err(|_| opening.gone(side, true))?;
        if over {
            return Ok(());
        }
        if closed {
            return Err(opening.gone(side, false));
        }
        records = read(leg, side, pool, opening).await?;
    }
}

/// The next records.
async fn read(leg: &mut Leg, side: Side, pool: &Pool, opening: &mut Opening) -> Result<Bytes, TlsFailure> {
    match leg.read_raw(pool).await {
        Ok(octets) if octets.is_empty() => Err(opening.gone(side, false)),
        Ok(octets) => opening.records(side, octets),
        Err(_) => Err(opening.gone(side, true)),
    }
}

/// Writes down what came of it; a leg whose handshake failed is of no use any more.
fn conclude(leg: &mut Leg, result: Result<(), TlsFailure>, tls: &mut Tls) {
    if let Err(failure) = result {
        leg.flush();
        leg.fail();
        tls.failure = Some(failure);
        return;
    }
    let Some(layer) = leg.layer() else { return };
    let connection = layer.connection();
    tls.readable = true;
    tls.version = connection.protocol_version().map(|version| version_name(version).to_owned());
    tls.cipher =
        connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str().map(suite_name));
    tls.alpn = connection.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
    if tls.chain.is_empty() {
        tls.chain = certificate::chain(connection.peer_certificates().unwrap_or_default());
    }
}

fn version_name(version: rustls::ProtocolVersion) -> &'static str {
    match version {
        rustls::ProtocolVersion::TLSv1_3 => "TLSv1.3",
        _ => "TLSv1.2",
    }
}

/// By its IANA name, which rustls abbreviates for TLS 1.3.
fn suite_name(name: &str) -> String {
    name.replacen("TLS13_", "TLS_", 1)
}
