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
use super::output::{say, warn};
use super::proxy::{Outlets, Proxy, bind, relay};
use crate::engine::{Engine, Policy, Users};
use crate::maildrop::{Memory, seed};
use crate::net::address::Upstream;
use crate::net::clock::Clock;
use crate::net::listen::serve;
use crate::net::pool::Pool;
use crate::net::pump::{self, Surroundings};
use crate::pop3::secret::Secret;
use crate::pop3::{Dissector, Event, Secrets};
use crate::wire::Side;

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
    let failed = |error| Failure::runtime(format!("the demo failed: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let recorded = runtime.block_on(demo(arguments, color))?;
    say(&format!(
        "\nThe recording is {path}\nShow it again:  poptape show {path}\nIts messages:   poptape convert {path} mail.eml/",
        path = recorded.display()
    ));
    Ok(Verdict::Clean)
}

async fn demo(arguments: &Arguments, color: bool) -> Result<PathBuf, Failure> {
    let failed = |error| Failure::runtime(format!("the demo failed: {error}"));
    let loopback = ([127, 0, 0, 1], 0).into();
    let (server, proxy_listener) = (bind(loopback).await?, bind(loopback).await?);
    let upstream = Upstream { host: server.address.ip().to_string(), port: server.address.port() };
    let address = proxy_listener.address;
    let (_stop, stopped) = watch::channel(false);

    let users: Users = [(seed::USER.to_owned(), Secret::new(seed::PASSWORD))].into_iter().collect();
    let (policy, source) = (Arc::new(Policy::new(users)), Arc::new(Memory::new(seed::messages())));
    let pool = Arc::new(Pool::default());
    let stop = stopped.clone();
    let serving = serve(
        vec![server],
        Some(1),
        stopped.clone(),
        |problem| warn(&problem),
        move |accepted| {
            let engine = Engine::new(Arc::clone(&policy), source.clone(), None);
            let (pool, stop) = (Arc::clone(&pool), stop.clone());
            async move {
                let around = Surroundings { clock: Clock::start().0, pool: &pool, upstream: None, stop };
                pump::run(engine, accepted.stream, around, |_| None).await;
            }
        },
    );

    let outlets = Outlets::open(&arguments.output, &["json"], Some(arguments.verbose), color, Vec::new())?;
    let paths = outlets.paths.clone();
    let proxy = Proxy { upstream, secrets: Secrets::Redact, pool: Pool::default() };
    let relaying = relay(Arc::new(proxy), vec![proxy_listener], Some(1), stopped, outlets.queues.clone());

    let client = async { converse(TcpStream::connect(address).await?).await };
    let ((), (), said) = tokio::join!(serving, relaying, client);
    said.map_err(failed)?;
    outlets.close().await;
    paths.paths().pop().ok_or_else(|| Failure::runtime("the demo left no recording"))
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
