//! What real captures contain: sessions that are cut, servers that are odd, and all else that is on a network.

use std::time::Duration;

use pcap_file::pcap::PcapTsResolution;
use poptape::wire::Side::{self, Client, Server};

use super::files::{Endianness, Link, Packet, Talk, pcap, plain, session};
use super::shown::{Shown, exchanges, streams};
use crate::support::{recordings, run, text};

/// Between a client and a server on its port.
fn open() -> Talk {
    Talk::new("192.0.2.2:51034", "192.0.2.1:110").open()
}

/// After a greeting.
fn greeted() -> Talk {
    open().says(Server, b"+OK ready\r\n")
}

const GREETING: &str = " | +OK ready";

#[track_caller]
fn check(talk: &Talk, expected: &[&str]) {
    assert_eq!(exchanges(&talk.packets), expected);
}

#[test]
fn a_greeting_only() {
    check(&greeted(), &[GREETING]);
    check(&greeted().close(), &[GREETING]);
}

#[test]
fn quit_unanswered() {
    check(&greeted().says(Client, b"QUIT\r\n").close(), &[GREETING, "QUIT"]);
}

#[test]
fn two_commands_before_the_first_answer() {
    let expected = [GREETING, "USER kcope | +OK one", "PASS ******** | +OK two"];
    let both = greeted().says(Client, b"USER kcope\r\nPASS secret\r\n");
    check(&both.says(Server, b"+OK one\r\n").says(Server, b"+OK two\r\n"), &expected);
    let each = greeted().says(Client, b"USER kcope\r\n").says(Client, b"PASS secret\r\n");
    check(&each.says(Server, b"+OK one\r\n+OK two\r\n"), &expected);
}

#[test]
fn verbs_in_lower_case() {
    let talk = greeted().says(Client, b"user kcope\r\n").says(Server, b"+OK\r\n");
    let talk = talk.says(Client, b"pass secret\r\n").says(Server, b"+OK\r\n");
    let talk = talk.says(Client, b"list\r\n").says(Server, b"+OK\r\n1 3\r\n.\r\n");
    let expected = [GREETING, "user kcope | +OK", "pass ******** | +OK", "list | +OK | 1 lines, 5 octets"];
    check(&talk, &expected);
}

#[test]
fn auth_without_an_argument() {
    let talk = greeted().says(Client, b"AUTH\r\n").says(Server, b"+OK\r\nPLAIN\r\nLOGIN\r\n.\r\n");
    let talk = talk.says(Client, b"AUTH \r\n").says(Server, b"-ERR what?\r\n");
    let talk = talk.says(Client, b"QUIT\r\n").says(Server, b"+OK bye\r\n");
    check(&talk, &[GREETING, "AUTH | +OK | 2 lines, 14 octets", "AUTH  | -ERR what?", "QUIT | +OK bye"]);
}

#[test]
fn answers_that_are_no_status_line() {
    let talk = greeted().says(Client, b"NOOP\r\n").says(Server, b"what do you want?\r\n");
    let talk = talk.says(Client, b"QUIT\r\n").says(Server, b"+OK bye\r\n");
    check(&talk, &[GREETING, "NOOP |  what do you want?", "QUIT | +OK bye"]);
}

#[test]
fn challenges_of_binary_octets() {
    let challenge = [&b"+ NTLMSSP\0\x02\0\0\0\x80\xff\xfe"[..], b"\r\n"].concat();
    let talk = greeted().says(Client, b"AUTH NTLM\r\n").says(Server, &challenge);
    let talk = talk.says(Client, b"\x01\xff\r\n").says(Server, b"+OK come in\r\n");
    let talk = talk.says(Client, b"QUIT\r\n").says(Server, b"+OK bye\r\n").close();
    let (client, server) = streams(&talk.packets);
    assert_eq!(client, b"AUTH NTLM\r\n\x01\xff\r\nQUIT\r\n");
    assert_eq!(server, [b"+OK ready\r\n", &challenge[..], b"+OK come in\r\n+OK bye\r\n"].concat());
    let shown = exchanges(&talk.packets);
    assert_eq!(shown.last().unwrap(), "QUIT | +OK bye", "{shown:?}");
    assert!(!shown.concat().contains("NTLMSSP"), "{shown:?}");
}

