//! Messages: each one retrieved (RETR) as a file of its own, octet for octet as the client had it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
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
    /// RETR commands whose answer has not begun: exchange, message number as far as it is one.
    asked: VecDeque<(u32, Option<u64>)>,
    open: Option<Message>,
    /// How often each name was used.
    names: HashMap<String, u32>,
    /// What was written: file name, and whether it is whole.
    written: BTreeMap<String, bool>,
    piece: Vec<u8>,
}

#[derive(Debug)]
struct Message {
    n: u32,
    name: String,
    file: BufWriter<File>,
    unstuffer: Unstuffer,
}

impl Messages {
    /// Into a folder, which is made where it is missing.
    pub fn new(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            asked: VecDeque::new(),
            open: None,
            names: HashMap::new(),
            written: BTreeMap::new(),
            piece: Vec::new(),
        })
    }

    /// The files written so far, and whether each holds a whole message.
    pub const fn written(&self) -> &BTreeMap<String, bool> {
        &self.written
    }

    /// A file name of digits that sorts by message number; never one that the network chose.
    fn name(&mut self, n: u32, number: Option<u64>) -> String {
        let stem = number.map_or_else(|| format!("exchange-{n:05}"), |number| format!("message-{number:05}"));
        let times = self.names.entry(stem.clone()).and_modify(|times| *times += 1).or_insert(1);
        if *times == 1 { format!("{stem}.eml") } else { format!("{stem}-{times}.eml") }
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Request { n, run, request: Request::Command(Keyword::Retr), .. } => {
                let argument = Command::parse(&run.bytes).words().next();
                let number = argument.and_then(|word| std::str::from_utf8(word).ok()?.parse().ok());
                self.asked.push_back((*n, number));
            }
            Event::Status { n, status, .. } => {
                let Some(&(asked, number)) = self.asked.front().filter(|asked| asked.0 == *n) else {
                    return Ok(());
                };
                self.asked.pop_front();
                if *status == Some(Status::Ok) {
                    let name = self.name(asked, number);
                    let file = BufWriter::new(new_file(&self.folder.join(&name))?);
                    self.open = Some(Message { n: asked, name, file, unstuffer: Unstuffer::default() });
                }
            }
            Event::Body { n, run } => {
                if let Some(message) = self.open.as_mut().filter(|message| message.n == *n) {
                    self.piece.clear();
                    message.unstuffer.push(&run.bytes, &mut self.piece);
                    message.file.write_all(&self.piece)?;
                }
            }
            Event::End(outcome) => {
                if let Ok(place) = self.asked.binary_search_by_key(&outcome.n, |asked| asked.0) {
                    self.asked.remove(place);
                }
                if let Some(mut message) = self.open.take_if(|message| message.n == outcome.n) {
                    message.file.flush()?;
                    self.written.insert(message.name, outcome.complete);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Sink for Messages {
    fn name(&self) -> &'static str {
        "the messages"
    }

    fn take(&mut self, _: u32, entry: &Entry) -> io::Result<()> {
        if let Entry::Event(event) = entry { self.event(event) } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
