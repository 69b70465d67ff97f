//! The recorded server's style: its name, capabilities and wording, learnt from what it said, so that the engine
//! can go on in its words.

use super::revealed::{Marks, Revealed, follow, number};
use super::tape::{Taken, Tape};
use crate::engine::{Capabilities, Host, Personality, Policy, Profile, Say};
use crate::pop3::lines::{split, split_ending};
use crate::pop3::{Command, Keyword, State, Status};

/// What a policy can be taken from; each session with the maildrop that it reveals. Gives that of a server that does not
/// offer STLS, and of one that does.
pub(super) fn learn(tape: &Tape, revealed: &[Revealed], scram: bool) -> [Policy; 2] {
    let mut policy = Policy { apop: false, ..base(tape) };
    policy.mechanisms.retain(|name| scram || !name.starts_with("SCRAM-"));
    // Whether there is STLS is for the listener to say.
    policy.disabled.retain(|&disabled| disabled != Keyword::Stls);
    let lists = Capabilities::default();
    let mut learning = Learning { policy, lists, user: None, clear: false, scram };
    for (taped, revealed) in tape.sessions.iter().zip(revealed) {
        if let Some(greeting) = &taped.greeting {
            learning.greeting(greeting);
        }
        let mut marks = Marks::new();
        let sizes: Vec<u64> = revealed.listing.iter().map(|scan| scan.size).collect();
        let mut left = (sizes.len() as u64, sizes.iter().sum::<u64>());
        for taken in &taped.exchanges {
            let was = marks.len();
            follow(&mut marks, taken);
            if marks.len() > was {
                let size = number(taken, 0).and_then(|n| sizes.get(n.checked_sub(1)?)).copied().unwrap_or(0);
                left = (left.0.saturating_sub(1), left.1.saturating_sub(size));
            } else if marks.is_empty() {
                left = (sizes.len() as u64, sizes.iter().sum());
            }
            let marked = marks.len() == was && number(taken, 0).is_some_and(|n| marks.contains(&n));
            let size = number(taken, 0).and_then(|n| sizes.get(n.checked_sub(1)?)).copied();
            learning.exchange(taken, &Facts { left, marked, size, all: sizes.len() as u64 });
        }
    }
    let Learning { policy, lists, clear, .. } = learning;
    let usual = policy.capabilities.clone();
    // Who took passwords in clear takes them beside STLS too.
    let plaintext = policy.plaintext.or(clear.then_some(true));
    let offering = Policy { capabilities: settled(&lists, &usual, true), plaintext, ..policy.clone() };
    [Policy { capabilities: settled(&lists, &usual, false), ..policy }, offering]
}

/// What is known when an exchange is over.
struct Facts {
    /// How many messages are not marked, and their octets.
    left: (u64, u64),
    /// The message that it names was marked before.
    marked: bool,
    /// The size of the message that it names.
    size: Option<u64>,
    /// How many messages there are.
    all: u64,
}

/// A server that is known by its greeting is like its personality where the recording says nothing else.
fn base(tape: &Tape) -> Policy {
    let greeting = tape.sessions.iter().find_map(|taped| taped.greeting.as_ref());
    let greeting = greeting.filter(|greeting| greeting.status == Some(Status::Ok));
    let known = greeting.and_then(|greeting| Personality::that_greets(&greeting.text()));
    // An empty greeting alone says little: who has CAPA is not the one that says nothing.
    let exchanges = || tape.sessions.iter().flat_map(|taped| &taped.exchanges);
    let has_capa =
        exchanges().any(|taken| taken.keyword() == Keyword::Capa && taken.status == Some(Status::Ok));
    let speaks = exchanges().any(|taken| {
        let talk = taken.keyword() != Keyword::Uidl && taken.status == Some(Status::Ok);
        talk && taken.text().bytes().any(|octet| octet.is_ascii_alphabetic())
    });
    let known = known.filter(|known| known.greets != Some("") || !has_capa && !speaks);
    let profile = known.and_then(|personality| Profile::parse("", Some(personality.name)).ok());
    profile.map(|profile| profile.policy).unwrap_or_default()
}

