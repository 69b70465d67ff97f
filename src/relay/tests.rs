//! Relayed sessions as scripts. A line at the margin is what happens, an indented one what is to be done about it, all of
//! it and in order:
//!
//! ```text
//! C: text            the client sends a line (S alike)
//! C= one\r\ntwo      octets in one read
//! connected, TLS C, TLS S, TLS S failed, FIN C, CUT C, RST C, BROKE C
//!   c: text          a line to the client (s to the server)
//!   connect, tls c, tls s, fin c, cut c, rst c, close
//! ! stls-answered    a note that was made, in order; behind a colon what is in its text
//! greeted            stands for GREETED
//! ```

use std::sync::Arc;

use bytes::Bytes;

use super::{Policy, Relay};
use crate::recording::{By, Entry, Header, How};
use crate::wire::{Action, Close, Handshake, Input, Machine, Security, Side, Tls, TlsFailure};

/// How most sessions begin.
const GREETED: &str = "  connect\nconnected\nS: +OK ready\n  c: +OK ready";

/// How the session ended, and by whom; None: it goes on.
type Ended = Option<(By, How)>;

/// Plays a script; gives how the session ended and the octets that were observed of each side.
fn play(policy: Policy, script: &str) -> (Ended, [String; 2]) {
    let mut relay = Relay::new(Header::blank(), &Arc::new(policy));
    let (mut at, mut done, mut notes) = (0, Vec::new(), Vec::new());
    let (mut ended, mut seen) = (None, [String::new(), String::new()]);
    let mut relay_input = |relay: &mut Relay, input| {
        at += 10;
        let mut actions = Vec::new();
        relay.handle(at, input, &mut actions);
        actions
    };
    done.extend(relay_input(&mut relay, Input::Opened).into_iter().map(shown));
    let script = script.replace("greeted", GREETED);
    for line in script.lines().map(|line| line.strip_prefix("        ").unwrap_or(line)) {
        if let Some(note) = line.strip_prefix("! ") {
            let (kind, part) = note.split_once(": ").unwrap_or((note, ""));
            let (made, text) =
                if notes.is_empty() { (String::new(), String::new()) } else { notes.remove(0) };
            assert_eq!(made, kind, "the notes of\n{script}");
            assert!(text.contains(part), "{text}");
        } else if let Some(expected) = line.strip_prefix("  ") {
            let action = if done.is_empty() { "nothing".to_owned() } else { done.remove(0) };
            assert_eq!(action, expected, "what is done in\n{script}");
        } else if !line.trim().is_empty() {
            assert_eq!(done, Vec::<String>::new(), "before {line:?} in\n{script}");
            done.extend(relay_input(&mut relay, input(line)).into_iter().map(shown));
        }
        for entry in relay.entries() {
            match entry {
                Entry::Note(note) => notes.push((note.kind, note.text)),
                Entry::Ended(end) => ended = Some((end.by, end.how)),
                Entry::Event(event) => {
                    if let Some((side, run)) = event.octets() {
                        seen[side as usize].push_str(std::str::from_utf8(&run.bytes).unwrap());
                    }
                }
                _ => {}
            }
        }
    }
    assert_eq!(done, Vec::<String>::new(), "at the end of\n{script}");
    assert_eq!(notes, Vec::new(), "notes at the end of\n{script}");
    (ended, seen)
}

