//! The mail that the upstream serves and the load verifies: every octet of it is known to both.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::LazyLock;

/// Octets of a line with its ending.
const LINE: usize = 78;

/// Lines that repeat.
const LINES: usize = 13_441;

/// One turn of a message, stuffed as it is sent: some lines begin with ".".
static TURN: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut turn = Vec::with_capacity(LINE * LINES);
    let mut state = 1_u32;
    for line in 0..LINES {
        let start = turn.len();
        while turn.len() < start + LINE - 2 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            turn.push(
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+ "[(state >> 26) as usize],
            );
        }
        if line % 100 == 7 {
            turn[start..start + 2].copy_from_slice(b"..");
        }
        turn.extend_from_slice(b"\r\n");
    }
    turn
});

/// Octets of the message that `RETR kib` gives, on the wire and without its terminator.
pub fn octets(kib: u64) -> u64 {
    (kib * 1024 / LINE as u64).max(1) * LINE as u64
}

/// The status line before it.
pub fn status(kib: u64) -> String {
    format!("+OK {} octets\r\n", octets(kib))
}

/// What there is from `offset` on, at most to the end of a turn.
pub fn from(offset: u64) -> &'static [u8] {
    &TURN[(offset % TURN.len() as u64) as usize..]
}

/// Sends the whole response.
pub fn send(kib: u64, to: &mut impl Write) -> io::Result<()> {
    let mut first = status(kib).into_bytes();
    let all = octets(kib);
    if all < 64 * 1024 {
        first.extend_from_slice(&from(0)[..all as usize]);
        first.extend_from_slice(b".\r\n");
        return to.write_all(&first);
    }
    to.write_all(&first)?;
    let mut sent = 0;
    while sent < all {
        let part = from(sent);
        let part = &part[..part.len().min(256 * 1024).min((all - sent) as usize)];
        to.write_all(part)?;
        sent += part.len() as u64;
    }
    to.write_all(b".\r\n")
}

/// The listing of a maildrop of so many messages.
pub fn listing(messages: u64) -> String {
    let mut listing = format!("+OK {messages} messages\r\n");
    for number in 1..=messages {
        // Writing to a String cannot fail.
        let _ = write!(listing, "{number} {}\r\n", octets(1));
    }
    listing.push_str(".\r\n");
    listing
}
