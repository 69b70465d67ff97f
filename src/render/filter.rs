//! The filter language of `-f`: operators of one exchange, combined with `!`, `&`, `|` and parentheses.
//!
//! ```text
//! filter = and ("|" and)*      and = not ("&"? not)*      not = "!" not | "(" filter ")" | "~op" [argument] | word
//! ```

use std::fmt;
use std::sync::Arc;

use super::exchange::SLOW;
use super::message::summary;
use crate::pop3::dissect::Request;
use crate::pop3::{Keyword, State, Status};
use crate::recording::Exchange;

/// How deep parentheses and negations may be nested.
const DEPTH: usize = 64;

type Test = Arc<dyn Fn(u32, &Exchange) -> bool + Send + Sync>;

/// An operator.
struct Operator {
    name: &'static str,
    /// What follows it; empty for nothing, in brackets where it may be left out.
    argument: &'static str,
    help: &'static str,
    test: fn(&str) -> Result<Test, String>,
}

/// Every operator: a new one is a row.
#[rustfmt::skip]
const OPERATORS: &[Operator] = &[
    Operator { name: "c", argument: "WORD", help: "the command's keyword, e.g. ~c RETR", test: command },
    Operator { name: "s", argument: "STATUS", help: "+OK, -ERR, + or none, e.g. ~s -ERR", test: status },
    Operator { name: "session", argument: "N", help: "the session's number", test: session },
    Operator { name: "state", argument: "STATE", help: "the state before it, or its beginning: AUTH, TRANS, UPD", test: state },
    Operator { name: "t", argument: "TEXT", help: "command, reply, From, Subject or the body's beginning hold this", test: text },
    Operator { name: "slow", argument: "[MS]", help: "took at least this, 1000 ms where none is given; >200 and so on", test: slow },
    Operator { name: "size", argument: "OCTETS", help: "octets of the whole reply, e.g. 500, >10k, <=1m", test: size },
];

#[expect(clippy::unnecessary_wraps, reason = "of the shape that a row has")]
fn command(word: &str) -> Result<Test, String> {
    let word = word.to_owned().into_bytes();
    Ok(Arc::new(move |_, exchange| {
        exchange
            .command
            .as_deref()
            .is_some_and(|line| crate::pop3::Command::parse(line).name.eq_ignore_ascii_case(&word))
    }))
}

fn status(word: &str) -> Result<Test, String> {
    let wanted = match word.to_ascii_lowercase().as_str() {
        "+ok" | "ok" => Some(Status::Ok),
        "-err" | "err" => Some(Status::Err),
        "+" => Some(Status::Continue),
        "none" => None,
        _ => return Err(format!("{word:?} is no status: +OK, -ERR, + or none")),
    };
    Ok(Arc::new(move |_, exchange| exchange.status == wanted))
}

fn session(word: &str) -> Result<Test, String> {
    let wanted: u32 = word.parse().map_err(|_| format!("{word:?} is no session's number"))?;
    Ok(Arc::new(move |session, _| session == wanted))
}

fn state(word: &str) -> Result<Test, String> {
    let word = word.to_ascii_uppercase();
    let states = [State::Authorization, State::Transaction, State::Update];
    let wanted = states.into_iter().find(|state| state.name().starts_with(&word));
    let wanted =
        wanted.ok_or_else(|| format!("{word:?} is no state: AUTHORIZATION, TRANSACTION or UPDATE"))?;
    Ok(Arc::new(move |_, exchange| exchange.state == wanted))
}

fn is_message(exchange: &Exchange) -> bool {
    matches!(exchange.request, Some(Request::Command(Keyword::Retr | Keyword::Top)))
}

#[expect(clippy::unnecessary_wraps, reason = "of the shape that a row has")]
fn text(word: &str) -> Result<Test, String> {
    let word = word.to_lowercase();
    Ok(Arc::new(move |_, exchange| {
        let holds = |part: &str| part.to_lowercase().contains(&word);
        let parts = [exchange.command.as_deref(), exchange.reply.as_deref(), Some(&exchange.body[..])];
        parts.into_iter().flatten().any(|part| holds(&String::from_utf8_lossy(part)))
            || is_message(exchange) && summary(&exchange.body).iter().any(|(_, value)| holds(value))
    }))
}

type Compare = fn(&u64, &u64) -> bool;

/// A comparison and the number it compares with; without a sign it means "at least".
fn comparison(word: &str) -> (Compare, &str) {
    const SIGNS: [(&str, Compare); 5] =
        [(">=", u64::ge), ("<=", u64::le), (">", u64::gt), ("<", u64::lt), ("=", u64::eq)];
    let found = SIGNS.iter().find_map(|(sign, compare)| Some((*compare, word.strip_prefix(sign)?)));
    found.unwrap_or((u64::ge, word))
}

