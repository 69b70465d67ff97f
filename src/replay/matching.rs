//! What of a recording may be used when: the same command, in the state in which it was recorded.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use super::revealed::{Marks, follow, number};
use super::tape::{Taken, Taped, could_be_payload};
use crate::pop3::secret::MASK;
use crate::pop3::{Command, Keyword, State, Status};

/// What of the session an answer depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depends {
    /// The state alone.
    State,
    /// Which user was named.
    User,
    /// Whether this message is marked.
    Message(usize),
    /// The maildrop, but no mark.
    Maildrop,
    /// All marks.
    Marks,
    /// On what came before: it is used in its turn only.
    History,
}

impl Depends {
    fn of(taken: &Taken) -> Self {
        match (taken.keyword(), number(taken, 0)) {
            (Keyword::Noop | Keyword::Capa | Keyword::Lang, _) => Self::State,
            (Keyword::Pass, _) => Self::User,
            _ if taken.state == State::Authorization => Self::State,
            (Keyword::Retr | Keyword::Top | Keyword::Dele | Keyword::List | Keyword::Uidl, Some(n)) => {
                Self::Message(n)
            }
            (Keyword::Rset, _) => Self::Maildrop,
            (Keyword::Last | Keyword::Unknown, _) => Self::History,
            // STAT, listings, QUIT, and whatever else there is.
            _ => Self::Marks,
        }
    }
}

/// Which part of a recorded session an exchange belongs to, as TLS divides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// None: there was no TLS, or it was asked in clear alone.
    Any,
    /// It was asked in clear, and once more under TLS: what was answered holds before TLS only.
    Before,
    /// Under TLS.
    Inside,
}

/// How a client's connection stands to TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cover {
    /// There is none, and none to come.
    Never,
    /// The client may ask for it.
    Offered,
    /// It stands.
    Stands,
}

/// Where a recorded exchange stood.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) depends: Depends,
    pub(super) part: Part,
    /// A client need not ask it: it was on the way to TLS.
    pub(super) waived: bool,
    user: Option<String>,
    /// Of the marks at that time.
    print: Fingerprint,
    /// Whether the message that it names was marked.
    marked: bool,
}

/// Tells sets of marks apart without keeping each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Fingerprint {
    count: usize,
    mix: u64,
}

impl Fingerprint {
    /// Of the marks of a session.
    fn of(marked: &[bool]) -> Self {
        let mut print = Self::default();
        for (n, _) in (1..).zip(marked).filter(|(_, marked)| **marked) {
            print.add(n);
        }
        print
    }

