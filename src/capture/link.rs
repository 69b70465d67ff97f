//! Link layers: where the IP packet begins in a frame.

/// How a link type says what it carries.
#[derive(Clone, Copy)]
enum Names {
    /// An `EtherType` at this offset, behind which VLAN tags may follow.
    EtherType(usize),
    /// An address family in the first four octets, in the byte order of whichever machine captured.
    Family,
    /// Nothing: it carries IP alone.
    Ip,
}

struct Row {
    /// The LINKTYPE number (<https://www.tcpdump.org/linktypes.html>).
    number: u32,
    /// Octets of its header.
    header: usize,
    names: Names,
}

const fn row(number: u32, header: usize, names: Names) -> Row {
    Row { number, header, names }
}

/// Every link type that is read. The most frequent stand first.
#[rustfmt::skip]
const LINKS: &[Row] = &[
    row(1,   14, Names::EtherType(12)), // Ethernet
    row(113, 16, Names::EtherType(14)), // Linux "cooked", v1
    row(276, 20, Names::EtherType(0)),  // the same, v2
    row(101, 0,  Names::Ip),            // raw IP
    row(12,  0,  Names::Ip),            // the same, as the number was on most systems
    row(14,  0,  Names::Ip),            // the same on OpenBSD
    row(228, 0,  Names::Ip),            // IPv4
    row(229, 0,  Names::Ip),            // IPv6
    row(0,   4,  Names::Family),        // BSD loopback
    row(108, 4,  Names::Family),        // OpenBSD loopback
];

/// 802.1Q, 802.1ad, and what came before it.
const TAGS: [u16; 3] = [0x8100, 0x88a8, 0x9100];
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
/// `AF_INET`, and `AF_INET6` of NetBSD, FreeBSD, Darwin and Linux.
const FAMILIES: [u32; 5] = [2, 24, 28, 30, 10];

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carries<'a> {
    /// An IP packet, perhaps cut, perhaps padded.
    Ip(&'a [u8]),
    /// Something else.
    Other,
    /// Its header is cut off.
    Cut,
    /// Its link type is not read.
    Unknown,
}

/// Looks into a frame.
pub(super) fn carries(link: u32, octets: &[u8]) -> Carries<'_> {
    let Some(row) = LINKS.iter().find(|row| row.number == link) else { return Carries::Unknown };
    let Some(rest) = octets.get(row.header..) else { return Carries::Cut };
    match row.names {
        Names::Ip => Carries::Ip(rest),
        Names::Family => {
            let family = octets.first_chunk().copied().unwrap_or_default();
            let known = FAMILIES.contains(&u32::from_le_bytes(family))
                || FAMILIES.contains(&u32::from_be_bytes(family));
            if known { Carries::Ip(rest) } else { Carries::Other }
        }
        Names::EtherType(at) => {
            let kind = octets.get(at..).and_then(<[u8]>::first_chunk).copied();
            kind.map_or(Carries::Cut, |kind| behind_tags(u16::from_be_bytes(kind), rest))
        }
    }
}

/// A tag is four octets, of which the last two name what follows.
fn behind_tags(mut kind: u16, mut rest: &[u8]) -> Carries<'_> {
    while TAGS.contains(&kind) {
        let Some((tag, inner)) = rest.split_first_chunk::<4>() else { return Carries::Cut };
        kind = u16::from_be_bytes([tag[2], tag[3]]);
        rest = inner;
    }
    if matches!(kind, IPV4 | IPV6) { Carries::Ip(rest) } else { Carries::Other }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_byte_orders_name_a_family() {
        assert_eq!(carries(0, &[2, 0, 0, 0, 0x45]), Carries::Ip(&[0x45]));
        assert_eq!(carries(108, &[0, 0, 0, 30, 0x60]), Carries::Ip(&[0x60]));
        assert_eq!(carries(0, &[7, 0, 0, 0, 0x45]), Carries::Other);
    }

    #[test]
    fn what_is_cut_is_not_what_is_unknown() {
        assert_eq!(carries(1, &[0; 13]), Carries::Cut);
        assert_eq!(carries(1, &[[0; 12].as_slice(), &[0x81, 0, 0, 1, 8]].concat()), Carries::Cut);
        assert_eq!(carries(105, &[0; 60]), Carries::Unknown);
    }
}