fn slow(word: &str) -> Result<Test, String> {
    let (compare, digits) = comparison(word);
    let limit = if digits.is_empty() {
        SLOW
    } else {
        let number: u64 = digits.parse().map_err(|_| format!("{word:?} is no number of milliseconds"))?;
        number.saturating_mul(1000)
    };
    Ok(Arc::new(move |_, exchange| exchange.took.is_some_and(|took| compare(&took, &limit))))
}

fn size(word: &str) -> Result<Test, String> {
    let (compare, digits) = comparison(word);
    let (digits, unit) = match digits.as_bytes() {
        [rest @ .., b'k' | b'K'] => (&digits[..rest.len()], 1 << 10),
        [rest @ .., b'm' | b'M'] => (&digits[..rest.len()], 1 << 20),
        _ => (digits, 1),
    };
    let number: u64 = digits.parse().map_err(|_| format!("{word:?} is no number of octets"))?;
    let number = number.saturating_mul(unit);
    Ok(Arc::new(move |_, exchange| compare(&exchange.wire, &number)))
}

/// A parsed filter.
#[derive(Clone)]
pub struct Filter(Node);

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Filter")
    }
}

#[derive(Clone)]
enum Node {
    Test(Test),
    Not(Box<Node>),
    All(Vec<Node>),
    Any(Vec<Node>),
}

impl Node {
    fn matches(&self, session: u32, exchange: &Exchange) -> bool {
        match self {
            Self::Test(test) => test(session, exchange),
            Self::Not(node) => !node.matches(session, exchange),
            Self::All(nodes) => nodes.iter().all(|node| node.matches(session, exchange)),
            Self::Any(nodes) => nodes.iter().any(|node| node.matches(session, exchange)),
        }
    }
}

/// What is wrong with a filter, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}, at character {place}")]
pub struct FilterError {
    problem: String,
    place: usize,
}

impl std::str::FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let mut parser = Parser { text, at: 0, depth: 0 };
        let node = parser.any()?;
        match parser.peek() {
            None => Ok(Self(node)),
            Some(found) => Err(parser.error(format!("{found:?} has no counterpart"))),
        }
    }
}

impl Filter {
    /// Whether an exchange of this session passes.
    pub fn matches(&self, session: u32, exchange: &Exchange) -> bool {
        self.0.matches(session, exchange)
    }

