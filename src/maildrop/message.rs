//! A message as it will be sent: normalised once, so that every size that is announced is the true one.

use bytes::Bytes;
use memchr::memchr_iter;

use super::unique_id::{ContentIds, UniqueId};
use crate::pop3::lines;

/// One message of a maildrop. Its octets are shared: clones and what RETR and TOP send cost no copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    octets: Bytes,
    /// The same octets where byte-stuffing changes nothing.
    stuffed: Bytes,
    unique_id: UniqueId,
}

impl Message {
    /// Takes a message with lines that end in CRLF or LF. Every line ends in CRLF from now on, the last one
    /// too; a CR without LF stays as it is (RFC 1939 section 11).
    pub fn new(text: impl Into<Bytes>, unique_id: UniqueId) -> Self {
        Self::normalised(normalise(text.into()), unique_id)
    }

    fn normalised(octets: Bytes, unique_id: UniqueId) -> Self {
        let mut stuffed = Vec::new();
        lines::stuff(&octets, &mut stuffed);
        let stuffed = if stuffed.len() == octets.len() { octets.clone() } else { stuffed.into() };
        Self { octets, stuffed, unique_id }
    }

    /// The message itself: whole lines, byte-stuffing not yet done.
    pub fn octets(&self) -> &Bytes {
        &self.octets
    }

    /// Its exact size in octets (RFC 1939 section 11): what RETR sends, but for byte-stuffing and terminator.
    pub fn size(&self) -> u64 {
        self.octets.len() as u64
    }

    /// What tells it from all others.
    pub fn unique_id(&self) -> &UniqueId {
        &self.unique_id
    }

    /// The body of the response to RETR: the message byte-stuffed, without the terminator.
    pub fn retr(&self) -> Bytes {
        self.stuffed.clone()
    }

    /// The body of the response to TOP: the headers, the blank line, then at most `lines` lines of the
    /// message's body, byte-stuffed, without the terminator (RFC 1939 section 7). Always a prefix of
    /// [`Self::retr`].
    pub fn top(&self, lines: u64) -> Bytes {
        // Byte-stuffing neither adds nor removes lines, and leaves a blank line blank.
        let mut end = 0;
        let mut left = None;
        for line in lines::split(&self.stuffed) {
            left = match left {
                None => (line == b"\r\n").then_some(lines),
                Some(0) => break,
                Some(left) => Some(left - 1),
            };
            end += line.len();
        }
        self.stuffed.slice(..end)
    }
}

/// Takes messages that have no unique-ids of their own, each as [`Message::new`] does, and gives them ids
/// made from their content.
pub fn load<T: Into<Bytes>>(texts: impl IntoIterator<Item = T>) -> Vec<Message> {
    let mut ids = ContentIds::default();
    let loaded = texts.into_iter().map(|text| {
        let octets = normalise(text.into());
        let unique_id = ids.next(&octets);
        Message::normalised(octets, unique_id)
    });
    loaded.collect()
}

fn normalise(text: Bytes) -> Bytes {
    let bare = |at: &usize| *at == 0 || text[at - 1] != b'\r';
    let complete = text.is_empty() || text.ends_with(b"\r\n");
    if complete && !memchr_iter(b'\n', &text).any(|at| bare(&at)) {
        return text;
    }
    let mut octets = Vec::with_capacity(text.len() + text.len() / 32 + 2);
    let mut from = 0;
    for at in memchr_iter(b'\n', &text).filter(bare) {
        octets.extend_from_slice(&text[from..at]);
        octets.extend_from_slice(b"\r\n");
        from = at + 1;
    }
    octets.extend_from_slice(&text[from..]);
    if !octets.ends_with(b"\r\n") {
        octets.extend_from_slice(b"\r\n");
    }
    octets.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(text: &'static [u8]) -> Message {
        load([text]).remove(0)
    }

    /// RFC 1939 section 11: the size is that of the lines as they are sent.
    #[test]
    fn line_ends_become_crlf_and_the_last_line_gets_its_own() {
        let cases: [(&[u8], &[u8]); 9] = [
            (b"", b""),
            (b"a", b"a\r\n"),
            (b"a\nb\r\nc", b"a\r\nb\r\nc\r\n"),
            (b"\n\n", b"\r\n\r\n"),
            (b"a\r\n", b"a\r\n"),
            (b"a\rb\r\n", b"a\rb\r\n"),
            (b"a\r\r\n", b"a\r\r\n"),
            (b"a\n\n", b"a\r\n\r\n"),
            (b"a\r", b"a\r\r\n"),
        ];
        for (text, sent) in cases {
            let message = message(text);
            assert_eq!((&message.octets()[..], message.size()), (sent, sent.len() as u64), "{text:?}");
        }
    }

    #[test]
    fn top_counts_body_lines_only() {
        let sent = |text, lines| String::from_utf8_lossy(&message(text).top(lines)).into_owned();
        assert_eq!(sent(b"H: 1\nH: 2\n\nb1\n\nb3\n", 0), "H: 1\r\nH: 2\r\n\r\n");
        assert_eq!(sent(b"H: 1\n\nb1\n\nb3\n", 1), "H: 1\r\n\r\nb1\r\n");
        assert_eq!(sent(b"H: 1\n\nb1\n\nb3\n", 2), "H: 1\r\n\r\nb1\r\n\r\n");
        assert_eq!(sent(b"H: 1\n\nb1\n\nb3\n", u64::MAX), "H: 1\r\n\r\nb1\r\n\r\nb3\r\n");
        // No body, an empty body, no headers, nothing.
        assert_eq!(sent(b"H: 1\n", 3), "H: 1\r\n");
        assert_eq!(sent(b"H: 1\n\n", 3), "H: 1\r\n\r\n");
        assert_eq!(sent(b"\nb1\nb2\n", 1), "\r\nb1\r\n");
        assert_eq!(sent(b"", 1), "");
        // Dots, at the beginning too.
        assert_eq!(sent(b".H\n\n.\n..\nb3", 2), "..H\r\n\r\n..\r\n...\r\n");
    }

    proptest! {
        #[test]
        fn what_is_sent_is_the_message_stuffed(
            text in proptest::collection::vec(prop::sample::select(&b"\r\n.a"[..]), 0..40),
            lines in 0u64..5,
        ) {
            let message = load([text]).remove(0);
            let mut unstuffed = Vec::new();
            lines::Unstuffer::default().push(&message.retr(), &mut unstuffed);
            prop_assert_eq!(&unstuffed[..], &message.octets()[..]);
            prop_assert!(message.retr().starts_with(&message.top(lines)));
            let again = Message::new(message.octets().clone(), message.unique_id().clone());
            prop_assert_eq!(again, message);
        }
    }
}
