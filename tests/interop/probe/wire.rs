//! A client that sends a line, reads one reply of the shape that POP3 gives it, and takes notes.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use base64::Engine;

use super::Account;
use super::conversations::Conversation;
use super::normal::normal;
use crate::support::text;

/// How long an answer may take before it is said never to come. Courier waits five seconds before
/// it refuses a password, and PAM two more.
const DEADLINE: Duration = Duration::from_secs(20);

pub struct Wire<'a> {
    stream: BufReader<TcpStream>,
    account: Account<'a>,
    notes: String,
}

impl<'a> Wire<'a> {
    /// Holds `conversation` and gives what was said, a line each.
    pub fn hold(conversation: &Conversation, account: Account<'a>) -> String {
        let stream = TcpStream::connect(account.addr).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        let mut wire = Wire { stream: BufReader::new(stream), account, notes: String::new() };
        let login: &[&str] = if conversation.login { &["USER <user>", "PASS <password>"] } else { &[] };
        let mut open = wire.reply("");
        for line in login.iter().chain(conversation.lines).chain(&["QUIT"]) {
            open = open && wire.send(line) && wire.reply(line);
        }
        // Whatever was said beyond one reply a command shows itself here.
        while open {
            open = wire.line("", true).is_some();
        }
        wire.notes
    }

    /// Whether a reply is to be expected.
    fn send(&mut self, line: &str) -> bool {
        self.note("C: ", line);
        self.notes += "\n";
        if line == "<end>" {
            // A server that has reset the connection by now has left nothing to shut down, only lines to read.
            let _ = self.stream.get_ref().shutdown(Shutdown::Write);
            while self.line("", true).is_some() {}
            return false;
        }
        let sent = self.stream.get_mut().write_all(format!("{}\r\n", fill(line, self.account)).as_bytes());
        if sent.is_err() {
            self.notes += "* closed\n";
        }
        sent.is_ok()
    }

    /// Reads a reply to `command`; whether the connection is still of use.
    fn reply(&mut self, command: &str) -> bool {
        let words: Vec<&str> = command.split_whitespace().collect();
        let verb = words.first().unwrap_or(&"").to_ascii_uppercase();
        let Some(status) = self.line(&verb, true) else { return false };
        let has_body = match verb.as_str() {
            "CAPA" | "RETR" | "TOP" => true,
            "LIST" | "UIDL" | "AUTH" | "LANG" => words.len() == 1,
            _ => false,
        };
        if has_body && status.starts_with("+OK") {
            while let Some(line) = self.line(&verb, false) {
                if line == "." {
                    return true;
                }
            }
            return false;
        }
        true
    }

    /// Notes a line and gives it without its end; `None` if no more can come.
    fn line(&mut self, verb: &str, first: bool) -> Option<String> {
        let mut octets = Vec::new();
        match self.stream.read_until(b'\n', &mut octets) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                self.notes += "* no answer\n";
                return None;
            }
            Ok(1..) => {}
            Ok(0) | Err(_) => {
                self.notes += "* closed\n";
                return None;
            }
        }
        let line = text(&octets).trim_end_matches(['\r', '\n']).to_owned();
        self.note("S: ", &normal(&line, first, verb, self.account));
        self.notes += if octets.ends_with(b"\r\n") { "\n" } else { "<no CRLF>\n" };
        Some(line)
    }

    /// Blanks at the end are said in words, lest an editor take them away.
    fn note(&mut self, who: &str, line: &str) {
        let end = line.trim_end_matches(' ');
        let noted = format!("{who}{end}");
        self.notes += noted.trim_end();
        self.notes += &"<blank>".repeat(line.len() - end.len());
    }
}

/// Puts in what `<...>` stands for.
fn fill(line: &str, account: Account) -> String {
    let plain = format!("\0{}\0{}", account.user, account.password);
    let plain = base64::engine::general_purpose::STANDARD.encode(plain);
    let line = line.replace("<user>", account.user).replace("<password>", account.password);
    let line = line.replace("<plain>", &plain);
    // `<300 x>`: as many of them.
    let Some((before, rest)) = line.split_once('<') else { return line };
    let (count, after) = rest.split_once(" x>").unwrap();
    format!("{before}{}{after}", "x".repeat(count.parse().unwrap()))
}