fn input(line: &str) -> Input {
    let side = |name: &str| if name.starts_with('C') { Side::Client } else { Side::Server };
    let octets = |text: &str| Bytes::from(text.replace("\\r", "\r").replace("\\n", "\n"));
    if let Some((name @ ("C" | "S"), text)) = line.split_once(": ") {
        return Input::Received(side(name), octets(&format!("{text}\r\n")));
    }
    if let Some((name @ ("C" | "S"), text)) = line.split_once("= ") {
        return Input::Received(side(name), octets(text));
    }
    match line.split_once(' ').unwrap_or((line, "")) {
        ("connected", _) => Input::Connected(([127, 0, 0, 1], 110).into()),
        ("FIN", name) => Input::Closed(side(name), Close::Finished),
        ("CUT", name) => Input::Closed(side(name), Close::Truncated),
        ("RST", name) => Input::Closed(side(name), Close::Reset),
        ("BROKE", name) => {
            let why = TlsFailure { reason: "so it is".to_owned(), ..TlsFailure::default() };
            Input::Broke(side(name), Box::new(why))
        }
        ("TLS", rest) => {
            let failed = rest.ends_with("failed");
            let failure =
                failed.then(|| TlsFailure { reason: "so it is".to_owned(), ..TlsFailure::default() });
            let tls = Tls { readable: !failed, failure, ..Tls::of(side(rest)) };
            let clear = if rest.ends_with("clear") { Bytes::from_static(b"NOOP\r\n") } else { Bytes::new() };
            let flaw = rest.ends_with("flawed").then_some("has expired");
            Input::Tls(Box::new(Handshake { clear, flaw, ..Handshake::new(tls) }))
        }
        _ => unreachable!("{line}"),
    }
}

fn shown(action: Action) -> String {
    let name = |side| if side == Side::Client { "c" } else { "s" };
    match action {
        Action::Connect => "connect".to_owned(),
        Action::Close => "close".to_owned(),
        Action::Send(side, octets) => match std::str::from_utf8(&octets).unwrap() {
            line if line.ends_with("\r\n") && line.matches("\r\n").count() == 1 => {
                format!("{}: {}", name(side), line.trim_end())
            }
            octets => format!("{}= {}", name(side), octets.replace('\r', "\\r").replace('\n', "\\n")),
        },
        Action::Finish(side) => format!("fin {}", name(side)),
        Action::Truncate(side) => format!("cut {}", name(side)),
        Action::Reset(side) => format!("rst {}", name(side)),
        Action::StartTls(side) => format!("tls {}", name(side)),
        other => format!("{other:?}"),
    }
}

fn policy(client: Security, upstream: Security) -> Policy {
    Policy { client, upstream, ..Policy::default() }
}

const STLS_TO_PLAIN: Policy = Policy {
    client: Security::Stls,
    upstream: Security::Plain,
    strip_stls: false,
    stls_respond: None,
    strip_plus: false,
    has_certificate: false,
};

#[test]
fn octets_and_closes_pass_as_what_they_are() {
    let (ended, _) = play(
        Policy::default(),
        "  connect
        connected
        S= +OK\\r\\nhalf a l
          c= +OK\\r\\nhalf a l
        FIN C
          fin s
        FIN S
          fin c
          close",
    );
    assert_eq!(ended, Some((By::Client, How::Finished)));
}

#[test]
fn a_reset_is_passed_on_as_a_reset() {
    let (ended, _) = play(Policy::default(), "  connect\nconnected\nRST S\n  rst c\n  close\n! silent");
    assert_eq!(ended, Some((By::Server, How::Reset)));
}

#[test]
fn a_refused_upstream_is_told_to_the_client_in_one_legal_line() {
    let mut relay = Relay::new(Header::blank(), &Arc::new(Policy::default()));
    let mut done = Vec::new();
    relay.handle(0, Input::ConnectFailed("refused\r\n+OK \u{1b}[2J".repeat(100)), &mut done);
    let [Action::Send(Side::Client, line), Action::Close] = &done[..] else { panic!("{done:?}") };
    assert!(line.starts_with(b"-ERR [SYS/TEMP] ") && line.len() <= 512, "{line:?}");
    assert_eq!(memchr::memchr(b'\n', line), Some(line.len() - 1));
}