    fn add(&mut self, n: usize) {
        self.count += 1;
        // The finalizer of splitmix64: neighbours come far apart, and their order does not matter.
        let mut mix = (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mix = (mix ^ (mix >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mix = (mix ^ (mix >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.mix ^= mix ^ (mix >> 31);
    }
}

/// A session as it is now.
#[derive(Debug, Clone)]
pub(super) struct Now<'a> {
    pub(super) state: State,
    pub(super) cover: Cover,
    pub(super) user: Option<&'a str>,
    pub(super) marked: &'a [bool],
    /// The maildrop is the recorded one: nothing was deleted from it since.
    pub(super) untouched: bool,
    /// Of the marks, once it was asked for.
    pub(super) print: OnceCell<Fingerprint>,
}

impl Now<'_> {
    fn print(&self) -> Fingerprint {
        *self.print.get_or_init(|| Fingerprint::of(self.marked))
    }
}

/// A recorded session, prepared to be looked up in.
#[derive(Debug)]
pub(super) struct Index {
    places: Vec<Place>,
    /// Exchanges by their command as it is compared.
    by_command: HashMap<Vec<u8>, Vec<usize>>,
    /// The same by keyword.
    by_keyword: HashMap<Vec<u8>, Vec<usize>>,
}

impl Index {
    pub(super) fn of(taped: &Taped) -> Self {
        let (mut marks, mut user, mut print) = (Marks::new(), None, Fingerprint::default());
        let first = |taken: &&Taken| taken.state == State::Authorization;
        let inside = || taped.exchanges.iter().filter(|taken| taken.tls);
        let covered = inside().next().is_some();
        let anew: HashSet<_> = inside().filter(first).map(|taken| key(&taken.command)).collect();
        let mut under = false;
        let mut index = Self { places: Vec::new(), by_command: HashMap::new(), by_keyword: HashMap::new() };
        for (at, taken) in taped.exchanges.iter().enumerate() {
            let depends = Depends::of(taken);
            let marked = number(taken, 0).is_some_and(|n| marks.contains(&n));
            if taken.tls && !std::mem::replace(&mut under, true) {
                // The protocol begins anew (RFC 2595 section 4).
                user = None;
            }
            let part = match taken.tls {
                true => Part::Inside,
                false if first(&taken) && anew.contains(&key(&taken.command)) => Part::Before,
                false => Part::Any,
            };
            let waived = match taken.keyword() {
                Keyword::Stls => true,
                Keyword::Capa if covered && part == Part::Any => true,
                _ => part == Part::Before,
            };
            index.places.push(Place { depends, part, waived, user: user.clone(), print, marked });
            index.by_command.entry(key(&taken.command)).or_default().push(at);
            index.by_keyword.entry(name(&taken.command)).or_default().push(at);
            if taken.keyword() == Keyword::User {
                user = argument(&taken.command);
            }
            let before = marks.len();
            follow(&mut marks, taken);
            if marks.is_empty() {
                print = Fingerprint::default();
            } else if marks.len() > before
                && let Some(n) = number(taken, 0)
            {
                print.add(n);
            }
        }
        index
    }

    /// For each exchange whether nobody waits for it.
    pub(super) fn waived(&self) -> Vec<bool> {
        self.places.iter().map(|place| place.waived).collect()
    }

    pub(super) fn place(&self, at: usize) -> &Place {
        &self.places[at]
    }

    /// The recorded exchanges with the same command, in order.
    pub(super) fn same(&self, line: &[u8]) -> &[usize] {
        self.by_command.get(&key(line)).map_or(&[], Vec::as_slice)
    }

    /// Those with the same keyword.
    pub(super) fn akin(&self, line: &[u8]) -> &[usize] {
        self.by_keyword.get(&name(line)).map_or(&[], Vec::as_slice)
    }
}

/// Whether a command is the recorded one. Any secret is the one that was masked.
pub(super) fn is_same(recorded: &Taken, line: &[u8]) -> bool {
    key(&recorded.command) == key(line) && secrets_agree(recorded, line)
}

/// Whether what a recording kept of a secret is what was sent.
pub(super) fn secrets_agree(recorded: &Taken, line: &[u8]) -> bool {
    let hidden = |line: &[u8]| Command::parse(line).hidden(line).map(|range| line[range].to_vec());
    match (recorded.keyword(), hidden(&recorded.command)) {
        // What was sent in it is for the mechanism to judge.
        (Keyword::Auth, _) | (_, None) => true,
        (_, Some(kept)) => kept == MASK || hidden(line) == Some(kept),
    }
}

/// Why a recorded answer cannot be used now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Obstacle {
    State,
    /// What was recorded in clear was asked under TLS once more.
    BeforeTls,
    UnderTls,
    User,
    /// Something was deleted that was there when it was recorded.
    Maildrop,
    Marks,
    Secret,
    /// It was cut off, or never came.
    InPart,
    /// Its turn has not come.
    Later,
    Used,
    Arguments,
    /// The engine could not go along with it.
    Overruled,
}

impl Obstacle {
    /// In words.
    pub(super) fn words(self, taped: &Taped, at: usize, place: &Place, now: &Now<'_>) -> String {
        let taken = &taped.exchanges[at];
        match self {
            Self::State => format!("recorded, but in the {} state", taken.state.name()),
            Self::BeforeTls => "recorded, but before TLS".to_owned(),
            Self::UnderTls => "recorded, but under TLS: STLS comes first".to_owned(),
            Self::User => match &place.user {
                Some(user) => format!("recorded, but for the user {user}"),
                None => "recorded, but without USER".to_owned(),
            },
            Self::Maildrop => "recorded, but over a maildrop from which less was deleted".to_owned(),
            Self::Marks => match place.depends {
                Depends::Message(n) => {
                    format!("recorded, but {} DELE {n}", if place.marked { "after" } else { "before" })
                }
                _ => difference(taped, at, now.marked),
            },
            Self::Secret => "recorded, but with another secret".to_owned(),
            Self::InPart => "recorded, but only in part".to_owned(),
            Self::Later => "recorded, but later".to_owned(),
            Self::Used => "used already".to_owned(),
            Self::Arguments => "recorded, but with other arguments".to_owned(),
            Self::Overruled => "recorded, but the login did not come to its end".to_owned(),
        }
    }
}

/// Why a recorded answer cannot be used now; None: it can.
pub(super) fn obstacle(taped: &Taped, at: usize, place: &Place, now: &Now<'_>) -> Option<Obstacle> {
    let taken = &taped.exchanges[at];
    if taken.state != now.state {
        return Some(Obstacle::State);
    }
    match (place.part, now.cover) {
        (Part::Before, Cover::Never | Cover::Stands) => return Some(Obstacle::BeforeTls),
        (Part::Inside, Cover::Offered) => return Some(Obstacle::UnderTls),
        _ => {}
    }
    let of_maildrop =
        matches!(place.depends, Depends::Message(_) | Depends::Maildrop | Depends::Marks | Depends::History);
    if of_maildrop && taken.state == State::Transaction && !now.untouched {
        return Some(Obstacle::Maildrop);
    }
    match place.depends {
        Depends::User if place.user.as_deref() != now.user => Some(Obstacle::User),
        Depends::Message(n) => {
            let marked = n.checked_sub(1).and_then(|n| now.marked.get(n)).copied().unwrap_or(false);
            (marked != place.marked).then_some(Obstacle::Marks)
        }
        Depends::Marks | Depends::History if place.print != now.print() => Some(Obstacle::Marks),
        _ => None,
    }
}

/// In which marks two moments differ, in words.
fn difference(taped: &Taped, at: usize, marked: &[bool]) -> String {
    let mut then = Marks::new();
    taped.exchanges[..at].iter().for_each(|taken| follow(&mut then, taken));
    let now: Marks = (1..).zip(marked).filter(|(_, marked)| **marked).map(|(n, _)| n).collect();
    let list = |numbers: Vec<String>| {
        let more = numbers.len().saturating_sub(5);
        let shown = numbers[..numbers.len() - more].join(", ");
        if more > 0 { format!("DELE {shown} and {more} more") } else { format!("DELE {shown}") }
    };
    let only =
        |one: &Marks, other: &Marks| one.difference(other).map(ToString::to_string).collect::<Vec<_>>();
    let (more, less) = (only(&then, &now), only(&now, &then));
    match (more.is_empty(), less.is_empty()) {
        (false, true) => format!("recorded, but after {}", list(more)),
        (true, false) => format!("recorded, but before {}", list(less)),
        _ => format!("recorded, but after {} and before {}", list(more), list(less)),
    }
}

/// Whether the answer to a command may be given again: it changes nothing.
pub(super) fn repeatable(taken: &Taken, place: &Place) -> bool {
    let changes = matches!(
        taken.keyword(),
        Keyword::Pass | Keyword::Apop | Keyword::Auth | Keyword::Dele | Keyword::Quit | Keyword::Stls
    );
    place.depends != Depends::History && (!changes || taken.status == Some(Status::Err))
}

/// A command as it is compared: the keyword in upper case, the arguments as they are, without what is secret; of
/// AUTH the mechanism alone, in upper case.
fn key(line: &[u8]) -> Vec<u8> {
    let command = Command::parse(line);
    if command.keyword == Keyword::Auth {
        let mechanism = command.words().next().unwrap_or_default();
        return [b"AUTH ", &mechanism.to_ascii_uppercase()[..]].concat();
    }
    if could_be_payload(line) {
        return MASK.to_vec();
    }
    let end = command.hidden(line).map_or(line.len(), |hidden| hidden.start);
    let arguments = line[..end].trim_ascii_end();
    let from = line.len() - command.arguments.len();
    [&command.name.to_ascii_uppercase()[..], b" ", arguments.get(from..).unwrap_or_default()].concat()
}

fn name(line: &[u8]) -> Vec<u8> {
    Command::parse(line).name.to_ascii_uppercase()
}

/// All that follows the keyword.
pub(super) fn argument(line: &[u8]) -> Option<String> {
    let arguments = Command::parse(line).arguments;
    (!arguments.is_empty()).then(|| String::from_utf8_lossy(arguments).into_owned())
}