/// The lists of a server: as they were recorded, else as they are usual, else one that was not seen is like the one that
/// was. Under TLS, and where there is none and none to come, what was recorded under TLS counts more.
fn settled(seen: &Capabilities, usual: &Capabilities, stls: bool) -> Capabilities {
    type List = Option<Vec<String>>;
    let known = |first: &List, second: &List, usual: &List| {
        [first, second, usual].into_iter().find(|list| list.is_some()).cloned().flatten()
    };
    let alike = |before: List, after: List| (before.clone().or(after.clone()), after.or(before));
    let under = alike(
        known(&seen.before_login_tls, &seen.before_login, &usual.before_login),
        known(&seen.after_login_tls, &seen.after_login, &usual.after_login),
    );
    let (mut before_login, after_login) = if stls {
        alike(
            known(&seen.before_login, &seen.before_login_tls.as_deref().map(in_clear), &usual.before_login),
            known(&seen.after_login, &seen.after_login_tls, &usual.after_login),
        )
    } else {
        under.clone()
    };
    if let (true, Some(lines)) = (stls, &mut before_login) {
        lines.push("STLS".to_owned());
    }
    Capabilities { before_login, after_login, before_login_tls: under.0, after_login_tls: under.1 }
}

/// What of a list that was seen under TLS is to be had before it: no way to send a password as it is.
fn in_clear(lines: &[String]) -> Vec<String> {
    let kept = lines.iter().filter_map(|line| {
        let (tag, names) = line.split_once(' ').unwrap_or((line, ""));
        match tag.to_ascii_uppercase().as_str() {
            "USER" => None,
            "SASL" => {
                let names: Vec<_> = names.split(' ').filter(|name| !is_plaintext(name)).collect();
                (!names.is_empty()).then(|| format!("{tag} {}", names.join(" ")))
            }
            _ => Some(line.clone()),
        }
    });
    kept.collect()
}

/// Whether a mechanism sends what it is to prove (RFC 5034 section 4).
fn is_plaintext(mechanism: &str) -> bool {
    ["PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"].iter().any(|name| name.eq_ignore_ascii_case(mechanism))
}

/// The lines of a CAPA list of which the engine can keep the word. `scram`: whether it knows a password to offer SCRAM
/// with; `stls`: whether STLS is offered, which it is then, once, wherever the list had it.
pub(super) fn tenable(lines: Vec<String>, scram: bool, stls: bool) -> Vec<String> {
    let mut missing = stls;
    let kept = lines.into_iter().filter_map(|line| {
        let mut words = line.split(' ');
        let tag = words.next().unwrap_or_default();
        if tag.eq_ignore_ascii_case("STLS") {
            return std::mem::take(&mut missing).then_some(line);
        }
        if !tag.eq_ignore_ascii_case("SASL") {
            return Some(line);
        }
        let names: Vec<_> = words.filter(|name| can(name, scram)).collect();
        (!names.is_empty()).then(|| format!("{tag} {}", names.join(" ")))
    });
    let mut kept: Vec<_> = kept.collect();
    kept.extend(missing.then(|| "STLS".to_owned()));
    kept
}

fn can(mechanism: &str, scram: bool) -> bool {
    is_plaintext(mechanism)
        || mechanism.eq_ignore_ascii_case("CRAM-MD5")
        || scram && ["SCRAM-SHA-1", "SCRAM-SHA-256"].iter().any(|name| name.eq_ignore_ascii_case(mechanism))
}

/// The lines of a CAPA answer.
pub(super) fn capabilities(taken: &Taken) -> Vec<String> {
    let content = taken.content().unwrap_or_default();
    split(&content).map(|line| String::from_utf8_lossy(split_ending(line).0).into_owned()).collect()
}

struct Learning {
    policy: Policy,
    /// The capability lists that were seen, without STLS.
    lists: Capabilities,
    user: Option<String>,
    /// A password or token was taken in clear.
    clear: bool,
    scram: bool,
}

impl Learning {
    fn greeting(&mut self, greeting: &Taken) {
        if greeting.status != Some(Status::Ok) {
            return;
        }
        let text = greeting.text();
        let mark = text.find('<').and_then(|from| Some((from, from + text[from..].find('>')?)));
        let template = match mark {
            Some((from, to)) if text[from..to].contains('@') => {
                if let Some((_, host)) = text[from + 1..to].split_once('@') {
                    self.policy.host = Host::from(host);
                }
                self.policy.apop = true;
                format!("{}{{timestamp}}{}", escape(&text[..from]), escape(&text[to + 1..]))
            }
            _ => escape(&text),
        };
        self.set(Say::Greeting, &template);
    }