    /// The language, for `--help`.
    pub fn help() -> String {
        let row = |operator: &Operator| {
            let usage = format!("~{} {}", operator.name, operator.argument);
            format!("  {usage:<23} {}\n", operator.help)
        };
        let operators: String = OPERATORS.iter().map(row).collect();
        format!(
            "Filters choose exchanges:\n{operators}  \
             WORD                    the same as ~t WORD; \"quotes\" keep blanks and signs\n  \
             !A   A & B   A | B      not, and (also by a blank), or; ( ) group\n\
             For example: -f '~c RETR & !~s +OK', -f '~slow 200 | ~s none'"
        )
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn error(&self, problem: impl Into<String>) -> FilterError {
        let place = self.text[..self.at].chars().count() + 1;
        FilterError { problem: problem.into(), place }
    }

    fn peek(&mut self) -> Option<char> {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        self.text[self.at..].chars().next()
    }

    fn skip(&mut self, sign: char) -> bool {
        let found = self.peek() == Some(sign);
        self.at += if found { sign.len_utf8() } else { 0 };
        found
    }

    fn any(&mut self) -> Result<Node, FilterError> {
        let mut nodes = vec![self.all()?];
        while self.skip('|') {
            nodes.push(self.all()?);
        }
        Ok(Node::Any(nodes))
    }

    fn all(&mut self) -> Result<Node, FilterError> {
        let mut nodes = vec![self.one()?];
        while self.skip('&') || self.peek().is_some_and(|next| next != '|' && next != ')') {
            nodes.push(self.one()?);
        }
        Ok(Node::All(nodes))
    }

    fn one(&mut self) -> Result<Node, FilterError> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(self.error(format!("it is nested more than {DEPTH} deep")));
        }
        let node = if self.skip('!') {
            Node::Not(Box::new(self.one()?))
        } else if self.skip('(') {
            let node = self.any()?;
            if !self.skip(')') {
                return Err(self.error("a closing parenthesis is missing"));
            }
            node
        } else if self.skip('~') {
            self.operator()?
        } else {
            match self.word()? {
                word if word.is_empty() => return Err(self.error("an operator or a word is expected")),
                word => Node::Test(text(&word).map_err(|problem| self.error(problem))?),
            }
        };
        self.depth -= 1;
        Ok(node)
    }

    fn operator(&mut self) -> Result<Node, FilterError> {
        let rest = &self.text[self.at..];
        let name = &rest[..rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len())];
        let Some(operator) = OPERATORS.iter().find(|operator| operator.name == name) else {
            let all: Vec<String> = OPERATORS.iter().map(|operator| format!("~{}", operator.name)).collect();
            return Err(self.error(format!("~{name} is no operator: {}", all.join(" "))));
        };
        self.at += name.len();
        let optional = operator.argument.starts_with('[');
        let begins_number = self.peek().is_some_and(|next| next.is_ascii_digit() || "<>=".contains(next));
        let argument = if optional && !begins_number { String::new() } else { self.word()? };
        if argument.is_empty() && !optional {
            return Err(self.error(format!("~{name} needs {}", operator.argument)));
        }
        (operator.test)(&argument).map(Node::Test).map_err(|problem| self.error(problem))
    }

    /// A word, or one in quotes.
    fn word(&mut self) -> Result<String, FilterError> {
        if self.skip('"') {
            let rest: &'a str = &self.text[self.at..];
            let Some(end) = rest.find('"') else { return Err(self.error("a closing quote is missing")) };
            self.at += end + 1;
            return Ok(rest[..end].to_owned());
        }
        self.peek();
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| c.is_whitespace() || "()&|".contains(c)).unwrap_or(rest.len());
        self.at += end;
        Ok(rest[..end].to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pop3::{Dissector, Secrets};
    use crate::recording::Assembler;
    use crate::wire::Side;

    /// The commands of a small session that pass.
    fn passing(filter: &str) -> Vec<String> {
        let filter: Filter = filter.parse().unwrap();
        let mut dissector = Dissector::new(Secrets::Redact);
        let mut assembler = Assembler::new(1000);
        let mut exchanges = Vec::new();
        let mut at = 0;
        for (side, octets) in [
            (Side::Server, &b"+OK\r\n"[..]),
            (Side::Client, b"USER ada\r\n"),
            (Side::Server, b"+OK\r\n"),
            (Side::Client, b"pass x\r\n"),
            (Side::Server, b"+OK\r\n"),
            (Side::Client, b"RETR 1\r\n"),
            (Side::Server, b"+OK\r\nSubject: =?koi8-r?B?8NLJ18XU?= HELLO\r\n.\r\n"),
            (Side::Client, b"RETR 2\r\n"),
            (Side::Server, b"-ERR no\r\n"),
            (Side::Client, b"NOOP\r\n"),
        ] {
            at += 1_500_000;
            dissector.feed(side, at, octets.into(), &mut |event| exchanges.extend(assembler.take(&event)));
        }
        dissector.finish(&mut |event| exchanges.extend(assembler.take(&event)));
        exchanges.extend(assembler.settle());
        exchanges.retain(|exchange| exchange.command.is_some() && filter.matches(3, exchange));
        exchanges
            .iter()
            .map(|exchange| String::from_utf8_lossy(exchange.command.as_ref().unwrap()).into())
            .collect()
    }

    #[test]
    fn operators_and_their_combinations() {
        assert_eq!(passing("~c retr"), ["RETR 1", "RETR 2"]);
        assert_eq!(passing("~c RETR & !~s +OK"), ["RETR 2"]);
        assert_eq!(passing("~c RETR ~s OK"), ["RETR 1"]);
        assert_eq!(passing("~s none | ~c USER"), ["USER ada", "NOOP"]);
        assert_eq!(passing("hello"), ["RETR 1"]);
        assert_eq!(passing("~t \u{43f}\u{440}\u{438}\u{432}\u{435}\u{442}"), ["RETR 1"], "decoded");
        assert_eq!(passing("~t \"-ERR no\""), ["RETR 2"]);
        assert_eq!(passing("~state auth !(~c PASS | ~c RETR)"), ["USER ada"]);
        assert_eq!(passing("~session 3 & ~size >20"), ["RETR 1"]);
        assert_eq!(
            passing("~size <6 ~slow"),
            ["USER ada", "PASS ********"].map(|s| s.replace("PASS", "pass"))
        );
        assert_eq!(passing("~slow 1600"), [""; 0]);
        assert_eq!(passing("~size <=5 ~slow <=1500"), passing("~size =5"));
        assert_eq!(passing("~size =5 & ~slow >=1500").len(), 2);
        assert_eq!(passing("~slow >1500"), [""; 0]);
        assert_eq!(passing("~size 1k"), [""; 0]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let problem = |filter: &str| filter.parse::<Filter>().unwrap_err().to_string();
        assert_eq!(problem(""), "an operator or a word is expected, at character 1");
        assert_eq!(problem("~c"), "~c needs WORD, at character 3");
        assert!(problem("~x y").starts_with("~x is no operator: ~c ~s"));
        assert_eq!(problem("(~c RETR"), "a closing parenthesis is missing, at character 9");
        assert_eq!(problem("a)"), "')' has no counterpart, at character 2");
        assert!(problem("~s yes").contains("no status"));
        assert!(problem("~size many").contains("octets"));
        assert!(problem(&"(".repeat(100_000)).contains("nested"));
        assert!(problem(&"!".repeat(100_000)).contains("nested"));
        assert!(problem("a \"b").contains("closing quote"));
    }

    #[test]
    fn the_help_names_every_operator() {
        let help = Filter::help();
        assert!(OPERATORS.iter().all(|operator| help.contains(&format!("~{} ", operator.name))), "{help}");
    }
}
