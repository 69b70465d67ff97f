//! Any text as a filter.

use std::sync::LazyLock;

use bytes::Bytes;
use poptape::pop3::{Dissector, Secrets};
use poptape::recording::{Assembler, Exchange};
use poptape::render::filter::Filter;
use poptape::wire::Side;

/// A small session with something for each operator.
const SESSION: &[(Side, &[u8])] = &[
    (Side::Server, b"+OK ready\r\n"),
    (Side::Client, b"USER ada\r\n"),
    (Side::Server, b"+OK\r\n"),
    (Side::Client, b"pass x\r\n"),
    (Side::Server, b"-ERR [AUTH] no\r\n"),
    (Side::Client, b"RETR 1\r\n"),
    (Side::Server, b"+OK\r\nSubject: =?koi8-r?B?8NLJ18XU?= HELLO\r\nFrom: \xff\r\n\r\n..dot\r\n.\r\n"),
    (Side::Client, b"AUTH LOGIN\r\n"),
    (Side::Server, b"+ VXNlcm5hbWU6\r\n"),
    (Side::Client, b"\xf0\x9f\r\nNOOP\r\n"),
];

static EXCHANGES: LazyLock<Vec<Exchange>> = LazyLock::new(|| {
    let (mut dissector, mut assembler) = (Dissector::new(Secrets::Redact), Assembler::new(1000));
    let (mut exchanges, mut at) = (Vec::new(), 0);
    for &(side, octets) in SESSION {
        at += 700_000;
        dissector.feed(side, at, Bytes::from_static(octets), &mut |event| {
            exchanges.extend(assembler.take(&event));
        });
    }
    dissector.finish(&mut |event| exchanges.extend(assembler.take(&event)));
    exchanges.extend(assembler.settle());
    exchanges
});

/// A filter is understood, or it is said where it is not; one that is understood can be negated and combined.
pub fn filter(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let Some(found) = passing(text) else { return };
    // One that is nested as deep as may be cannot be nested deeper.
    let all = vec![true; found.len()];
    let none = vec![false; found.len()];
    for (combined, expected) in [
        (format!("\t({text}) "), &found),
        (format!("!({text})"), &found.iter().map(|passes| !passes).collect()),
        (format!("({text})|!({text})"), &all),
        (format!("({text}) !({text})"), &none),
        (format!("({text})&({text})"), &found),
    ] {
        if let Some(passing) = passing(&combined) {
            assert_eq!(&passing, expected, "{combined:?}");
        }
    }
}

/// Which exchanges pass; None where the text is no filter.
fn passing(text: &str) -> Option<Vec<bool>> {
    match text.parse::<Filter>() {
        Ok(filter) => {
            let sessions = [0, 1, u32::MAX].into_iter();
            let each = sessions.flat_map(|session| EXCHANGES.iter().map(move |one| (session, one)));
            Some(each.map(|(session, one)| filter.matches(session, one)).collect())
        }
        Err(error) => {
            let problem = error.to_string();
            let place = problem.rsplit(' ').next().and_then(|place| place.parse::<usize>().ok());
            let end = text.chars().count() + 1;
            assert!(place.is_some_and(|place| (1..=end).contains(&place)), "{problem}");
            None
        }
    }
}
