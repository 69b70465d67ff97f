//! What is allocated while octets are dissected: nothing for a line of a body, and so much for a command,
//! whatever came before it. A binary of its own, since counting takes the place of the allocator.

use allocation_counter::measure;
use bytes::Bytes;
use poptape::pop3::{Dissector, Event, Secrets, State};
use poptape::wire::Side::{self, Client, Server};

/// A login, and what a client then asks.
const LOGIN: &[(Side, &[u8])] = &[
    (Server, b"+OK ready\r\n"),
    (Client, b"USER kcope\r\n"),
    (Server, b"+OK\r\n"),
    (Client, b"PASS secret\r\n"),
    (Server, b"+OK\r\n"),
];

fn logged_in() -> Dissector {
    let mut dissector = Dissector::new(Secrets::Redact);
    for (at, &(side, line)) in (0..).zip(LOGIN) {
        dissector.feed(side, at, Bytes::from_static(line), &mut |_| {});
    }
    assert_eq!(dissector.state(), State::Transaction);
    dissector
}

/// How often something is allocated while a side's octets are dissected, in these chunks, and how many events
/// come of them. What the events hold is theirs, and let go at once.
fn allocations(dissector: &mut Dissector, side: Side, chunks: Vec<Bytes>) -> (u64, u64) {
    let mut events = 0;
    let counted = measure(|| {
        for (at, chunk) in (100..).zip(chunks) {
            dissector.feed(side, at, chunk, &mut |_: Event| events += 1);
        }
    });
    (counted.count_total, events)
}

/// A message of so many lines in chunks of this size.
fn message(lines: usize, chunk: usize) -> Vec<Bytes> {
    let mut octets = b"+OK\r\n".to_vec();
    for line in 0..lines {
        // Every fourth is stuffed, and so is looked at.
        octets.extend_from_slice(if line % 4 == 0 { b"..of text\r\n" } else { b"a line of text\r\n" });
    }
    octets.extend_from_slice(b".\r\n");
    let octets = Bytes::from(octets);
    (0..octets.len()).step_by(chunk).map(|at| octets.slice(at..octets.len().min(at + chunk))).collect()
}

/// What a message takes.
fn retrieved(lines: usize, chunk: usize) -> (u64, usize) {
    let mut dissector = logged_in();
    dissector.feed(Client, 10, Bytes::from_static(b"RETR 1\r\n"), &mut |_| {});
    let chunks = message(lines, chunk);
    let count = chunks.len();
    let (allocations, _) = allocations(&mut dissector, Server, chunks);
    assert!(dissector.is_quiet(), "the message is over");
    (allocations, count)
}

#[test]
fn lines_of_a_body_allocate_nothing() {
    let (few, _) = retrieved(1_000, usize::MAX / 2);
    let (many, _) = retrieved(200_000, usize::MAX / 2);
    assert_eq!(few, many, "in one chunk");
    // Two boxes: what is known of the answer, and that a body is under way.
    assert!(many <= 2, "{many}");
}

#[test]
fn chunks_of_a_body_allocate_no_more_than_what_is_held_back_between_two() {
    // Each allocates at most what is held back of it, the beginning of a terminator, and the run that it
    // becomes.
    for chunk in [1, 7, 64, 1460, 16 * 1024] {
        let (allocations, chunks) = retrieved(5_000, chunk);
        assert!(allocations <= 2 + 2 * chunks as u64, "{allocations} in {chunks} chunks of {chunk}");
    }
    let (allocations, chunks) = retrieved(200_000, 16 * 1024);
    assert!(allocations < 200_000 / 100, "{allocations} in {chunks} chunks");
}

/// A queue that grows as the commands in it do: it doubles.
const GROWTH: u64 = 16;

#[test]
fn commands_sent_ahead_allocate_only_the_queue_that_they_wait_in() {
    let mut dissector = logged_in();
    let commands = Bytes::from("LIST 1\r\nDELE 1\r\nnoop\r\nUIDL 1\r\n".repeat(2_500));
    let (ahead, events) = allocations(&mut dissector, Client, vec![commands]);
    assert_eq!((dissector.outstanding(), events), (10_000, 10_000));
    assert!(ahead <= GROWTH, "{ahead}");
    // Each answer is an outcome of its own, and a chunk takes one for itself once it is divided.
    let answers = Bytes::from("-ERR no such message\r\n".repeat(10_000));
    let (answered, events) = allocations(&mut dissector, Server, vec![answers]);
    assert_eq!((dissector.outstanding(), events), (0, 20_000));
    assert_eq!(answered, 10_000 + 1);
}

#[test]
fn a_command_in_lock_step_allocates_only_what_came_of_it() {
    let mut dissector = logged_in();
    // The queue has room for one from now on.
    let mut exchange = || {
        let (asked, _) = allocations(&mut dissector, Client, vec![Bytes::from_static(b"STAT\r\n")]);
        let (answered, _) = allocations(&mut dissector, Server, vec![Bytes::from_static(b"+OK 2 320\r\n")]);
        (asked, answered)
    };
    exchange();
    for _ in 0..1_000 {
        // The list that holds the chunk in this test is made before anything is counted.
        assert_eq!(exchange(), (0, 1));
    }
}
