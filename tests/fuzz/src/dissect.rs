//! Any octets of both sides, however they are cut and whatever happens among them.

use bytes::Bytes;
use poptape::pop3::dissect::{MAX_LINE, Request};
use poptape::pop3::secret::MASK;
use poptape::pop3::{Dissector, Event, Keyword, Secrets};
use poptape::wire::Side;

use super::script::{Step, joined, octet_by_octet, steps};

/// Octets of the client or the server are missing, one or nobody knows how many; TLS begins, readable or not; a side
/// sends no more.
const MARKS: &[u8] = b"mMnNTtfF";

/// The most events that a step or an octet of it makes: a line, what ends with it, and what is given up on.
const EVENTS: usize = 4;

/// The longest script that is also cut at every octet.
const SHORT: usize = 4096;

/// How it is cut changes no event, what goes in comes out, and what is masked does not come out.
pub fn dissect(script: &[u8]) {
    let cut = steps(script, MARKS);
    let whole = joined(&cut);
    let kept = run(&whole, Secrets::Keep);
    let masked = run(&whole, Secrets::Redact);
    assert_eq!(run(&cut, Secrets::Keep), kept, "cut as the script says");
    assert_eq!(run(&cut, Secrets::Redact), masked, "cut as the script says, masked");
    if script.len() <= SHORT {
        assert_eq!(run(&octet_by_octet(&cut), Secrets::Redact), masked, "cut at every octet");
    }
    for side in [Side::Client, Side::Server] {
        assert_eq!(said(&kept, side), sent(&whole, side), "{side:?}");
    }
    hides(&kept, &masked);
}

/// The events, with what is cut anywhere put together and without times.
fn run(steps: &[Step], secrets: Secrets) -> Vec<Event> {
    let mut dissector = Dissector::new(secrets);
    let (mut events, mut at, mut octets_in, mut count) = (Vec::new(), 0, 0, 0);
    let mut out = |event: Event| {
        count += 1;
        let longest = match &event {
            Event::Request { run, .. } | Event::Status { run, .. } => run.bytes.len(),
            _ => 0,
        };
        assert!(longest <= MAX_LINE + MASK.len(), "a line of {longest} octets is held");
        push(&mut events, event);
    };
    for step in steps {
        at += 10;
        match step {
            Step::Octets(side, octets) => {
                octets_in += octets.len();
                dissector.feed(*side, at, Bytes::copy_from_slice(octets), &mut out);
            }
            Step::Mark(b'm') => dissector.missing(Side::Client, 1, &mut out),
            Step::Mark(b'M') => dissector.missing(Side::Client, 0, &mut out),
            Step::Mark(b'n') => dissector.missing(Side::Server, 1, &mut out),
            Step::Mark(b'N') => dissector.missing(Side::Server, 0, &mut out),
            Step::Mark(b'T') => dissector.tls_started(true, &mut out),
            Step::Mark(b't') => dissector.tls_started(false, &mut out),
            Step::Mark(b'f') => dissector.close(Side::Client, &mut out),
            Step::Mark(_) => dissector.close(Side::Server, &mut out),
        }
    }
    dissector.finish(&mut out);
    assert_eq!(dissector.outstanding(), 0, "a command waits beyond the end");
    let most = (octets_in + steps.len() + 1) * EVENTS;
    assert!(count <= most, "{count} events of {octets_in} octets in {} steps", steps.len());
    events
}

fn push(events: &mut Vec<Event>, mut event: Event) {
    let of_this = match &mut event {
        Event::Request { run, .. }
        | Event::RequestMore { run, .. }
        | Event::Status { run, .. }
        | Event::StatusMore { run, .. }
        | Event::Body { run, .. }
        | Event::Terminator { run, .. }
        | Event::Opaque { run, .. } => {
            run.arrivals.clear();
            run.bytes.clone()
        }
        Event::End(outcome) => {
            (outcome.at, outcome.took) = (0, outcome.took.map(|_| 0));
            Bytes::new()
        }
        Event::Ambiguous { .. } | Event::Missing { .. } => Bytes::new(),
    };
    match (events.last_mut(), &event) {
        (Some(Event::RequestMore { n: last, run }), Event::RequestMore { n, .. })
        | (Some(Event::StatusMore { n: last, run }), Event::StatusMore { n, .. })
        | (Some(Event::Body { n: last, run }), Event::Body { n, .. })
            if last == n =>
        {
            run.bytes = [&run.bytes[..], &of_this].concat().into();
        }
        (Some(Event::Opaque { side: last, run }), Event::Opaque { side, .. }) if last == side => {
            run.bytes = [&run.bytes[..], &of_this].concat().into();
        }
        _ => events.push(event),
    }
}

/// The octets of a side in events.
fn said(events: &[Event], of: Side) -> Vec<u8> {
    let runs = events.iter().filter_map(Event::octets).filter(|(side, _)| *side == of);
    runs.flat_map(|(_, run)| run.bytes.to_vec()).collect()
}

/// The octets of a side in steps.
fn sent(steps: &[Step], of: Side) -> Vec<u8> {
    let octets = steps.iter().filter_map(|step| match step {
        Step::Octets(side, octets) if *side == of => Some(octets.clone()),
        _ => None,
    });
    octets.flatten().collect()
}

/// Masked or not, it is the same session; what is a secret by the letter of the RFCs is the mask.
fn hides(kept: &[Event], masked: &[Event]) {
    let exchanges = |events: &[Event]| -> Vec<_> {
        let found = events.iter().filter_map(|event| match event {
            Event::Request { n, request, step, .. } => Some((*n, Some(*request), None, step.clone())),
            Event::Status { n, status, step, .. } => Some((*n, None, *status, step.clone())),
            _ => None,
        });
        found.collect()
    };
    assert_eq!(exchanges(kept), exchanges(masked), "masking changes the session");
    for event in masked {
        let Event::Request { run, request, .. } = event else { continue };
        let line = run.bytes.trim_ascii();
        match request {
            Request::SaslResponse => {
                assert!(
                    line.is_empty() || line == b"*" || line == MASK,
                    "a response is not masked: {line:?}"
                );
            }
            Request::Command(Keyword::Pass) if line.len() > 4 => {
                assert!(line.ends_with(MASK), "a password is not masked: {line:?}");
            }
            _ => {}
        }
    }
}
