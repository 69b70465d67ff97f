//! What CAPA tells.

use super::policy::Expire;
use super::{Service, sasl};
use crate::pop3::{Keyword, State};

/// The capability list in a state, as whole lines. It is the same before and after login (RFC 2449 section 5),
/// but for STLS, which is there only where it can be used (RFC 2595 section 4).
pub(super) fn capabilities(service: &Service, state: State) -> String {
    let (before, policy) = (state == State::Authorization, service.policy());
    let lists = &policy.capabilities;
    let set = match (before, service.tls) {
        (true, false) => &lists.before_login,
        (false, false) => &lists.after_login,
        (true, true) => &lists.before_login_tls,
        (false, true) => &lists.after_login_tls,
    };
    let lines = match set {
        Some(lines) if before && service.may_start_tls() => with_stls(service, lines),
        Some(lines) => lines.clone(),
        None => derived(service, before),
    };
    lines.iter().flat_map(|line| [legal(line), "\r\n".to_owned()]).collect()
}

/// A list that a profile has, where TLS is still to come: with STLS, and without what is refused until then.
fn with_stls(service: &Service, lines: &[String]) -> Vec<String> {
    let usable = |line: &String| {
        let (tag, names) = line.split_once(' ').unwrap_or((line, ""));
        match tag.to_ascii_uppercase().as_str() {
            "USER" => service.admits_plaintext().then(|| line.clone()),
            "SASL" => {
                let offered =
                    |name: &&str| sasl::offered(service).any(|row| row.name.eq_ignore_ascii_case(name));
                let names: Vec<_> = names.split(' ').filter(offered).collect();
                (!names.is_empty()).then(|| format!("{tag} {}", names.join(" ")))
            }
            "STLS" => None,
            _ => Some(line.clone()),
        }
    };
    lines.iter().filter_map(usable).chain(["STLS".to_owned()]).collect()
}

/// A line as it can stand in the list (RFC 2449 section 3), whatever a profile or a recording has: printable ASCII
/// that does not begin like the terminator, of at most 512 octets with its ending.
fn legal(line: &str) -> String {
    let printable = line.trim_start_matches('.').chars().filter(|c| c.is_ascii_graphic() || *c == ' ');
    printable.take(510).collect()
}

fn derived(service: &Service, before: bool) -> Vec<String> {
    let policy = service.policy();
    let mut lines = Vec::new();
    let mut add = |there: bool, line: String| lines.extend(there.then_some(line));
    let mechanisms: Vec<_> = sasl::offered(service).map(|row| row.name).collect();
    add(policy.has(Keyword::Top), "TOP".to_owned());
    add(policy.has(Keyword::Uidl), "UIDL".to_owned());
    let password = policy.has(Keyword::User) && policy.has(Keyword::Pass);
    add(password && service.admits_plaintext(), "USER".to_owned());
    add(!mechanisms.is_empty(), format!("SASL {}", mechanisms.join(" ")));
    add(policy.response_codes, "RESP-CODES".to_owned());
    add(policy.response_codes, "AUTH-RESP-CODE".to_owned());
    add(policy.login_delay > 0, format!("LOGIN-DELAY {}", policy.login_delay));
    add(true, "PIPELINING".to_owned());
    match policy.expire {
        Some(Expire::Never) => add(true, "EXPIRE NEVER".to_owned()),
        Some(Expire::Days(days)) => add(true, format!("EXPIRE {days}")),
        None => {}
    }
    add(before && service.may_start_tls(), "STLS".to_owned());
    add(policy.has(Keyword::Utf8), "UTF8 USER".to_owned());
    add(policy.has(Keyword::Lang), "LANG".to_owned());
    add(!policy.implementation.is_empty(), format!("IMPLEMENTATION {}", policy.implementation));
    lines
}
