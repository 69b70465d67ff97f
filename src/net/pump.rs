//! The pump: performs a state machine's actions on real sockets and tells it what happened. One task a
//! session; while it is idle it holds no buffer. A side is not read while the other cannot be written, so
//! that a slow reader slows its peer down and memory stays bounded.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Sleep, sleep_until, timeout};

use super::address::Upstream;
use super::clock::Clock;
use super::leg::Leg;
use super::pool::Pool;
use super::tls::sniffer::Sniffer;
use super::tls::{Ends, handshake};
use super::writer::Wait;
use crate::maildrop::{Attendant, Source};
use crate::wire::{
    Action, Ask, Close, Handshake, Input, Machine, NotRead, NotRemoved, OpenError, Side, Told,
};

/// How long to wait for the upstream to accept.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);

/// How long a peer gets to take note that the session is over before its socket is dropped.
const LINGER_LIMIT: Duration = Duration::from_secs(2);

/// What a session needs besides its machine and its client.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// The session's clock.
    pub clock: Clock,
    /// What to read into.
    pub pool: &'a Pool,
    /// Where [`Action::Connect`] leads.
    pub upstream: Option<&'a Upstream>,
    /// How [`Action::StartTls`] is done.
    pub tls: &'a Ends,
    /// Who looks at the client's leg from its handshake on.
    pub sniffer: Option<Arc<Sniffer>>,
    /// What [`Action::Ask`] asks.
    pub maildrops: Option<Arc<dyn Source>>,
    /// Turns true when the session shall end.
    pub stop: watch::Receiver<bool>,
}

/// Runs a session to its end. After each step `after` is given the machine, to take from it what it found; the
/// next step waits for what it gives back.
pub async fn run<M: Machine>(
    mut machine: M,
    client: TcpStream,
    around: Surroundings<'_>,
    mut after: impl FnMut(&mut M) -> Option<Wait>,
) {
    let Surroundings { clock, pool, upstream, tls, sniffer, maildrops, mut stop } = around;
    let mut attendant = maildrops.map(Attendant::new);
    let mut legs = Legs {
        client: Some(Leg::new(client).sniffed(sniffer)),
        server: None,
        timer: None,
        resume: false,
        reading: Side::Client,
    };
    let mut actions = Vec::new();
    // What was asked for and is not performed yet.
    let (mut asked, mut secure) = (None, None);
    let mut input = Input::Opened;
    loop {
        machine.handle(clock.now(), input, &mut actions);
        let mut connect = false;
        let mut over = false;
        for action in actions.drain(..) {
            match action {
                Action::Connect => connect = true,
                Action::Close => over = true,
                Action::Ask(ask) => asked = Some(ask),
                Action::StartTls(side) => secure = Some(side),
                Action::WakeAt(at) if at <= clock.now() => legs.resume = true,
                Action::WakeAt(at) => legs.timer = Some(Box::pin(sleep_until(clock.instant(at).into()))),
                action => legs.perform(action),
            }
        }
        if over {
            legs.part();
        }
        if let Some(wait) = after(&mut machine) {
            wait.await;
        }
        if over {
            // A peer that lingers keeps nobody from the maildrop.
            drop(attendant);
            let stopped = *stop.borrow();
            if !stopped {
                // Past the limit the peer does not listen: there is nothing left to do for it.
                let _ = Box::pin(timeout(LINGER_LIMIT, legs.linger(pool))).await;
            }
            return;
        }
        input = if connect {
            // In a box, as the end is: what is rare shall not make every session's task larger.
            tokio::select! {
                result = Box::pin(open(upstream)) => match result {
                    Ok((stream, address)) => {
                        legs.server = Some(Leg::new(stream));
                        Input::Connected(address)
                    }
                    Err(reason) => Input::ConnectFailed(reason),
                },
                _ = stop.changed() => Input::Stop,
            }
        } else if let Some(ask) = asked.take() {
            // What is asked for is sent before long: until then a slow reader waits, and nothing is read. The machine
            // is woken all the same: it may have no more patience with the reader.
            match Box::pin(sent(&mut legs, &mut stop)).await {
                Some(Input::Woke) => {
                    asked = Some(ask);
                    Input::Woke
                }
                Some(input) => input,
                None => Input::Told(perform(&mut attendant, ask).await),
            }
        } else if let Some(side) = secure.take() {
            // The peer begins once it has read what was sent in clear.
            if let Some(input) = Box::pin(sent(&mut legs, &mut stop)).await {
                secure = matches!(input, Input::Woke).then_some(side);
                input
            } else {
                let began = clock.now();
                tokio::select! {
                    mut handshake = Box::pin(legs.secure(side, tls, pool)) => {
                        handshake.tls.at = clock.now();
                        handshake.tls.took = Some(handshake.tls.at - began);
                        Input::Tls(handshake)
                    }
                    _ = stop.changed() => Input::Stop,
                }
            }
        } else {
            let mut stopped = pin!(stop.changed());
            poll_fn(|cx| match stopped.as_mut().poll(cx) {
                Poll::Ready(_) => Poll::Ready(Input::Stop),
                Poll::Pending => legs.poll(cx, pool),
            })
            .await
        };
    }
}

