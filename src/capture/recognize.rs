//! Recognition: whether a conversation is POP3, and who is the client in it, by what both sides say first.

use memchr::memchr;

use crate::pop3::{Command, Keyword};
use crate::wire::Side;

/// The most of a line that is kept: more than a command or a status has before its text.
const LINE: usize = 256;

/// What is known of a conversation beside its octets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// The side whose port is a POP3 server's.
    pub(super) port: Option<Side>,
    /// Who connected, if the handshake is there; then the first octets are the first that were sent.
    pub(super) connected: Option<Side>,
}

/// What a conversation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It takes more to tell.
    Wait,
    /// POP3, and this side is the client.
    Pop3(Side),
    /// Something else.
    Other,
}

/// Looks at the octets of a conversation.
#[derive(Debug)]
pub(super) struct Recognizer {
    known: Known,
    /// Nothing is missing so far.
    whole: bool,
    /// Who spoke first.
    first: Option<Side>,
    sides: [Spoken; 2],
}

/// What a side said.
#[derive(Debug, Default)]
struct Spoken {
    line: Vec<u8>,
    lines: u32,
    /// Lines that are POP3 commands.
    commands: u32,
    /// The last of them, if it was not answered yet.
    asked: Option<Keyword>,
    /// Status lines that answer commands of the other side.
    answers: u32,
    /// The same, where the command is one that other protocols do not have too.
    own: u32,
    /// It began with a status.
    greeting: bool,
}

impl Recognizer {
    /// Of a conversation of which nothing was seen yet.
    pub(super) fn new(known: Known) -> Self {
        Self { known, whole: known.connected.is_some(), first: None, sides: <[Spoken; 2]>::default() }
    }

    /// Octets of a side are not there.
    pub(super) fn missing(&mut self, side: Side) {
        self.whole = false;
        self.sides[side as usize].line.clear();
    }

    /// The next octets of a side.
    pub(super) fn octets(&mut self, side: Side, mut octets: &[u8]) -> Verdict {
        let first = *self.first.get_or_insert(side);
        while !octets.is_empty() {
            let end = memchr(b'\n', octets).map_or(octets.len(), |at| at + 1);
            let (piece, rest) = octets.split_at(end);
            octets = rest;
            let spoken = &mut self.sides[side as usize];
            let room = LINE - spoken.line.len().min(LINE);
            spoken.line.extend_from_slice(&piece[..piece.len().min(room)]);
            let beginning = side == first && spoken.lines == 0;
            let mut verdict = Verdict::Wait;
            if beginning {
                verdict = self.beginning(side);
            }
            if verdict == Verdict::Wait && piece.ends_with(b"\n") {
                verdict = self.line(side);
            }
            if verdict != Verdict::Wait {
                return verdict;
            }
        }
        Verdict::Wait
    }

    /// There is no more of it.
    pub(super) fn end(&self) -> Verdict {
        if let Some(server) = self.known.port {
            let (client, server) = (&self.sides[server.other() as usize], &self.sides[server as usize]);
            if client.commands > 0 && client.commands == client.lines && server.lines == 0 {
                return self.known.port.map_or(Verdict::Other, |server| Verdict::Pop3(server.other()));
            }
        }
        Verdict::Other
    }

    /// The first octets of all, perhaps not yet a line.
    fn beginning(&mut self, side: Side) -> Verdict {
        let spoken = &mut self.sides[side as usize];
        let status = begins_status(&spoken.line);
        spoken.greeting = status == Some(true);
        match self.known.port {
            Some(server) if server == side && spoken.greeting => Verdict::Pop3(server.other()),
            Some(server) if server == side && self.whole && status == Some(false) => Verdict::Other,
            // Elsewhere the server must greet.
            None if self.whole && (self.known.connected == Some(side) || status == Some(false)) => {
                Verdict::Other
            }
            _ => Verdict::Wait,
        }
    }