#[test]
fn only_the_dot_counts() {
    for promised in [0, 10, 12, 13, 999_999] {
        let status = format!("+OK {promised} octets\r\n");
        let talk = greeted().says(Client, b"RETR 1\r\n").says(Server, status.as_bytes());
        let talk = talk.says(Server, b"Subject: a\r\n\r\n..\r\nb\r\n").says(Server, b".\r\n");
        let talk = talk.says(Client, b"DELE 1\r\n").says(Server, b"+OK gone\r\n");
        let retrieved = format!("RETR 1 | +OK {promised} octets | 4 lines, 20 octets");
        check(&talk, &[GREETING, &retrieved, "DELE 1 | +OK gone"]);
    }
}

#[test]
fn a_greeting_in_gbk() {
    let greeting = b"+OK \xbb\xb6\xd3\xad \xca\xb9\xd3\xc3\r\n";
    let talk = open().says(Server, greeting).says(Client, b"QUIT\r\n").says(Server, b"+OK\r\n").close();
    assert_eq!(streams(&talk.packets).1, [&greeting[..], b"+OK\r\n"].concat());
    let shown = exchanges(&talk.packets);
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(shown[0].starts_with(" | +OK "), "{shown:?}");
    assert_eq!(shown[1], "QUIT | +OK");
}

#[test]
fn a_listing_of_64_kilobytes() {
    let mut listing = b"+OK\r\n".to_vec();
    for number in 1..=1000 {
        listing.extend_from_slice(format!("{number} {}\r\n", "u".repeat(60)).as_bytes());
    }
    listing.extend_from_slice(b".\r\n");
    assert!(listing.len() > 64 << 10);
    let mut talk = greeted().says(Client, b"UIDL\r\n");
    for segment in listing.chunks(1460) {
        talk = talk.says(Server, segment);
    }
    let talk = talk.says(Client, b"QUIT\r\n").says(Server, b"+OK bye\r\n").close();
    assert_eq!(streams(&talk.packets).1, [b"+OK ready\r\n", &listing[..], b"+OK bye\r\n"].concat());
    check(&talk, &[GREETING, "UIDL | +OK | 1000 lines, 65893 octets", "QUIT | +OK bye"]);
}

/// Without what came before this packet.
fn from(mut packets: Vec<Packet>, first: usize) -> Vec<Packet> {
    packets.split_off(first)
}

#[test]
fn from_the_middle() {
    // Behind the handshake it is all there.
    let whole = exchanges(&session());
    assert_eq!(exchanges(&from(session(), 3)), whole);
    // Behind the greeting it is all there but that, and what nobody saw has no words.
    let mut left = exchanges(&from(session(), 4));
    left.retain(|row| !row.is_empty());
    assert_eq!(left, whole[1..]);
    // Cut at any other place the streams are what is left.
    for first in 4..session().len() - 4 {
        let left = from(session(), first);
        let (client, server) = streams(&left);
        let (all_client, all_server) = streams(&session());
        assert!(all_client.ends_with(&client) && all_server.ends_with(&server), "{first}");
        let payload = |packet: &Packet| packet.octets.len() - 40;
        assert_eq!(client.len() + server.len(), left.iter().map(payload).sum::<usize>(), "{first}");
        assert_eq!(Shown::of(&plain(&left)).code, Some(0), "{first}");
    }
}

#[test]
fn from_the_middle_of_a_message() {
    let mut talk = greeted().says(Client, b"RETR 1\r\n").says(Server, b"+OK\r\nSubject: a\r\n\r\n");
    let before = talk.packets.len();
    for _ in 0..10 {
        talk = talk.says(Server, b"+OK this is a line of the message\r\n");
    }
    let talk = talk.says(Server, b".\r\n").says(Client, b"DELE 1\r\n").says(Server, b"+OK gone\r\n").close();
    let left = from(talk.packets, before);
    let (client, server) = streams(&left);
    assert_eq!(client, b"DELE 1\r\n");
    assert!(server.ends_with(b"message\r\n.\r\n+OK gone\r\n"));
    assert!(server.starts_with(b"+OK this is a line"));
}

/// Who says what, in order.
type Said = &'static [(Side, &'static [u8])];

