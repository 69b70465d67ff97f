//! Five small messages that each break some mail program, and that every server here can hold.

/// A message as it lies in a mailbox: lines end with LF, the last one too.
pub struct Message {
    /// Headers, an empty line and, but for one, a body.
    pub octets: &'static str,
}

/// What every mailbox is filled with, in this order.
///
/// No line starts with `From `, since two of the servers keep an mbox. Each message has its own
/// Message-ID, since popa3d makes a unique-id out of some headers alone.
pub const CORPUS: &[Message] = &[
    Message {
        octets: "From: Ada <ada@example.org>\n\
                 To: dewey@example.org\n\
                 Date: Thu, 1 Jan 2026 10:00:00 +0000\n\
                 Message-ID: <plain@example.org>\n\
                 Subject: plain text\n\
                 \n\
                 The first message is one that nobody gets wrong.\n",
    },
    Message {
        octets: "From: Ada <ada@example.org>\n\
                 To: dewey@example.org\n\
                 Date: Thu, 1 Jan 2026 10:01:00 +0000\n\
                 Message-ID: <dots@example.org>\n\
                 Subject: dots\n\
                 \n\
                 .\n\
                 .leading\n\
                 ..\n\
                 ... three, then a line that is only one:\n\
                 .\n",
    },
    Message {
        octets: "From: =?koi8-r?B?4cTB?= <ada@example.org>\n\
                 To: dewey@example.org\n\
                 Date: Thu, 1 Jan 2026 10:02:00 +0000\n\
                 Message-ID: <eight@example.org>\n\
                 Subject: =?koi8-r?Q?=F0=D2=C9=D7=C5=D4?= and\n\
                 \t=?koi8-r?Q?=CD=C9=D2?=\n\
                 MIME-Version: 1.0\n\
                 Content-Type: text/plain; charset=utf-8\n\
                 Content-Transfer-Encoding: 8bit\n\
                 \n\
                 Привет, Dewey: ünïcödé, ½ €, 日本.\n",
    },
    Message {
        octets: concat!(
            "From: Ada <ada@example.org>\n",
            "To: dewey@example.org\n",
            "Date: Thu, 1 Jan 2026 10:03:00 +0000\n",
            "Message-ID: <long@example.org>\n",
            "Subject: lines of 900 octets\n",
            "\n",
            include_str!("long-line.txt"),
            ".",
            include_str!("long-line.txt"),
        ),
    },
    Message {
        octets: "From: Ada <ada@example.org>\n\
                 To: dewey@example.org\n\
                 Date: Thu, 1 Jan 2026 10:04:00 +0000\n\
                 Message-ID: <nobody@example.org>\n\
                 Subject: headers only\n\
                 \n",
    },
];

/// What follows the headers, with LF line ends and without the newlines at its end: servers and
/// clients add headers and differ in the newlines around a message, but all must agree on this.
pub fn body(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message).replace("\r\n", "\n");
    let (_, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    body.trim_end_matches('\n').to_owned()
}
