//! Real servers, asked the same questions: what each answers is its golden file, by which poptape's
//! personalities are judged. `UPDATE_EXPECT=1` writes the files anew.

mod conversations;
mod normal;
mod wire;

use std::fmt::Write as _;

use expect_test::expect_file;

use self::conversations::{CONVERSATIONS, LETTERS};
use self::wire::Wire;
use super::clients::Account;
use super::corpus::Message;
use super::servers::{Kind, Server};

/// Holds every conversation, each with a server that `start` has started afresh for it: a session
/// that deletes, or after which the server keeps notes in the mailbox, disturbs no other.
pub fn transcripts<S>(start: impl Fn(&[Message]) -> S, account: impl Fn(&S) -> Account<'_>) -> String {
    let mut all = String::new();
    for conversation in CONVERSATIONS {
        let server = start(&LETTERS[..conversation.messages]);
        let held = Wire::hold(conversation, account(&server));
        writeln!(all, "== {}\n{held}", conversation.name).unwrap();
    }
    all
}

fn real(kind: Kind) -> String {
    transcripts(
        |letters| Server::start_with(kind, letters, false),
        |server| Account::new(server.addr, &server.user, &server.password),
    )
}

#[test]
fn transcripts_of_courier() {
    expect_file!["personalities/courier.txt"].assert_eq(&real(Kind::Courier));
}

#[test]
fn transcripts_of_dovecot() {
    expect_file!["personalities/dovecot.txt"].assert_eq(&real(Kind::Dovecot));
}

#[test]
fn transcripts_of_mailutils() {
    expect_file!["personalities/mailutils.txt"].assert_eq(&real(Kind::Mailutils));
}

#[test]
fn transcripts_of_popa3d() {
    expect_file!["personalities/popa3d.txt"].assert_eq(&real(Kind::Popa3d));
}
