//! Messages for people: who, what, when, decoded from any charset (RFC 2047).

use mail_parser::{Address, MessageParser};

use super::escape::safe_beginning;
use crate::pop3::lines;

/// Octets of a header field that are shown.
const FIELD: usize = 200;

/// From, Subject and Date of a message of which the beginning is at hand; those that it has.
pub fn summary(beginning: &[u8]) -> Vec<(&'static str, String)> {
    let header: usize = lines::split(beginning).take_while(|line| !is_blank(line)).map(<[u8]>::len).sum();
    let Some(message) = MessageParser::new().parse_headers(&beginning[..header]) else { return Vec::new() };
    let fields = [
        ("From", message.from().map(addresses)),
        ("Subject", message.subject().map(str::to_owned)),
        ("Date", message.date().map(|date| date.to_rfc3339().replacen('T', " ", 1))),
    ];
    let shown = |(name, value): (_, Option<String>)| Some((name, safe_beginning(value?.as_bytes(), FIELD)));
    fields.into_iter().filter_map(shown).collect()
}

/// The lines of the header, as they are.
pub fn header_lines(beginning: &[u8]) -> impl Iterator<Item = &[u8]> {
    lines::split(beginning).take_while(|line| !is_blank(line)).map(|line| lines::split_ending(line).0)
}

fn is_blank(line: &[u8]) -> bool {
    lines::split_ending(line).0.is_empty()
}

fn addresses(address: &Address<'_>) -> String {
    let one = |address: &mail_parser::Addr<'_>| match (&address.name, &address.address) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        (Some(one), None) | (None, Some(one)) => one.to_string(),
        (None, None) => String::new(),
    };
    address.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded_from_any_charset() {
        let message = b"From: =?koi8-r?B?4c7OwQ==?= <anna@example.org>\r\n\
            Subject: =?koi8-r?B?8NLJ18XU?= =?windows-1251?Q?_=EC=E8=F0?=\r\n\
            Date: Tue, 24 Nov 1998 09:15:00 +0300\r\n\r\nSubject: not this";
        let fields = summary(message);
        assert_eq!(fields[0], ("From", "Анна <anna@example.org>".to_owned()));
        assert!(fields[1].1.starts_with("Привет") && fields[1].1.ends_with("мир"), "{fields:?}");
        assert_eq!(fields[2].1, "1998-11-24 09:15:00+03:00");
    }

    #[test]
    fn junk_has_no_fields_and_does_no_harm() {
        assert_eq!(summary(b""), []);
        assert_eq!(summary(b"\xff\xfe\0\0\r\n\r\n"), []);
        let fields = summary(b"Subject: \x1b]0;owned\x07\r\nDate: yesterday\r\n\r\n");
        assert!(fields.iter().all(|(_, value)| !value.contains('\u{1b}')), "{fields:?}");
    }
}
