//! Who may open which messages: every user gets a maildrop of their own, made from the same stores or from
//! stores of their own; locks, and deletions that do not reach a store, are kept here.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::reading::Reading;
use super::{
    Listing, Maildrop, NotRead, NotRemoved, OpenError, Piece, Scan, Snapshot, Source, Store, UniqueId,
};

/// How long deletions hold where they do not reach the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reset {
    /// As long as the server runs.
    #[default]
    Never,
    /// Until the session is over: the next one finds every message again.
    Session,
}

/// The maildrops of a server. A clone is the same maildrops.
#[derive(Debug, Clone)]
pub struct Maildrops {
    shared: Arc<Shared>,
    reset: Reset,
    locking: bool,
    writable: bool,
    unique_ids: Arc<[UniqueId]>,
    trouble: Trouble,
}

/// Who is told why something cannot be read or removed: the client is only told that it cannot.
#[derive(Clone, Default)]
struct Trouble(Option<Arc<dyn Fn(String) + Send + Sync>>);

impl Trouble {
    fn tell(&self, what: &str, user: &str, cause: &io::Error) {
        if let Some(tell) = &self.0 {
            tell(format!("cannot {what} of {user}: {cause}"));
        }
    }
}

impl fmt::Debug for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "told" } else { "untold" })
    }
}

#[derive(Debug)]
struct Shared {
    /// For every user that has none of their own.
    common: Vec<Arc<dyn Store>>,
    /// By user name.
    own: BTreeMap<String, Vec<Arc<dyn Store>>>,
    users: Arc<Mutex<Users>>,
}

/// Users appear here by what they do, not by their name alone: where any name is accepted, logging in costs
/// no memory beyond the session.
#[derive(Debug, Default)]
struct Users {
    /// Whose maildrop is open.
    locked: HashSet<String>,
    /// What users have deleted, where it is kept here.
    deleted: HashMap<String, HashSet<UniqueId>>,
}

impl Maildrops {
    /// Each user's maildrop holds the messages of all these stores, in this order.
    pub fn new(stores: Vec<Arc<dyn Store>>) -> Self {
        Self::with_own(stores, BTreeMap::new())
    }

    /// The same, but for users who have stores of their own.
    pub fn with_own(common: Vec<Arc<dyn Store>>, own: BTreeMap<String, Vec<Arc<dyn Store>>>) -> Self {
        let shared = Shared { common, own, users: Arc::default() };
        Self {
            shared: Arc::new(shared),
            reset: Reset::default(),
            locking: true,
            writable: false,
            unique_ids: Arc::default(),
            trouble: Trouble::default(),
        }
    }

    /// How long deletions hold; without meaning where they reach the store.
    pub fn reset(self, reset: Reset) -> Self {
        Self { reset, ..self }
    }

    /// Whether a maildrop is open once at a time for each user (RFC 1939 section 4), as it is by default.
    pub fn locking(self, locking: bool) -> Self {
        Self { locking, ..self }
    }

    /// Whether UPDATE removes messages from the stores; by default it does not.
    pub fn writable(self, writable: bool) -> Self {
        Self { writable, ..self }
    }

    /// Gives the first messages of each maildrop these unique-ids, in order, instead of their own.
    pub fn unique_ids(self, unique_ids: Vec<UniqueId>) -> Self {
        Self { unique_ids: unique_ids.into(), ..self }
    }

    /// Calls this with what cannot be read or removed, and why.
    pub fn on_trouble(self, tell: Arc<dyn Fn(String) + Send + Sync>) -> Self {
        Self { trouble: Trouble(Some(tell)), ..self }
    }

    /// Other stores under the same locks and deletions.
    pub fn over(&self, stores: Vec<Arc<dyn Store>>) -> Self {
        let users = Arc::clone(&self.shared.users);
        let shared = Shared { common: stores, own: BTreeMap::new(), users };
        Self { shared: Arc::new(shared), ..self.clone() }
    }

