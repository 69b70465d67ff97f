//! Real conversations, as whoever looks on sees them.

use proptest::prelude::*;
use rustls::CipherSuite;

use super::talk::{Parties, Talk};
use super::*;

const SUITES: &[(CipherSuite, &str, &str)] = &[
    (CipherSuite::TLS13_AES_128_GCM_SHA256, "TLSv1.3", "TLS_AES_128_GCM_SHA256"),
    (CipherSuite::TLS13_AES_256_GCM_SHA384, "TLSv1.3", "TLS_AES_256_GCM_SHA384"),
    (CipherSuite::TLS13_CHACHA20_POLY1305_SHA256, "TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256"),
    (
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        "TLSv1.2",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    ),
    (
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        "TLSv1.2",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    ),
    (
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        "TLSv1.2",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    ),
];

const TLS13: CipherSuite = CipherSuite::TLS13_AES_128_GCM_SHA256;
const TLS12: CipherSuite = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;

const GREETING: &[u8] = b"+OK POP3 ready\r\n";

/// What was seen, joined by side.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    started: Vec<Tls>,
    plain: [Vec<u8>; 2],
    opaque: [Vec<u8>; 2],
    notes: Vec<String>,
}

impl Seen {
    fn take(&mut self, out: Out) {
        let place = |side| usize::from(side == Side::Server);
        match out {
            Out::Started(tls) => {
                assert_eq!((&self.plain, &self.opaque), (&Default::default(), &Default::default()));
                self.started.push(*tls);
            }
            Out::Plain(side, _, octets) => self.plain[place(side)].extend_from_slice(&octets),
            Out::Opaque(side, _, octets) => self.opaque[place(side)].extend_from_slice(&octets),
            Out::Note(_, kind, text) => self.notes.push(format!("{kind}: {text}")),
        }
    }

    fn tls(&self) -> &Tls {
        assert_eq!(self.started.len(), 1, "{:?}", self.notes);
        &self.started[0]
    }

    fn plain(&self) -> [&[u8]; 2] {
        [&self.plain[0], &self.plain[1]]
    }
}

/// What happens on the wire.
enum Wire {
    Octets(bool, Vec<u8>),
    Missing(bool, u64),
}

fn key_log(text: &str) -> KeyLog {
    let mut keys = KeyLog::default();
    keys.add(text.as_bytes());
    keys
}

fn side(client: bool) -> Side {
    if client { Side::Client } else { Side::Server }
}

/// Looks on; the time is the number of what happens.
fn watch(keys: &KeyLog, wire: &[Wire]) -> Seen {
    let (mut tap, mut seen) = (Tap::new(), Seen::default());
    let mut at = 0;
    for one in wire {
        at += 1;
        let out = &mut |out| seen.take(out);
        match one {
            Wire::Octets(client, octets) => tap.octets(keys, side(*client), at, octets, out),
            Wire::Missing(client, octets) => tap.missing(side(*client), *octets, at, out),
        }
    }
    for client in [true, false] {
        tap.close(side(client), at, &mut |out| seen.take(out));
    }
    assert!(tap.held.is_empty());
    seen
}

/// Pieces of these sizes, in turn.
fn cut(talk: &Talk, sizes: &[usize]) -> Vec<Wire> {
    let mut sizes = sizes.iter().cycle();
    let mut wire = Vec::new();
    for (client, octets) in &talk.wire {
        let mut rest = octets.as_slice();
        while !rest.is_empty() {
            let (one, after) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
            wire.push(Wire::Octets(*client, one.to_vec()));
            rest = after;
        }
    }
    wire
}

fn whole(talk: &Talk) -> Vec<Wire> {
    cut(talk, &[usize::MAX])
}

fn sent(wire: &[Wire]) -> [Vec<u8>; 2] {
    [true, false].map(|whose| {
        let of = |one: &Wire| match one {
            Wire::Octets(client, octets) if *client == whose => octets.clone(),
            _ => Vec::new(),
        };
        wire.iter().flat_map(of).collect()
    })
}

