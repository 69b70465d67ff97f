//! The command that is run against a listener: started once that is ready, filled in, waited for.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::sync::watch;

use super::failure::{Failure, Verdict};
use crate::net::listen::turns_true;

/// How a run is brought to its end.
pub(super) struct Ends {
    /// Nobody else is accepted.
    pub(super) close: watch::Sender<bool>,
    /// Sessions are to end.
    pub(super) stop: watch::Sender<bool>,
}

/// How long sessions that the command left open may take to end by themselves.
const GRACE: Duration = Duration::from_secs(2);

/// Runs the user's command against a listener, its address and its URL; afterwards gives the sessions that it left open a moment.
pub(super) async fn run_command(
    command: &[OsString],
    (address, url): (SocketAddr, String),
    ends: &Ends,
    over: impl Future<Output = ()>,
) -> Result<Verdict, Failure> {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let fill = |argument: &OsString| match argument.to_str() {
        Some(text) => text.replace("{host}", &host).replace("{port}", &port).replace("{url}", &url).into(),
        None => argument.clone(),
    };
    let filled: Vec<OsString> = command.iter().map(fill).collect();
    let Some((program, arguments)) = filled.split_first() else { return Ok(Verdict::Clean) };
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .env("POP3_HOST", &host)
        .env("POP3_PORT", &port)
        .env("POP3_URL", &url)
        .spawn()
        .map_err(|error| Failure::usage(format!("cannot run {}: {error}", program.display())))?;
    let mut over = std::pin::pin!(over);
    let mut stopped = ends.stop.subscribe();
    let (mut ended, mut told) = (false, false);
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            () = &mut over, if !ended => ended = true,
            () = turns_true(&mut stopped), if !told => {
                told = true;
                // Whoever stops us means the command too. Where it is gone already, nobody needs to be told.
                let pid = child.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed()));
                let _ = pid.map(|pid| rustix::process::kill_process(pid, rustix::process::Signal::TERM));
            }
        }
    };
    let status = status.map_err(|error| Failure::runtime(format!("cannot wait for the command: {error}")))?;
    ends.close.send_replace(true);
    if !ended && tokio::time::timeout(GRACE, &mut over).await.is_err() {
        ends.stop.send_replace(true);
        over.await;
    }
    Ok(if status.success() { Verdict::Clean } else { Verdict::OfCommand(code_of(status)) })
}

/// As a shell would give it.
fn code_of(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}
