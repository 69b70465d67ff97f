//! Which recorded session is served next, and what the next session is made from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::matching::{Index, Part};
use super::report::{Ledger, Report};
use super::revealed::{Ids, Revealed};
use super::script::{Script, Used};
use super::style::{capabilities, learn, tenable};
use super::tape::{Taken, Tape, Taped};
use crate::engine::{Accounts, Asked, Canned, Password, Responder, Scene, Server};
use crate::maildrop::{Maildrops, Source, Store};
use crate::pop3::{Keyword, State, Status, secret::Secret};
use crate::wire::{Close, Listing, Micros, Security};

/// How closely a client is held to the recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// The recorded commands in the recorded order; anything else is refused and ends the session.
    Exact,
    /// A recorded answer where there is one for the session's state, else the engine.
    #[default]
    Match,
    /// The engine alone, over the recorded maildrop, in the recorded server's wording.
    Engine,
}

impl Mode {
    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Match => "match",
            Self::Engine => "engine",
        }
    }
}

/// When recorded answers are sent.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Timing {
    /// At once, each in one piece.
    #[default]
    Instant,
    /// So many times as fast as they were recorded, in the pieces in which they came.
    Times(f64),
}

impl Timing {
    /// How long after its command a piece is sent that was recorded at `at`.
    pub(super) fn delay(self, at: Micros, command: Micros) -> Micros {
        match self {
            Self::Instant => 0,
            Self::Times(speed) => {
                let recorded = std::time::Duration::from_micros(at.saturating_sub(command));
                std::time::Duration::try_from_secs_f64(recorded.as_secs_f64() / speed)
                    .map_or(Micros::MAX / 4, |delay| delay.as_micros() as Micros)
            }
        }
    }
}

/// What is served once every recorded session was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AfterLast {
    /// The engine answers, over what the last session left.
    #[default]
    Engine,
    /// The first session comes again, and with it every message.
    Repeat,
    /// The client is refused.
    Refuse,
}

/// How a tape is replayed.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// How closely a client is held to it.
    pub mode: Mode,
    /// When answers are sent.
    pub timing: Timing,
    /// What comes after the last session.
    pub after_last: AfterLast,
    /// Passwords that are known; every other secret is right where it was recorded.
    pub users: Vec<(String, Secret)>,
}

/// How many sessions may be going on at once and still be told apart by what they delete.
const OVERLAP: usize = 64;

/// A recorded session, ready to be served.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) taped: Taped,
    pub(super) index: Index,
    pub(super) revealed: Revealed,
    /// Capability lists as they are where STLS can be used, by the place of their exchange.
    pub(super) offering: BTreeMap<usize, Taken>,
    /// What a capability list announced and is left out, since it cannot be kept.
    pub(super) left_out: BTreeSet<String>,
}

impl Prepared {
    /// `scram`: whether SCRAM can be offered.
    fn new(mut taped: Taped, revealed: Revealed, scram: bool) -> Self {
        let index = Index::of(&taped);
        let (mut offering, mut left_out) = (BTreeMap::new(), BTreeSet::new());
        for (at, taken) in taped.exchanges.iter_mut().enumerate() {
            if taken.keyword() != Keyword::Capa || taken.status != Some(Status::Ok) {
                continue;
            }
            let (told, part) = (capabilities(taken), index.place(at).part);
            if taken.state == State::Authorization && part != Part::Inside {
                offering.insert(at, relisted(taken, &told, &tenable(told.clone(), scram, true)));
            }
            let kept = tenable(told.clone(), scram, false);
            if part != Part::Before {
                let words = |lines: &[String]| -> BTreeSet<_> {
                    lines.iter().flat_map(|line| line.split(' ')).map(str::to_owned).collect()
                };
                left_out.extend(words(&told).difference(&words(&kept)).cloned());
            }
            *taken = relisted(taken, &told, &kept);
        }
        Self { taped, index, revealed, offering, left_out }
    }
}