    fn exchange(&mut self, taken: &Taken, facts: &Facts) {
        let (Some(status), keyword) = (taken.status, taken.keyword()) else { return };
        if keyword == Keyword::User {
            self.user = super::matching::argument(&taken.command);
        }
        if status == Status::Ok {
            // What was answered so is there, whatever the personality lacks.
            self.policy.disabled.retain(|&disabled| disabled != keyword);
        }
        if keyword == Keyword::Capa {
            self.capa(taken, status);
            return;
        }
        let plaintext = match keyword {
            Keyword::Pass => true,
            Keyword::Auth => {
                let command = Command::parse(&taken.command);
                let name = command.words().next().and_then(|name| std::str::from_utf8(name).ok());
                name.is_some_and(is_plaintext)
            }
            _ => false,
        };
        self.clear |= plaintext && status == Status::Ok && !taken.tls;
        let n = number(taken, 0).map(|n| n as u64);
        let before = taken.state == State::Authorization;
        let beyond = n.is_some_and(|n| n > facts.all);
        let named =
            matches!(keyword, Keyword::Retr | Keyword::Top | Keyword::Dele | Keyword::List | Keyword::Uidl);
        let say = match (status, keyword) {
            (Status::Ok, Keyword::User) => Say::User,
            (Status::Ok, Keyword::Pass | Keyword::Apop | Keyword::Auth) => Say::LoggedIn,
            (Status::Ok, Keyword::Stls) => Say::Stls,
            (Status::Err, Keyword::Pass | Keyword::Apop) if before && self.user.is_some() => {
                Say::BadCredentials
            }
            (Status::Err, Keyword::Auth) if before && taken.challenged => Say::BadAuth,
            (Status::Ok, Keyword::List) if n.is_none() => Say::List,
            (Status::Ok, Keyword::Uidl) if n.is_none() => Say::Uidl,
            (Status::Ok, Keyword::Retr) => Say::Retr,
            (Status::Ok, Keyword::Top) => Say::Top,
            (Status::Ok, Keyword::Dele) => Say::Dele,
            (Status::Ok, Keyword::Noop) => Say::Noop,
            (Status::Ok, Keyword::Rset) => Say::Rset,
            (Status::Ok, Keyword::Quit) if before => Say::QuitEarly,
            (Status::Ok, Keyword::Quit) if facts.left.0 == 0 => Say::QuitEmpty,
            (Status::Ok, Keyword::Quit) => Say::Quit,
            (Status::Err, _) if named && facts.marked => Say::Deleted,
            (Status::Err, Keyword::List | Keyword::Uidl) if beyond => Say::NoSuchMessageToList,
            (Status::Err, Keyword::Retr | Keyword::Top | Keyword::Dele) if beyond => Say::NoSuchMessage,
            (Status::Err, Keyword::Unknown) if before => Say::Unknown,
            (Status::Err, Keyword::Unknown) => Say::UnknownLater,
            (Status::Err, other) => match other.row() {
                Some(row) if !row.states.contains(&taken.state) && before => Say::WrongState,
                Some(row) if !row.states.contains(&taken.state) => Say::WrongStateLater,
                _ => return,
            },
            _ => return,
        };
        // Where only so many are in the maildrop, it is how many there were (RFC 1939 section 5).
        let count = if say == Say::NoSuchMessageToList { facts.all } else { facts.left.0 };
        let size = if n.is_some() { facts.size } else { Some(facts.left.1) };
        let template = template(&taken.text(), n, Some(count), size, self.user.as_deref());
        // A number that is none of the situation's would be a wrong one the next time.
        let counts =
            matches!(say, Say::LoggedIn | Say::List | Say::Rset | Say::Quit | Say::QuitEmpty | Say::Retr);
        if counts && template.contains(|c: char| c.is_ascii_digit()) {
            return;
        }
        self.set(say, &template);
        if say == Say::Quit && !template.contains('{') {
            self.set(Say::QuitEmpty, &template);
        }
    }