#[test]
fn stls_is_followed_to_both_legs() {
    let (ended, seen) = play(
        STLS_TO_PLAIN,
        "greeted
        C: CAPA
          s: CAPA
        S= +OK\\r\\nTOP\\r\\nSTLS\\r\\n.\\r\\n
          c= +OK\\r\\nTOP\\r\\nSTLS\\r\\n.\\r\\n
        C: STLS
          s: STLS
        S: +OK go ahead
          tls s
        TLS S
          c: +OK go ahead
          tls c
        TLS C
        C: CAPA
          s: CAPA
        S= +OK\\r\\nTOP\\r\\nUSER\\r\\n.\\r\\n
          c= +OK\\r\\nTOP\\r\\nUSER\\r\\n.\\r\\n",
    );
    assert_eq!(ended, None);
    assert_eq!(seen[0], "CAPA\r\nSTLS\r\nCAPA\r\n");
    assert!(seen[1].contains("+OK go ahead\r\n+OK\r\nTOP\r\nUSER\r\n.\r\n"), "{}", seen[1]);
}

#[test]
fn stls_that_the_upstream_does_not_have_is_offered_and_answered_by_poptape() {
    let (_, seen) = play(
        STLS_TO_PLAIN,
        "greeted
        C: CAPA
          s: CAPA
        S= +OK\\r\\nTOP\\r\\n.\\r\\n
          c= +OK\\r\\nTOP\\r\\nSTLS\\r\\n.\\r\\n
        ! stls-added
        C: STLS
          s: STLS
        S: -ERR what
          c: +OK begin TLS negotiation
          tls c
        ! stls-answered
        TLS C
        C: CAPA
          s: CAPA
        S= +OK\\r\\nTOP\\r\\nSTLS\\r\\n.\\r\\n
          c= +OK\\r\\nTOP\\r\\n.\\r\\n
        ! stls-hidden
        C: STLS
          c: -ERR TLS stands already
        ! stls-answered
        C: NOOP
          s: NOOP",
    );
    assert!(!seen[1].contains("what"), "{}", seen[1]);
}

#[test]
fn an_upstream_in_tls_lets_poptape_answer_stls() {
    for (upstream, beginning) in [
        (Security::Implicit, "  connect\nconnected\n  tls s\nTLS S\nS: +OK ready\n  c: +OK ready\n"),
        (
            Security::Stls,
            "  connect\nconnected\nS: +OK ready\n  s: STLS\nS: +OK go\n  tls s\nTLS S\n  c: +OK ready\n",
        ),
    ] {
        let script = format!(
            "{beginning}C: CAPA\n  s: CAPA\nC: STLS\nS= +OK\\r\\n.\\r\\n\n  c= +OK\\r\\nSTLS\\r\\n.\\r\\n\n  c: +OK begin TLS negotiation\n  \
             tls c\n! stls-added\n! stls-answered\nTLS C\nC: NOOP\n  s: NOOP"
        );
        play(policy(Security::Stls, upstream), &script);
    }
}

/// P3-124: what the client sends in clear behind STLS reaches nobody, in the same packet or in another.
#[test]
fn octets_in_clear_behind_stls_reach_nobody() {
    let (_, seen) = play(
        STLS_TO_PLAIN,
        "greeted
        C= STLS\\r\\nUSER mallory\\r\\n
          s: STLS
        C: PASS x
        S: +OK go
          tls s
        TLS S
          c: +OK go
          tls c
        TLS C clear
        ! octets-in-clear: 28 octets in clear
        C: NOOP
          s: NOOP",
    );
    assert_eq!(seen[0], "STLS\r\nNOOP\r\n");
    let (_, seen) = play(
        policy(Security::Stls, Security::Implicit),
        "  connect
        connected
          tls s
        TLS S
        S: +OK ready
          c: +OK ready
        C= STLS\\r\\nUSER mallory\\r\\n
          c: +OK begin TLS negotiation
          tls c
        ! stls-answered
        TLS C
        ! octets-in-clear: 14 octets in clear
        C: NOOP
          s: NOOP",
    );
    assert_eq!(seen[0], "STLS\r\nNOOP\r\n");
}