/// A tape being replayed. Shared by the sessions of a run.
#[derive(Debug)]
pub struct Replay {
    options: Options,
    sessions: Vec<Arc<Prepared>>,
    /// The server where STLS is not offered, and where it is.
    servers: [Arc<Server>; 2],
    maildrops: Maildrops,
    ledger: Arc<Mutex<Ledger>>,
    /// How many sessions were served.
    served: Mutex<usize>,
}

impl Replay {
    /// Prepares a tape.
    pub fn new(tape: Tape, options: Options) -> Self {
        let scram = !options.users.is_empty();
        let ids = Ids::of(&tape.sessions);
        let revealed = tape.sessions.iter().enumerate().map(|(turn, taped)| Revealed::of(turn, taped, &ids));
        let revealed: Vec<_> = revealed.collect();
        let servers = learn(&tape, &revealed, scram)
            .map(|policy| Arc::new(Server { policy, accounts: accounts(&tape, &options.users) }));
        let prepare = |(taped, revealed)| Arc::new(Prepared::new(taped, revealed, scram));
        let sessions: Vec<_> = tape.sessions.into_iter().zip(revealed).map(prepare).collect();
        Self {
            options,
            sessions,
            servers,
            maildrops: Maildrops::new(Vec::new()).locking(false),
            ledger: Arc::default(),
            served: Mutex::default(),
        }
    }

    /// How many recorded sessions there are.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Whether every recorded session was served.
    pub fn is_used_up(&self) -> bool {
        *self.served.lock().unwrap_or_else(PoisonError::into_inner) >= self.sessions.len()
    }

    /// The next session, on a connection to which TLS comes so.
    pub fn scene(&self, security: Security) -> Scene {
        let turn = {
            let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
            *served += 1;
            *served - 1
        };
        let count = self.sessions.len();
        let within = turn < count;
        let place = match self.options.after_last {
            _ if within => Some(turn),
            // Only what was recorded, in the recorded order: nobody comes after it.
            AfterLast::Engine if self.options.mode == Mode::Exact => return self.refusal(turn, security),
            AfterLast::Repeat if count > 0 => {
                if turn % count == 0 {
                    self.maildrops.restore();
                }
                Some(turn % count)
            }
            AfterLast::Refuse => return self.refusal(turn, security),
            AfterLast::Engine | AfterLast::Repeat => None,
        };
        // What recorded sessions deleted themselves is not there any more in those that were recorded after them. One
        // that is further back than this is over by now.
        for before in self.sessions[..place.unwrap_or(0)].iter().rev().take(OVERLAP) {
            self.maildrops.forget(&before.revealed.deleted);
        }
        let prepared = place.map_or_else(|| self.sessions.last(), |place| self.sessions.get(place)).cloned();
        let store = prepared.as_ref().map(|prepared| Arc::new(prepared.revealed.clone()) as Arc<dyn Store>);
        let stores = store.into_iter().collect();
        // What was recorded is answered as it was recorded: so is what is marked.
        let exact = self.options.mode == Mode::Exact;
        let maildrops =
            if exact { Maildrops::new(stores).locking(false) } else { self.maildrops.over(stores) };
        let source: Arc<dyn Source> = Arc::new(maildrops.clone());
        let script = prepared.map(|prepared| {
            // After the last one the engine answers alone, but in its words.
            let mode = if place.is_some() { self.options.mode } else { Mode::Engine };
            let page = self.enter(turn, place.is_some().then_some(&prepared), security);
            Box::new(self.script(page, mode, prepared, maildrops, security)) as Box<dyn Responder>
        });
        Scene { server: self.server(security), source, script }
    }

