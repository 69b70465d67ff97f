//! Sessions of the built-in server on accepted connections.

use std::sync::Arc;

use tokio::sync::watch;

use super::clock::Clock;
use super::dice::nonce;
use super::listen::Accepted;
use super::pool::Pool;
use super::pump::{self, Surroundings};
use super::tls::Ends;
use super::tls::acceptor::Acceptor;
use super::writer::Wait;
use crate::engine::{Birth, Engine, Scene};
use crate::pop3::Secrets;
use crate::recording::{Entry, Header};
use crate::relay::{Served, Tap};

/// What the sessions of a running server share.
#[derive(Debug)]
pub struct House {
    pool: Pool,
    clock: Clock,
    tls: Ends,
    /// What recordings of its sessions name as their maker.
    generator: String,
    secrets: Secrets,
}

impl House {
    /// Begins to run now.
    pub fn new(generator: &str, secrets: Secrets, acceptor: Option<Arc<Acceptor>>) -> Self {
        let tls = Ends { client: acceptor, server: None };
        Self { pool: Pool::default(), tls, clock: Clock::start().0, generator: generator.to_owned(), secrets }
    }

    /// Runs a session to its end. What is observed goes to `put`, and the session waits for what that gives back.
    pub async fn session(
        self: Arc<Self>,
        scene: Scene,
        accepted: Accepted,
        stop: watch::Receiver<bool>,
        put: impl FnMut(Vec<Entry>) -> Option<Wait>,
    ) {
        self.run(scene, accepted, stop, None, put).await;
    }

    /// The same with a tap.
    pub async fn tapped_session(
        self: Arc<Self>,
        scene: Scene,
        accepted: Accepted,
        stop: watch::Receiver<bool>,
        tap: Tap,
    ) {
        self.run(scene, accepted, stop, Some(tap), |_| None).await;
    }

    async fn run(
        &self,
        scene: Scene,
        accepted: Accepted,
        stop: watch::Receiver<bool>,
        tap: Option<Tap>,
        mut put: impl FnMut(Vec<Entry>) -> Option<Wait>,
    ) {
        let (clock, started) = Clock::start();
        let Scene { server, source, script } = scene;
        let engine =
            Engine::new(server, Birth { nonce: nonce(), at: self.clock.now(), security: accepted.security });
        let engine = match script {
            Some(script) => engine.with_script(script),
            None => engine,
        };
        let header = Header {
            generator: self.generator.clone(),
            session: accepted.number,
            started,
            client: accepted.client.to_string(),
            listener: accepted.listener.to_string(),
            upstream: "the built-in server".to_owned(),
            server: Some(accepted.listener.to_string()),
            secrets: self.secrets,
            origin: None,
            unknown: serde_json::Map::new(),
            outer: serde_json::Map::new(),
        };
        let (pool, tls) = (&self.pool, &self.tls);
        let around =
            Surroundings { clock, pool, upstream: None, tls, sniffer: None, maildrops: Some(source), stop };
        let served = Served::new(engine, header, accepted.security);
        let served = match tap {
            Some(tap) => served.tapped(tap),
            None => served,
        };
        pump::run(served, accepted.stream, around, |served| put(served.entries())).await;
    }
}