/// P3-125: what the server sends in clear behind its `+OK` reaches nobody, whoever asked for TLS.
#[test]
fn octets_in_clear_behind_the_answer_reach_nobody() {
    let (_, seen) = play(
        STLS_TO_PLAIN,
        "greeted
        C: STLS
          s: STLS
        S= +OK go\\r\\n+OK you have new mail\\r\\n
          tls s
        ! octets-in-clear
        TLS S clear
          c: +OK go
          tls c
        ! octets-in-clear
        TLS C
        C: NOOP
          s: NOOP
        S: +OK inside
          c: +OK inside",
    );
    assert_eq!(seen[1], "+OK ready\r\n+OK go\r\n+OK inside\r\n");
    play(
        policy(Security::Plain, Security::Stls),
        "  connect
        connected
        S: +OK ready
          s: STLS
        S= +OK go\\r\\n+OK injected\\r\\n
          tls s
        ! octets-in-clear
        TLS S
          c: +OK ready",
    );
}

#[test]
fn tls_of_the_client_comes_first_where_it_is_implicit() {
    play(
        policy(Security::Implicit, Security::Plain),
        "  tls c
        TLS C
          connect
        connected
        S: +OK ready
          c: +OK ready
        C: STLS
          c: -ERR TLS stands already
        ! stls-answered
        C: CAPA
          s: CAPA
        S= +OK\\r\\nSTLS\\r\\n.\\r\\n
          c= +OK\\r\\n.\\r\\n
        ! stls-hidden",
    );
    let (ended, _) = play(policy(Security::Implicit, Security::Plain), "  tls c\nTLS C failed\n  close");
    assert_eq!(ended, Some((By::Client, How::TlsFailed)));
}

#[test]
fn an_upstream_without_tls_is_no_upstream() {
    let refusal = "c: -ERR [SYS/TEMP] poptape has no TLS with the upstream server: so it is";
    let (ended, _) = play(
        policy(Security::Plain, Security::Implicit),
        &format!("  connect\nconnected\n  tls s\nTLS S failed\n  {refusal}\n  close"),
    );
    assert_eq!(ended, Some((By::Server, How::TlsFailed)));
    // The client has asked, and gets its answer before anything is in TLS.
    play(
        STLS_TO_PLAIN,
        &format!(
            "  connect\nconnected\nS: +OK\n  c: +OK\nC: STLS\n  s: STLS\nS: +OK\n  tls s\nTLS S failed\n  {refusal}\n  close"
        ),
    );
    let (ended, _) = play(
        policy(Security::Plain, Security::Stls),
        "  connect
        connected
        S: +OK ready
          s: STLS
        S: -ERR no
          c: -ERR [SYS/TEMP] the upstream server refused STLS: -ERR no
          close
        ! stls-refused",
    );
    assert_eq!(ended, Some((By::Server, How::TlsFailed)));
    // What it says too early is taken for its answer, however it is cut.
    for early in ["S= +OK ready\\r\\n-ERR no\\r\\n\n  s: STLS", "S: +OK ready\n  s: STLS\nS: -ERR no"] {
        let refused =
            "  c: -ERR [SYS/TEMP] the upstream server refused STLS: -ERR no\n  close\n! stls-refused";
        let script = format!("  connect\nconnected\n{early}\n{refused}");
        let (ended, _) = play(policy(Security::Plain, Security::Stls), &script);
        assert_eq!(ended, Some((By::Server, How::TlsFailed)));
    }
    // One that refuses the session says so itself.
    let (ended, _) = play(
        policy(Security::Plain, Security::Stls),
        "  connect\nC: PASS x\nconnected\nS: -ERR busy\n  c: -ERR busy\nC: QUIT\nFIN C\n  fin s\nFIN S\n  fin c\n  close",
    );
    assert_eq!(ended, Some((By::Client, How::Finished)));
}

#[test]
fn stls_is_offered_until_the_login() {
    play(
        STLS_TO_PLAIN,
        "greeted
        C: USER x
          s: USER x
        S: +OK
          c: +OK
        C: PASS x
          s: PASS x
        S: +OK
          c: +OK
        C: CAPA
          s: CAPA
        S= +OK\\r\\nTOP\\r\\n.\\r\\n
          c= +OK\\r\\nTOP\\r\\n.\\r\\n",
    );
}