/// What others say on a network, each with the server's port: who says it, and what.
const OTHERS: &[(u16, Said)] = &[
    (80, &[(Client, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), (Server, b"HTTP/1.1 200 OK\r\n\r\n+OK\r\n")]),
    (25, &[(Server, b"220 mail ESMTP\r\n"), (Client, b"QUIT\r\n"), (Server, b"221 bye\r\n")]),
    (143, &[(Server, b"* OK IMAP4rev1\r\n"), (Client, b"a NOOP\r\n"), (Server, b"a OK done\r\n")]),
    (21, &[(Server, b"220 ftp\r\n"), (Client, b"USER a\r\n"), (Server, b"331 password?\r\n")]),
    (119, &[(Server, b"200 news\r\n"), (Client, b"LIST\r\n"), (Server, b"215 list\r\n.\r\n")]),
    (6379, &[(Client, b"SET a b\r\n"), (Server, b"+OK\r\n"), (Client, b"AUTH x\r\n"), (Server, b"+OK\r\n")]),
    (
        6379,
        &[
            (Client, b"*1\r\n$4\r\nQUIT\r\n"),
            (Server, b"+OK\r\n"),
            (Client, b"QUIT\r\n"),
            (Server, b"+OK\r\n"),
        ],
    ),
    (
        4222,
        &[
            (Server, b"INFO {}\r\n"),
            (Client, b"CONNECT {}\r\n"),
            (Server, b"+OK\r\n"),
            (Client, b"PING\r\n"),
            (Server, b"PONG\r\n"),
        ],
    ),
    (443, &[(Client, b"\x16\x03\x01\0\x05\x01\0\0\x01\0"), (Server, b"\x16\x03\x03\0\x01\x02")]),
    (110, &[(Client, b"GET / HTTP/1.1\r\n\r\n"), (Server, b"HTTP/1.1 400 Bad Request\r\n\r\n")]),
    (110, &[(Client, b"\0\x01\x02\x03"), (Server, b"\xff\xfe\xfd")]),
    (
        110,
        &[(Server, b"220 smtp where it should not be\r\n"), (Client, b"EHLO a\r\n"), (Server, b"250 a\r\n")],
    ),
];

/// So many conversations, with a handshake or without, over IPv4 and IPv6 in turns.
fn others(count: usize, handshake: bool) -> Vec<Vec<Packet>> {
    let one = |(number, (port, said)): (usize, &(u16, Said))| {
        let (client, server) =
            if number % 2 == 0 { ("192.0.2.3", "192.0.2.1") } else { ("[2001:db8::3]", "[2001:db8::1]") };
        let talk = Talk::new(&format!("{client}:{}", 40_000 + number), &format!("{server}:{port}"));
        let talk = if handshake { talk.open() } else { talk };
        let talk = said.iter().fold(talk, |talk, (side, octets)| talk.says(*side, octets));
        if handshake { talk.close().packets } else { talk.packets }
    };
    OTHERS.iter().cycle().take(count).enumerate().map(one).collect()
}

/// A packet of each in turns.
fn mixed(streams: &[Vec<Packet>]) -> Vec<Packet> {
    let longest = streams.iter().map(Vec::len).max().unwrap_or(0);
    (0..longest).flat_map(|at| streams.iter().filter_map(move |stream| stream.get(at).cloned())).collect()
}

#[test]
fn in_the_background_of_59_others() {
    for handshake in [true, false] {
        let mut streams = others(59, handshake);
        streams.insert(17, session());
        let shown = Shown::of(&plain(&mixed(&streams)));
        assert_eq!(shown.code, Some(0), "{}", shown.stderr);
        assert_eq!(shown.exchanges(), exchanges(&session()));
        let said = "59 other TCP conversations were skipped, 5 of them in TLS";
        assert!(shown.stderr.contains(said), "{}", shown.stderr);
    }
}

#[test]
fn more_messages_at_once_than_files_may_be_open() {
    let letter = |number: u16| format!("Subject: {number}\r\n\r\n{}", "0123456789abcdef\r\n".repeat(1500));
    let one = |number: u16| {
        let talk = Talk::new(&format!("192.0.2.2:{}", 40_000 + number), "192.0.2.1:110").open();
        let talk = talk.says(Server, b"+OK\r\n").says(Client, b"RETR 1\r\n").says(Server, b"+OK\r\n");
        let letter = letter(number);
        let talk = letter.as_bytes().chunks(9000).fold(talk, |talk, piece| talk.says(Server, piece));
        talk.says(Server, b".\r\n").close().packets
    };
    let folder = tempfile::tempdir().unwrap();
    let [capture, out] = ["x.pcap", "out.eml"].map(|name| folder.path().join(name));
    std::fs::write(&capture, plain(&mixed(&(0..60).map(one).collect::<Vec<_>>()))).unwrap();
    let limited = "ulimit -n 40; exec \"$0\" convert \"$1\" \"$2\"";
    let output = std::process::Command::new("sh")
        .args(["-c", limited, env!("CARGO_BIN_EXE_poptape")])
        .args([&capture, &out])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let mut left: Vec<_> =
        recordings(&out).iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    left.sort();
    let mut all: Vec<_> = (0..60).map(letter).collect();
    all.sort();
    assert!(left == all, "{} messages differ from what was retrieved", left.len());
}