    /// What users have deleted, as far as it is kept here.
    pub fn deleted(&self) -> HashSet<UniqueId> {
        self.shared.users().deleted.values().flatten().cloned().collect()
    }

    /// Undoes these deletions, as far as they are kept here.
    pub fn forget(&self, ids: &[UniqueId]) {
        for deleted in self.shared.users().deleted.values_mut() {
            deleted.retain(|id| !ids.contains(id));
        }
    }

    /// Undoes every deletion that is kept here.
    pub fn restore(&self) {
        self.shared.users().deleted.clear();
    }

    /// By which name a user's maildrop is locked and remembered: two names of the same stores are one user.
    fn holder<'a>(&'a self, user: &'a str) -> &'a str {
        let own = &self.shared.own;
        let Some(mine) = own.get(user) else {
            // Deletions that reach the stores are everybody's: it is one maildrop. No user has this name.
            return if self.writable { "" } else { user };
        };
        let is_mine = |stores: &[Arc<dyn Store>]| {
            stores.len() == mine.len() && stores.iter().zip(mine).all(|(one, other)| Arc::ptr_eq(one, other))
        };
        own.iter().find(|(_, stores)| is_mine(stores)).map_or(user, |(name, _)| name)
    }

    fn stores(&self, user: &str) -> &[Arc<dyn Store>] {
        self.shared.own.get(user).unwrap_or(&self.shared.common)
    }
}

impl Shared {
    /// The users are whole between any two statements, so a panic elsewhere has left them sound.
    fn users(&self) -> MutexGuard<'_, Users> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for Maildrops {
    fn open(&self, user: &str) -> Result<Box<dyn Maildrop>, OpenError> {
        let holder = self.holder(user);
        let lock = Lock::take(self, holder)?;
        let snapshots = self.stores(user).iter().map(|store| store.snapshot()).collect::<Result<Vec<_>, _>>();
        let snapshots = snapshots.map_err(|error| {
            self.trouble.tell("read the maildrop", user, &error);
            OpenError::Unreadable
        })?;
        let users = self.shared.users();
        let (listing, places) = arrange(&snapshots, users.deleted.get(holder), &self.unique_ids);
        drop(users);
        let user = user.to_owned();
        Ok(Box::new(Open { user, lock, maildrops: self.clone(), snapshots, listing, places, reading: None }))
    }

    fn blocks(&self) -> bool {
        let own = self.shared.own.values().flatten();
        self.shared.common.iter().chain(own).any(|store| store.blocks())
    }
}

/// Where each message of the listing stands: snapshot, place in it.
type Places = Vec<(usize, usize)>;

/// Puts the snapshots one behind the other without what was deleted. An id that two messages have gets a
/// number, so that ids stay unique.
fn arrange(
    snapshots: &[Box<dyn Snapshot>],
    deleted: Option<&HashSet<UniqueId>>,
    unique_ids: &[UniqueId],
) -> (Listing, Places) {
    if let ([snapshot], None, []) = (snapshots, deleted, unique_ids) {
        let listing = snapshot.scans();
        let ids: HashSet<_> = listing.iter().map(|scan| &scan.unique_id).collect();
        // What is deleted is known by its id: were two the same, the wrong one could go.
        if ids.len() == listing.len() {
            let places = (0..listing.len()).map(|place| (0, place)).collect();
            return (listing, places);
        }
    }
    let (mut listing, mut places, mut seen) = (Vec::new(), Vec::new(), HashMap::new());
    let mut given = unique_ids.iter();
    for (at, snapshot) in snapshots.iter().enumerate() {
        for (place, scan) in snapshot.scans().iter().enumerate() {
            let id = given.next().unwrap_or(&scan.unique_id);
            let unique_id = unlike_those(&mut seen, id);
            if deleted.is_none_or(|deleted| !deleted.contains(&unique_id)) {
                listing.push(Scan { unique_id, ..scan.clone() });
                places.push((at, place));
            }
        }
    }
    (listing.into(), places)
}