#[test]
fn what_a_server_says_behind_its_refusal_of_stls_is_not_lost() {
    play(
        STLS_TO_PLAIN,
        "greeted
        C: STLS
          s: STLS
        S= -ERR what\\r\\n-ERR idle\\r\\n
          c: +OK begin TLS negotiation
          tls c
        ! stls-answered
        TLS C
          c: -ERR idle",
    );
}

#[test]
fn what_is_held_of_a_side_that_leaves_goes_on() {
    play(
        STLS_TO_PLAIN,
        "greeted
        C= ST
        FIN C
          s= ST
          fin s",
    );
    play(
        STLS_TO_PLAIN,
        "greeted
        C: CAPA
          s: CAPA
        S= +OK\\r\\nTOP\\r\\nUS
          c= +OK\\r\\nTOP\\r\\n
        FIN S
          c= US
          fin c",
    );
    play(
        policy(Security::Plain, Security::Stls),
        "  connect
        connected
        C: QUIT
        FIN C
        S: +OK ready
          s: STLS
        S: +OK
          tls s
        TLS S
          c: +OK ready
          s: QUIT
          fin s",
    );
}

#[test]
fn what_comes_ahead_of_its_time_waits() {
    play(
        policy(Security::Plain, Security::Stls),
        "  connect
        connected
        C: CAPA
        S= +O
        S= K\\r\\n
          s: STLS
        C: NOOP
        S: +OK
          tls s
        TLS S
          c: +OK
          s: CAPA
          s: NOOP",
    );
    let script = format!("  connect\nconnected\nC= {}\n  close\n! ahead", "x".repeat(70_000));
    let (ended, _) = play(policy(Security::Plain, Security::Stls), &script);
    assert_eq!(ended, Some((By::Poptape, How::Stopped)));
}

#[test]
fn stls_is_stripped() {
    for (stripped, answer) in [
        (Policy { strip_stls: true, ..Policy::default() }, "-ERR STLS is not available"),
        (Policy { stls_respond: Some("-ERR [X] no".to_owned()), ..Policy::default() }, "-ERR [X] no"),
        (Policy { strip_stls: true, ..STLS_TO_PLAIN }, "-ERR STLS is not available"),
    ] {
        let script = format!(
            "greeted
        C= CAPA\\r\\nSTLS\\r\\nNOOP\\r\\n
          s: CAPA
        S= +OK\\r\\nSTLS\\r\\nUIDL\\r\\n.\\r\\n
          c= +OK\\r\\nUIDL\\r\\n.\\r\\n
          c: {answer}
          s: NOOP
        ! stls-hidden
        ! stls-answered
        C: PASS x
          s: PASS x
        ! in-clear
        C: PASS y
          s: PASS y"
        );
        let (_, seen) = play(stripped.clone(), &script);
        assert_eq!(seen[0], "CAPA\r\nSTLS\r\nNOOP\r\nPASS ********\r\nPASS ********\r\n");
        // Nothing is noted behind the end.
        play(stripped, "greeted\nC= PASS x\n  s= PASS x\nFIN S\n  fin c\nFIN C\n  fin s\n  close");
    }
}

#[test]
fn stls_that_the_server_must_refuse_is_left_to_it() {
    play(
        STLS_TO_PLAIN,
        "greeted
        C: STLS now
          s: STLS now
        S: -ERR no argument
          c: -ERR no argument
        C: USER x
          s: USER x
        S: +OK
          c: +OK
        C: PASS x
          s: PASS x
        S: +OK
          c: +OK
        C: STLS
          s: STLS
        S: -ERR too late
          c: -ERR too late",
    );
}

#[test]
fn what_breaks_tls_is_told() {
    let (ended, _) = play(
        policy(Security::Implicit, Security::Plain),
        "  tls c
        TLS C
          connect
        connected
        BROKE C
          rst s
          close
        ! tls-broken: TLS with the client broke: so it is",
    );
    assert_eq!(ended, Some((By::Client, How::Reset)));
}

