//! Entries to packets, in one pass. What has to wait for its segment is held, up to a bound.

use std::collections::BTreeMap;

use super::conversation::{Conversation, Line};
use super::cutting::Cutting;
use super::file::File;
use super::peers::{POP3, POP3S, Peers};
use super::segment::Label;
use super::{Kind, TlsLayer, Writing, remark};
use crate::pop3::Secrets;
use crate::recording::format::Writer;
use crate::recording::{By, End, Entry, Header, How, Sealed};
use crate::wire::{Close, Micros, Side};

/// See the [module](self).
pub(super) struct CaptureWriter {
    writing: Writing,
    file: File,
    begun: bool,
    /// Those that are not over.
    sessions: BTreeMap<u32, Session>,
    /// Room for a packet.
    packet: Vec<u8>,
}

/// A session under way.
#[derive(Debug, Clone)]
struct Session {
    conversation: Conversation,
    cutting: Cutting,
    redacted: bool,
    /// The server's port is what the user wants.
    port_is_wanted: bool,
    layer: TlsLayer,
    /// What is in the packets from now on are records.
    sealed: bool,
    /// When the last record passed: what is told of a session lags behind those.
    latest: Micros,
}

impl CaptureWriter {
    pub(super) fn new(kind: Kind, writing: &Writing) -> Self {
        Self {
            writing: writing.clone(),
            file: File::new(kind),
            begun: false,
            sessions: BTreeMap::new(),
            packet: Vec::new(),
        }
    }

    fn opened(&mut self, session: u32, header: &Header, out: &mut Vec<u8>) {
        if !self.begun {
            self.begun = true;
            self.file.begin(&remark::harmless(&header.generator), out);
        }
        let Peers { client, server, names, remarks } = Peers::new(session, header, self.writing.server_port);
        self.file.names(&names, out);
        let mut opened = Session {
            conversation: Conversation::new(session, client, server, header.started),
            cutting: Cutting::new(self.writing.segments),
            redacted: header.secrets == Secrets::Redact,
            port_is_wanted: self.writing.server_port.is_some(),
            // The older kind cannot hold what opens it.
            layer: if self.file.holds_remarks() { self.writing.tls } else { TlsLayer::Plain },
            sealed: false,
            latest: 0,
        };
        let mut line =
            Line { conversation: &mut opened.conversation, file: &self.file, packet: &mut self.packet, out };
        line.remark(|| format!("session {} of the recording", header.session));
        for remark in remarks {
            line.remark(|| remark);
        }
        self.sessions.insert(session, opened);
    }
}

impl Writer for CaptureWriter {
    fn take(&mut self, session: u32, entry: &Entry, out: &mut Vec<u8>) {
        if let Entry::Opened(header) = entry {
            return self.opened(session, header, out);
        }
        let Some(open) = self.sessions.get_mut(&session) else { return };
        open.entry(entry, &self.file, &mut self.packet, out);
        if let Entry::Ended(_) = entry {
            self.sessions.remove(&session);
        }
    }

    fn tail(&self, out: &mut Vec<u8>) {
        let mut packet = Vec::new();
        for session in self.sessions.values() {
            let Session { mut conversation, mut cutting, .. } = session.clone();
            let mut line =
                Line { conversation: &mut conversation, file: &self.file, packet: &mut packet, out };
            line.open();
            cutting.finish(&mut line);
        }
    }
}

impl Session {
    fn entry(&mut self, entry: &Entry, file: &File, packet: &mut Vec<u8>, out: &mut Vec<u8>) {
        let Self { conversation, cutting, redacted, port_is_wanted, layer, sealed, latest } = self;
        let mut line = Line { conversation, file, packet, out };
        match entry {
            Entry::Opened(_) | Entry::Unknown { .. } => {}
            Entry::Event(_) if *sealed => {}
            Entry::Sealed(seen) => {
                if *layer == TlsLayer::Encrypted {
                    if !std::mem::replace(sealed, true) {
                        cutting.finish(&mut line);
                        if !*port_is_wanted {
                            Self::move_to(POP3S, &mut line);
                        }
                    }
                    if let Sealed::Octets { at, .. } = seen {
                        *latest = *at;
                    }
                    Self::sealed(seen, &mut line);
                }
            }
            Entry::Event(event) => cutting.event(event, Label::of(event, *redacted), &mut line),
            Entry::Note(note) => line.remark(|| remark::note(note)),
            Entry::Tls(tls) => {
                if tls.begins_anew() && !*sealed {
                    cutting.tls(tls.readable, &mut line);
                }
                for remark in remark::tls(tls) {
                    line.remark(|| remark);
                }
                // What is plaintext in the file is no TLS, and to be shown as such it must not be at a port for TLS: that
                // of an upstream likewise, where the client talks in clear.
                let plain = tls.readable && tls.failure.is_none() && *layer == TlsLayer::Plain;
                if plain && !*port_is_wanted {
                    Self::move_to(POP3, &mut line);
                }
            }
            Entry::Closed { side, how, at } => cutting.close(*side, *how, (*at).max(*latest), &mut line),
            Entry::Ended(end) => {
                cutting.finish(&mut line);
                let end = End { at: end.at.max(*latest), ..(**end).clone() };
                Self::ended(&end, &mut line);
                line.finish(end.at);
            }
        }
    }

    /// Gives the server a port that says what is spoken there, as long as nothing is written.
    fn move_to(wanted: u16, line: &mut Line<'_>) {
        if line.conversation.is_begun() {
            return;
        }
        let port = line.conversation.set_server_port(wanted);
        if port != wanted {
            line.remark(|| format!("the server's port was {port}"));
        }
    }

    /// Octets as they passed, and what opens them.
    fn sealed(seen: &Sealed, line: &mut Line<'_>) {
        match seen {
            Sealed::Keys(lines) => line.file.keys(lines, line.out),
            Sealed::Octets { side, at, octets } => {
                for segment in octets.chunks(line.longest()) {
                    line.data(*side, *at, segment, Label::default());
                }
            }
        }
    }

    /// What was not closed when the session ended was closed by poptape, in the place of both.
    fn ended(end: &End, line: &mut Line<'_>) {
        line.open();
        let first = if end.by == By::Client { Side::Client } else { Side::Server };
        match end.how {
            How::Cut => {}
            How::Reset => line.close(first, Close::Reset, end.at),
            How::Truncated => {
                line.close(first, Close::Truncated, end.at);
                line.close(first.other(), Close::Finished, end.at);
            }
            How::Finished | How::TlsFailed | How::ConnectFailed | How::Stopped => {
                if end.by == By::Poptape {
                    line.remark(|| format!("poptape ended the session: {}", end.how.name()));
                }
                line.close(first, Close::Finished, end.at);
                line.close(first.other(), Close::Finished, end.at);
            }
        }
    }
}
