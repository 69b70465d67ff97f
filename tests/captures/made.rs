//! Sessions that are hard to show, made for the tests.

use std::fmt::Write as _;

use bytes::Bytes;
use poptape::pop3::{Dissector, Secrets};
use poptape::recording::{By, End, Entry, Header, How};
use poptape::wire::{Close, Micros, Side, Tls};

/// A session's entries, each as it comes.
pub struct Talk {
    dissector: Dissector,
    at: Micros,
    pub entries: Vec<Entry>,
}

impl Talk {
    pub fn new(number: u32, client: &str, server: &str) -> Self {
        let (unknown, outer) = Default::default();
        let header = Header {
            generator: "poptape 0.1.0".to_owned(),
            session: number,
            started: chrono::DateTime::from_timestamp_nanos(1_790_000_000_123_456_789),
            client: client.to_owned(),
            listener: "127.0.0.1:1110".to_owned(),
            upstream: "pop3://mail.example".to_owned(),
            server: Some(server.to_owned()),
            secrets: Secrets::Redact,
            origin: None,
            unknown,
            outer,
        };
        let dissector = Dissector::new(Secrets::Redact);
        Self { dissector, at: 0, entries: vec![Entry::Opened(Box::new(header))] }
    }

    fn octets(mut self, side: Side, octets: impl AsRef<[u8]>) -> Self {
        self.at += 1000;
        for read in octets.as_ref().chunks(100_000) {
            self.at += 7;
            let entries = &mut self.entries;
            let read = Bytes::copy_from_slice(read);
            self.dissector.feed(side, self.at, read, &mut |event| entries.push(Entry::Event(event)));
        }
        self
    }

    pub fn c(self, octets: impl AsRef<[u8]>) -> Self {
        self.octets(Side::Client, octets)
    }

    pub fn s(self, octets: impl AsRef<[u8]>) -> Self {
        self.octets(Side::Server, octets)
    }

    /// TLS begins that poptape looks into.
    pub fn tls(mut self) -> Self {
        self.dissector.tls_started(true, &mut |_| {});
        let tls = Tls { at: self.at, version: Some("TLSv1.3".to_owned()), readable: true, ..Tls::default() };
        self.entries.push(Entry::Tls(Box::new(tls)));
        self
    }

    /// The client goes on in clear after an accepted STLS.
    fn goes_on(mut self) -> Self {
        self.dissector.tls_started(true, &mut |_| {});
        self
    }

    pub fn closes(mut self, side: Side, how: Close) -> Self {
        self.at += 10;
        let entries = &mut self.entries;
        self.dissector.close(side, &mut |event| entries.push(Entry::Event(event)));
        entries.push(Entry::Closed { side, how, at: self.at });
        self
    }

    pub fn ends(mut self, by: By, how: How) -> Vec<Entry> {
        let entries = &mut self.entries;
        self.dissector.finish(&mut |event| entries.push(Entry::Event(event)));
        let (unknown, outer) = Default::default();
        entries.push(Entry::Ended(Box::new(End { at: self.at + 10, by, how, unknown, outer })));
        self.entries
    }

    fn quits(self) -> Vec<Entry> {
        self.c("QUIT\r\n")
            .s("+OK bye\r\n")
            .closes(Side::Server, Close::Finished)
            .closes(Side::Client, Close::Finished)
            .ends(By::Server, How::Finished)
    }
}

fn talk(number: u32) -> Talk {
    Talk::new(number, &format!("127.0.0.1:{}", 40_000 + number), "127.0.0.2:110").s("+OK ready\r\n")
}

fn message(subject: &str, octets: usize) -> String {
    let mut message = format!("Subject: {subject}\r\n\r\n");
    while message.len() < octets {
        message += "A line of text, and it is rather long so that not many of them are needed.\r\n";
    }
    message
}

