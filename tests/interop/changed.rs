//! A recorded client that was changed since: off the recording, answers stay those of one maildrop.

use std::collections::HashMap;
use std::path::Path;

use super::pop::{Pop, Reply, read};
use crate::support::{Proxy, raw, text};

/// What the server said, by the command; of several answers the first one.
type Said = HashMap<String, Reply>;

/// Reads the one session of a client that sent each command after the answer to the one before.
fn said(recording: &Path) -> Said {
    let (client, server) = raw(recording);
    let (mut said, mut server) = (Said::new(), &server[..]);
    read(&mut server, "");
    for command in text(&client).lines() {
        let reply = read(&mut server, command);
        said.entry(command.to_owned()).or_insert(reply);
    }
    said
}

/// Replays a recording of a session that fetched all messages, to clients that do something else.
pub fn check(case: &str, user: &str, recording: &Path) {
    let said = said(recording);
    let replay = Proxy::verb("replay", &[&recording.display().to_string()]);
    let (sizes, ids) = (said["LIST"].listing(), said["UIDL"].listing());
    let all: Vec<usize> = sizes.iter().map(|(n, _)| *n).collect();

    let mut pop = Pop::login(replay.address, user);
    // The other way round, and more often.
    assert_eq!(pop.ok("UIDL"), said["UIDL"], "{case}");
    for n in all.iter().rev() {
        assert_eq!(pop.ok(&format!("RETR {n}")), said[&format!("RETR {n}")], "{case}");
    }
    look(case, &mut pop, &said, &all, true);
    look(case, &mut pop, &said, &all, true);

    for wrong in ["RETR 99", "RETR 0", "RETR", "RETR x", "TOP 1", "DELE 99", "LIST 99", "XYZZY", "USER a"] {
        pop.refused(wrong);
    }
    pop.ok("NOOP");
    look(case, &mut pop, &said, &all, true);

    // Marks hold at once, and are undone.
    pop.ok("DELE 2");
    for gone in ["RETR 2", "TOP 2 0", "LIST 2", "UIDL 2"] {
        pop.refused(gone);
    }
    let without =
        |gone: &[usize]| -> Vec<usize> { all.iter().copied().filter(|n| !gone.contains(n)).collect() };
    look(case, &mut pop, &said, &without(&[2]), true);
    pop.ok("RSET");
    look(case, &mut pop, &said, &all, true);

    // A session that breaks off deletes nothing; one that ends with QUIT does.
    pop.ok("DELE 3");
    drop(pop);
    let mut pop = Pop::login(replay.address, user);
    look(case, &mut pop, &said, &all, false);
    pop.ok("DELE 1");
    pop.ok("DELE 4");
    pop.ok("QUIT");
    for _ in 0..2 {
        let mut pop = Pop::login(replay.address, user);
        let kept = without(&[1, 4]);
        let listed: Vec<String> = pop.ok("UIDL").listing().into_iter().map(|(_, id)| id).collect();
        let wanted: Vec<String> = kept.iter().map(|n| ids[n - 1].1.clone()).collect();
        assert_eq!(listed, wanted, "{case}: the ids of what is left");
        for (n, before) in (1..).zip(&kept) {
            let message = pop.ok(&format!("RETR {n}"));
            assert_eq!(
                text(&message.body),
                text(&said[&format!("RETR {before}")].body),
                "{case}: {n}, was {before}"
            );
        }
        look_renumbered(case, &mut pop, &said, &kept);
        pop.ok("QUIT");
    }
    let left = replay.stop();
    assert_eq!(left.code, Some(0), "{case}: {}", left.stderr);
}

/// Looks at a session in which `left` are not marked: everything fits together.
fn look(case: &str, pop: &mut Pop, said: &Said, left: &[usize], taped: bool) {
    let same: Vec<(usize, usize)> = left.iter().map(|&n| (n, n)).collect();
    look_at(case, pop, said, &same, taped);
}

/// The same once numbers have moved up.
fn look_renumbered(case: &str, pop: &mut Pop, said: &Said, left: &[usize]) {
    look_at(case, pop, said, &(1..).zip(left.iter().copied()).collect::<Vec<_>>(), false);
}

/// `numbers`: those of now and of the recording. `taped`: the session is the recorded one, so that what was recorded
/// is answered as it was, Mailutils' additional blank line in TOP too; after the last one the engine answers alone.
fn look_at(case: &str, pop: &mut Pop, said: &Said, numbers: &[(usize, usize)], taped: bool) {
    let (list, uidl) = (pop.ok("LIST").listing(), pop.ok("UIDL").listing());
    let now: Vec<usize> = numbers.iter().map(|numbers| numbers.0).collect();
    assert_eq!(list.iter().map(|(n, _)| *n).collect::<Vec<_>>(), now, "{case}: LIST");
    assert_eq!(uidl.iter().map(|(n, _)| *n).collect::<Vec<_>>(), now, "{case}: UIDL");
    let sum = list.iter().map(|(_, size)| size.parse::<usize>().unwrap()).sum();
    assert_eq!(Reply::numbers(&pop.ok("STAT").status), (list.len(), sum), "{case}: STAT");
    for (&(n, recorded), ((_, size), (_, id))) in numbers.iter().zip(list.iter().zip(&uidl)) {
        assert_eq!(*id, said["UIDL"].listing()[recorded - 1].1, "{case}: the id of {n}");
        assert_eq!(pop.ok(&format!("UIDL {n}")).status, format!("+OK {n} {id}"), "{case}");
        let message = pop.ok(&format!("RETR {n}")).body;
        let listed = said["LIST"].listing()[recorded - 1].1.parse::<usize>().unwrap();
        let truth = said[&format!("RETR {recorded}")].body.len();
        // A server that announced another size than it sent is replayed as that.
        assert_eq!((size.parse().unwrap(), message.len()), (listed, truth), "{case}: the size of {n}");
        for lines in [0, 1, 2, 10_000] {
            let top = pop.ok(&format!("TOP {n} {lines}")).body;
            if let Some(told) = said.get(&format!("TOP {recorded} {lines}")).filter(|_| taped) {
                assert_eq!(text(&top), text(&told.body), "{case}: TOP {n} {lines}, recorded");
                continue;
            }
            let top = if lines > 0 && case.contains("Mailutils") { ungapped(&top) } else { top };
            assert!(message.starts_with(&top), "{case}: TOP {n} {lines}: {}", text(&top));
            assert!(lines != 10_000 || top == message, "{case}: TOP {n} {lines}: {}", text(&top));
        }
    }
}

/// Mailutils sends a second empty line before the lines of a body, and a replay that speaks as Mailutils does too.
fn ungapped(top: &[u8]) -> Vec<u8> {
    const GAP: &[u8] = b"\r\n\r\n\r\n";
    let at = top.windows(GAP.len()).position(|octets| octets == GAP).expect("the second empty line");
    [&top[..at + 2], &top[at + 4..]].concat()
}