    /// A line of a side is there.
    fn line(&mut self, side: Side) -> Verdict {
        let [client, server] = &mut self.sides;
        let (mine, theirs) = match side {
            Side::Client => (client, server),
            Side::Server => (server, client),
        };
        let keyword = Command::parse(&mine.line).keyword;
        let status = begins_status(&mine.line) == Some(true);
        let foreign = matches!(&mine.line[..], [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b' ' | b'-', ..]);
        let encoded = matches!(&mine.line[..], [b'*' | b'$', b'0'..=b'9', ..]);
        mine.line.clear();
        mine.lines += 1;
        if keyword != Keyword::Unknown {
            mine.commands += 1;
            mine.asked = Some(keyword);
        }
        if status && let Some(asked) = theirs.asked.take() {
            mine.answers += 1;
            mine.own += u32::from(is_own(asked));
        }
        let answered = foreign && theirs.asked.is_some();
        let greeted = theirs.greeting && mine.lines == 1;
        let (commands, lines, answers, own) = (mine.commands, mine.lines, mine.answers, mine.own);
        let greeting = theirs.greeting;
        if answered {
            return Verdict::Other;
        }
        match self.known.port {
            Some(server) if server == side => {
                if answers > 0 {
                    Verdict::Pop3(server.other())
                } else {
                    Verdict::Wait
                }
            }
            Some(_) if commands >= 2 => Verdict::Pop3(side),
            Some(_) if encoded || self.whole && commands < lines && !greeting => Verdict::Other,
            None if greeted && keyword != Keyword::Unknown && (self.whole || is_own(keyword)) => {
                Verdict::Pop3(side)
            }
            None if greeted && self.whole => Verdict::Other,
            None if own >= 2 => Verdict::Pop3(side.other()),
            _ => Verdict::Wait,
        }
    }
}

/// Whether a line begins with a status (RFC 1939 section 3); None while it may yet.
fn begins_status(line: &[u8]) -> Option<bool> {
    for word in [&b"+OK"[..], b"-ERR"] {
        if line.len() < word.len() && word.starts_with(line) {
            return None;
        }
        if let Some(rest) = line.strip_prefix(word) {
            return Some(rest.first().is_none_or(|octet| !octet.is_ascii_alphanumeric()));
        }
    }
    Some(false)
}

/// Whether a command shows POP3 where no greeting was seen: Redis answers `+OK` to these two as well.
const fn is_own(keyword: Keyword) -> bool {
    !matches!(keyword, Keyword::Auth | Keyword::Quit | Keyword::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines with who says them: `>` who connected, `<` the other.
    fn verdict(port: bool, handshake: bool, lines: &[&str]) -> Verdict {
        let known =
            Known { port: port.then_some(Side::Server), connected: handshake.then_some(Side::Client) };
        let mut recognizer = Recognizer::new(known);
        for line in lines {
            let (side, text) = line.split_at(1);
            let side = if side == ">" { Side::Client } else { Side::Server };
            let verdict = recognizer.octets(side, format!("{text}\r\n").as_bytes());
            if verdict != Verdict::Wait {
                return verdict;
            }
        }
        recognizer.end()
    }

    const POP3: Verdict = Verdict::Pop3(Side::Client);

    #[test]
    fn on_a_port_of_its_own_little_is_enough() {
        for (handshake, lines) in [
            (true, &["<+OK ready"][..]),
            (true, &["<-ERR go away"]),
            (true, &["<+OK \u{4f60}\u{597d}"]),
            (false, &[">QUIT"]),
            (true, &[">user a", ">pass b"]),
            (false, &[">AUTH", "<-ERR no"]),
            (false, &["<text of a message", "<.", ">DELE 1", "<+OK"]),
        ] {
            assert_eq!(verdict(true, handshake, lines), POP3, "{lines:?}");
        }
    }

    #[test]
    fn elsewhere_it_takes_greeting_and_command() {
        assert_eq!(verdict(false, true, &["<+OK ready", ">CAPA"]), POP3);
        assert_eq!(verdict(false, true, &["<+OK ready"]), Verdict::Other);
        assert_eq!(verdict(false, false, &["<+OK", ">LIST"]), POP3);
        assert_eq!(verdict(false, false, &[">STAT", "<+OK 1 2", ">RETR 1", "<+OK"]), POP3);
        assert_eq!(
            verdict(false, false, &["<STAT", ">+OK 1 2", "<RETR 1", ">+OK"]),
            Verdict::Pop3(Side::Server)
        );
    }

    #[test]
    fn what_resembles_it_is_left_alone() {
        for (port, handshake, lines) in [
            (true, true, &["<220 ready", ">USER a", "<331 password"][..]),
            (true, false, &[">LIST", "<215 list follows"]),
            (false, true, &["<200 news", ">LIST"]),
            (false, true, &["<* OK imap"]),
            (false, true, &[">*1", ">$4", ">PING", "<+PONG"]),
            (true, false, &[">*1", ">$4", ">QUIT", "<+OK"]),
            (false, false, &["<+OK", ">AUTH secret", "<+OK", ">QUIT", "<+OK"]),
            (false, true, &[">SET a b", "<+OK"]),
            (true, true, &[">GET / HTTP/1.1", "<HTTP/1.1 200 OK"]),
            (true, true, &["<+OKAY"]),
            (true, false, &[">\0\0\0"]),
        ] {
            assert_eq!(verdict(port, handshake, lines), Verdict::Other, "{lines:?}");
        }
    }
}