/// An id that is not among those that were seen: this one, or with the first number that is free. `seen` has for
/// each the last number it was given.
fn unlike_those(seen: &mut HashMap<UniqueId, u32>, id: &UniqueId) -> UniqueId {
    let Some(&(mut copies)) = seen.get(id) else {
        seen.insert(id.clone(), 1);
        return id.clone();
    };
    loop {
        copies += 1;
        if let Some(another) = numbered(id, copies)
            && !seen.contains_key(&another)
        {
            seen.insert(id.clone(), copies);
            seen.insert(another.clone(), 1);
            return another;
        }
    }
}

/// An id with a number behind it, shortened to have room for it.
fn numbered(id: &UniqueId, number: u32) -> Option<UniqueId> {
    let (mut text, number) = (id.to_string(), format!(".{number}"));
    text.truncate(UniqueId::MAX - number.len());
    UniqueId::new(text + &number)
}

/// A user's lock, as long as it lives.
#[derive(Debug)]
struct Lock {
    shared: Arc<Shared>,
    user: String,
    locked: bool,
}

impl Lock {
    fn take(maildrops: &Maildrops, user: &str) -> Result<Self, OpenError> {
        if maildrops.locking && !maildrops.shared.users().locked.insert(user.to_owned()) {
            return Err(OpenError::InUse);
        }
        let shared = Arc::clone(&maildrops.shared);
        Ok(Self { shared, user: user.to_owned(), locked: maildrops.locking })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.locked {
            self.shared.users().locked.remove(&self.user);
        }
    }
}

/// A maildrop that a session has open.
#[derive(Debug)]
struct Open {
    user: String,
    lock: Lock,
    maildrops: Maildrops,
    snapshots: Vec<Box<dyn Snapshot>>,
    listing: Listing,
    places: Places,
    /// The message that was read last, and how far.
    reading: Option<(usize, Reading)>,
}

impl Maildrop for Open {
    fn listing(&self) -> Listing {
        Arc::clone(&self.listing)
    }

    fn read(&mut self, message: usize, from: u64) -> Result<Piece, NotRead> {
        let on = self.reading.take().filter(|(of, reading)| *of == message && reading.at() <= from);
        let mut reading = if let Some((_, reading)) = on {
            reading
        } else {
            let &(snapshot, place) = self.places.get(message).ok_or(NotRead)?;
            Reading::new(self.snapshots[snapshot].text(place).map_err(|error| {
                self.maildrops.trouble.tell("read a message", &self.user, &error);
                NotRead
            })?)
        };
        let piece = reading.read(from)?;
        self.reading = (!piece.last).then_some((message, reading));
        Ok(piece)
    }