/// Waits until everything is sent; gives what came instead.
async fn sent(legs: &mut Legs, stop: &mut watch::Receiver<bool>) -> Option<Input> {
    tokio::select! {
        lost = poll_fn(|cx| legs.poll_sent(cx)) => lost,
        _ = stop.changed() => Some(Input::Stop),
    }
}

/// Asks the maildrops, on a thread of its own where it may take a while.
async fn perform(attendant: &mut Option<Attendant>, ask: Ask) -> Told {
    let refused = refusal(&ask);
    let Some(mut at_hand) = attendant.take() else { return refused };
    if !at_hand.blocks() {
        let told = at_hand.perform(ask);
        *attendant = Some(at_hand);
        return told;
    }
    let performed = tokio::task::spawn_blocking(move || {
        let told = at_hand.perform(ask);
        (at_hand, told)
    });
    match Box::pin(performed).await {
        Ok((back, told)) => {
            *attendant = Some(back);
            told
        }
        Err(_) => refused,
    }
}

/// The answer where there is nobody to ask.
fn refusal(ask: &Ask) -> Told {
    match ask {
        Ask::Open { .. } => Told::Opened(Err(OpenError::Unreadable)),
        Ask::Read { .. } => Told::Read(Err(NotRead)),
        Ask::Commit { .. } => Told::Committed(Err(NotRemoved)),
    }
}

/// Connects to the upstream; why not, in words for a person.
async fn open(upstream: Option<&Upstream>) -> Result<(TcpStream, SocketAddr), String> {
    let Some(upstream) = upstream else { return Err("there is no upstream".to_owned()) };
    let target = (upstream.host.as_str(), upstream.port);
    let stream = match timeout(CONNECT_LIMIT, TcpStream::connect(target)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(format!("{upstream}: {error}")),
        Err(_) => return Err(format!("{upstream}: no answer for {} s", CONNECT_LIMIT.as_secs())),
    };
    let address = stream.peer_addr().map_err(|error| format!("{upstream}: {error}"))?;
    Ok((stream, address))
}

struct Legs {
    client: Option<Leg>,
    server: Option<Leg>,
    timer: Option<Pin<Box<Sleep>>>,
    /// The machine has more to say once what it said is sent.
    resume: bool,
    /// The side to read first the next time, so that a busy one does not starve the other.
    reading: Side,
}

