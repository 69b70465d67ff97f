//! poptape's personalities against their models: the conversations that the real servers were asked to hold,
//! whose golden files `probe` proves, must go the same way with `poptape serve --personality`.

use std::fmt::Write as _;
use std::fs;

use tempfile::TempDir;

use super::clients::Account;
use super::corpus::Message;
use super::probe::transcripts;
use crate::support::{Serving, text};

const USER: &str = "kcope@example.org";
const PASSWORD: &str = "two words";

/// What a personality does otherwise.
struct Exception {
    personality: &'static str,
    conversations: &'static [&'static str],
    reason: &'static str,
}

const EXCEPTIONS: &[Exception] = &[
    Exception {
        personality: "mailutils",
        conversations: &[
            "510 octets before login",
            "511 octets before login",
            "600 octets before login",
            "1100 octets before login",
            "4200 octets before login",
            "8180 octets before login",
            "9000 octets before login",
            "600 octets after login",
            "1100 octets after login",
            "4200 octets after login",
            "8180 octets after login",
            "9000 octets after login",
        ],
        reason: "a line that outgrows its buffer is sent back in pieces between and before the answers, which is \
                 an accident of its input and output sharing a buffer, not a way to talk to clients",
    },
    Exception {
        personality: "mailutils",
        conversations: &["sizes after UIDL"],
        reason: "UIDL adds a header to the messages: its storage does that, and maildrops of poptape never change \
                 a message",
    },
];

/// A running server and the folder that it serves.
struct Personality {
    server: Serving,
    _letters: TempDir,
}

fn start(name: &str, letters: &[Message]) -> Personality {
    let folder = TempDir::new().unwrap();
    for (place, letter) in letters.iter().enumerate() {
        fs::write(folder.path().join(format!("{place}.eml")), letter.octets).unwrap();
    }
    let source = folder.path().to_str().unwrap();
    let server = Serving::start(&["--personality", name, "--user", &format!("{USER}:{PASSWORD}"), source]);
    Personality { server, _letters: folder }
}

/// The conversations in a golden file, each with its name.
fn conversations(all: &str) -> Vec<(&str, &str)> {
    all.split("== ").skip(1).map(|one| one.split_once('\n').unwrap()).collect()
}

fn check(name: &str) {
    let golden = fs::read(format!("tests/interop/personalities/{name}.txt")).unwrap();
    let golden = text(&golden);
    let ours = transcripts(
        |letters| start(name, letters),
        |personality| Account::new(personality.server.address, USER, PASSWORD),
    );
    let (theirs, ours) = (conversations(&golden), conversations(&ours));
    assert_eq!(theirs.len(), ours.len(), "{name}: the golden file is of other conversations");
    let mut wrong = String::new();
    for ((conversation, theirs), (_, ours)) in theirs.into_iter().zip(ours) {
        let mut rows = EXCEPTIONS.iter().filter(|row| row.personality == name);
        match rows.find(|row| row.conversations.contains(&conversation)) {
            Some(row) if theirs == ours => {
                writeln!(wrong, "== {conversation}\nis no exception any more: {}\n", row.reason).unwrap();
            }
            None if theirs != ours => {
                writeln!(wrong, "== {conversation}\n{name} says:\n{theirs}poptape says:\n{ours}").unwrap();
            }
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn personality_of_courier() {
    check("courier");
}

#[test]
fn personality_of_dovecot() {
    check("dovecot");
}

#[test]
fn personality_of_mailutils() {
    check("mailutils");
}

#[test]
fn personality_of_popa3d() {
    check("popa3d");
}