/// A short session; the greeting comes first.
fn short(suite: CipherSuite) -> Talk {
    let mut talk = Parties::new(suite).connect();
    pop(&mut talk);
    talk
}

fn pop(talk: &mut Talk) {
    talk.settle();
    assert_eq!(talk.say(false, GREETING), GREETING);
    assert_eq!(talk.say(true, b"QUIT\r\n"), b"QUIT\r\n");
    assert_eq!(talk.say(false, b"+OK bye\r\n"), b"+OK bye\r\n");
    talk.close(false);
    talk.close(true);
}

const POP: [&[u8]; 2] = [b"QUIT\r\n", b"+OK POP3 ready\r\n+OK bye\r\n"];

#[test]
fn every_suite_opens() {
    for &(suite, version, name) in SUITES {
        let talk = short(suite);
        let seen = watch(&key_log(&talk.keys()), &whole(&talk));
        assert_eq!(seen.plain(), POP, "{name}");
        assert_eq!((&seen.opaque, &seen.notes), (&Default::default(), &Vec::new()), "{name}");
        let tls = seen.tls();
        assert_eq!((tls.version.as_deref(), tls.cipher.as_deref()), (Some(version), Some(name)));
        assert_eq!((tls.server_name.as_deref(), tls.alpn.as_deref()), (Some("pop.example"), Some("pop3")));
        assert!(tls.readable && tls.at > 1);
    }
}

#[test]
fn without_its_secrets_it_is_told_of_and_given_as_it_is() {
    for &(suite, version, name) in SUITES {
        let talk = short(suite);
        for keys in [KeyLog::default(), key_log(&short(suite).keys())] {
            let wire = whole(&talk);
            let seen = watch(&keys, &wire);
            let tls = seen.tls();
            assert_eq!((tls.version.as_deref(), tls.cipher.as_deref()), (Some(version), Some(name)));
            assert_eq!(tls.server_name.as_deref(), Some("pop.example"));
            assert!(!tls.readable);
            assert_eq!(seen.opaque, sent(&wire));
            assert_eq!(seen.notes.len(), usize::from(!keys.is_empty()), "{:?}", seen.notes);
        }
    }
}

#[test]
fn secrets_that_are_wrong_open_nothing() {
    for &(suite, ..) in SUITES {
        let (talk, other) = (short(suite), short(suite).keys());
        // The other's secrets under the names of this session.
        let random = |log: &str| log.split(' ').nth(1).unwrap().to_owned();
        let wrong = other.replace(&random(&other), &random(&talk.keys()));
        let wire = whole(&talk);
        let seen = watch(&key_log(&wrong), &wire);
        assert!(!seen.tls().readable);
        assert_eq!((&seen.plain, &seen.opaque), (&Default::default(), &sent(&wire)));
        assert_eq!(
            seen.notes,
            ["tls-unreadable: the secrets that the key log has for this session do not open it"]
        );
    }
}

#[test]
fn the_handshake_secrets_can_be_missing() {
    for &(suite, version, _) in SUITES.iter().filter(|(_, version, _)| *version == "TLSv1.3") {
        let talk = short(suite);
        let log = talk.keys();
        let half: Vec<&str> = log.lines().filter(|line| !line.contains("HANDSHAKE")).collect();
        let seen = watch(&key_log(&half.join("\n")), &whole(&talk));
        assert_eq!((seen.plain(), seen.tls().readable), (POP, true), "{version}");
        // What was agreed on under protection is not known then.
        assert_eq!((seen.tls().alpn.as_deref(), seen.notes.len()), (None, 0));
    }
}

#[test]
fn secrets_may_come_until_the_data_does() {
    for suite in [TLS12, TLS13] {
        let talk = short(suite);
        let (mut tap, mut seen, mut keys) = (Tap::new(), Seen::default(), KeyLog::default());
        let mut server_spoke = 0;
        for (client, octets) in &talk.wire {
            // Whole flights: the server's last before its greeting ends the handshake.
            tap.octets(&keys, side(*client), 1, octets, &mut |out| seen.take(out));
            server_spoke += usize::from(!client);
            if server_spoke == 1 && *client {
                keys.add(talk.keys().as_bytes());
            }
        }
        assert_eq!((seen.plain(), seen.tls().readable), (POP, true));
    }
}