impl Legs {
    fn leg(&mut self, side: Side) -> &mut Option<Leg> {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Send(side, octets) => {
                if let Some(leg) = self.leg(side) {
                    leg.send(octets);
                }
            }
            Action::Finish(side) => {
                if let Some(leg) = self.leg(side) {
                    leg.finish(true);
                }
            }
            Action::Truncate(side) => {
                if let Some(leg) = self.leg(side) {
                    leg.finish(false);
                }
            }
            Action::Reset(side) => {
                if let Some(mut leg) = self.leg(side).take() {
                    leg.reset_at_end();
                }
            }
            Action::Connect | Action::Close | Action::WakeAt(_) | Action::Ask(_) | Action::StartTls(_) => {}
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, pool: &Pool) -> Poll<Input> {
        if self.poll_timer(cx) {
            return Poll::Ready(Input::Woke);
        }
        if let Some(lost) = self.send_on(cx) {
            return Poll::Ready(lost);
        }
        let sent = |leg: &Option<Leg>| leg.as_ref().is_none_or(|leg| !leg.waits());
        if self.resume && sent(&self.client) && sent(&self.server) {
            self.resume = false;
            return Poll::Ready(Input::Woke);
        }
        if self.resume {
            return Poll::Pending;
        }
        for side in [self.reading, self.reading.other()] {
            // What it says goes to the other side, or comes back to it where there is no other.
            let answered = if self.leg(side.other()).is_some() { side.other() } else { side };
            let blocked = !sent(self.leg(answered));
            let Some(leg) = self.leg(side).as_mut().filter(|leg| leg.readable && !blocked) else { continue };
            let Poll::Ready(result) = leg.poll_read(cx, pool) else { continue };
            let input = match result {
                Ok(octets) => Input::Received(side, octets),
                Err(Close::Reset) => self.lost(side),
                Err(how) => {
                    leg.readable = false;
                    Input::Closed(side, how)
                }
            };
            self.reading = side.other();
            return Poll::Ready(input);
        }
        Poll::Pending
    }

    /// Whether the timer has gone off.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> bool {
        let off = self.timer.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready());
        if off {
            self.timer = None;
        }
        off
    }

    /// Sends what is unsent as far as it goes; gives the connection that it found lost.
    fn send_on(&mut self, cx: &mut Context<'_>) -> Option<Input> {
        for side in [Side::Client, Side::Server] {
            if let Some(leg) = self.leg(side)
                && leg.waits()
                && let Poll::Ready(Err(_)) = leg.poll_send(cx)
            {
                return Some(self.lost(side));
            }
        }
        None
    }

    /// Ready once everything is sent, or a connection is lost, or the timer goes off.
    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Option<Input>> {
        if self.poll_timer(cx) {
            return Poll::Ready(Some(Input::Woke));
        }
        if let Some(lost) = self.send_on(cx) {
            return Poll::Ready(Some(lost));
        }
        let waits = |leg: &Option<Leg>| leg.as_ref().is_some_and(Leg::waits);
        if waits(&self.client) || waits(&self.server) { Poll::Pending } else { Poll::Ready(None) }
    }

    /// Lets a side's TLS begin.
    async fn secure(&mut self, side: Side, tls: &Ends, pool: &Pool) -> Box<Handshake> {
        let handshake = match (self.leg(side), side) {
            (Some(leg), Side::Client) => match &tls.client {
                Some(acceptor) => handshake::accept(leg, acceptor, pool).await,
                None => handshake::impossible(leg, side),
            },
            (Some(leg), Side::Server) => match &tls.server {
                Some(connector) => handshake::connect(leg, connector, pool).await,
                None => handshake::impossible(leg, side),
            },
            (None, _) => handshake::gone(side),
        };
        Box::new(handshake)
    }

    fn lost(&mut self, side: Side) -> Input {
        let mut lost = self.leg(side).take();
        let why = lost.as_mut().and_then(Leg::layer).and_then(|layer| layer.why_broken(side));
        why.map_or(Input::Closed(side, Close::Reset), |why| Input::Broke(side, Box::new(why)))
    }

    /// Ends what is open in order: FIN follows what is unsent.
    fn part(&mut self) {
        for leg in [&mut self.client, &mut self.server].into_iter().flatten() {
            leg.finish(true);
        }
    }

    /// Waits until what is open has parted; whatever the peer still says is thrown away until it closes too. Dropping
    /// a socket with unread octets would reset it, and a reset overtakes the last words.
    async fn linger(&mut self, pool: &Pool) {
        for side in [Side::Client, Side::Server] {
            let Some(mut leg) = self.leg(side).take() else { continue };
            if leg.sent().await.is_err() {
                continue;
            }
            while leg.readable {
                leg.readable = leg.read_raw(pool).await.is_ok_and(|octets| !octets.is_empty());
            }
        }
    }
}
