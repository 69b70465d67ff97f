//! `show --format markdown`: a page for a bug report. Whatever the network said stands in an indented code
//! block, which nothing in it can end.

use std::io::{self, Write};

use super::Page;
use super::escape::safe_beginning;
use super::exchange::lack;
use super::filter::Filter;
use super::tls;
use super::units::{duration, seconds};
use crate::pop3::lines;
use crate::recording::{Assembler, Entry, Exchange};

/// Octets of a body that are shown.
const KEPT: usize = 64 * 1024;

/// Octets of a line that are shown.
const LINE: usize = 2000;

/// Octets of what comes before the first exchange that passes a filter that are kept for it.
const HELD: usize = 64 * 1024;

/// Renders one session.
#[derive(Debug)]
pub struct Markdown {
    session: u32,
    assembler: Assembler,
    /// What waits for an exchange that passes the filter: without one there is no page. None once there was one.
    held: Option<Vec<u8>>,
}

impl Default for Markdown {
    fn default() -> Self {
        Self { session: 1, assembler: Assembler::new(KEPT), held: Some(Vec::new()) }
    }
}

impl Page for Markdown {
    fn take(&mut self, entry: &Entry, filter: Option<&Filter>, out: &mut dyn Write) -> io::Result<()> {
        // What led to TLS, and to the end, comes before it.
        match entry {
            Entry::Opened(header) => self.session = header.session,
            Entry::Event(event) => {
                return match self.assembler.take(event) {
                    Some(exchange) => self.exchange(&exchange, filter, out),
                    None => Ok(()),
                };
            }
            Entry::Tls(tls) if tls.begins_anew() => self.finish(filter, out)?,
            Entry::Ended(_) => self.finish(filter, out)?,
            _ => {}
        }
        match (filter, &mut self.held) {
            (Some(_), Some(held)) if held.len() < HELD => around(entry, held),
            (Some(_), Some(_)) => Ok(()),
            _ => around(entry, out),
        }
    }

    fn finish(&mut self, filter: Option<&Filter>, out: &mut dyn Write) -> io::Result<()> {
        self.assembler.settle().map_or(Ok(()), |exchange| self.exchange(&exchange, filter, out))
    }
}

/// What stands around exchanges.
fn around(entry: &Entry, out: &mut dyn Write) -> io::Result<()> {
    match entry {
        Entry::Opened(header) => {
            writeln!(out, "# POP3 session {}\n", header.session)?;
            let started = header.started.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
            fact("Started", &started, out)?;
            fact("Client", &header.client, out)?;
            fact("Upstream", &header.upstream, out)?;
            fact("Server", header.server.as_deref().unwrap_or("not connected"), out)?;
            if let Some(origin) = &header.origin {
                fact("Taken from", origin, out)?;
            }
            fact("Recorded by", &header.generator, out)?;
            // Without a heading between them what follows would be a part of the list, and no code.
            writeln!(out, "\n## Conversation\n")
        }
        Entry::Note(note) => code(&format!("{:>9}  note: {}", seconds(note.at), note.text), out),
        Entry::Ended(end) => {
            let by = end.by.name();
            writeln!(out, "\nEnded after {} s by the {by}: {}.", seconds(end.at), end.how.name())
        }
        Entry::Tls(facts) => tls::plain(facts).iter().try_for_each(|line| code(line, out)),
        Entry::Event(_) | Entry::Sealed(_) | Entry::Closed { .. } | Entry::Unknown { .. } => Ok(()),
    }
}

impl Markdown {
    fn exchange(
        &mut self,
        exchange: &Exchange,
        filter: Option<&Filter>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        if filter.is_some_and(|filter| !filter.matches(self.session, exchange)) {
            return Ok(());
        }
        out.write_all(&self.held.take().unwrap_or_default())?;
        let text = |octets: &[u8]| safe_beginning(octets, LINE);
        if let Some(command) = &exchange.command {
            code(&format!("{:>9}  C: {}", seconds(exchange.at), text(command)), out)?;
        }
        if exchange.command.is_none() && exchange.missing.is_some() && exchange.n > 0 {
            code(&format!("{:>9}  C: (not seen)", seconds(exchange.at)), out)?;
        }
        if let Some(octets) = exchange.missing {
            code(&format!("           ({})", lack(octets)), out)?;
        }
        let Some(reply) = exchange.reply.as_deref().or(exchange.octets.map(|_| &b"(not seen)"[..])) else {
            return code("           (no answer)", out);
        };
        let took = exchange.took.map(|took| format!("   ({})", duration(took))).unwrap_or_default();
        code(&format!("           S: {}{took}", text(reply)), out)?;
        for line in lines::split(&exchange.body) {
            code(&format!("           S: {}", text(lines::split_ending(line).0)), out)?;
        }
        let kept = exchange.body.len() as u64;
        if let Some(octets) = exchange.octets.filter(|&octets| octets > kept) {
            code(&format!("           (… {} more octets)", octets - kept), out)?;
        }
        if exchange.octets.is_some() {
            code(if exchange.terminated { "           S: ." } else { "           (no terminator)" }, out)?;
        }
        Ok(())
    }
}

fn code(line: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "    {}", safe_beginning(line.as_bytes(), 2 * LINE))
}

fn fact(name: &str, value: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "- {name}: `{}`", safe_beginning(value.as_bytes(), LINE).replace('`', "'"))
}
