//! CAPA (protocol rules P3-032, P3-087 to P3-097 and P3-114): what it says, and that what it says is so.

use super::{LOGIN, Policy, Session, Setting, World, check_policy, quiet, with_stls};
use crate::engine::{Capabilities, Expire, apop_digest};
use crate::pop3::Keyword;

/// Policies that differ in what CAPA says.
fn policies() -> Vec<Setting> {
    let without = |disabled: &[Keyword]| Setting::from(Policy { disabled: disabled.to_vec(), ..quiet() });
    vec![
        quiet().into(),
        with_stls(quiet()),
        with_stls(Policy { plaintext: Some(true), external: Some("kcope".into()), ..quiet() }),
        Policy { response_codes: false, implementation: String::new(), ..Policy::default() }.into(),
        Policy { login_delay: 300, expire: Some(Expire::Never), ..quiet() }.into(),
        Policy { expire: Some(Expire::Days(0)), mechanisms: vec![], ..quiet() }.into(),
        without(&[]),
        without(&[Keyword::Top, Keyword::Uidl, Keyword::Lang, Keyword::Utf8]),
        without(&[Keyword::Auth]),
        without(&[Keyword::User]),
        without(&[Keyword::Pass]),
    ]
}

/// What CAPA says now.
fn capa(session: &mut Session) -> Vec<String> {
    let reply = session.ask(b"CAPA\r\n");
    let body = reply.strip_prefix("+OK capability list follows\r\n");
    let body = body.and_then(|body| body.strip_suffix(".\r\n")).unwrap();
    body.split_terminator("\r\n").map(str::to_owned).collect()
}

/// The capability lists before and after login; APOP is taken everywhere.
fn lists(setting: impl Into<Setting>, tls: bool) -> [Vec<String>; 2] {
    let mut setting = setting.into();
    setting.policy.apop = true;
    let world = World::with(&["a"], setting);
    let mut session = if tls { world.connect_tls() } else { world.connect() };
    let before = capa(&mut session);
    let digest = apop_digest("<1896.697170952@dewey>", b"secret");
    assert!(session.ask(format!("APOP kcope {digest}\r\n").as_bytes()).starts_with("+OK"));
    [before, capa(&mut session)]
}

/// Every list there is.
fn all_lists() -> impl Iterator<Item = [Vec<String>; 2]> {
    policies().into_iter().flat_map(|policy| [lists(policy.clone(), false), lists(policy, true)])
}

/// P3-088, P3-091, P3-095, P3-097: each line is a tag and its parameters, one space before each.
#[test]
fn p3_088_lines() {
    for line in all_lists().flatten().flatten() {
        assert!(line.len() <= 510 && line.split(' ').all(|word| !word.is_empty()), "{line:?}");
        assert!(line.bytes().all(|octet| octet == b' ' || octet.is_ascii_graphic()), "{line:?}");
        let (tag, parameters) = line.split_once(' ').unwrap_or((&line, ""));
        let whole = |text: &str| !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
        let right = match tag {
            "TOP" | "UIDL" | "USER" | "RESP-CODES" | "AUTH-RESP-CODE" | "PIPELINING" | "STLS" | "LANG" => {
                line == tag
            }
            "UTF8" => parameters == "USER",
            "LOGIN-DELAY" => whole(parameters),
            "EXPIRE" => parameters == "NEVER" || whole(parameters),
            "SASL" | "IMPLEMENTATION" => !parameters.is_empty(),
            _ => false,
        };
        assert!(right, "{line:?}");
    }
}

/// P3-089, P3-093, P3-095, P3-114, K-5: after login the list is the same, but for STLS; SASL is still there.
#[test]
fn p3_089_the_list_stays() {
    for [mut before, after] in all_lists() {
        assert!(!after.contains(&"STLS".to_owned()));
        before.retain(|line| line != "STLS");
        assert_eq!(before, after);
    }
    let [_, after] = lists(quiet(), false);
    assert!(after.iter().any(|line| line.starts_with("SASL SCRAM-SHA-256 ")));
}

/// P3-032: there is a way to log in, whatever else is not there.
#[test]
fn p3_032_a_way_to_log_in() {
    for policy in policies().into_iter().filter(|setting| !setting.policy.apop) {
        let [list, _] = lists(policy.clone(), false);
        assert!(list.iter().any(|line| line == "USER" || line.starts_with("SASL ")), "{list:?}");
    }
}

/// P3-092: what is announced works.
#[test]
fn p3_092_what_is_announced_works() {
    for (policy, tls) in policies().into_iter().flat_map(|policy| [(policy.clone(), false), (policy, true)]) {
        let world = World::with(&["a"], policy.clone());
        let connect = || {
            let mut session = if tls { world.connect_tls() } else { world.connect() };
            session.said.clear();
            session
        };
        for line in capa(&mut connect()) {
            let words: Vec<_> = line.split(' ').collect();
            let login = "USER kcope\r\nPASS secret\r\n";
            match words[0] {
                "USER" => assert!(connect().ask(login.as_bytes()).contains("maildrop has"), "{policy:?}"),
                "SASL" => {
                    for mechanism in &words[1..] {
                        let reply = connect().ask(format!("AUTH {mechanism}\r\n").as_bytes());
                        assert!(reply.starts_with("+ "), "{mechanism}: {reply}");
                    }
                }
                "STLS" | "UTF8" | "LANG" => {
                    let reply = connect().ask(format!("{}\r\n", words[0]).as_bytes());
                    assert!(reply.starts_with("+OK"), "{line}: {reply}");
                }
                "TOP" | "UIDL" => {
                    let command = if words[0] == "TOP" { "TOP 1 0" } else { "UIDL" };
                    check_apop(&policy.policy, command, "+OK");
                }
                "PIPELINING" => {
                    assert_eq!(connect().ask(b"NOOP\r\nCAPA\r\nNOOP\r\n").matches("-ERR").count(), 2);
                }
                _ => {}
            }
        }
    }
}