    fn commit(self: Box<Self>, marked: &[bool]) -> Result<(), NotRemoved> {
        if !marked.contains(&true) {
            return Ok(());
        }
        if self.maildrops.writable {
            let mut of_each: Vec<_> =
                self.snapshots.iter().map(|one| vec![false; one.scans().len()]).collect();
            for (&(snapshot, place), &marked) in self.places.iter().zip(marked) {
                of_each[snapshot][place] = marked;
            }
            let parts = self.snapshots.iter().zip(&of_each).filter(|(_, marked)| marked.contains(&true));
            // One that fails does not keep the others.
            let removed = parts.map(|(snapshot, marked)| snapshot.remove(marked));
            let failed = removed.filter_map(Result::err);
            let failed = failed.inspect(|error| {
                self.maildrops.trouble.tell("remove deleted messages", &self.user, error);
            });
            return if failed.count() == 0 { Ok(()) } else { Err(NotRemoved) };
        }
        if self.maildrops.reset == Reset::Never {
            let gone = self.listing.iter().zip(marked).filter(|&(_, &marked)| marked);
            let gone = gone.map(|(scan, _)| scan.unique_id.clone());
            self.lock.shared.users().deleted.entry(self.lock.user.clone()).or_default().extend(gone);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::{Memory, Message, load};
    use super::*;

    fn three() -> Maildrops {
        Maildrops::new(vec![Arc::new(Memory::new(load(["a", "b", "c"])))])
    }

    fn open(source: &Maildrops, user: &str) -> Box<dyn Maildrop> {
        source.open(user).unwrap()
    }

    fn texts(maildrop: &mut dyn Maildrop) -> Vec<Bytes> {
        (0..maildrop.listing().len()).map(|place| maildrop.read(place, 0).unwrap().octets).collect()
    }

    #[test]
    fn a_maildrop_is_open_once_at_a_time_for_each_user() {
        let source = three();
        let first = open(&source, "kcope");
        assert_eq!(source.clone().open("kcope").err(), Some(OpenError::InUse));
        open(&source, "mrose");
        open(&source.clone().locking(false), "kcope");
        assert_eq!(source.open("kcope").err(), Some(OpenError::InUse));
        drop(first);
        assert_eq!(open(&source, "kcope").commit(&[false; 3]), Ok(()));
        open(&source, "kcope");
    }

    #[test]
    fn commit_removes_what_is_marked_and_dropping_nothing() {
        let source = three();
        drop(open(&source, "kcope"));
        let ids: Vec<_> =
            open(&source, "kcope").listing().iter().map(|scan| scan.unique_id.clone()).collect();
        assert_eq!(open(&source, "kcope").commit(&[false, true, false]), Ok(()));
        assert_eq!(texts(&mut *open(&source, "kcope")), ["a\r\n", "c\r\n"]);
        assert_eq!(open(&source, "kcope").listing()[1].unique_id, ids[2]);
        assert_eq!(open(&source, "kcope").commit(&[true, false]), Ok(()));
        assert_eq!(texts(&mut *open(&source, "kcope")), ["c\r\n"]);
        assert_eq!(open(&source, "mrose").listing().len(), 3);
    }

    #[test]
    fn deletions_hold_for_a_session_for_the_run_or_for_good() {
        let store = Memory::new(load(["a", "b"]));
        let maildrops = || Maildrops::new(vec![Arc::new(store.clone())]);
        let left = |source: &Maildrops| {
            assert_eq!(open(source, "kcope").commit(&[true, false]), Ok(()));
            (open(source, "kcope").listing().len(), open(&maildrops(), "kcope").listing().len())
        };
        assert_eq!(left(&maildrops().reset(Reset::Session)), (2, 2));
        assert_eq!(left(&maildrops()), (1, 2));
        assert_eq!(left(&maildrops().writable(true)), (1, 1));
    }

    #[test]
    fn stores_are_concatenated_and_ids_stay_unique() {
        let one = || Arc::new(Memory::new(load(["a", "b"]))) as Arc<dyn Store>;
        let own = BTreeMap::from([("mrose".to_owned(), vec![one()])]);
        let source = Maildrops::with_own(vec![one(), one()], own);
        let mut both = open(&source, "kcope");
        assert_eq!(texts(&mut *both), ["a\r\n", "b\r\n", "a\r\n", "b\r\n"]);
        let ids: HashSet<_> = both.listing().iter().map(|scan| scan.unique_id.clone()).collect();
        assert_eq!(ids.len(), 4);
        assert_eq!(both.commit(&[false, false, true, false]), Ok(()));
        assert_eq!(texts(&mut *open(&source, "kcope")), ["a\r\n", "b\r\n", "b\r\n"]);
        assert_eq!(open(&source, "mrose").listing().len(), 2);
    }

    #[test]
    fn made_up_ids_meet_no_other() {
        let long = "x".repeat(70);
        let store = |ids: &[&str]| {
            let message = |id: &&str| Message::new("a", UniqueId::new(*id).unwrap());
            Arc::new(Memory::new(ids.iter().map(message).collect::<Vec<_>>())) as Arc<dyn Store>
        };
        let stores = vec![store(&["a", "a.2", &long]), store(&["a", "a.3", &long]), store(&["a"])];
        let listing = open(&Maildrops::new(stores), "kcope").listing();
        let ids: Vec<_> = listing.iter().map(|scan| scan.unique_id.to_string()).collect();
        let shortened = format!("{}.2", "x".repeat(68));
        assert_eq!(ids, ["a", "a.2", &long, "a.3", "a.3.2", &shortened, "a.4"]);
    }

    /// A test gives its messages ids of its own, the same one twice by mistake or on purpose (RFC 1939 section 7
    /// allows it for copies): what was not marked stays.
    #[test]
    fn of_two_messages_with_one_id_the_marked_one_goes() {
        let same = |text| Message::new(text, UniqueId::new("same").unwrap());
        let source = Maildrops::new(vec![Arc::new(Memory::new(vec![same("first"), same("second")]))]);
        let ids: Vec<_> = open(&source, "ada").listing().iter().map(|scan| scan.unique_id.clone()).collect();
        assert_ne!(ids[0], ids[1]);
        assert_eq!(open(&source, "ada").commit(&[false, true]), Ok(()));
        assert_eq!(texts(&mut *open(&source, "ada")), ["first\r\n"]);
        assert_eq!(open(&source, "ada").listing()[0].unique_id, ids[0]);
    }

    #[test]
    fn two_names_of_the_same_stores_are_one_user() {
        let store = Arc::new(Memory::new(load(["a"]))) as Arc<dyn Store>;
        let names = ["ada", "ada@example.org"].map(|name| (name.to_owned(), vec![Arc::clone(&store)]));
        let source = Maildrops::with_own(Vec::new(), BTreeMap::from(names));
        let first = open(&source, "ada");
        assert_eq!(source.open("ada@example.org").err(), Some(OpenError::InUse));
        assert_eq!(first.commit(&[true]), Ok(()));
        assert_eq!(open(&source, "ada@example.org").listing().len(), 0);
    }

    #[test]
    fn names_that_share_only_some_stores_are_two_users() {
        let store = || Arc::new(Memory::new(load(["a"]))) as Arc<dyn Store>;
        let (ada, common) = (store(), store());
        let names = [("ada", vec![ada, Arc::clone(&common)]), ("eve", vec![store(), common])];
        let names = names.map(|(name, stores)| (name.to_owned(), stores));
        let source = Maildrops::with_own(Vec::new(), BTreeMap::from(names));
        let _first = open(&source, "ada");
        open(&source, "eve");
    }

    #[test]
    fn users_of_the_same_writable_stores_have_one_maildrop() {
        let source = three().writable(true);
        let first = open(&source, "kcope");
        assert_eq!(source.open("mrose").err(), Some(OpenError::InUse));
        drop(first);
        open(&source, "mrose");
    }

    #[test]
    fn causes_are_told() {
        #[derive(Debug)]
        struct Broken;
        impl Store for Broken {
            fn snapshot(&self) -> io::Result<Box<dyn Snapshot>> {
                Ok(Box::new(Self))
            }
        }
        impl Snapshot for Broken {
            fn scans(&self) -> Listing {
                Memory::new(load(["a"])).snapshot().unwrap().scans()
            }
            fn text(&self, _: usize) -> io::Result<super::super::Text> {
                Err(io::Error::other("no text"))
            }
            fn remove(&self, _: &[bool]) -> io::Result<()> {
                Err(io::Error::other("no room"))
            }
        }
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = Arc::clone(&told);
        let source = Maildrops::new(vec![Arc::new(Broken)]).writable(true);
        let source = source.on_trouble(Arc::new(move |trouble| tell.lock().unwrap().push(trouble)));
        let mut maildrop = open(&source, "kcope");
        assert_eq!(maildrop.read(0, 0), Err(NotRead));
        assert_eq!(maildrop.commit(&[true]), Err(NotRemoved));
        let told = told.lock().unwrap();
        let wanted =
            ["cannot read a message of kcope: no text", "cannot remove deleted messages of kcope: no room"];
        assert_eq!(*told, wanted);
    }

    #[test]
    fn of_many_threads_one_opens_it() {
        let source = three();
        let opened: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| source.open("kcope"))).collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()?.ok()).collect()
        });
        assert_eq!(opened.len(), 1);
    }
}
