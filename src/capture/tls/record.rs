//! Records as they are on the wire: where one ends (RFC 8446 section 5.1, RFC 5246 section 6.2.1).

/// Octets of a record before its fragment: content type, version, length.
pub(super) const HEADER: usize = 5;

/// The longest record. RFC 5246 section 6.2.3 allows 2048 octets beyond the plaintext, RFC 8446 section 5.2 fewer.
pub(super) const LONGEST: usize = HEADER + (1 << 14) + 2048;

/// Content types (RFC 8446 appendix B.1).
pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION_DATA: u8 = 23;
/// RFC 6520; the last that there is.
pub(super) const HEARTBEAT: u8 = 24;

/// A whole record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    /// The content type that its header shows.
    pub(super) kind: u8,
    /// Header and fragment.
    pub(super) octets: &'a [u8],
}

impl<'a> Record<'a> {
    /// What follows the header.
    pub(super) fn fragment(&self) -> &'a [u8] {
        self.octets.get(HEADER..).unwrap_or_default()
    }

    /// Content type, version, length.
    pub(super) fn header(&self) -> &'a [u8] {
        self.octets.get(..HEADER).unwrap_or_default()
    }
}

/// What octets begin with.
#[derive(Debug)]
pub(super) enum Cut<'a> {
    /// A record.
    Whole(Record<'a>),
    /// What may become one.
    More,
    /// No record.
    Malformed,
}

/// The record at the start.
pub(super) fn first(octets: &[u8]) -> Cut<'_> {
    let known = |place: usize, good: fn(u8) -> bool| octets.get(place).is_none_or(|&octet| good(octet));
    if !known(0, |kind| (CHANGE_CIPHER_SPEC..=HEARTBEAT).contains(&kind)) || !known(1, |major| major == 3) {
        return Cut::Malformed;
    }
    let &[kind, _, _, high, low, ..] = octets else {
        return Cut::More;
    };
    let length = HEADER + usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST {
        return Cut::Malformed;
    }
    octets.get(..length).map_or(Cut::More, |octets| Cut::Whole(Record { kind, octets }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_ends_where_its_length_says() {
        let octets = [23, 3, 3, 0, 2, 7, 8, 9];
        assert!((0..7).all(|end| matches!(first(&octets[..end]), Cut::More)));
        assert!(matches!(first(&octets), Cut::Whole(record) if record.fragment() == [7, 8]));
    }

    #[test]
    fn what_is_no_record_is_seen_at_once() {
        assert!(matches!(first(b"+"), Cut::Malformed));
        assert!(matches!(first(&[22, 2]), Cut::Malformed));
        assert!(matches!(first(&[23, 3, 3, 0xff, 0xff]), Cut::Malformed));
    }
}
