//! Octets after an accepted STLS, where nobody here can look into TLS: its records are passed on as they are. What is no
//! record was sent in clear, and is read as what it is, lest a password pass unmasked.

use super::client::{ClientMode, Expect};
use super::held::Cursor;
use super::server::ServerMode;
use super::{Dissector, Event};
use crate::wire::Side;

/// The octets of a record's header (RFC 8446 section 5.1): content type, version, length.
const HEADER: usize = 5;

/// Content types, from `change_cipher_spec` to `heartbeat`.
const TYPES: std::ops::RangeInclusive<u8> = 20..=24;

/// What the hello of SSL 2.0 begins with, which has no record around it.
const OLD_HELLO: u8 = 0x80;

/// Where a side's stream of records is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Records {
    header: [u8; HEADER],
    /// Octets of the header that came.
    got: usize,
    /// Octets of the record that are to come.
    left: usize,
    /// There was a record.
    any: bool,
    /// Where records begin is not known any more: all is taken for TLS.
    lost: bool,
}

impl Records {
    /// Octets are missing. Where no record came before them it may be that none comes at all.
    pub(super) fn lose(&mut self) {
        self.lost |= self.any;
    }

    /// How many of the next octets are of records. Whatever follows them is none, and how the octets were cut does not
    /// matter.
    fn take(&mut self, octets: &[u8]) -> usize {
        let mut at = 0;
        while at < octets.len() && !self.lost {
            if self.left > 0 {
                let skipped = self.left.min(octets.len() - at);
                self.left -= skipped;
                at += skipped;
                continue;
            }
            if self.got == 0 && octets[at] != OLD_HELLO && !TYPES.contains(&octets[at]) {
                return at;
            }
            self.any = true;
            self.header[self.got] = octets[at];
            (self.got, at) = (self.got + 1, at + 1);
            if self.got == HEADER {
                let [_, major, _, high, low] = self.header;
                (self.got, self.left) = (0, usize::from(u16::from_be_bytes([high, low])));
                self.lost = major != 3;
            }
        }
        octets.len()
    }
}

impl Dissector {
    /// From here on, TLS.
    pub(super) fn go_opaque(&mut self) {
        self.records = Default::default();
        (self.client_mode, self.server_mode) = (ClientMode::Opaque, ServerMode::Opaque);
    }

    /// Passes records on; goes on with lines where none begins.
    pub(super) fn opaque_octets(&mut self, side: Side, cursor: &mut Cursor, out: &mut impl FnMut(Event)) {
        let len = self.records[side as usize].take(cursor.rest());
        if len > 0 {
            let held = if side == Side::Client { &mut self.client } else { &mut self.server };
            let run = held.take(cursor, len);
            out(Event::Opaque { side, run });
        }
        if !cursor.rest().is_empty() {
            match side {
                Side::Client => {
                    (self.client_mode, self.expect, self.sasl) = (ClientMode::Lines, Expect::Command, None);
                }
                Side::Server => self.server_mode = ServerMode::Lines,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_end_where_none_begins() {
        let record = [22, 3, 1, 0, 2, b'U', b'S'];
        for (octets, expected) in [
            (&b"USER x\r\n"[..], 0),
            (&record, 7),
            (&[&record[..], &record, b"PASS x\r\n"].concat(), 14),
            (&[&record[..5], b"U"].concat(), 6),
            (&[22, 2, 0, 0, 0, b'A', b'B'], 7),
            (&[OLD_HELLO, 3, 1, 0, 1, b'x', b'+'], 6),
        ] {
            assert_eq!(Records::default().take(octets), expected, "{octets:?}");
            let mut one_by_one = Records::default();
            let taken = octets.iter().take_while(|octet| one_by_one.take(&[**octet]) == 1).count();
            assert_eq!(taken, expected, "{octets:?}");
        }
    }
}