/// Each with a name.
pub fn sessions() -> Vec<(&'static str, Vec<Entry>)> {
    let retr =
        |talk: Talk, status: &str, body: &str| talk.c("RETR 1\r\n").s(format!("{status}\r\n{body}.\r\n"));
    let sized = |body: &str| format!("+OK {} octets", body.len());
    let large = message("large", 10_000_000);
    let statuses = format!("+OK not\r\n{}", "+OK still not a reply\r\n-ERR nor this\r\n".repeat(9000));
    let dots = format!("Subject: dots\r\n\r\n{}", "..\r\n..dot\r\n".repeat(9000));
    let mut listing = "+OK 5000 messages\r\n".to_owned();
    for number in 1..=5000 {
        write!(listing, "{number} {}\r\n", 1000 + number).unwrap();
    }
    let (one, two, three) = (message("one", 300), message("two", 90_000), message("three", 60_000));
    vec![
        (
            "pipelined",
            talk(1)
                .c("USER me\r\nPASS secret\r\nRETR 1\r\nRETR 2\r\nTOP 3 9\r\nDELE 1\r\n")
                .s("+OK\r\n+OK logged in\r\n")
                .s(format!("{}\r\n{one}.\r\n{}\r\n{two}.\r\n", sized(&one), sized(&two)))
                .s(format!("+OK\r\n{three}.\r\n+OK gone\r\n"))
                .quits(),
        ),
        ("large", retr(talk(2), &sized(&large), &large).quits()),
        ("statuses", retr(talk(3), &sized(&statuses), &statuses).quits()),
        ("dots", retr(talk(4), "+OK 80000 octets", &dots).quits()),
        ("fewer", retr(talk(5), &format!("+OK {} octets", two.len() - 5), &two).quits()),
        ("a-few-more", retr(talk(6), &format!("+OK {} octets", two.len() + 2), &two).quits()),
        ("many-more", retr(retr(talk(17), "+OK 70000 octets", &one), &sized(&two), &two).quits()),
        ("uncounted", retr(talk(7), "+OK message follows", &three).quits()),
        ("listing", talk(8).c("LIST\r\n").s(listing + ".\r\n").quits()),
        ("empty", retr(talk(9), "+OK 0 octets", "").quits()),
        (
            "ipv6",
            retr(Talk::new(10, "[2001:db8::1]:4000", "127.0.0.2:110").s("+OK ready\r\n"), &sized(&two), &two)
                .quits(),
        ),
        (
            "reset",
            retr(talk(11), &sized(&one), &one)
                .c("STAT\r\n")
                .closes(Side::Server, Close::Reset)
                .ends(By::Server, How::Reset),
        ),
        (
            "half-closed",
            talk(12)
                .c("RETR 1\r\nRETR 2\r\n")
                .closes(Side::Client, Close::Finished)
                .s(format!("{}\r\n{one}.\r\n{}\r\n{two}.\r\n", sized(&one), sized(&two)))
                .closes(Side::Server, Close::Finished)
                .ends(By::Client, How::Finished),
        ),
        (
            "stls",
            retr(
                talk(15)
                    .c("STLS\r\n")
                    .s("+OK Begin TLS\r\n")
                    .tls()
                    .c("CAPA\r\n")
                    .s("+OK what\r\nTOP\r\n.\r\n"),
                &sized(&one),
                &one,
            )
            .quits(),
        ),
        (
            "stls-in-clear",
            retr(talk(18).c("STLS\r\n").s("+OK Begin TLS\r\n").goes_on(), &sized(&one), &one).quits(),
        ),
        (
            "tls",
            retr(Talk::new(16, "127.0.0.1:5000", "127.0.0.2:995").tls().s("+OK\r\n"), &sized(&one), &one)
                .quits(),
        ),
        ("stopped", retr(talk(13), &sized(&one), &one).ends(By::Poptape, How::Stopped)),
        ("transcript", retr(Talk::new(14, "client", "server").s("+OK hi\r\n"), &sized(&one), &one).quits()),
    ]
}