#[test]
fn a_session_is_taken_up_again() {
    for &(suite, ..) in SUITES {
        let parties = Parties::new(suite);
        pop(&mut parties.connect());
        let mut again = parties.connect();
        pop(&mut again);
        assert!(again.is_resumed());
        let seen = watch(&key_log(&again.keys()), &whole(&again));
        assert_eq!((seen.plain(), seen.tls().readable, seen.notes.len()), (POP, true, 0));
    }
}

#[test]
fn early_data_is_told_of_and_left_out() {
    let parties = Parties::new(TLS13).with_early_data();
    pop(&mut parties.connect());
    let mut talk = parties.connect();
    talk.say_early(b"CAPA\r\n");
    pop(&mut talk);
    let seen = watch(&key_log(&talk.keys()), &whole(&talk));
    assert_eq!((seen.plain(), seen.tls().readable), (POP, true));
    let note = "tls-early-data: the client sent data before the server's hello (0-RTT), which is left out";
    assert_eq!(seen.notes, [note]);
}

#[test]
fn keys_are_updated() {
    for &(suite, ..) in SUITES.iter().filter(|(_, version, _)| *version == "TLSv1.3") {
        let mut talk = Parties::new(suite).connect();
        let mut said = [Vec::new(), Vec::new()];
        for turn in 0..6u8 {
            for client in [true, false] {
                talk.say(client, &[turn; 50]);
                said[usize::from(!client)].extend([turn; 50]);
            }
            talk.update_keys(turn % 2 == 0);
        }
        let seen = watch(&key_log(&talk.keys()), &cut(&talk, &[7, 100]));
        assert_eq!((seen.plain, seen.notes.len()), (said, 0));
    }
}

#[test]
fn a_big_message_comes_whole() {
    for &(suite, ..) in SUITES {
        let mut talk = Parties::new(suite).connect();
        talk.settle();
        let message: Vec<u8> = (0..1_000_000_u32).map(|number| (number / 7) as u8).collect();
        assert_eq!(talk.say(false, &message), message);
        let seen = watch(&key_log(&talk.keys()), &cut(&talk, &[1460, 3, 70_000]));
        assert_eq!((&seen.plain[1], seen.notes.len()), (&message, 0));
        // What cannot be held is still given as it is.
        let wire = cut(&talk, &[1460]);
        assert_eq!(watch(&KeyLog::default(), &wire).opaque, sent(&wire));
    }
}

#[test]
fn an_alert_is_told() {
    for suite in [TLS12, TLS13] {
        let mut talk = Parties::new(suite).distrusting().connect();
        talk.settle();
        let seen = watch(&key_log(&talk.keys()), &whole(&talk));
        assert_eq!(seen.notes, ["tls-alert: the client sent the alert unknown_ca (48)"], "{suite:?}");
    }
}

/// A message of ten records, of which octets are missing in the middle: where they begin, and how many.
fn gapped(suite: CipherSuite, range: std::ops::Range<usize>) -> (Vec<Vec<u8>>, Seen) {
    let mut talk = Parties::new(suite).connect();
    talk.settle();
    talk.say(false, GREETING);
    let said: Vec<Vec<u8>> = (0..40_u8).map(|number| vec![number; 500]).collect();
    let before: usize = sent(&whole(&talk))[1].len();
    for one in &said {
        talk.say(false, one);
    }
    let mut wire = whole(&talk);
    let all = sent(&wire)[1].clone();
    wire.truncate(wire.len() - said.len());
    let (from, to) = (before + range.start, before + range.end);
    wire.push(Wire::Octets(false, all[before..from].to_vec()));
    wire.push(Wire::Missing(false, (to - from) as u64));
    wire.push(Wire::Octets(false, all[to..].to_vec()));
    (said, watch(&key_log(&talk.keys()), &wire))
}

