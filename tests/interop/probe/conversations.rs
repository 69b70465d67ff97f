//! The fixed conversations by which a real server and a personality are compared.

use crate::interop::corpus::Message;

/// One session, in lock-step. `<user>` and the like are filled in by the probe.
pub struct Conversation {
    pub name: &'static str,
    /// How many of the messages lie in the mailbox.
    pub messages: usize,
    /// Whether USER and PASS come before the lines. QUIT comes after them: a server that has closed
    /// is found out by it without waiting. So it is by `<end>`, where the client closes its side.
    pub login: bool,
    pub lines: &'static [&'static str],
}

const fn before(name: &'static str, lines: &'static [&'static str]) -> Conversation {
    Conversation { name, messages: 3, login: false, lines }
}

const fn after(name: &'static str, lines: &'static [&'static str]) -> Conversation {
    Conversation { name, messages: 3, login: true, lines }
}

const fn holding(messages: usize, name: &'static str, lines: &'static [&'static str]) -> Conversation {
    Conversation { name, messages, login: true, lines }
}

/// Plain messages of one, two and three lines: nothing in them is told differently by any server.
pub const LETTERS: &[Message] = &[
    Message {
        octets: "From: Ada <ada@example.org>\n\
                 Message-ID: <one@example.org>\n\
                 Subject: one\n\
                 \n\
                 one\n",
    },
    Message {
        octets: "From: Ada <ada@example.org>\n\
                 Message-ID: <two@example.org>\n\
                 Subject: two\n\
                 \n\
                 one\n\
                 two\n",
    },
    Message {
        octets: "From: Ada <ada@example.org>\n\
                 Message-ID: <three@example.org>\n\
                 Subject: three\n\
                 \n\
                 one\n\
                 two\n\
                 three\n",
    },
];

pub const CONVERSATIONS: &[Conversation] = &[
    before("the client ends before login", &["<end>"]),
    before("greeting, QUIT before login", &[]),
    before("QUIT with an argument before login", &["QUIT x"]),
    before("CAPA before login", &["CAPA", "CAPA x"]),
    before("USER without a name", &["USER"]),
    before("USER with two words", &["USER <user> x", "PASS <password>"]),
    before("USER twice", &["USER nobody", "USER <user>", "PASS <password>"]),
    before("PASS before USER", &["PASS <password>"]),
    before("PASS without an argument", &["USER <user>", "PASS"]),
    before("a user that is not there", &["USER nobody", "PASS nothing"]),
    before(
        "a wrong password, then the right one",
        &["USER <user>", "PASS wrong", "USER <user>", "PASS <password>", "STAT"],
    ),
    before("PASS again after a wrong one", &["USER <user>", "PASS wrong", "PASS <password>"]),
    before(
        "wrong passwords",
        &[
            "USER <user>",
            "PASS wrong",
            "USER <user>",
            "PASS wrong",
            "USER <user>",
            "PASS wrong",
            "USER <user>",
            "PASS wrong",
        ],
    ),
    before("CAPA between USER and PASS", &["USER <user>", "CAPA", "PASS <password>"]),
    before("NOOP between USER and PASS", &["USER <user>", "NOOP", "PASS <password>"]),
    before("an unknown command between USER and PASS", &["USER <user>", "XYZZY", "PASS <password>"]),
    before("unknown before login", &["XYZZY", "XYZZY y"]),
    before("an empty line before login", &[""]),
    before("STAT before login", &["STAT", "LIST"]),
    before("RETR and DELE before login", &["RETR 1", "DELE 1"]),
    before("NOOP and RSET before login", &["NOOP", "RSET"]),
    before("TOP and UIDL before login", &["TOP 1 0", "UIDL"]),
    before("LAST before login", &["LAST"]),
    before("five bad commands before login", &["BAD1", "BAD2", "BAD3", "BAD4", "BAD5"]),
    before("three bad commands and the end", &["BAD1", "BAD2", "BAD3", "<end>"]),
    before("a good command between bad ones", &["BAD1", "BAD2", "CAPA", "BAD3", "BAD4", "<end>"]),
    before("PASS before USER is bad, too", &["PASS x", "PASS x", "PASS x", "PASS x", "<end>"]),
    before("a wrong password and the end", &["USER <user>", "PASS wrong", "<end>"]),
    before("QUIT between USER and PASS", &["USER <user>"]),
    before("509 octets before login", &["XYZZY <503 x>", "<end>"]),
    before("510 octets before login", &["XYZZY <504 x>", "<end>"]),
    before("511 octets before login", &["XYZZY <505 x>", "<end>"]),
    before("1100 octets before login", &["XYZZY <1094 x>", "<end>"]),
    before("4200 octets before login", &["XYZZY <4194 x>", "<end>"]),
    before("8180 octets before login", &["XYZZY <8174 x>", "<end>"]),
    before("lower case before login", &["capa", "user <user>", "pass <password>", "stat"]),
    before("blanks around commands before login", &["CAPA ", " CAPA"]),
    before("USER with two blanks", &["USER  <user>", "PASS <password>"]),
    before("a trailing blank after the name", &["USER <user> ", "PASS <password>"]),
    before("300 octets before login", &["XYZZY <294 x>"]),
    before("600 octets before login", &["XYZZY <594 x>"]),
    before("a name of 300 octets", &["USER <295 x>", "PASS x"]),
    before("9000 octets before login", &["XYZZY <8994 x>"]),
    before("AUTH without an argument", &["AUTH"]),
    before("AUTH with an unknown mechanism", &["AUTH XYZZY"]),
    before("AUTH PLAIN cancelled", &["AUTH PLAIN", "*"]),
    before("AUTH PLAIN, not base64", &["AUTH PLAIN", "!!!"]),
    before("AUTH PLAIN, wrong password", &["AUTH PLAIN AG5vYm9keQBub3RoaW5n"]),
    before("AUTH PLAIN with an initial response", &["AUTH PLAIN <plain>", "STAT"]),
    before("AUTH PLAIN in two lines", &["AUTH PLAIN", "<plain>", "STAT"]),
    before("AUTH PLAIN with =", &["AUTH PLAIN =", "*"]),
    before("auth plain in lower case", &["auth plain", "<plain>", "STAT"]),
    before("AUTH LOGIN", &["AUTH LOGIN", "bm9ib2R5", "bm90aGluZw=="]),
    before("AUTH LOGIN cancelled", &["AUTH LOGIN", "*"]),
    before("AUTH CRAM-MD5 cancelled", &["AUTH CRAM-MD5", "*"]),
    before(
        "AUTH CRAM-MD5, wrong digest",
        &["AUTH CRAM-MD5", "bm9ib2R5IDAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm"],
    ),
    before("APOP", &["APOP <user> 0123456789abcdef0123456789abcdef"]),
    before("APOP without a digest", &["APOP <user>", "APOP"]),
    before("STLS before login", &["STLS", "STLS x"]),
    before("UTF8 and LANG before login", &["UTF8", "LANG", "LANG en"]),
    after("QUIT after login", &[]),
    after("QUIT with an argument", &["QUIT x"]),
    holding(0, "an empty mailbox", &["STAT", "LIST", "UIDL", "RETR 1", "LIST 1", "DELE 0", "RSET"]),
    holding(1, "a single message", &["STAT", "LIST", "UIDL", "DELE 1", "STAT", "LIST", "UIDL", "RSET"]),
    after("CAPA after login", &["CAPA", "CAPA x"]),
    after("logging in twice", &["USER <user>", "PASS <password>", "NOOP"]),
    after("AUTH after login", &["AUTH", "AUTH PLAIN", "NOOP"]),
    after("APOP after login", &["APOP <user> 0123456789abcdef0123456789abcdef"]),
    after("unknown after login", &["XYZZY", "XYZZY y", "NOOP"]),
    after("an empty line after login", &["", "NOOP"]),
    after("STAT", &["STAT", "STAT 1"]),
    after("LIST", &["LIST", "LIST 1", "LIST 3"]),
    after("LIST of what is not there", &["LIST 99", "LIST 0", "LIST 4"]),
    after("LIST x", &["LIST x", "NOOP"]),
    after("LIST -1", &["LIST -1", "NOOP"]),
    after(
        "LIST with odd numbers",
        &["LIST 1 2", "LIST 01", "LIST +1", "LIST 1x", "LIST 99999999999999999999"],
    ),
    after(
        "LIST with more odd numbers",
        &["LIST 4294967297", "LIST 18446744073709551617", "LIST  1", "LIST 1 "],
    ),
    after("LIST with a trailing blank", &["LIST ", "NOOP"]),
    after("UIDL", &["UIDL", "UIDL 1", "UIDL 3"]),
    after("UIDL of what is not there", &["UIDL 99", "UIDL 0"]),
    // Mailutils keeps the unique-id in a header, which it adds to the message then and there.
    after("sizes after UIDL", &["UIDL", "STAT", "LIST", "RETR 1"]),
    after("UIDL x", &["UIDL x", "NOOP"]),
    after("UIDL with odd numbers", &["UIDL -1", "UIDL 1 2", "UIDL 01"]),
    after("RETR", &["RETR 1", "RETR 3"]),
    after("RETR of what is not there", &["RETR 99", "RETR 0", "NOOP"]),
    after("RETR with odd arguments", &["RETR x", "RETR", "RETR -1", "NOOP"]),
    after("RETR with two arguments", &["RETR 1 2", "NOOP"]),
    after("TOP", &["TOP 3 0", "TOP 3 1", "TOP 3 999"]),
    after("TOP with odd arguments", &["TOP 1", "TOP", "TOP 99 1", "TOP 0 0", "NOOP"]),
    after("TOP with odd counts", &["TOP 1 x", "TOP 1 -1", "NOOP"]),
    after("TOP with three arguments", &["TOP 1 0 2", "TOP x 1", "NOOP"]),
    after("DELE", &["DELE 1", "DELE 1", "NOOP", "RSET"]),
    after("what is deleted", &["DELE 1", "RETR 1", "LIST 1", "TOP 1 0", "UIDL 1", "RSET"]),
    after("listings after DELE", &["DELE 2", "STAT", "LIST", "RSET", "STAT", "LIST", "DELE 1", "UIDL"]),
    after("DELE with odd arguments", &["DELE 99", "DELE", "DELE 0", "DELE x", "NOOP"]),
    after("DELE with two arguments", &["DELE 1 2", "STAT", "RSET"]),
    after("QUIT with one deleted of three", &["DELE 1"]),
    after("QUIT with all deleted", &["DELE 1", "DELE 2", "DELE 3"]),
    holding(1, "QUIT with the only one deleted", &["DELE 1"]),
    after("NOOP", &["NOOP", "NOOP x"]),
    after("RSET", &["RSET", "RSET x"]),
    after("LAST", &["LAST", "RETR 2", "LAST", "RSET", "LAST", "LAST x"]),
    after("STLS after login", &["STLS", "NOOP"]),
    after("UTF8 and LANG after login", &["UTF8", "LANG", "NOOP"]),
    after("XTND", &["XTND XMIT", "HELP", "NOOP"]),
    after("lower case", &["noop", "Stat", "list 1", "uidl 1", "dele 1", "rset", "quit"]),
    after("blanks around commands", &["NOOP ", " NOOP", "STAT  ", "NOOP"]),
    after("300 octets after login", &["XYZZY <294 x>", "NOOP"]),
    after("600 octets after login", &["XYZZY <594 x>", "NOOP"]),
    after("9000 octets after login", &["XYZZY <8994 x>", "NOOP"]),
    after("a number with 300 octets", &["NOOP <295 x>", "NOOP"]),
    after("five bad commands", &["BAD1", "BAD2", "BAD3", "BAD4", "BAD5"]),
    after(
        "twenty-one bad commands and the end",
        &[
            "BAD1", "BAD2", "BAD3", "BAD4", "BAD5", "BAD6", "BAD7", "BAD8", "BAD9", "BAD10", "BAD11",
            "BAD12", "BAD13", "BAD14", "BAD15", "BAD16", "BAD17", "BAD18", "BAD19", "BAD20", "BAD21",
            "<end>",
        ],
    ),
    after(
        "a good command after twenty bad ones",
        &[
            "BAD1", "BAD2", "BAD3", "BAD4", "BAD5", "BAD6", "BAD7", "BAD8", "BAD9", "BAD10", "BAD11",
            "BAD12", "BAD13", "BAD14", "BAD15", "BAD16", "BAD17", "BAD18", "BAD19", "BAD20", "NOOP", "BAD21",
            "BAD22", "BAD23", "<end>",
        ],
    ),
    after("an unknown command in lower case", &["xyzzy y"]),
    after(
        "LAST after TOP and DELE",
        &["TOP 3 0", "LAST", "RETR 2", "RETR 1", "LAST", "DELE 3", "LAST", "RSET"],
    ),
    after("the client ends after DELE", &["DELE 1", "<end>"]),
    after("1100 octets after login", &["XYZZY <1094 x>", "<end>"]),
    after("4200 octets after login", &["XYZZY <4194 x>", "<end>"]),
    after("8180 octets after login", &["XYZZY <8174 x>", "<end>"]),
    after("trailing blanks after numbers", &["RETR 1 ", "DELE 1 ", "TOP 1 0 ", "RSET"]),
    after("letters after numbers", &["RETR 1x", "UIDL 1x", "DELE 1x", "TOP 2x 0", "TOP 2 0x", "RSET"]),
];
