//! Messages: each one retrieved (RETR) as a file of its own, octet for octet as the client had it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{Sink, new_file};
use crate::pop3::dissect::Request;
use crate::pop3::lines::Unstuffer;
use crate::pop3::{Command, Event, Keyword, Status};
use crate::recording::Entry;

/// See the [module](self).
#[derive(Debug)]
pub struct Messages {
    folder: PathBuf,
    sessions: HashMap<u32, Session>,
    /// How often each name was used.
    names: HashMap<String, u32>,
    /// What was written: file name, and whether it is whole.
    written: BTreeMap<String, bool>,
}

#[derive(Debug, Default)]
struct Session {
    /// RETR commands whose answer has not begun: exchange, message number as far as it is one.
    asked: VecDeque<(u32, Option<u64>)>,
    open: Option<Message>,
}

#[derive(Debug)]
struct Message {
    n: u32,
    name: String,
    unstuffer: Unstuffer,
    /// What is not in the file yet. That is open only while something is added: of many sessions at once each has a
    /// message, and the system does not lend as many files.
    pending: Vec<u8>,
}

/// Octets that are added at once.
const PIECE: usize = 16 << 10;

impl Message {
    fn add(&mut self, folder: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).open(folder.join(&self.name))?;
        file.write_all(&self.pending)?;
        self.pending.clear();
        Ok(())
    }
}

impl Messages {
    /// Into a folder, which is made where it is missing.
    pub fn new(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            sessions: HashMap::new(),
            names: HashMap::new(),
            written: BTreeMap::new(),
        })
    }

    /// The files written so far, and whether each holds a whole message.
    pub const fn written(&self) -> &BTreeMap<String, bool> {
        &self.written
    }

    fn event(&mut self, session: u32, event: &Event) -> io::Result<()> {
        let Session { asked, open } = self.sessions.entry(session).or_default();
        match event {
            Event::Request { n, run, request: Request::Command(Keyword::Retr), .. } => {
                let argument = Command::parse(&run.bytes).words().next();
                let number = argument.and_then(|word| std::str::from_utf8(word).ok()?.parse().ok());
                asked.push_back((*n, number));
            }
            Event::Status { n, status, .. } => {
                let Some((n, number)) = asked.pop_front_if(|asked| asked.0 == *n) else { return Ok(()) };
                if *status == Some(Status::Ok) {
                    let name = name(&mut self.names, n, number);
                    new_file(&self.folder.join(&name))?;
                    let (unstuffer, pending) = Default::default();
                    *open = Some(Message { n, name, unstuffer, pending });
                }
            }
            Event::Body { n, run } => {
                if let Some(message) = open.as_mut().filter(|message| message.n == *n) {
                    message.unstuffer.push(&run.bytes, &mut message.pending);
                    if message.pending.len() >= PIECE {
                        message.add(&self.folder)?;
                    }
                }
            }
            Event::End(outcome) => {
                if let Ok(place) = asked.binary_search_by_key(&outcome.n, |asked| asked.0) {
                    asked.remove(place);
                }
                if let Some(mut message) = open.take_if(|message| message.n == outcome.n) {
                    message.add(&self.folder)?;
                    self.written.insert(message.name, outcome.complete);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// A file name of digits that sorts by message number; never one that the network chose. `names` counts how often each
/// was used.
fn name(names: &mut HashMap<String, u32>, n: u32, number: Option<u64>) -> String {
    let stem = number.map_or_else(|| format!("exchange-{n:05}"), |number| format!("message-{number:05}"));
    let times = names.entry(stem.clone()).and_modify(|times| *times += 1).or_insert(1);
    if *times == 1 { format!("{stem}.eml") } else { format!("{stem}-{times}.eml") }
}

impl Sink for Messages {
    fn name(&self) -> &'static str {
        "the messages"
    }

    fn take(&mut self, session: u32, entry: &Entry) -> io::Result<()> {
        match entry {
            Entry::Event(event) => self.event(session, event),
            Entry::Ended(_) => {
                self.sessions.remove(&session);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
