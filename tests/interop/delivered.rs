//! What a client saved, held against the octets that POP3 must have delivered.

use super::clients::Client;
use super::difference;
use super::letters::Letter;

/// How a client saves a message, which is undone before octets are compared.
struct Habits {
    client: Client,
    /// It saves lines with LF, whatever they ended with: each LF stands for CRLF.
    lf: bool,
    /// What it writes before each message.
    adds: &'static str,
    /// It saves in the order of the numbers, not in a Maildir.
    ordered: bool,
}

const HABITS: &[Habits] = &[
    Habits { client: Client::Curl, lf: false, adds: "", ordered: true },
    Habits { client: Client::Fetchmail, lf: true, adds: "", ordered: true },
    Habits { client: Client::Getmail, lf: true, adds: "Return-Path: <unknown>\n", ordered: false },
    Habits { client: Client::Mpop, lf: true, adds: "", ordered: false },
    Habits { client: Client::Mutt, lf: true, adds: "", ordered: false },
    Habits { client: Client::OpenSsl, lf: false, adds: "", ordered: true },
    Habits { client: Client::Perl, lf: true, adds: "", ordered: true },
    Habits { client: Client::Python, lf: false, adds: "", ordered: true },
];

/// What a client by itself cannot hold: which letter, and why. What it saves instead is not looked at,
/// but that it differs is: an exception that is none any more fails.
const EXCEPTIONS: &[(Client, &str, &str)] = &[
    (Client::Curl, "empty message", "makes no file of nothing"),
    (Client::Fetchmail, "empty message", "gives what has no headers headers of its own"),
    (Client::Fetchmail, "no headers", "gives what has no headers headers of its own"),
    (Client::Fetchmail, "headers alone", "ends headers with a blank line"),
    (
        Client::Fetchmail,
        "long line",
        "breaks a line beyond its buffer of 8 KiB, and adds octets where it does",
    ),
    (Client::Fetchmail, "long line of dots", "breaks a line beyond its buffer of 8 KiB, and adds octets"),
    (Client::Fetchmail, "bare CR", "drops every CR"),
    (Client::Getmail, "empty message", "ends headers with a blank line"),
    (Client::Getmail, "headers alone", "ends headers with a blank line"),
    (Client::Getmail, "bare CR", "ends a line at a CR, as Python's email package does"),
];

/// Asserts that `messages` are `letters`.
pub fn assert_delivered(what: &str, client: Client, letters: &[Letter], messages: &[Vec<u8>]) {
    let habits = HABITS.iter().find(|habits| habits.client == client).unwrap();
    let mut saved: Vec<Option<Vec<u8>>> =
        messages.iter().map(|message| Some(undo(habits, message))).collect();
    let exception = |letter: &Letter| {
        let found = EXCEPTIONS.iter().find(|&&(one, name, _)| one == client && name == letter.name);
        found.map(|&(.., why)| why)
    };
    let (mut after, mut wrong, mut exceptions) = (0, Vec::new(), Vec::new());
    for letter in letters {
        let wire = letter.wire();
        if let Some(why) = exception(letter) {
            exceptions.push((wire, why));
            continue;
        }
        let from = if habits.ordered { after } else { 0 };
        if let Some(at) = saved[from..].iter().position(|message| message.as_ref() == Some(&wire)) {
            saved[from + at] = None;
            after = from + at + 1;
        } else {
            let nearest = saved.iter().flatten().max_by_key(|message| alike(message, &wire));
            let shown = nearest.and_then(|nearest| difference(&wire, nearest));
            let shown = shown.unwrap_or("missing, or out of order".to_owned());
            wrong.push(format!("{}: {shown}", letter.name));
        }
    }
    assert!(wrong.is_empty(), "{what}: {}", wrong.join("\n"));
    let left: Vec<&Vec<u8>> = saved.iter().flatten().collect();
    assert!(left.len() <= exceptions.len(), "{what}: more messages than letters");
    for (wire, why) in &exceptions {
        assert!(!left.contains(&wire), "{what}: no exception any more: {why}");
    }
}

fn undo(habits: &Habits, message: &[u8]) -> Vec<u8> {
    let message = message.strip_prefix(habits.adds.as_bytes());
    let message = message.unwrap_or_else(|| panic!("{:?} does not add {:?}", habits.client, habits.adds));
    if !habits.lf {
        return message.to_vec();
    }
    let mut wire = Vec::with_capacity(message.len());
    for &octet in message {
        if octet == b'\n' {
            wire.push(b'\r');
        }
        wire.push(octet);
    }
    wire
}

/// What of a message a client saves alike in every run: where fetchmail breaks a line, it puts a NUL, and an octet
/// that happens to lie in its memory.
pub fn steady(client: Client, message: &[u8]) -> Vec<u8> {
    let (mut steady, mut octets) = (Vec::with_capacity(message.len()), message.iter());
    while let Some(&octet) = octets.next() {
        if client == Client::Fetchmail && octet == 0 {
            octets.next();
        } else {
            steady.push(octet);
        }
    }
    steady
}

/// How many octets two messages begin alike with.
fn alike(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}
