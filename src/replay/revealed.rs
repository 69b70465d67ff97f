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

/// No message is larger: a size out of a damaged recording shall not overflow a sum.
const MAX_SIZE: u64 = 1 << 44;

/// So many messages may be there of which nothing is known but that they are: a number out of a damaged recording
/// shall not cost memory.
const MAX_UNKNOWN: usize = 20_000;

/// The messages of one recorded session.
#[derive(Debug, Clone)]
pub(super) struct Revealed {
    pub(super) listing: Listing,
    texts: Arc<[Known]>,
    /// What the recorded session deleted itself: what is recorded after it lacks it already.
    pub(super) deleted: Arc<[UniqueId]>,
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
            for known in found(taped).known.into_values() {
                if let (Some(content), Some(id)) = (known.content, known.id) {
                    ids.insert(Measure::of(&content).digest, id);
                }
            }
        }
        Self(ids)
    }
}

impl Revealed {
    /// Of a session, which is the tape's `turn`th.
    pub(super) fn of(turn: usize, taped: &Taped, ids: &Ids) -> Self {
        let Found { mut known, stat, deleted } = found(taped);
        let shown = known.keys().next_back().copied().unwrap_or(0);
        let count = shown.max(stat.as_ref().map_or(0, |stat| stat.count).min(shown + MAX_UNKNOWN));
        let mut texts: Vec<Known> = (1..=count).map(|n| known.remove(&n).unwrap_or_default()).collect();
        for known in &mut texts {
            known.settle();
        }
        if let Some(stat) = &stat {
            share(&mut texts, stat);
        }
        let (mut made, mut seen) = (ContentIds::default(), BTreeSet::new());
        let listing = texts.iter().enumerate().map(|(place, known)| {
            let size = known.size.unwrap_or(UNKNOWN_SIZE);
            let content = known.content.as_ref().map(|content| Measure::of(content).digest);
            let told = known.id.as_ref().or_else(|| ids.0.get(&content?)).and_then(UniqueId::new);
            // An id of our own is of this session alone: by number, size or text nobody can tell whether the message
            // of another session is the same one or its successor.
            let own = || Measure::of(format!("{turn} {} {size}", place + 1).as_bytes()).digest;
            let unique_id = told.filter(|id| seen.insert(id.clone())).unwrap_or_else(|| made.next(own()));
            Scan { size, unique_id, utf8: false }
        });
        let listing: Listing = listing.collect();
        let gone = deleted.iter().filter_map(|n| listing.get(n - 1)).map(|scan| scan.unique_id.clone());
        Self { deleted: gone.collect(), listing, texts: texts.into() }
    }

    /// The octets that a message has, where it is not recorded whole.
    pub(super) fn filled_up(&self, number: usize) -> Option<u64> {
        let place = number.checked_sub(1)?;
        let (known, scan) = (self.texts.get(place)?, self.listing.get(place)?);
        known.content.is_none().then_some(scan.size)
    }

    /// How many messages are not recorded whole.
    pub(super) fn in_part(&self) -> usize {
        self.texts.iter().filter(|known| known.content.is_none()).count()
    }
}

impl Known {
    /// What follows of what is known.
    fn settle(&mut self) {
        let size = |octets: &Bytes| octets.len() as u64;
        // TOP with more lines than there are is a RETR that marks nothing as read.
        if let (None, Some(beginning), Some(known)) = (&self.content, &self.beginning, self.size)
            && size(beginning) >= known
        {
            self.content = self.beginning.take();
        }
        self.size = self.size.or_else(|| self.content.as_ref().map(size)).map(|size| size.min(MAX_SIZE));
    }
}

