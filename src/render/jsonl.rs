//! `show --format jsonl`: one line an exchange, for programs. Names, order and meaning of the members are a
//! contract.

use std::io::{self, Write};

use serde::Serialize;

use super::Page;
use super::escape::utf8;
use super::filter::Filter;
use crate::recording::format::json::harmless;
use crate::recording::{Assembler, Entry, Exchange};

/// One line.
#[derive(Debug, Serialize)]
struct Row {
    session: u32,
    n: u32,
    command: Option<String>,
    status: Option<&'static str>,
    text: Option<String>,
    lines: Option<u64>,
    octets: Option<u64>,
    wire: u64,
    state: &'static str,
    at_us: u64,
    took_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<u64>,
}

impl Row {
    fn of(session: u32, exchange: &Exchange) -> Self {
        Self {
            session,
            n: exchange.n,
            command: exchange.command.as_deref().map(utf8),
            status: exchange.status.map(crate::pop3::Status::name),
            text: exchange.text().map(utf8),
            lines: exchange.lines,
            octets: exchange.octets,
            wire: exchange.wire,
            state: exchange.state.name(),
            at_us: exchange.at,
            took_us: exchange.took,
            missing: exchange.missing,
        }
    }
}

/// Renders one session.
#[derive(Debug)]
pub struct Jsonl {
    session: u32,
    assembler: Assembler,
}

/// Octets of a body that are kept for filters on text.
const KEPT: usize = 64 * 1024;

impl Default for Jsonl {
    fn default() -> Self {
        Self { session: 1, assembler: Assembler::new(KEPT) }
    }
}

impl Page for Jsonl {
    fn take(&mut self, entry: &Entry, filter: Option<&Filter>, out: &mut dyn Write) -> io::Result<()> {
        let settled = match entry {
            Entry::Opened(header) => {
                self.session = header.session;
                None
            }
            Entry::Event(event) => self.assembler.take(event),
            _ => None,
        };
        settled.map_or(Ok(()), |exchange| self.row(&exchange, filter, out))
    }

    fn finish(&mut self, filter: Option<&Filter>, out: &mut dyn Write) -> io::Result<()> {
        self.assembler.settle().map_or(Ok(()), |exchange| self.row(&exchange, filter, out))
    }
}

impl Jsonl {
    fn row(&self, exchange: &Exchange, filter: Option<&Filter>, out: &mut dyn Write) -> io::Result<()> {
        if filter.is_some_and(|filter| !filter.matches(self.session, exchange)) {
            return Ok(());
        }
        let row = serde_json::to_string(&Row::of(self.session, exchange))?;
        writeln!(out, "{}", harmless(&row))
    }
}
