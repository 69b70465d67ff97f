//! IP packets: what a host sends to another, fragments put together.

use std::net::{IpAddr, SocketAddr};

use etherparse::defrag::IpDefragBuf;
use etherparse::{
    IpFragOffset, IpNumber, Ipv6ExtensionSlice, Ipv6ExtensionsSlice, LaxIpSlice, TcpSlice, ip_number,
};

use super::Nanos;
use super::segment::Segment;

/// The most packets whose fragments are awaited at once.
const PACKETS: usize = 64;

/// How long fragments wait for the others (RFC 8200 section 4.5: 60 seconds).
const PATIENCE: Nanos = 60_000_000_000;

/// The longest that a frame may say it was without being captured whole: more than any offload puts together.
const LONGEST: usize = 1 << 20;

/// Why a packet gives no segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Skip {
    /// It is no TCP.
    NotTcp,
    /// Its headers are damaged or cut off, or it is a fragment that is.
    Damaged,
    /// It is a fragment, and others are to come.
    Fragment,
}

/// Takes packets apart.
#[derive(Debug, Default)]
pub(super) struct Packets {
    pending: Vec<Pending>,
    /// What was put together last.
    whole: Vec<u8>,
}

/// What the fragments of a packet have in common.
type Id = (IpAddr, IpAddr, u32, IpNumber);

#[derive(Debug)]
struct Pending {
    id: Id,
    since: Nanos,
    fragments: IpDefragBuf,
}

struct Fragment<'a> {
    id: u32,
    offset: IpFragOffset,
    more: bool,
    next: IpNumber,
    octets: &'a [u8],
}

impl Packets {
    /// The segment in a packet that was `length` octets long on the wire, or padded to them.
    pub(super) fn segment<'a>(
        &'a mut self,
        at: Nanos,
        octets: &'a [u8],
        length: usize,
    ) -> Result<Segment<'a>, Skip> {
        let (packet, stop) = LaxIpSlice::from_slice(octets).map_err(|_| Skip::Damaged)?;
        let hosts = (packet.source_addr(), packet.destination_addr());
        let payload = packet.payload();
        if packet.is_fragmenting_payload() {
            let fragment = fragment(&packet, octets).ok_or(Skip::Damaged)?;
            if payload.incomplete {
                return Err(Skip::Damaged);
            }
            let next = self.put_together(at, hosts, &fragment)?;
            let (_, kind, inner, stop) = Ipv6ExtensionsSlice::from_slice_lax(next, &self.whole);
            return match stop {
                Some(_) => Err(Skip::Damaged),
                None => tcp(at, hosts, kind, inner, inner.len()),
            };
        }
        if stop.is_some() {
            return Err(Skip::Damaged);
        }
        let length = if length > octets.len() + LONGEST { octets.len() } else { length };
        let declared = declared(&packet).unwrap_or(length.max(octets.len()));
        let headers = declared.min(octets.len()).saturating_sub(payload.payload.len());
        tcp(at, hosts, payload.ip_number, payload.payload, declared.saturating_sub(headers))
    }

    /// Adds a fragment; gives what the packet carries, which is in `whole`, once it is the last.
    fn put_together(
        &mut self,
        at: Nanos,
        (from, to): (IpAddr, IpAddr),
        fragment: &Fragment<'_>,
    ) -> Result<IpNumber, Skip> {
        let id = (from, to, fragment.id, fragment.next);
        self.pending.retain(|pending| at.saturating_sub(pending.since) <= PATIENCE);
        let place = if let Some(place) = self.pending.iter().position(|pending| pending.id == id) {
            place
        } else {
            if self.pending.len() == PACKETS {
                self.pending.remove(0);
            }
            let fragments = IpDefragBuf::new(fragment.next, Vec::new(), Vec::new());
            self.pending.push(Pending { id, since: at, fragments });
            self.pending.len() - 1
        };
        let fragments = &mut self.pending[place].fragments;
        fragments.add(fragment.offset, fragment.more, fragment.octets).map_err(|_| Skip::Damaged)?;
        if !fragments.is_complete() {
            return Err(Skip::Fragment);
        }
        self.whole = self.pending.remove(place).fragments.take_bufs().0;
        Ok(fragment.next)
    }
}

/// What a packet says of its length. Offload leaves 0 there, as a packet of over 64 KiB does.
fn declared(packet: &LaxIpSlice<'_>) -> Option<usize> {
    match packet {
        LaxIpSlice::Ipv4(packet) => {
            let length = usize::from(packet.header().total_len());
            (length >= packet.header().slice().len()).then_some(length)
        }
        LaxIpSlice::Ipv6(packet) => {
            let length = usize::from(packet.header().payload_length());
            (length > 0).then_some(packet.header().slice().len() + length)
        }
    }
}

/// What of a packet, captured as `octets`, is a fragment.
fn fragment<'a>(packet: &LaxIpSlice<'a>, octets: &'a [u8]) -> Option<Fragment<'a>> {
    match packet {
        LaxIpSlice::Ipv4(packet) => {
            let header = packet.header();
            Some(Fragment {
                id: header.identification().into(),
                offset: header.fragments_offset(),
                more: header.more_fragments(),
                next: packet.payload().ip_number,
                octets: packet.payload().payload,
            })
        }
        LaxIpSlice::Ipv6(packet) => {
            let header = packet.header().slice().len();
            let extensions = packet.extensions();
            let end = header + extensions.slice().len() + packet.payload().payload.len();
            let mut each = extensions.clone().into_iter();
            let mut passed = 0;
            // What follows the fragment header is part of the fragment, though it was read as a header. The length
            // is asked first, since the iterator does not look at it.
            while passed < extensions.slice().len() {
                let extension = each.next()?;
                passed += match &extension {
                    Ipv6ExtensionSlice::HopByHop(it)
                    | Ipv6ExtensionSlice::Routing(it)
                    | Ipv6ExtensionSlice::DestinationOptions(it) => it.slice().len(),
                    Ipv6ExtensionSlice::Fragment(it) => it.slice().len(),
                    Ipv6ExtensionSlice::Authentication(it) => it.slice().len(),
                };
                if let Ipv6ExtensionSlice::Fragment(it) = extension {
                    return Some(Fragment {
                        id: it.identification(),
                        offset: it.fragment_offset(),
                        more: it.more_fragments(),
                        next: it.next_header(),
                        octets: octets.get(header + passed..end)?,
                    });
                }
            }
            None
        }
    }
}

/// The segment in what a packet carries; `length` octets of it were on the wire.
fn tcp(
    at: Nanos,
    (from, to): (IpAddr, IpAddr),
    kind: IpNumber,
    octets: &[u8],
    length: usize,
) -> Result<Segment<'_>, Skip> {
    if kind != ip_number::TCP {
        return Err(Skip::NotTcp);
    }
    let tcp = TcpSlice::from_slice(octets).map_err(|_| Skip::Damaged)?;
    let payload = tcp.payload();
    Ok(Segment {
        at,
        from: SocketAddr::new(from, tcp.source_port()),
        to: SocketAddr::new(to, tcp.destination_port()),
        seq: tcp.sequence_number(),
        ack: tcp.ack().then(|| tcp.acknowledgment_number()),
        syn: tcp.syn(),
        fin: tcp.fin(),
        rst: tcp.rst(),
        payload,
        length: length.saturating_sub(tcp.header_slice().len()).max(payload.len()),
    })
}