#[test]
fn after_a_gap_records_are_found_again() {
    for &(suite, ..) in SUITES {
        for (range, lost) in [(0..10, 0..1), (600..610, 1..2), (3..4000, 0..8), (700..2000, 1..4)] {
            let (said, seen) = gapped(suite, range.clone());
            let left = said[..lost.start].iter().chain(&said[lost.end..]).flatten().copied();
            let expected: Vec<u8> = GREETING.iter().copied().chain(left).collect();
            assert_eq!(seen.plain[1], expected, "{suite:?} {range:?}");
            assert!(seen.opaque[1].is_empty());
            assert_eq!(seen.notes.len(), 1);
            assert!(seen.notes[0].ends_with("octets that the server sent under TLS could not be decrypted"));
        }
    }
}

#[test]
fn a_gap_in_the_handshake_leaves_what_follows() {
    for &(suite, ..) in SUITES {
        let talk = short(suite);
        let wire = whole(&talk);
        let hello = wire.iter().position(|one| matches!(one, Wire::Octets(false, _))).unwrap();
        let gapped: Vec<Wire> = wire
            .into_iter()
            .enumerate()
            .flat_map(|(place, one)| match one {
                // After the hello, before the end: within the certificate.
                Wire::Octets(client, octets) if place == hello => vec![
                    Wire::Octets(client, octets[..300].to_vec()),
                    Wire::Missing(client, 40),
                    Wire::Octets(client, octets[340..].to_vec()),
                ],
                one => vec![one],
            })
            .collect();
        let seen = watch(&key_log(&talk.keys()), &gapped);
        assert_eq!((seen.plain(), seen.tls().readable), (POP, true), "{suite:?} {:?}", seen.notes);
    }
}

#[test]
fn a_gap_too_far_leaves_the_rest_as_it_is() {
    let mut talk = Parties::new(TLS13).connect();
    talk.settle();
    talk.say(false, GREETING);
    let mut wire = whole(&talk);
    wire.push(Wire::Missing(false, 1));
    let noise: Vec<u8> = [23, 3, 3, 0, 100].iter().copied().cycle().take(400_000).collect();
    wire.extend(noise.chunks(1000).map(|octets| Wire::Octets(false, octets.to_vec())));
    let seen = watch(&key_log(&talk.keys()), &wire);
    assert_eq!(seen.plain[1], GREETING);
    assert_eq!(seen.opaque[1], noise);
    assert_eq!(seen.notes, ["tls-undecrypted: what the server sends under TLS can no longer be decrypted"]);
}

#[test]
fn a_damaged_record_is_left_out() {
    for &(suite, ..) in SUITES {
        let mut talk = short(suite);
        // The one with QUIT, before the client's last word.
        let last = talk.wire.iter().rposition(|(client, _)| *client).unwrap();
        let quit = talk.wire[..last].iter().rposition(|(client, _)| *client).unwrap();
        let last = talk.wire[quit].1.len() - 1;
        talk.wire[quit].1[last] ^= 1;
        let seen = watch(&key_log(&talk.keys()), &whole(&talk));
        assert_eq!(seen.plain[1], POP[1], "{suite:?}");
        assert!(seen.tls().readable && !seen.plain[0].ends_with(b"QUIT\r\n"));
        assert_eq!(seen.notes.len(), 1, "{:?}", seen.notes);
    }
}

#[test]
fn what_is_cut_off_is_told() {
    let talk = short(TLS13);
    let mut wire = whole(&talk);
    wire.push(Wire::Octets(false, vec![23, 3, 3, 0, 99, 1]));
    let seen = watch(&key_log(&talk.keys()), &wire);
    assert_eq!(seen.plain(), POP);
    assert_eq!(seen.opaque[1], [23, 3, 3, 0, 99, 1]);
    assert_eq!(
        seen.notes,
        ["tls-cut: the last 6 octets that the server sent under TLS could not be decrypted"]
    );
}

/// A hello of TLS 1.2 as the RFC draws it, with a suite.
fn hellos(version: u8, suite: [u8; 2]) -> Vec<Wire> {
    let record = |kind: u8, body: &[u8]| {
        let length = body.len() as u8;
        [&[22, 3, version, 0, length + 4, kind, 0, 0, length], body].concat()
    };
    let client = [&[3, version], &[7; 32][..], &[0, 0, 2], &suite, &[1, 0]].concat();
    let server = [&[3, version], &[8; 32][..], &[0], &suite, &[0]].concat();
    vec![Wire::Octets(true, record(1, &client)), Wire::Octets(false, record(2, &server))]
}

