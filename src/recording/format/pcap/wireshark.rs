//! What Wireshark's POP dissector makes of each segment, as far as it decides where octets are best cut. Found by
//! experiment (`tests/captures` runs the real one).
//!
//! A segment to the server is a command. One from the server is a reply where it begins with a status, else part of a
//! message: it is the whole of one where the reply to `RETR` or `TOP` named no number, else one begins with the reply
//! and ends with the segment that reaches the number. After `+OK ` to `STLS` nothing more is POP.

/// Its state for one conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Wireshark {
    /// The next reply may say how long a message is.
    message_due: bool,
    /// What it said.
    promised: u32,
    /// Octets of the message so far.
    seen: u32,
}

impl Wireshark {
    /// A segment of the client.
    pub(super) fn command(&mut self, segment: &[u8]) {
        let begins = |word: &[u8]| segment.get(..word.len()).is_some_and(|s| s.eq_ignore_ascii_case(word));
        self.message_due |= begins(b"RETR") || begins(b"TOP");
    }

    /// A segment of the server.
    pub(super) fn reply(&mut self, segment: &[u8]) {
        if begins_with_status(segment) {
            if std::mem::take(&mut self.message_due) && segment.starts_with(b"+OK ") {
                (self.seen, self.promised) = (0, number(&segment[4..]));
            }
            return;
        }
        self.seen = self.seen.saturating_add(segment.len() as u32);
        if self.seen >= self.promised {
            (self.seen, self.promised) = (0, 0);
        }
    }

    /// How many octets the message lacks.
    pub(super) const fn lacks(&self) -> usize {
        (self.promised - self.seen) as usize
    }

    /// The same once this status line is there.
    pub(super) fn lacks_after(mut self, status: &[u8]) -> usize {
        self.reply(status);
        self.lacks()
    }
}

/// Whether a segment that begins so is taken for a reply.
pub(super) fn begins_with_status(segment: &[u8]) -> bool {
    segment.starts_with(b"+OK") || segment.starts_with(b"-ERR")
}

/// The number that a text begins with, as C's `strtoul` reads it, cut to 32 bits.
fn number(text: &[u8]) -> u32 {
    let text = text.trim_ascii_start();
    let (minus, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        _ => (false, text.strip_prefix(b"+").unwrap_or(text)),
    };
    let mut number = Some(0_u64);
    for digit in digits.iter().take_while(|byte| byte.is_ascii_digit()) {
        number = number.and_then(|n| n.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
    }
    match number {
        Some(number) if minus => number.wrapping_neg() as u32,
        number => number.unwrap_or(u64::MAX) as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_strtoul_reads_them() {
        for (text, expected) in [
            ("120 octets", 120),
            ("  7", 7),
            ("octets", 0),
            ("", 0),
            ("-1", u32::MAX),
            ("4294967301", 5),
            ("99999999999999999999999", u32::MAX),
        ] {
            assert_eq!(number(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn a_message_ends_where_its_number_is_reached() {
        let mut wireshark = Wireshark::default();
        wireshark.command(b"retr 1\r\n");
        wireshark.reply(b"+OK 12 octets\r\n");
        assert_eq!(wireshark.lacks(), 12);
        wireshark.reply(b"Subject: ");
        assert_eq!(wireshark.lacks(), 3);
        wireshark.reply(b"a\r\n.\r\n");
        assert_eq!(wireshark, Wireshark::default());
    }

    #[test]
    fn only_a_reply_to_a_message_command_promises() {
        let mut wireshark = Wireshark::default();
        wireshark.command(b"STAT\r\n");
        wireshark.reply(b"+OK 2 320\r\n");
        assert_eq!(wireshark.lacks(), 0);
        wireshark.command(b"TOP 1 0\r\n");
        wireshark.reply(b"-ERR 9 gone\r\n");
        wireshark.reply(b"+OK 9\r\n");
        assert_eq!(wireshark.lacks(), 0);
    }
}
