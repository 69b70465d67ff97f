//! The maildrop that a recorded session reveals: numbers, sizes, unique-ids and messages as STAT, LIST, UIDL, RETR
//! and TOP show them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::filler::{filled_up, filler};
use super::tape::{Taken, Tape, Taped};
use crate::maildrop::normal::{ContentIds, Measure};
use crate::maildrop::{Listing, Scan, Snapshot, Store, Text, UniqueId};
use crate::pop3::lines::{split, split_ending};
use crate::pop3::{Command, Keyword, State, Status};

/// What is supposed of a message of which nothing at all is known.
const UNKNOWN_SIZE: u64 = 1024;

/// The messages of one recorded session.
#[derive(Debug, Clone)]
pub(super) struct Revealed {
    pub(super) listing: Listing,
    texts: Arc<[Known]>,
    /// Those that are not recorded whole: number, size.
    pub(super) fillers: Vec<(usize, u64)>,
}

/// What is known of a message.
#[derive(Debug, Clone, Default)]
struct Known {
    size: Option<u64>,
    id: Option<String>,
    /// All of it, from RETR.
    content: Option<Bytes>,
    /// Its beginning, from TOP.
    beginning: Option<Bytes>,
}

/// The marks that a session had at some exchange: numbers, from 1.
pub(super) type Marks = BTreeSet<usize>;

/// What an exchange does to the marks.
pub(super) fn follow(marks: &mut Marks, taken: &Taken) {
    if taken.status == Some(Status::Ok) && taken.state == State::Transaction {
        match (taken.keyword(), number(taken, 0)) {
            (Keyword::Dele, Some(n)) => {
                marks.insert(n);
            }
            (Keyword::Rset, _) => marks.clear(),
            _ => {}
        }
    }
}