/// What a command of TRANSACTION is answered.
fn check_apop(policy: &Policy, command: &str, beginning: &str) {
    let mut session = World::with(&["a"], Policy { apop: true, ..policy.clone() }).connect();
    let digest = apop_digest("<1896.697170952@dewey>", b"secret");
    session.ask(format!("APOP kcope {digest}\r\n").as_bytes());
    let reply = session.ask(format!("{command}\r\n").as_bytes());
    assert!(reply.starts_with(beginning), "{command}: {reply}");
}

/// P3-019, P3-092: a command that the server does not have is refused and not announced.
#[test]
fn p3_019_disabled_commands() {
    for (keyword, command, tag) in [
        (Keyword::Top, "TOP 1 0", "TOP"),
        (Keyword::Uidl, "UIDL", "UIDL"),
        (Keyword::Lang, "LANG", "LANG"),
        (Keyword::Noop, "NOOP", "NOOP"),
        (Keyword::Capa, "CAPA", "CAPA"),
    ] {
        let policy = Policy { disabled: vec![keyword], ..quiet() };
        check_apop(&policy, command, "-ERR");
        let announced = World::with(&[], policy).connect().ask(b"CAPA\r\n");
        assert!(!announced.contains(&format!("\r\n{tag}")), "{announced}");
    }
    for (keyword, command, tag) in [
        (Keyword::User, "USER kcope", "USER"),
        (Keyword::Pass, "PASS secret", "USER"),
        (Keyword::Auth, "AUTH PLAIN", "SASL"),
        (Keyword::Utf8, "UTF8", "UTF8"),
        (Keyword::Stls, "STLS", "STLS"),
    ] {
        let policy = Policy { disabled: vec![keyword], ..quiet() };
        let mut session = World::with(&[], with_stls(Policy { plaintext: Some(true), ..policy })).connect();
        assert!(!session.ask(b"CAPA\r\n").contains(&format!("\r\n{tag}")), "{tag}");
        assert!(session.ask(format!("{command}\r\n").as_bytes()).starts_with("-ERR"), "{command}");
    }
    let policy = Policy { disabled: vec![Keyword::Apop], ..Policy::default() };
    let mut session = World::with(&[], policy).connect();
    assert_eq!(String::from_utf8_lossy(&session.said), "+OK POP3 server ready\r\n");
    assert!(session.ask(b"APOP kcope x\r\n").starts_with("-ERR"));
}

/// Where TLS cannot be had because STLS is disabled, nothing waits for it.
#[test]
fn disabled_stls_locks_nobody_out() {
    check_policy(with_stls(Policy { disabled: vec![Keyword::Stls], ..quiet() }), LOGIN);
}

/// The four lists of a policy stand for what they are named.
#[test]
fn lists_of_the_policy() {
    let list = |line: &str| Some(vec![line.to_owned()]);
    let capabilities = Capabilities {
        before_login: list("A"),
        after_login: list("B"),
        before_login_tls: list("C"),
        after_login_tls: list("D"),
    };
    let policy = Policy { capabilities, ..quiet() };
    assert_eq!(lists(&policy, false).concat(), ["A", "B"]);
    assert_eq!(lists(&policy, true).concat(), ["C", "D"]);
    // Where TLS is still to come, it is told of, and what is refused until then is not.
    let lines = ["USER", "SASL PLAIN CRAM-MD5", "A"].map(str::to_owned).to_vec();
    let before = Capabilities { before_login: Some(lines), ..Capabilities::default() };
    let [before, _] = lists(with_stls(Policy { capabilities: before, ..quiet() }), false);
    assert_eq!(before, ["SASL CRAM-MD5", "A", "STLS"]);
    let one = Capabilities { after_login: list("B"), ..Capabilities::default() };
    let [before, after] = lists(Policy { capabilities: one, ..quiet() }, false);
    assert!(before.contains(&"UIDL".to_owned()) && after == ["B"]);
}

/// P3-088: whatever a profile says, the list is one.
#[test]
fn p3_088_no_line_of_a_profile_breaks_the_list() {
    let lists = Capabilities {
        before_login: Some(vec!["TOP\r\n.\r\n+OK".to_owned(), ".".to_owned(), "X".repeat(600)]),
        ..Default::default()
    };
    let policy = Policy { capabilities: lists, ..Policy::default() };
    let said = World::with(&[], policy).connect().ask(b"CAPA\r\n");
    assert_eq!(said.matches("\r\n.\r\n").count(), 1, "{said}");
    assert!(said.lines().all(|line| line.len() <= 510) && said.contains("TOP.+OK\r\n"), "{said}");
}