    fn script(
        &self,
        page: usize,
        mode: Mode,
        prepared: Arc<Prepared>,
        maildrops: Maildrops,
        security: Security,
    ) -> Script {
        Script {
            used: Used::new(&prepared),
            security,
            tls: security == Security::Implicit,
            prepared,
            mode,
            timing: self.options.timing,
            maildrops,
            ledger: Arc::clone(&self.ledger),
            page,
            user: None,
            untouched: true,
            left: None,
            played: None,
            fillers: BTreeSet::new(),
        }
    }

    /// Opens a session's page in the ledger.
    fn enter(&self, turn: usize, prepared: Option<&Arc<Prepared>>, security: Security) -> usize {
        let session = u32::try_from(turn + 1).unwrap_or(u32::MAX);
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).open(session, prepared, security)
    }

    fn server(&self, security: Security) -> Arc<Server> {
        Arc::clone(&self.servers[usize::from(security == Security::Stls)])
    }

    fn refusal(&self, turn: usize, security: Security) -> Scene {
        let page = self.enter(turn, None, security);
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(page) = ledger.page(page) {
            page.report.refused = true;
        }
        drop(ledger);
        let source: Arc<dyn Source> = Arc::new(self.maildrops.clone());
        Scene { server: self.server(security), source, script: Some(Box::new(Refusing)) }
    }

    /// What the replay came to so far.
    pub fn report(&self) -> Report {
        let mode = self.options.mode;
        let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let (earlier, sessions) = (ledger.earlier(mode), ledger.sessions(mode));
        drop(ledger);
        let served = *self.served.lock().unwrap_or_else(PoisonError::into_inner);
        let names = self.sessions.iter().skip(served).map(|prepared| prepared.taped.name.clone());
        Report { mode: mode.name(), earlier, sessions, unserved: names.collect() }
    }
}

/// Who may log in: whoever did on the tape, with the password where it was kept or given, and everybody else with
/// any.
fn accounts(tape: &Tape, users: &[(String, Secret)]) -> Accounts {
    let accounts = Accounts::any();
    for taped in &tape.sessions {
        let mut user = None;
        for taken in &taped.exchanges {
            let words = super::matching::argument(&taken.command);
            match (taken.keyword(), words) {
                (Keyword::User, Some(name)) => user = Some(name),
                (Keyword::Pass, Some(password)) if taken.status == Some(Status::Ok) => {
                    let kept = password.as_bytes() != crate::pop3::secret::MASK;
                    if let (Some(user), true) = (&user, kept) {
                        accounts.add(user.as_str(), Password::Is(Secret::new(password)));
                    }
                }
                _ => {}
            }
        }
    }
    for (user, password) in users {
        accounts.add(user.as_str(), Password::Is(password.clone()));
    }
    accounts
}

/// A recorded capability list that told `told`, with these lines.
fn relisted(taken: &Taken, told: &[String], lines: &[String]) -> Taken {
    let mut taken = taken.clone();
    if lines == told {
        return taken;
    }
    let at = taken.pieces.last().map_or(taken.at, |&(at, _)| at);
    let text = taken.text();
    let status = if text.is_empty() { "+OK\r\n".to_owned() } else { format!("+OK {text}\r\n") };
    let body: String = lines.iter().flat_map(|line| [line.as_str(), "\r\n"]).collect();
    taken.body = Some((status.len(), body.len()));
    taken.pieces = vec![(at, Bytes::from(format!("{status}{body}.\r\n")))];
    taken
}

/// Sends the client away.
#[derive(Debug)]
struct Refusing;

impl Responder for Refusing {
    fn greeting(&mut self) -> Option<Canned> {
        Some(Canned {
            status: Some(Status::Err),
            challenged: false,
            pieces: vec![(0, Bytes::from_static(b"-ERR [SYS/TEMP] every recorded session was served\r\n"))],
            then: Some(Close::Finished),
        })
    }

    fn respond(&mut self, _: &Asked<'_>) -> Option<Canned> {
        None
    }

    fn answered(&mut self, _: Status) {}

    fn overruled(&mut self, _: Status) {}

    fn opened(&mut self, _: &Listing) {}
}