#[test]
fn what_cannot_be_opened_is_said_so() {
    for (version, suite, name) in [
        (3, [0x00, 0x2f], "TLSv1.2 with TLS_RSA_WITH_AES_128_CBC_SHA"),
        (1, [0x00, 0x05], "TLSv1.0 with TLS_RSA_WITH_RC4_128_SHA"),
        (2, [0xc0, 0x14], "TLSv1.1 with TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"),
        (3, [0xfa, 0xfa], "TLSv1.2 with 0xfafa"),
    ] {
        let mut wire = hellos(version, suite);
        wire.push(Wire::Octets(true, vec![23, 3, version, 0, 1, 0]));
        let seen = watch(&KeyLog::default(), &wire);
        assert!(!seen.tls().readable);
        assert_eq!(seen.opaque, sent(&wire));
        assert!(seen.notes[0].starts_with(&format!("tls-unreadable: {name} cannot")), "{:?}", seen.notes);
    }
}

#[test]
fn what_is_no_tls_is_given_as_it_is() {
    let wire = [Wire::Octets(true, vec![22, 3, 1, 0, 5]), Wire::Octets(false, GREETING.to_vec())];
    let seen = watch(&KeyLog::default(), &wire);
    assert_eq!((&seen.opaque, seen.tls().version.as_deref()), (&sent(&wire), None));
    assert_eq!(seen.notes, ["tls-malformed: what the server sends is no TLS handshake"]);
}

#[test]
fn a_hello_is_known_by_its_first_octets() {
    let talk = short(TLS13);
    let hello = &talk.wire[0].1;
    assert!((0..6).all(|end| begins_tls(&hello[..end]).is_none()));
    assert_eq!(begins_tls(hello), Some(true));
    for other in [&b"CAPA\r\n"[..], b"+", &[22, 3, 1, 0, 9, 2], &[22, 2]] {
        assert_eq!(begins_tls(other), Some(false));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn cuts_make_no_difference(suite in 0..SUITES.len(), sizes in prop::collection::vec(1..900_usize, 1..8)) {
        let talk = short(SUITES[suite].0);
        let keys = key_log(&talk.keys());
        let mut seen = watch(&keys, &cut(&talk, &sizes));
        let mut whole = watch(&keys, &whole(&talk));
        // Times are numbers of pieces.
        (seen.started[0].at, whole.started[0].at) = (0, 0);
        prop_assert_eq!(seen, whole);
    }

    #[test]
    fn damage_is_survived(
        suite in 0..SUITES.len(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1..=255_u8), 1..4),
        gap in prop::option::of((any::<prop::sample::Index>(), any::<u64>())),
    ) {
        let mut talk = short(SUITES[suite].0);
        for (piece, place, flip) in flips {
            let octets = piece.index(talk.wire.len());
            let octets = &mut talk.wire[octets].1;
            let place = place.index(octets.len());
            octets[place] ^= flip;
        }
        let mut wire = cut(&talk, &[99]);
        if let Some((place, octets)) = gap {
            wire.insert(place.index(wire.len()), Wire::Missing(false, octets));
        }
        let seen = watch(&key_log(&talk.keys()), &wire);
        prop_assert_eq!(seen.started.len(), 1);
        // Whatever opens is what was said.
        prop_assert!(seen.plain[0].is_empty() || seen.plain[0] == POP[0]);
        if !seen.started[0].readable {
            prop_assert_eq!(seen.opaque, sent(&wire));
        }
    }

    #[test]
    fn noise_is_survived(pieces in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..40)), 0..20)) {
        let wire: Vec<Wire> = pieces.into_iter().map(|(client, octets)| Wire::Octets(client, octets)).collect();
        prop_assert_eq!(watch(&KeyLog::default(), &wire).opaque, sent(&wire));
    }
}
