//! The mock server in a test's own process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};

use poptape::maildrop::{Maildrops, Memory, Message, UniqueId, load};
use poptape::pop3::{Keyword, Status};
use poptape::replay::Mode;
use poptape::testing::{MockServer, at_least, never, once, times};

use crate::support::connect;

/// Sends lines, each once the one before is answered in one line; gives the answers.
fn converse(server: &MockServer, lines: &[&str]) -> Vec<String> {
    let mut stream = BufReader::new(connect(server.addr()));
    let mut answers = vec![line(&mut stream)];
    for text in lines {
        write!(stream.get_mut(), "{text}\r\n").unwrap();
        answers.push(line(&mut stream));
    }
    answers
}

fn line(stream: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

#[test]
fn what_was_received_is_typed_and_masked() {
    let server = MockServer::serve(load(["a", "b"])).user("ada", "secret").start().unwrap();
    converse(&server, &["USER ada", "PASS wrong", "USER ada", "PASS secret", "dele 2", "DELE 2"]);
    let received = server.received();
    let kinds: Vec<_> = received.iter().map(|one| (one.keyword, one.line.as_str(), one.status)).collect();
    assert_eq!(
        kinds,
        [
            (Keyword::User, "USER ada", Some(Status::Ok)),
            (Keyword::Pass, "PASS ********", Some(Status::Err)),
            (Keyword::User, "USER ada", Some(Status::Ok)),
            (Keyword::Pass, "PASS ********", Some(Status::Ok)),
            (Keyword::Dele, "dele 2", Some(Status::Ok)),
            (Keyword::Dele, "DELE 2", Some(Status::Err)),
        ]
    );
    server.assert_received("DELE", times(2));
    server.assert_received("DELE 2", at_least(1));
    server.assert_received("RETR", never());
}

/// An assertion that fails says what came near.
#[test]
fn a_failed_assertion_lists_near_misses() {
    let server = MockServer::serve(load(["a", "b"])).start().unwrap();
    converse(&server, &["USER ada", "PASS x", "DELE 2"]);
    let said = catch_unwind(AssertUnwindSafe(|| server.assert_received("DELE 1", once()))).unwrap_err();
    let said = said.downcast_ref::<String>().unwrap();
    assert_eq!(
        said,
        "expected DELE 1 once, received it 0 times\nnear misses:\n  #1 DELE 2 -> +OK\nreceived: \n  #1 USER ada -> +OK\n  \
         #1 PASS ******** -> +OK\n  #1 DELE 2 -> +OK"
    );
}

#[test]
fn users_and_messages_may_be_added_while_it_runs() {
    let memory = Memory::new(load(["a"]));
    let server = MockServer::serve(memory.clone()).user("ada", "x").start().unwrap();
    assert_eq!(converse(&server, &["USER bob", "PASS y"])[2], "-ERR [AUTH] invalid user name or password");
    server.add_user("bob", "y");
    memory.push(Message::new("b", UniqueId::new("my-own-id").unwrap()));
    let answers = converse(&server, &["USER bob", "PASS y", "UIDL 2"]);
    assert_eq!(answers[2..], ["+OK bob's maildrop has 2 messages (6 octets)", "+OK 2 my-own-id"]);
}

/// The lock can be switched off, and goes when a client does.
#[test]
fn the_lock_is_released_at_the_end_of_a_connection() {
    let store = || std::sync::Arc::new(Memory::new(load(["a"])));
    let shared = MockServer::serve(Maildrops::new(vec![store()]).locking(false)).start().unwrap();
    let mut first = BufReader::new(connect(shared.addr()));
    first.get_mut().write_all(b"USER ada\r\nPASS x\r\n").unwrap();
    line(&mut first);
    assert_eq!(line(&mut first), "+OK");
    assert!(line(&mut first).starts_with("+OK ada's"));
    assert!(converse(&shared, &["USER ada", "PASS x"])[2].starts_with("+OK ada's"));
    let locked = MockServer::serve(Maildrops::new(vec![store()])).start().unwrap();
    for _ in 0..3 {
        converse(&locked, &["USER ada", "PASS x"]);
        crate::support::eventually("the lock is released", || {
            converse(&locked, &["USER ada", "PASS x"])[2].starts_with("+OK")
        });
    }
}

#[test]
fn a_replay_has_a_report_and_an_assertion_of_its_own() {
    let server =
        MockServer::replay("recordings/seed-quit-before-login.json").mode(Mode::Exact).start().unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| server.assert_replayed())).is_err(), "nobody came yet");
    converse(&server, &["USER kcope", "QUIT"]);
    server.assert_replayed();
    assert_eq!(server.report().unwrap().sessions[0].used, 2);
    let error = MockServer::replay("no/such.json").start().unwrap_err();
    assert!(error.to_string().contains("no/such.json"), "{error}");
}

/// It serves an asynchronous test from a thread of its own, on the test's only thread.
#[test]
fn an_asynchronous_test_is_served_too() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let server = MockServer::serve(load(["a"])).start().unwrap();
        let mut stream = tokio::net::TcpStream::connect(server.addr()).await.unwrap();
        stream.write_all(b"QUIT\r\n").await.unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        assert!(said.ends_with("signing off\r\n"), "{said}");
        server.assert_received("QUIT", once());
    });
}

#[test]
fn dropping_it_ends_its_sessions_and_frees_its_port() {
    let server = MockServer::serve(load(["a"])).start().unwrap();
    let address = server.addr();
    assert_eq!(server.url(), format!("pop3://{address}"));
    let mut stream = connect(address);
    drop(server);
    // What it said, if anything, and then the end.
    let _ = stream.read_to_end(&mut Vec::new());
    assert!(TcpStream::connect(address).is_err(), "it still listens");
}

#[test]
fn many_run_at_once() {
    let servers: Vec<_> = (0..20).map(|_| MockServer::serve(load(["a"])).start().unwrap()).collect();
    for server in &servers {
        assert_eq!(converse(server, &["USER a", "PASS b", "STAT"])[3], "+OK 1 3");
    }
}
