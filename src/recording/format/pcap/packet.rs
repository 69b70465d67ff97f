//! A segment as an IP packet: headers with their checksums, through `etherparse`.

use std::net::SocketAddr;

use etherparse::{IpNumber, Ipv4Header, Ipv6Header, TcpHeader};

/// The most that a total length can say (RFC 791 section 3.1), or a payload length (RFC 8200 section 3).
const LONGEST: usize = u16::MAX as usize;

const TIME_TO_LIVE: u8 = 64;

/// The longest segment that a packet between addresses of this family holds, TCP options aside.
pub(super) const fn longest_segment(v4: bool) -> u16 {
    let header = TcpHeader::MIN_LEN + if v4 { Ipv4Header::MIN_LEN } else { 0 };
    (LONGEST - header) as u16
}

/// Makes the packet in `packet`, whose octets it replaces. Both addresses are of one family, and the payload is no
/// longer than [`longest_segment`]: else nothing is made.
pub(super) fn make(
    from: SocketAddr,
    to: SocketAddr,
    mut tcp: TcpHeader,
    payload: &[u8],
    packet: &mut Vec<u8>,
) -> Option<()> {
    packet.clear();
    (tcp.source_port, tcp.destination_port) = (from.port(), to.port());
    let length = u16::try_from(tcp.header_len() + payload.len()).ok()?;
    match (from, to) {
        (SocketAddr::V4(from), SocketAddr::V4(to)) => {
            let (source, destination) = (from.ip().octets(), to.ip().octets());
            tcp.checksum = tcp.calc_checksum_ipv4_raw(source, destination, payload).ok()?;
            let mut ip = Ipv4Header::new(length, TIME_TO_LIVE, IpNumber::TCP, source, destination).ok()?;
            ip.header_checksum = ip.calc_header_checksum();
            packet.extend_from_slice(&ip.to_bytes());
        }
        (SocketAddr::V6(from), SocketAddr::V6(to)) => {
            let (source, destination) = (from.ip().octets(), to.ip().octets());
            tcp.checksum = tcp.calc_checksum_ipv6_raw(source, destination, payload).ok()?;
            let ip = Ipv6Header {
                payload_length: length,
                next_header: IpNumber::TCP,
                hop_limit: TIME_TO_LIVE,
                source,
                destination,
                ..Ipv6Header::default()
            };
            packet.extend_from_slice(&ip.to_bytes());
        }
        _ => return None,
    }
    packet.extend_from_slice(&tcp.to_bytes());
    packet.extend_from_slice(payload);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::{NetSlice, SlicedPacket, TransportSlice};

    #[test]
    fn the_longest_segment_fits_and_no_octet_more() {
        for (from, to) in [("10.0.0.1:5000", "10.0.0.2:110"), ("[2001:db8::1]:5000", "[2001:db8::2]:110")] {
            let (from, to): (SocketAddr, SocketAddr) = (from.parse().unwrap(), to.parse().unwrap());
            let longest = usize::from(longest_segment(from.is_ipv4()));
            let payload = vec![b'a'; longest + 1];
            let mut packet = Vec::new();
            make(from, to, TcpHeader::default(), &payload[..longest], &mut packet).unwrap();
            let sliced = SlicedPacket::from_ip(&packet).unwrap();
            let Some(TransportSlice::Tcp(tcp)) = sliced.transport else { panic!("no TCP") };
            assert_eq!((tcp.payload().len(), tcp.destination_port()), (longest, 110));
            match sliced.net {
                Some(NetSlice::Ipv4(ip)) => {
                    assert_eq!(ip.header().header_checksum(), ip.header().to_header().calc_header_checksum());
                }
                Some(NetSlice::Ipv6(ip)) => assert_eq!(ip.header().payload_length(), u16::MAX),
                _ => panic!("no IP"),
            }
            assert_eq!(make(from, to, TcpHeader::default(), &payload, &mut Vec::new()), None);
        }
    }
}