#[test]
fn mechanisms_that_bind_to_the_channel_are_hidden_or_told_of() {
    let beginning = "  connect\nconnected\n  tls s\nTLS S\nS: +OK\n  c: +OK\n";
    let list = "S= +OK\\r\\nSASL SCRAM-SHA-1-PLUS SCRAM-SHA-1\\r\\n.\\r\\n";
    play(
        Policy { strip_plus: true, ..policy(Security::Plain, Security::Implicit) },
        &format!(
            "{beginning}C: CAPA\n  s: CAPA\n{list}\n  c= +OK\\r\\nSASL SCRAM-SHA-1\\r\\n.\\r\\n\n! plus-hidden\n\
             C: AUTH SCRAM-SHA-1 eSwsbj1rLHI9eA==\n  s: AUTH SCRAM-SHA-1 eSwsbj1rLHI9eA==\n! channel-binding"
        ),
    );
    let told = list.replacen('S', "c", 1);
    play(
        policy(Security::Plain, Security::Implicit),
        &format!(
            "{beginning}C: CAPA\n  s: CAPA\n{list}\n  {told}\n! channel-binding\nC: AUTH SCRAM-SHA-1-PLUS\n  s: AUTH SCRAM-SHA-1-PLUS\n! \
             channel-binding\nS: -ERR\n  c: -ERR\nC: AUTH EXTERNAL =\n  s: AUTH EXTERNAL =\n! client-certificate"
        ),
    );
}

#[test]
fn a_truncation_is_passed_on_as_one() {
    let (ended, _) = play(
        policy(Security::Implicit, Security::Implicit),
        "  tls c
        TLS C
          connect
        connected
          tls s
        TLS S
        S= +OK rea
          c= +OK rea
        CUT S
          cut c
        FIN C
          fin s
          close",
    );
    assert_eq!(ended, Some((By::Server, How::Truncated)));
}

#[test]
fn a_client_that_goes_on_with_a_flawed_certificate_has_taken_it() {
    let beginning = "  tls c\nTLS C flawed\n  connect\nconnected\nS: +OK\n  c: +OK\n";
    play(policy(Security::Implicit, Security::Plain), &format!("{beginning}FIN C\n  fin s\n! tls"));
    let went_on = format!("{beginning}C: CAPA\n  s: CAPA\n! flaw-taken\nC: QUIT\n  s: QUIT");
    play(policy(Security::Implicit, Security::Plain), &went_on);
}

#[test]
fn whoever_is_on_the_wrong_port_is_told_so() {
    play(
        Policy::default(),
        "  connect\nconnected\nC= \u{16}\u{3}\u{1}\n  s= \u{16}\u{3}\u{1}\n! tls-unexpected",
    );
    play(
        Policy::default(),
        "  connect\nconnected\nS= \u{15}\u{3}\u{3}\n  c= \u{15}\u{3}\u{3}\n! tls-unexpected",
    );
}

#[test]
fn stls_inside_tls_is_the_peers_own_affair() {
    let policy = Policy { strip_plus: true, ..STLS_TO_PLAIN };
    play(
        policy,
        "  connect
        connected
        S: +OK
          c: +OK
        C: STLS
          s: STLS
        S: +OK begin
          tls s
        TLS S
          c: +OK begin
          tls c
        TLS C
        C: STLS
          s: STLS
        S: +OK again
          c: +OK again",
    );
}

#[test]
fn what_was_meant_for_tls_does_not_go_in_clear() {
    let (ended, _) = play(
        policy(Security::Plain, Security::Stls),
        "  connect
        connected
        C: USER kcope
        S: +OK ready
          s: STLS
        FIN S
          c: +OK ready
          fin c
          close
        ! stls-refused",
    );
    assert_eq!(ended, Some((By::Server, How::TlsFailed)));
}

#[test]
fn a_client_that_is_lost_in_its_handshake_has_a_session() {
    let mut relay = Relay::new(Header::blank(), &Arc::new(policy(Security::Implicit, Security::Plain)));
    relay.handle(0, Input::Opened, &mut Vec::new());
    relay.handle(1, Input::Closed(Side::Client, Close::Reset), &mut Vec::new());
    let entries = relay.entries();
    assert!(matches!(entries[..], [Entry::Opened(_), .., Entry::Ended(_)]), "{entries:?}");
}
