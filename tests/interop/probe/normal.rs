//! Makes two transcripts equal wherever only the run, the machine or the account differ.

use super::Account;

/// A line of a reply, `first` being its status line, to the command `verb`:
///
/// - the unique-id of a listing and of a reply to `UIDL n` is `<uid>`: what a server makes it from
///   is the business of its storage. So it is in the header that Mailutils keeps it in;
/// - an APOP timestamp, which names process, time and host, is `<timestamp>`;
/// - what follows `+ ` is `<challenge>`, save that an empty one stays empty;
/// - the account's name and password are `<user>` and `<password>`;
/// - what is left of such a name before its `@` is `<name>`;
/// - many `x` in a row, of an over-long line that comes back, are `<300 x>`;
/// - the temporary folder in the greeting of the tests' Dovecot is left out.
///
/// The text of a message is kept, so that headers which a server adds are seen.
pub fn normal(line: &str, first: bool, verb: &str, account: Account) -> String {
    if !first {
        return match (verb, line.split_once(' ')) {
            ("UIDL", Some((number, id))) if !id.contains(' ') => format!("{number} <uid>"),
            ("RETR", Some((header @ "X-UIDL:", _))) => format!("{header} <uid>"),
            _ => line.to_owned(),
        };
    }
    if line.strip_prefix("+ ").is_some_and(|challenge| !challenge.is_empty()) {
        return "+ <challenge>".into();
    }
    let mut line = line.replace(account.password, "<password>").replace(account.user, "<user>");
    if let Some((name, _)) = account.user.split_once('@') {
        line = line.replace(name, "<name>");
    }
    if verb == "UIDL"
        && let [number, id] = *line.trim_start_matches("+OK ").split(' ').collect::<Vec<_>>()
        && number.parse::<u32>().is_ok()
    {
        line.truncate(line.len() - id.len());
        line += "<uid>";
    }
    if let Some(from) = line.find('<')
        && let Some(length) = line[from..].find('>')
        && line[from..from + length].contains('@')
    {
        line.replace_range(from..=from + length, "<timestamp>");
    }
    if let Some(from) = line.find(" in .tmp") {
        line.truncate(from);
    }
    if let Some(from) = line.find("xxxxx") {
        let count = line[from..].bytes().take_while(|octet| *octet == b'x').count();
        line.replace_range(from..from + count, &format!("<{count} x>"));
    }
    line
}
