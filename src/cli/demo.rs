//! `poptape demo`: a built-in server, the recording proxy before it, and a client that holds a conversation.
//! Loopback only.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use clap::{ArgAction, Args};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::failure::{Failure, Verdict};
use super::front::{bind, block_on};
use super::outlets::Outlets;
use super::output::{say, warn};
use super::proxy::{GENERATOR, Proxy};
use crate::engine::{Policy, Scene, Server};
use crate::maildrop::{Maildrops, Memory, Source, seed};
use crate::net::address::Upstream;
use crate::net::listen::{Until, serve};
use crate::net::server::House;
use crate::net::tls::Ends;
use crate::pop3::{Dissector, Event, Secrets};
use crate::recording::format::json::Json;
use crate::relay;
use crate::sink::recorder::Files;
use crate::wire::{Security, Side};

/// See a session: a server, the proxy and a client on this machine
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The folder for the recording
    #[arg(short, long, value_name = "DIR", default_value = "recordings")]
    output: PathBuf,

    /// Show the headers of messages; twice: every line
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
}

pub(super) fn run(arguments: &Arguments, color: bool) -> Result<Verdict, Failure> {
    let recorded = block_on(demo(arguments, color))??;
    say(&format!(
        "\nThe recording is {path}\nShow it again:  poptape show {path}\nIts messages:   poptape convert {path} mail.eml/",
        path = recorded.display()
    ));
    Ok(Verdict::Clean)
}

async fn demo(arguments: &Arguments, color: bool) -> Result<PathBuf, Failure> {
    let failed = |error| Failure::runtime(format!("the demo failed: {error}"));
    let loopback = ([127, 0, 0, 1], 0).into();
    let listener = bind(loopback, Security::Plain)?;
    let proxy_listener = bind(loopback, Security::Plain)?;
    let (host, port) = (listener.address.ip().to_string(), listener.address.port());
    let upstream = Upstream { security: Security::Plain, host, port };
    let address = proxy_listener.address;
    let (_stop, stopped) = watch::channel(false);
    // Each of the two has one session.
    let until = Until { limit: Some(1), at_once: None, closing: stopped.clone(), stop: stopped };

    let accounts = [(seed::USER, seed::PASSWORD)].into_iter().collect();
    let policy = Policy { apop: false, ..Policy::default() };
    let (server, source) = (Arc::new(Server { policy, accounts }), maildrops());
    let house = Arc::new(House::new(GENERATOR, Secrets::Redact, None));
    let stop = until.stop.clone();
    let serving = serve(
        vec![listener],
        until.clone(),
        |problem| warn(&problem),
        move |accepted| {
            let scene = Scene { server: Arc::clone(&server), source: Arc::clone(&source), script: None };
            Arc::clone(&house).session(scene, accepted, stop.clone(), |_| None)
        },
    );

    let files = Files { formats: vec![&Json], ..Files::default() };
    let outlets = Outlets::open(Some(&arguments.output), files, Some(arguments.verbose), color, None)?;
    let finished = outlets.finished.clone();
    let proxy = Proxy::new(upstream, Secrets::Redact, Ends::default(), &relay::Policy::default());
    let relaying = super::proxy::relay(Arc::new(proxy), vec![proxy_listener], until, outlets.queues.clone());

    let client = async { converse(TcpStream::connect(address).await?).await };
    let ((), (), said) = tokio::join!(serving, relaying, client);
    said.map_err(failed)?;
    outlets.close().await;
    finished
        .and_then(|finished| finished.last())
        .ok_or_else(|| Failure::runtime("the demo left no recording"))
}

fn maildrops() -> Arc<dyn Source> {
    Arc::new(Maildrops::new(vec![Arc::new(Memory::new(seed::messages()))]))
}

/// The client: sends a line, waits for the whole answer, sends the next.
async fn converse(stream: TcpStream) -> io::Result<()> {
    let mut dissector = Dissector::new(Secrets::Redact);
    let mut buffer = vec![0; 4096];
    for line in [None].into_iter().chain(seed::CONVERSATION.into_iter().map(Some)) {
        let mut answered = false;
        if let Some(line) = line {
            let line = Bytes::from(format!("{line}\r\n"));
            stream.writable().await?;
            stream.try_write(&line)?;
            dissector.feed(Side::Client, 0, line, &mut |_| {});
        }
        while !answered {
            stream.readable().await?;
            let read = match stream.try_read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            };
            let octets = Bytes::copy_from_slice(&buffer[..read]);
            dissector.feed(Side::Server, 0, octets, &mut |event| answered |= matches!(event, Event::End(_)));
        }
    }
    Ok(())
}