#[test]
fn nothing_is_made_of_what_is_no_pop3() {
    for handshake in [true, false] {
        let shown = Shown::of(&plain(&mixed(&others(44, handshake))));
        assert_eq!((shown.code, shown.rows.len()), (Some(2), 0), "{:?}", shown.exchanges());
        assert!(shown.stderr.contains("no POP3 session in it"), "{}", shown.stderr);
    }
    let folder = tempfile::tempdir().unwrap();
    let [capture, out] = ["x.pcap", "out.json"].map(|name| folder.path().join(name));
    std::fs::write(&capture, plain(&mixed(&others(44, true)))).unwrap();
    let output = run(&["convert", capture.to_str().unwrap(), out.to_str().unwrap()]);
    assert_eq!((output.status.code(), out.exists()), (Some(2), false), "{}", text(&output.stderr));
    // Stray packets to the port: no answer, nothing that a client says.
    for octets in [&b"\x01"[..], b"\r\n\r\n", b"PING\r\n", b"+OK\r\n", b"*1\r\n$4\r\nPING\r\n"] {
        let talk = Talk::new("192.0.2.9:6379", "192.0.2.1:110").says(Client, octets);
        let shown = Shown::of(&plain(&talk.packets));
        assert_eq!((shown.code, shown.rows.len()), (Some(2), 0), "{octets:?}: {:?}", shown.exchanges());
        assert!(!shown.stderr.contains("--port"), "it is on that port: {}", shown.stderr);
    }
}

#[test]
fn both_versions_of_ip_on_a_loopback() {
    let six = Talk::new("[2001:db8::2]:51034", "[2001:db8::1]:110").open();
    let six = six.says(Server, b"+OK six\r\n").says(Client, b"QUIT\r\n").says(Server, b"+OK\r\n").close();
    let four = exchanges(&session());
    for link in [Link::Null, Link::Loop, Link::Raw, Link::Ethernet] {
        let packets = mixed(&[session(), six.packets.clone()]);
        let shown = Shown::of(&pcap(Endianness::Big, PcapTsResolution::NanoSecond, link, &packets));
        let of = |number| {
            let rows = shown.rows.iter().filter(|row| row["session"] == number).cloned().collect();
            Shown { code: shown.code, rows, stderr: String::new() }.exchanges()
        };
        assert_eq!(of(1), four, "{link:?}");
        assert_eq!(of(2), [" | +OK six", "QUIT | +OK"], "{link:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let [capture, out] = ["x.pcap", "out"].map(|name| folder.path().join(name));
    std::fs::write(&capture, plain(&mixed(&[session(), six.packets]))).unwrap();
    let output = run(&["convert", capture.to_str().unwrap(), &format!("{}/", out.display())]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown = recordings(&out).into_iter().map(|path| Shown::of(&std::fs::read(path).unwrap()).exchanges());
    assert_eq!(shown.collect::<Vec<_>>(), [four, vec![" | +OK six".to_owned(), "QUIT | +OK".to_owned()]]);
}

#[test]
fn a_frame_that_is_dated_decades_off() {
    let decades = Duration::from_hours(25 * 365 * 24);
    let whole = exchanges(&session());
    for place in 0..session().len() {
        for later in [true, false] {
            let mut packets = session();
            let at = &mut packets[place].at;
            *at = if later { *at + decades } else { at.saturating_sub(decades) };
            let shown = Shown::of(&plain(&packets));
            assert_eq!((shown.code, shown.exchanges()), (Some(0), whole.clone()), "{place}");
            let times: Vec<_> = shown.rows.iter().map(|row| row["at_us"].as_u64().unwrap()).collect();
            assert!(times.is_sorted() && *times.last().unwrap() < 20_000, "{place}: {times:?}");
            assert!(times[times.len() - 1] > 8_000, "{place}: {times:?}");
        }
    }
}
