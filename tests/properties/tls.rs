use poptape::pop3::Secrets;
use poptape::recording::format::Integrity;
use poptape::recording::{By, End, Entry, How};
use poptape::wire::{Alert, Certificate, Close, Side, Tls, TlsFailure, Trust};
use proptest::option::of;
use proptest::prelude::*;

use super::dissect::{dissect, events, exchanges, stream};
use super::json::{entries, header, read, valid, write};
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

fn is_tls(entry: &Entry) -> bool {
    matches!(entry, Entry::Tls(_))
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

    /// What is said of the server's leg, or of a handshake that failed, changes nothing of what stands around it.
    #[test]
    fn facts_beside_the_stream_leave_it_alone(
        lines in lines(), cuts in cuts(),
        facts in prop::collection::vec((any::<prop::sample::Index>(), handshake()), 1..4),
    ) {
        let live = dissect(&cut(&lines, &cuts), Secrets::Keep);
        let plain = entries(&live, Secrets::Keep);
        let mut all = plain.clone();
        for (place, tls) in facts {
            if !tls.begins_anew() {
                all.insert(1 + place.index(all.len() - 1), Entry::Tls(Box::new(tls)));
            }
        }
        let file = write(&all);
        let shown = String::from_utf8_lossy(&file);
        prop_assert!(valid(&serde_json::from_slice(&file).unwrap()), "{}", shown);
        let (back, without) = (read(&file).unwrap().0, read(&write(&plain)).unwrap().0);
        let handshakes = |entries: &[Entry]| -> Vec<Entry> {
            entries.iter().filter(|entry| is_tls(entry)).cloned().collect()
        };
        prop_assert_eq!(handshakes(&all), handshakes(&back), "{}", shown);
        for side in [Side::Client, Side::Server] {
            prop_assert!(stream(&live, side) == stream(&events(&back), side), "{side:?} in {}", shown);
        }
        prop_assert_eq!(exchanges(&events(&without)), exchanges(&events(&back)), "{}", shown);
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