/// The messages that any session of a tape shows, each once, as a store: a recording as a place that messages are
/// taken from. Of a message that several sessions show, the one that has all of it counts. Gives with it how many
/// messages are not recorded whole.
pub fn store(tape: &Tape) -> (Arc<dyn Store>, usize) {
    let ids = Ids::of(&tape.sessions);
    let mut messages: Vec<(Scan, Known)> = Vec::new();
    let (mut by_id, mut by_text) = (HashMap::new(), HashMap::new());
    // Without ids from the server a message is told by its text: here nothing is deleted between the sessions.
    let sessions = tape.sessions.iter().enumerate();
    for revealed in sessions.map(|(turn, taped)| Revealed::of(turn, taped, &ids)) {
        for (scan, known) in revealed.listing.iter().zip(revealed.texts.iter()) {
            let text = known.content.as_ref().map(|content| Measure::of(content).digest);
            let seen = by_id.get(&scan.unique_id).or_else(|| by_text.get(&text?)).copied();
            let place = seen.unwrap_or(messages.len());
            by_id.insert(scan.unique_id.clone(), place);
            by_text.extend(text.map(|text| (text, place)));
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
    let revealed = Revealed { listing: listing.into(), texts: texts.into(), deleted: Arc::default() };
    let in_part = revealed.in_part();
    (Arc::new(revealed), in_part)
}

/// Totals.
struct Stat {
    /// How many messages there were at login.
    count: usize,
    /// The octets of those that were not marked.
    octets: u64,
    /// The numbers that were.
    without: Marks,
}

/// What a session shows.
struct Found {
    /// What listings and messages say, by number.
    known: BTreeMap<usize, Known>,
    /// What STAT said, or the answer to the login.
    stat: Option<Stat>,
    /// The numbers that were marked when QUIT was accepted.
    deleted: Marks,
}

fn found(taped: &Taped) -> Found {
    let (mut known, mut marks) = (BTreeMap::<usize, Known>::new(), Marks::new());
    let mut stat: Option<Stat> = None;
    let (mut deleted, mut greeted) = (Marks::new(), None);
    for taken in &taped.exchanges {
        // What a number says that was cut nobody knows.
        let line_lacks = taken.gap.is_some_and(|gap| taken.body.is_none_or(|(from, _)| gap < from));
        if taken.state == State::Transaction && taken.status == Some(Status::Ok) {
            let text = if line_lacks { String::new() } else { taken.text() };
            match (taken.keyword(), number(taken, 0)) {
                (Keyword::Stat, _) => {
                    // What is marked is in neither number (RFC 1939 section 5). The one with fewest marks says most.
                    let told = pair(text.as_bytes()).and_then(|(count, octets)| {
                        Some((count.saturating_add(marks.len()), octets.parse().ok()?))
                    });
                    let told = told.map(|(count, octets)| Stat { count, octets, without: marks.clone() });
                    let better = stat.as_ref().is_none_or(|stat| marks.len() < stat.without.len());
                    stat = if better { told.or(stat) } else { stat };
                }
                (Keyword::Quit, _) => deleted.clone_from(&marks),
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
                (Keyword::Top | Keyword::Retr, Some(n)) if taken.body.is_some() => {
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
        if taken.state == State::Authorization && taken.status == Some(Status::Ok) && !line_lacks {
            greeted = totals(&taken.text()).or(greeted);
        }
        follow(&mut marks, taken);
    }
    let most = known.len() + MAX_UNKNOWN;
    known.retain(|&n, _| (1..=most).contains(&n));
    let stat = stat.or(greeted.map(|(count, octets)| Stat { count, octets, without: Marks::new() }));
    Found { known, stat, deleted }
}

/// The totals that the answer to a login tells, `kcope's maildrop has 2 messages (320 octets)`.
fn totals(text: &str) -> Option<(usize, u64)> {
    let before =
        |noun: &str| text[..text.find(noun)?].trim_end().rsplit([' ', '(']).next()?.parse::<u64>().ok();
    Some((usize::try_from(before("message")?).ok()?, before("octet")?))
}

/// The lines of a listing: a number and a word.
fn listed(taken: &Taken, mut each: impl FnMut(usize, String)) {
    for line in split(&taken.content().unwrap_or_default()) {
        if taken.gap.is_some() && !line.ends_with(b"\n") {
            break;
        }
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
fn share(texts: &mut [Known], stat: &Stat) {
    let mut counted: Vec<_> = (1..)
        .zip(texts.iter_mut())
        .filter(|(n, _)| !stat.without.contains(n))
        .map(|(_, known)| known)
        .collect();
    let sum = counted.iter().filter_map(|known| known.size).fold(0u64, u64::saturating_add);
    counted.retain(|known| known.size.is_none());
    let unknown = counted.len() as u64;
    let (Some(left), true) = (stat.octets.checked_sub(sum), unknown > 0) else { return };
    let (each, more) = (left / unknown, left % unknown);
    for (place, known) in (0..).zip(counted) {
        known.size = Some((each + u64::from(place < more)).min(MAX_SIZE));
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
