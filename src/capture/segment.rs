//! A TCP segment: what a frame says of its connection.

use std::net::SocketAddr;

use super::Nanos;

/// A segment, cut to what was captured of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment<'a> {
    /// When its frame was captured.
    pub(super) at: Nanos,
    /// Who sent it.
    pub(super) from: SocketAddr,
    /// To whom.
    pub(super) to: SocketAddr,
    /// The sequence number.
    pub(super) seq: u32,
    /// What its sender had received, where it says so.
    pub(super) ack: Option<u32>,
    /// Its flag: a connection begins.
    pub(super) syn: bool,
    /// Its flag: nothing comes after it.
    pub(super) fin: bool,
    /// Its flag: the connection is no more.
    pub(super) rst: bool,
    /// What was captured of its octets.
    pub(super) payload: &'a [u8],
    /// How many of them there were on the wire.
    pub(super) length: usize,
}
