//! A message on its way to the client: read piece by piece, whole (RETR) or its beginning (TOP).

use bytes::Bytes;

use super::output::Output;
use crate::pop3::lines::{Stuffer, split};
use crate::wire::{Ask, Piece};

/// What is being sent and how far it is.
#[derive(Debug)]
pub(super) struct Transfer {
    message: usize,
    sent: u64,
    stuffer: Stuffer,
    top: Option<Top>,
}

impl Transfer {
    /// Of a whole message.
    pub(super) fn retr(message: usize) -> Self {
        Self { message, sent: 0, stuffer: Stuffer::default(), top: None }
    }

    /// Of the header, the blank line and at most `lines` lines of the body (RFC 1939 section 7).
    pub(super) fn top(message: usize, lines: u64) -> Self {
        Self { top: Some(Top { line: Line::Empty, body: None, lines, gap: Gap::No }), ..Self::retr(message) }
    }

    /// The same with a second empty line before the body, where lines of it are sent.
    pub(super) fn with_gap(mut self) -> Self {
        if let Some(top) = self.top.as_mut().filter(|top| top.lines > 0) {
            top.gap = Gap::Due;
        }
        self
    }

    /// What has to be read next.
    pub(super) fn ask(&self) -> Ask {
        Ask::Read { message: self.message, from: self.sent }
    }

    /// Takes the next octets; says whether that was all.
    pub(super) fn take(&mut self, piece: &Piece, output: &mut Output) -> bool {
        let octets = &piece.octets;
        let wanted = self.top.as_mut().map_or(octets.len(), |top| top.wanted(octets));
        self.sent += octets.len() as u64;
        let ended = piece.last || wanted < octets.len();
        let gap = self.top.as_mut().and_then(Top::gap);
        if let Some(at) = gap {
            output.piece(octets.slice(..at), &mut self.stuffer);
            output.piece(Bytes::from_static(b"\r\n"), &mut self.stuffer);
        }
        output.piece(octets.slice(gap.unwrap_or(0)..wanted), &mut self.stuffer);
        if ended {
            output.terminate();
        }
        ended
    }
}

/// How much of a message TOP sends.
#[derive(Debug)]
struct Top {
    /// The line that the last piece ended in.
    line: Line,
    /// How many more lines of the body; None in the header.
    body: Option<u64>,
    lines: u64,
    gap: Gap,
}

/// A second empty line before the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    /// There is none, or it was sent.
    No,
    Due,
    /// It comes at this place of the last octets.
    At(usize),
}

/// What is known of a line that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Empty,
    Cr,
    Full,
}

impl Top {
    /// How many of the next octets are to be sent; fewer than there are: no more come after them.
    fn wanted(&mut self, octets: &[u8]) -> usize {
        let mut end = 0;
        for line in split(octets) {
            if self.body == Some(0) {
                return end;
            }
            end += line.len();
            let blank = match self.line {
                Line::Empty => line == b"\r\n",
                Line::Cr => line == b"\n",
                Line::Full => false,
            };
            if line.ends_with(b"\n") {
                if self.gap == Gap::Due && blank {
                    self.gap = Gap::At(end);
                }
                self.body = match self.body {
                    None => blank.then_some(self.lines),
                    Some(left) => Some(left - 1),
                };
                self.line = Line::Empty;
            } else {
                self.line = if self.line == Line::Empty && line == b"\r" { Line::Cr } else { Line::Full };
            }
        }
        end
    }

    /// Where in the last octets a second empty line comes, if it does.
    fn gap(&mut self) -> Option<usize> {
        let Gap::At(at) = self.gap else { return None };
        self.gap = Gap::No;
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::maildrop::load;
    use crate::pop3::lines::Unstuffer;
    use crate::wire::{Action, Side};

    /// What goes over the wire, without the terminator.
    fn sent(mut transfer: Transfer, octets: &Bytes, cut: usize) -> Vec<u8> {
        let (mut output, mut actions) = (Output::default(), Vec::new());
        let mut from = 0usize;
        loop {
            let end = octets.len().min(from.saturating_add(cut));
            let piece = Piece { octets: octets.slice(from..end), last: end == octets.len() };
            from = end;
            if transfer.take(&piece, &mut output) {
                break;
            }
        }
        output.flush(&mut actions);
        let mut sent = Vec::new();
        for action in actions {
            let Action::Send(Side::Client, octets) = action else { panic!("{action:?}") };
            sent.extend_from_slice(&octets);
        }
        assert!(sent.ends_with(b".\r\n"));
        sent.truncate(sent.len() - 3);
        sent
    }

    fn message(text: &'static [u8]) -> Bytes {
        load([text]).remove(0).octets().clone()
    }

    #[test]
    fn top_counts_body_lines_only() {
        let sent = |text: &'static str, lines| {
            let octets = message(text.as_bytes());
            let whole = sent(Transfer::top(0, lines), &octets, octets.len());
            for cut in 1..4 {
                assert_eq!(sent(Transfer::top(0, lines), &octets, cut), whole);
            }
            String::from_utf8_lossy(&whole).into_owned()
        };
        assert_eq!(sent("H: 1\nH: 2\n\nb1\n\nb3\n", 0), "H: 1\r\nH: 2\r\n\r\n");
        assert_eq!(sent("H: 1\n\nb1\n\nb3\n", 1), "H: 1\r\n\r\nb1\r\n");
        assert_eq!(sent("H: 1\n\nb1\n\nb3\n", 2), "H: 1\r\n\r\nb1\r\n\r\n");
        assert_eq!(sent("H: 1\n\nb1\n\nb3\n", u64::MAX), "H: 1\r\n\r\nb1\r\n\r\nb3\r\n");
        // No body, an empty body, no headers, nothing.
        assert_eq!(sent("H: 1\n", 3), "H: 1\r\n");
        assert_eq!(sent("H: 1\n\n", 3), "H: 1\r\n\r\n");
        assert_eq!(sent("\nb1\nb2\n", 1), "\r\nb1\r\n");
        assert_eq!(sent("", 1), "");
        // Dots, at the beginning too.
        assert_eq!(sent(".H\n\n.\n..\nb3", 2), "..H\r\n\r\n..\r\n...\r\n");
    }

    #[test]
    fn a_gap_comes_once_and_only_before_lines() {
        let octets = message(b"H: 1\n\nb1\n\nb3\n");
        for cut in [1, 2, 3, usize::MAX] {
            let sent = |lines| {
                let transfer = Transfer::top(0, lines).with_gap();
                String::from_utf8_lossy(&sent(transfer, &octets, cut)).into_owned()
            };
            assert_eq!(sent(0), "H: 1\r\n\r\n");
            assert_eq!(sent(2), "H: 1\r\n\r\n\r\nb1\r\n\r\n");
        }
    }

    proptest! {
        #[test]
        fn what_is_sent_is_the_message_stuffed(
            text in proptest::collection::vec(prop::sample::select(&b"\r\n.a"[..]), 0..40),
            lines in 0u64..5,
            cut in 1usize..9,
        ) {
            let octets = load([text]).remove(0).octets().clone();
            let retr = sent(Transfer::retr(0), &octets, cut);
            let mut unstuffed = Vec::new();
            Unstuffer::default().push(&retr, &mut unstuffed);
            prop_assert_eq!(&unstuffed[..], &octets[..]);
            let top = sent(Transfer::top(0, lines), &octets, cut);
            prop_assert!(retr.starts_with(&top));
            prop_assert_eq!(top, sent(Transfer::top(0, lines), &octets, octets.len()));
        }
    }
}