    fn capa(&mut self, taken: &Taken, status: Status) {
        if status != Status::Ok {
            if super::matching::argument(&taken.command).is_none() {
                self.policy.disabled.push(Keyword::Capa);
            }
            return;
        }
        let lines = tenable(capabilities(taken), self.scram, false);
        let offered = lines.iter().find_map(|line| line.strip_prefix("SASL ")).unwrap_or_default();
        for name in offered.split(' ').filter(|name| !name.is_empty()) {
            if !self.policy.mechanisms.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                self.policy.mechanisms.push(name.to_owned());
            }
            self.policy.disabled.retain(|&disabled| disabled != Keyword::Auth);
        }
        self.set(Say::Capa, &escape(&taken.text()));
        let lists = &mut self.lists;
        let list = match (taken.state == State::Authorization, taken.tls) {
            (true, false) => &mut lists.before_login,
            (false, false) => &mut lists.after_login,
            (true, true) => &mut lists.before_login_tls,
            (false, true) => &mut lists.after_login_tls,
        };
        list.get_or_insert(lines);
    }

    fn set(&mut self, say: Say, template: &str) {
        // A text that does not fit, Cyrillic letters for instance, stays the default.
        let _ = self.policy.wording.set(say, template);
    }
}

/// A text as a template: braces would be placeholders.
fn escape(text: &str) -> String {
    text.replace(['{', '}'], "")
}

/// A text with its numbers, as far as they are those of the situation, made placeholders.
fn template(text: &str, n: Option<u64>, count: Option<u64>, size: Option<u64>, user: Option<&str>) -> String {
    let mut out = String::with_capacity(text.len());
    let escaped = escape(text);
    let mut rest = &escaped[..];
    while !rest.is_empty() {
        let word = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        if word == 0 {
            let next = rest.chars().next().map_or(1, char::len_utf8);
            out.push_str(&rest[..next]);
            rest = &rest[next..];
            continue;
        }
        let (token, tail) = rest.split_at(word);
        let value = token.parse::<u64>().ok();
        let unit = |noun: &str| {
            let after = tail.strip_prefix(' ')?.strip_prefix(noun)?;
            let after = after.strip_prefix('s').unwrap_or(after);
            (!after.starts_with(|c: char| c.is_ascii_alphanumeric())).then_some(after)
        };
        rest = tail;
        match value {
            Some(value) if Some(value) == count && unit("message").is_some() => {
                out.push_str("{messages}");
                rest = unit("message").unwrap_or_default();
            }
            Some(value) if Some(value) == size && unit("octet").is_some() => {
                out.push_str("{octets}");
                rest = unit("octet").unwrap_or_default();
            }
            Some(value) if Some(value) == n => out.push_str("{n}"),
            Some(value) if Some(value) == size => out.push_str("{size}"),
            Some(value) if Some(value) == count => out.push_str("{count}"),
            _ if Some(token) == user => out.push_str("{user}"),
            _ => out.push_str(token),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_situation_become_placeholders() {
        let of = |text| template(text, Some(7), Some(2), Some(320), Some("kcope"));
        assert_eq!(of("message 7 deleted"), "message {n} deleted");
        assert_eq!(of("2 messages (320 octets)"), "{messages} ({octets})");
        assert_eq!(of("kcope's maildrop has 2 messages"), "{user}'s maildrop has {messages}");
        assert_eq!(of("320 octets follow, 20 of 2: x320"), "{octets} follow, 20 of {count}: x320");
        assert_eq!(of("a {b} 7."), "a b {n}.");
    }

    #[test]
    fn what_cannot_be_kept_is_not_announced() {
        let lines = |lines: &[&str]| lines.iter().map(|&line| line.to_owned()).collect::<Vec<_>>();
        let list = lines(&["TOP", "STLS", "SASL PLAIN SCRAM-SHA-1 GSSAPI SCRAM-SHA-1-PLUS", "UIDL"]);
        assert_eq!(tenable(list.clone(), false, false), lines(&["TOP", "SASL PLAIN", "UIDL"]));
        assert_eq!(tenable(list.clone(), true, false), lines(&["TOP", "SASL PLAIN SCRAM-SHA-1", "UIDL"]));
        assert_eq!(tenable(list, false, true), lines(&["TOP", "STLS", "SASL PLAIN", "UIDL"]));
        assert_eq!(tenable(lines(&["SASL NTLM"]), false, false), lines(&[]));
    }

    #[test]
    fn stls_is_announced_once_wherever_it_was() {
        let lines = |lines: &[&str]| lines.iter().map(|&line| line.to_owned()).collect::<Vec<_>>();
        assert_eq!(tenable(lines(&["STLS", "stls", "TOP"]), false, true), lines(&["STLS", "TOP"]));
        assert_eq!(tenable(lines(&["TOP"]), false, true), lines(&["TOP", "STLS"]));
    }
}
