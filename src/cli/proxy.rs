//! The proxy at work: what `record` and `demo` have in common.

use std::sync::Arc;

use tokio::sync::watch;

use super::outlets::Queues;
use super::output::warn;
use crate::net::address::Upstream;
use crate::net::clock::Clock;
use crate::net::listen::{Accepted, Listener, Until, serve};
use crate::net::pool::Pool;
use crate::net::pump::{self, Surroundings};
use crate::net::tls::Ends;
use crate::net::tls::sniffer::Sniffer;
use crate::pop3::Secrets;
use crate::recording::Header;
use crate::relay::{Policy, Relay};
use crate::wire::Security;

/// What a recording names as its maker.
pub(super) const GENERATOR: &str = concat!("poptape ", env!("CARGO_PKG_VERSION"));

/// What every session of a run is made from.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) upstream: Upstream,
    pub(super) secrets: Secrets,
    pub(super) pool: Pool,
    pub(super) tls: Ends,
    policies: [Arc<Policy>; 3],
    /// Whether TLS on the client's leg is recorded as it passed, too.
    sniffs: bool,
}

impl Proxy {
    /// Relays to an upstream. The policy is for sessions of every listener, whatever it says of the client's leg.
    pub(super) fn new(upstream: Upstream, secrets: Secrets, tls: Ends, policy: &Policy) -> Self {
        let policies = [Security::Plain, Security::Stls, Security::Implicit].map(|client| {
            let policy = Policy { client, upstream: upstream.security, ..policy.clone() };
            Arc::new(policy)
        });
        Self { upstream, secrets, pool: Pool::default(), tls, policies, sniffs: false }
    }

    /// The same, that records TLS on the client's leg as it passed, too.
    pub(super) fn sniffing(self, sniffs: bool) -> Self {
        Self { sniffs, ..self }
    }

    fn header(&self, accepted: &Accepted, started: chrono::DateTime<chrono::Utc>) -> Header {
        Header {
            generator: GENERATOR.to_owned(),
            session: accepted.number,
            started,
            client: accepted.client.to_string(),
            listener: accepted.listener.to_string(),
            upstream: self.upstream.to_string(),
            server: None,
            secrets: self.secrets,
            origin: None,
            unknown: serde_json::Map::new(),
            outer: serde_json::Map::new(),
        }
    }

    /// Relays a session to its end.
    pub(super) async fn session(
        self: Arc<Self>,
        accepted: Accepted,
        stop: watch::Receiver<bool>,
        queues: Queues,
    ) {
        let (clock, started) = Clock::start();
        let policy = &self.policies[accepted.security as usize];
        let relay = Relay::new(self.header(&accepted, started), policy);
        let (pool, upstream, tls) = (&self.pool, Some(&self.upstream), &self.tls);
        let sniffer = self.sniffs.then(|| Arc::new(Sniffer::new(clock)));
        let looking = sniffer.clone();
        let around = Surroundings { clock, pool, upstream, tls, sniffer, maildrops: None, stop };
        let number = accepted.number;
        pump::run(relay, accepted.stream, around, |relay| {
            let entries = relay.entries();
            queues.put(
                number,
                match &looking {
                    Some(sniffer) => sniffer.join(entries),
                    None => entries,
                },
            )
        })
        .await;
    }
}

/// Serves as long as it may.
pub(super) async fn relay(proxy: Arc<Proxy>, listeners: Vec<Listener>, until: Until, queues: Queues) {
    let stop = until.stop.clone();
    let session = move |accepted| Arc::clone(&proxy).session(accepted, stop.clone(), queues.clone());
    serve(listeners, until, |problem| warn(&problem), session).await;
}