/// The numeric argument of a command, by its place.
pub(super) fn number(taken: &Taken, place: usize) -> Option<usize> {
    let word = Command::parse(&taken.command).words().nth(place)?;
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// What UIDL says of messages anywhere on the tape, by their content: a session that did not ask for ids has the
/// same messages by the same ids as one that did.
#[derive(Debug, Default)]
pub(super) struct Ids(HashMap<u64, String>);

impl Ids {
    /// Of all sessions.
    pub(super) fn of(sessions: &[Taped]) -> Self {
        let mut ids = HashMap::new();
        for taped in sessions {
            for known in found(taped).0.into_values() {
                if let (Some(content), Some(id)) = (known.content, known.id) {
                    ids.insert(Measure::of(&content).digest, id);
                }
            }
        }
        Self(ids)
    }
}

impl Revealed {
    /// Of a session.
    pub(super) fn of(taped: &Taped, ids: &Ids) -> Self {
        let (known, stat) = found(taped);
        let count = known.keys().next_back().copied().unwrap_or(0).max(stat.map_or(0, |(count, _)| count));
        let mut known = known;
        let mut texts: Vec<Known> = (1..=count).map(|n| known.remove(&n).unwrap_or_default()).collect();
        for known in &mut texts {
            let whole = known.content.as_ref().map(|content| content.len() as u64);
            known.size = known.size.or(whole);
        }
        share(&mut texts, stat.map(|(_, octets)| octets));
        let (mut made, mut seen) = (ContentIds::default(), BTreeSet::new());
        let mut fillers = Vec::new();
        let listing = texts.iter().enumerate().map(|(place, known)| {
            let size = known.size.unwrap_or(UNKNOWN_SIZE);
            let measure = known.content.as_ref().map(|content| Measure::of(content));
            if known.content.is_none() {
                fillers.push((place + 1, size));
            }
            let digest = measure.map_or_else(
                || Measure::of(format!("{} {size}", place + 1).as_bytes()).digest,
                |measure| measure.digest,
            );
            let told = known.id.as_ref().or_else(|| ids.0.get(&digest)).and_then(UniqueId::new);
            let unique_id = told.filter(|id| seen.insert(id.clone())).unwrap_or_else(|| made.next(digest));
            Scan { size, unique_id, utf8: false }
        });
        let listing = listing.collect();
        Self { listing, texts: texts.into(), fillers }
    }
}

/// The messages that any session of a tape shows, each once, as a store: a recording as a place that messages are
/// taken from. Of a message that several sessions show, the one that has all of it counts.
pub fn store(tape: &Tape) -> Arc<dyn Store> {
    let ids = Ids::of(&tape.sessions);
    let (mut messages, mut places): (Vec<(Scan, Known)>, HashMap<UniqueId, usize>) = Default::default();
    for revealed in tape.sessions.iter().map(|taped| Revealed::of(taped, &ids)) {
        for (scan, known) in revealed.listing.iter().zip(revealed.texts.iter()) {
            let place = *places.entry(scan.unique_id.clone()).or_insert(messages.len());
            match messages.get_mut(place) {
                Some(seen) if seen.1.content.is_none() && known.content.is_some() => {
                    *seen = (scan.clone(), known.clone());
                }
                Some(_) => {}
                None => messages.push((scan.clone(), known.clone())),
            }
        }
    }
    let (listing, texts): (Vec<_>, Vec<_>) = messages.into_iter().unzip();
    Arc::new(Revealed { listing: listing.into(), texts: texts.into(), fillers: Vec::new() })
}

/// What listings and messages say, by number, and what STAT did: count and octets with nothing marked.
fn found(taped: &Taped) -> (BTreeMap<usize, Known>, Option<(usize, u64)>) {
    let (mut known, mut stat, mut marks) = (BTreeMap::<usize, Known>::new(), None, Marks::new());
    for taken in &taped.exchanges {
        if taken.state == State::Transaction && taken.status == Some(Status::Ok) {
            let text = taken.text();
            match (taken.keyword(), number(taken, 0)) {
                (Keyword::Stat, _) if marks.is_empty() => {
                    stat = stat
                        .or(pair(text.as_bytes())
                            .and_then(|(count, octets)| Some((count, octets.parse().ok()?))));
                }
                (Keyword::List, None) => listed(taken, |n, word| {
                    let one = known.entry(n).or_default();
                    one.size = one.size.or(word.parse().ok());
                }),
                (Keyword::Uidl, None) => listed(taken, |n, word| {
                    known.entry(n).or_default().id.get_or_insert(word);
                }),
                (Keyword::List, Some(_)) => {
                    if let Some((n, size)) = pair(text.as_bytes()) {
                        let one = known.entry(n).or_default();
                        one.size = one.size.or(size.parse().ok());
                    }
                }
                (Keyword::Uidl, Some(_)) => {
                    if let Some((n, id)) = pair(text.as_bytes()) {
                        known.entry(n).or_default().id.get_or_insert(id);
                    }
                }
                (Keyword::Retr, Some(n)) if taken.complete => {
                    let content = taken.content().map(Bytes::from);
                    let one = known.entry(n).or_default();
                    one.content = one.content.take().or(content);
                }
                // Of a message that was cut off the beginning is known, too.
                (Keyword::Top | Keyword::Retr, Some(n)) => {
                    let beginning = taken.content().map(Bytes::from).unwrap_or_default();
                    let one = known.entry(n).or_default();
                    if one.beginning.as_ref().is_none_or(|old| old.len() < beginning.len()) {
                        one.beginning = Some(beginning);
                    }
                }
                (Keyword::Dele, Some(n)) => {
                    known.entry(n).or_default();
                }
                _ => {}
            }
        }
        follow(&mut marks, taken);
    }
    // No server has more; a number out of a damaged file shall not cost memory.
    known.retain(|&n, _| (1..=1_000_000).contains(&n));
    let stat = stat.filter(|&(count, _)| count <= 1_000_000);
    (known, stat)
}

/// The lines of a listing: a number and a word.
fn listed(taken: &Taken, mut each: impl FnMut(usize, String)) {
    for line in split(&taken.content().unwrap_or_default()) {
        if let Some((n, word)) = pair(split_ending(line).0) {
            each(n, word);
        }
    }
}

/// A number and a word.
fn pair(text: &[u8]) -> Option<(usize, String)> {
    let text = std::str::from_utf8(text).ok()?;
    let mut words = text.split_ascii_whitespace();
    Some((words.next()?.parse().ok()?, words.next()?.to_owned()))
}

/// Gives messages whose size is not known what STAT's octets leave for them.
fn share(texts: &mut [Known], octets: Option<u64>) {
    let sum: u64 = texts.iter().filter_map(|known| known.size).sum();
    let unknown = texts.iter().filter(|known| known.size.is_none()).count() as u64;
    let (Some(left), true) = (octets.and_then(|octets| octets.checked_sub(sum)), unknown > 0) else { return };
    let (each, more) = (left / unknown, left % unknown);
    for (place, known) in (0..).zip(texts.iter_mut().filter(|known| known.size.is_none())) {
        known.size = Some(each + u64::from(place < more));
    }
}

impl Store for Revealed {
    fn snapshot(&self) -> io::Result<Box<dyn Snapshot>> {
        Ok(Box::new(self.clone()))
    }

    fn blocks(&self) -> bool {
        false
    }
}

impl Snapshot for Revealed {
    fn scans(&self) -> Listing {
        Arc::clone(&self.listing)
    }

    fn text(&self, place: usize) -> io::Result<Text> {
        let (known, size) = (&self.texts[place], self.listing[place].size);
        Ok(match (&known.content, &known.beginning) {
            (Some(content), _) => Text::Whole(content.clone()),
            (None, Some(beginning)) => filled_up(beginning.clone(), size),
            (None, None) => filler(place + 1, size),
        })
    }

    fn remove(&self, _: &[bool]) -> io::Result<()> {
        // A recording is not changed: what is deleted is kept by the maildrops.
        Ok(())
    }
}
