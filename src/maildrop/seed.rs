//! The maildrop of the demonstration: RFC 1939's conversation in section 10 and its retellings in textbooks
//! have two messages of 120 and 200 octets. Here they exist, with the client's side of the conversation.

use super::{Message, load};

/// Whose maildrop it is.
pub const USER: &str = "kcope";

/// The user's password.
pub const PASSWORD: &str = "secret";

const FIRST: &str = "\
From: Ada <ada@example.org>\r
To: kcope@example.org\r
Date: Tue, 24 Nov 1998 09:15:00 +0300\r
\r
Tea at five, at my place.\r
";

/// The subject is a greeting in Russian, as mail of the time wrote it.
const SECOND: &str = "\
From: Ada <ada@example.org>\r
To: kcope@example.org\r
Date: Tue, 24 Nov 1998 10:40:00 +0300\r
Subject: =?KOI8-R?B?8NLJ18XU?=\r
\r
The kettle is on.\r
\r
Bring your notes on POP3 (RFC 1939) and two pencils.\r
";

/// The two messages: 120 and 200 octets.
pub fn messages() -> Vec<Message> {
    load([FIRST, SECOND])
}

/// What the client says, line by line without the endings: every command of the conversation. RSET comes
/// before QUIT, so both messages stay.
pub const CONVERSATION: [&str; 17] = [
    "USER kcope",
    "PASS secret",
    "STAT",
    "LIST",
    "LIST 2",
    "LIST 3",
    "TOP 1 10",
    "TOP 100 3",
    "NOOP",
    "RETR 1",
    "DELE 1",
    "DELE 2",
    "DELE 2",
    "STAT",
    "RSET",
    "STAT",
    "QUIT",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_messages_have_the_sizes_of_the_conversation() {
        let sizes: Vec<_> = messages().iter().map(Message::size).collect();
        assert_eq!(sizes, [120, 200]);
        assert!(
            [FIRST, SECOND]
                .iter()
                .all(|text| text.is_ascii() && text.replace("\r\n", "").find('\n').is_none())
        );
    }

    #[test]
    fn the_subject_is_readable() {
        let parsed = mail_parser::MessageParser::default().parse(SECOND);
        assert_eq!(parsed.as_ref().and_then(|message| message.subject()), Some("Привет"));
    }
}
