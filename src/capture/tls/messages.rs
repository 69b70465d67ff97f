//! Handshake messages out of records: several in one, one over several (RFC 8446 section 5.1).

/// Types of messages (RFC 8446 appendix B.3).
pub(super) const CLIENT_HELLO: u8 = 1;
pub(super) const SERVER_HELLO: u8 = 2;
pub(super) const ENCRYPTED_EXTENSIONS: u8 = 8;
pub(super) const FINISHED: u8 = 20;
pub(super) const KEY_UPDATE: u8 = 24;

/// Those whose body is looked into; of the others it is passed over.
const WANTED: &[u8] = &[CLIENT_HELLO, SERVER_HELLO, ENCRYPTED_EXTENSIONS];

/// The most octets of a body that are kept.
const KEPT: usize = 1 << 16;

/// Type and length.
const HEADER: usize = 4;

/// A message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// Its type.
    pub(super) kind: u8,
    /// Its body; empty where nobody wants it.
    pub(super) body: Vec<u8>,
}

/// Joins the messages of one side.
#[derive(Debug, Default)]
pub(super) struct Messages {
    header: Vec<u8>,
    body: Vec<u8>,
    /// Octets of the body that are still to come.
    rest: usize,
    /// The body is kept.
    wanted: bool,
}

impl Messages {
    /// What is kept, in octets.
    pub(super) const fn weight(&self) -> usize {
        self.body.len()
    }

    /// Takes the next octets; gives the messages that end in them.
    pub(super) fn add(&mut self, mut octets: &[u8]) -> Vec<Message> {
        let mut whole = Vec::new();
        while !octets.is_empty() {
            if self.header.len() < HEADER {
                let (taken, after) = octets.split_at(octets.len().min(HEADER - self.header.len()));
                self.header.extend_from_slice(taken);
                octets = after;
                if let &[kind, high, middle, low] = self.header.as_slice() {
                    self.rest = u32::from_be_bytes([0, high, middle, low]) as usize;
                    self.wanted = WANTED.contains(&kind) && self.rest <= KEPT;
                }
            } else {
                let (taken, after) = octets.split_at(octets.len().min(self.rest));
                if self.wanted {
                    self.body.extend_from_slice(taken);
                }
                self.rest -= taken.len();
                octets = after;
            }
            if self.header.len() == HEADER && self.rest == 0 {
                let kind = self.header.first().copied().unwrap_or_default();
                self.header.clear();
                whole.push(Message { kind, body: std::mem::take(&mut self.body) });
            }
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLIGHT: &[u8] = &[8, 0, 0, 3, 1, 2, 3, 11, 0, 0, 2, 9, 9, 14, 0, 0, 0, 20, 0, 0, 1, 5];

    #[test]
    fn messages_are_the_same_however_they_are_cut() {
        let all = Messages::default().add(FLIGHT);
        assert_eq!(all.iter().map(|message| message.kind).collect::<Vec<_>>(), [8, 11, 14, 20]);
        assert_eq!(all.first().unwrap().body, [1, 2, 3]);
        assert!(all.iter().skip(1).all(|message| message.body.is_empty()));
        for size in 1..FLIGHT.len() {
            let mut messages = Messages::default();
            let cut: Vec<_> = FLIGHT.chunks(size).flat_map(|octets| messages.add(octets)).collect();
            assert_eq!(cut, all);
        }
    }

    #[test]
    fn a_huge_message_is_passed_over() {
        let mut messages = Messages::default();
        assert!(messages.add(&[CLIENT_HELLO, 0xff, 0xff, 0xff]).is_empty());
        let octets = vec![0; 1 << 16];
        for _ in 0..0xff {
            assert!(messages.add(&octets).is_empty());
            assert!(messages.body.capacity() <= KEPT);
        }
        let ended = messages.add(&octets[1..]);
        assert_eq!(ended, [Message { kind: CLIENT_HELLO, body: Vec::new() }]);
    }
}
