use poptape::pop3::Secrets;
use poptape::recording::format::Integrity;
use poptape::recording::{By, End, Entry, How};
use poptape::wire::{Alert, Certificate, Close, Side, Tls, TlsFailure, Trust};
use proptest::option::of;
use proptest::prelude::*;

use super::dissect::{dissect, events, exchanges, stream};
use super::json::{SCENES, entries, header, in_lock_step, read, valid, write};
use super::session::{cut, cuts, lines};

fn side() -> impl Strategy<Value = Side> {
    prop::sample::select(vec![Side::Client, Side::Server])
}

/// A text such as a stranger's certificate may hold.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[A-Za-z0-9=., -]{0,24}", 1 => "\\PC{0,8}", 1 => "[\"\\\\\u{0}-\u{1f}\u{7f}\u{9b}\u{202e}]{0,6}"]
}

fn certificate() -> impl Strategy<Value = Certificate> {
    (word(), word(), prop::collection::vec(word(), 0..4), word(), word(), "[0-9a-f]{64}").prop_map(
        |(subject, issuer, names, not_before, not_after, sha256)| Certificate {
            subject,
            issuer,
            names,
            not_before,
            not_after,
            sha256,
        },
    )
}

fn failure() -> impl Strategy<Value = TlsFailure> {
    let alert = (word(), any::<bool>()).prop_map(|(name, sent)| Alert { name, sent });
    (word(), of(alert), of(word())).prop_map(|(reason, alert, hint)| TlsFailure { reason, alert, hint })
}

/// Any handshake, with anything known of it.
fn handshake() -> impl Strategy<Value = Tls> {
    let trust = prop_oneof![Just(Trust::Verified), word().prop_map(Trust::Overruled)];
    let facts = (of(word()), of(word()), of(word()), of(word()));
    let found = (prop::collection::vec(certificate(), 0..3), of(trust), of(failure()));
    (side(), 0..1_000_000_000u64, of(any::<u64>()), facts, any::<bool>(), found).prop_map(
        |(leg, at, took, (version, cipher, server_name, alpn), readable, (chain, trust, failure))| Tls {
            leg,
            at,
            took,
            version,
            cipher,
            server_name,
            alpn,
            readable,
            chain,
            trust,
            failure,
        },
    )
}

type Facts = Vec<(prop::sample::Index, Tls)>;

/// Handshakes that stand beside the stream, and where they do.
fn facts() -> impl Strategy<Value = Facts> {
    let beside = handshake().prop_filter("it begins anew", |tls| !tls.begins_anew());
    prop::collection::vec((any::<prop::sample::Index>(), beside), 1..4)
}

/// A session with such handshakes among its entries.
fn beside(mut entries: Vec<Entry>, facts: Facts) -> Vec<Entry> {
    for (place, tls) in facts {
        entries.insert(1 + place.index(entries.len() - 1), Entry::Tls(Box::new(tls)));
    }
    entries
}

fn handshakes(entries: &[Entry]) -> Vec<Entry> {
    entries.iter().filter(|entry| matches!(entry, Entry::Tls(_))).cloned().collect()
}

proptest! {
    #![proptest_config(super::config())]

    /// A recording gives back everything that is known of a handshake.
    #[test]
    fn facts_of_tls_come_back_as_they_were(handshakes in prop::collection::vec(handshake(), 1..4)) {
        let mut all = entries(&[], Secrets::Redact);
        all.splice(1..1, handshakes.into_iter().map(|tls| Entry::Tls(Box::new(tls))));
        let file = write(&all);
        prop_assert!(valid(&serde_json::from_slice(&file).unwrap()), "{}", String::from_utf8_lossy(&file));
        prop_assert!(!file.iter().any(|octet| octet.is_ascii_control() && *octet != b'\n'));
        prop_assert_eq!(read(&file).unwrap(), (all, Integrity::Whole));
    }

    /// What is said of the server's leg, or of a handshake that failed, moves no octet of what stands around it.
    #[test]
    fn facts_beside_the_stream_move_no_octet(lines in lines(), cuts in cuts(), facts in facts()) {
        let live = dissect(&cut(&lines, &cuts), Secrets::Keep);
        let all = beside(entries(&live, Secrets::Keep), facts);
        let file = write(&all);
        let shown = String::from_utf8_lossy(&file);
        prop_assert!(valid(&serde_json::from_slice(&file).unwrap()), "{}", shown);
        let back = read(&file).unwrap().0;
        prop_assert_eq!(handshakes(&all), handshakes(&back), "{}", shown);
        for side in [Side::Client, Side::Server] {
            prop_assert!(stream(&live, side) == stream(&events(&back), side), "{side:?} in {}", shown);
        }
    }

    /// And where the two do not talk at once, no exchange.
    #[test]
    fn facts_beside_the_stream_change_no_exchange(
        cuts in cuts(), order in prop::collection::vec(0usize..SCENES.len(), 0..12), facts in facts(),
    ) {
        let mut lines = vec![(Side::Server, b"+OK ready\r\n".to_vec())];
        for scene in order {
            lines.extend(SCENES[scene].iter().map(|(side, line)| (*side, line.as_bytes().to_vec())));
        }
        let live = dissect(&cut(&lines, &cuts), Secrets::Keep);
        prop_assume!(in_lock_step(&live));
        let file = write(&beside(entries(&live, Secrets::Keep), facts));
        let back = read(&file).unwrap().0;
        prop_assert_eq!(exchanges(&live), exchanges(&events(&back)), "{}", String::from_utf8_lossy(&file));
    }
}

#[test]
fn a_truncated_end_comes_back_as_one() {
    for how in [How::Truncated, How::TlsFailed] {
        let (unknown, outer) = Default::default();
        let end = End { at: 9, by: By::Server, how, unknown, outer };
        let all = [
            Entry::Opened(Box::new(header(Secrets::Redact))),
            Entry::Closed { side: Side::Server, how: Close::Truncated, at: 8 },
            Entry::Ended(Box::new(end)),
        ];
        let file = write(&all);
        assert!(valid(&serde_json::from_slice(&file).unwrap()));
        assert_eq!(read(&file).unwrap().0, all);
    }
}
