//! SASL payloads (RFC 5034) decoded by mechanism: what may be shown of them, taken out before they are masked.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::wire::Side;

/// What a SASL payload said, without its secrets. Stored beside the masked payload.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Step {
    /// The mechanism, upper case.
    pub mechanism: String,
    /// The authentication identity, where the payload holds one.
    pub user: Option<String>,
    /// The authorization identity, where the payload holds one that is not empty.
    pub authorization_id: Option<String>,
    /// The rest that is fit to be shown, in words: a prompt, an iteration count, an error status.
    pub detail: Option<String>,
}

/// A detail: the client could bind to the channel, and finds that the server does not offer it (RFC 5802 section 6).
pub const BINDING_NOT_OFFERED: &str = "channel binding not offered by the server";

/// One authentication exchange as it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    mechanism: String,
    responses: u32,
    /// Which payload is which cannot be told.
    blind: bool,
}

impl Exchange {
    /// Begins with the mechanism that AUTH named.
    pub fn new(mechanism: &[u8]) -> Self {
        Self {
            mechanism: String::from_utf8_lossy(mechanism).to_ascii_uppercase(),
            responses: 0,
            blind: false,
        }
    }

    /// Whether this is NTLM, which old servers answer out of shape.
    pub fn is_ntlm(&self) -> bool {
        self.mechanism == "NTLM"
    }

    /// Counts a line of the client that has no payload to decode.
    pub fn skip(&mut self) {
        self.responses += 1;
    }

    /// Lines of it were not seen: what comes next could be anything, the password where a name is due.
    pub fn lost(&mut self) {
        self.blind = true;
    }

    /// Decodes the next base64 payload of a side.
    pub fn step(&mut self, side: Side, payload: &[u8]) -> Step {
        if side == Side::Client {
            self.responses += 1;
        }
        let decoded = BASE64_STANDARD.decode(payload);
        let mut step = Step { mechanism: self.mechanism.clone(), ..Step::default() };
        let Ok(decoded) = decoded else {
            step.detail = Some("not base64".to_owned());
            return step;
        };
        if self.blind {
            return step;
        }
        match side {
            Side::Client => {
                if self.response(&decoded, &mut step).is_none() {
                    step.detail = Some("malformed".to_owned());
                }
            }
            Side::Server => self.challenge(&decoded, &mut step),
        }
        step
    }

    /// Only a payload of exactly the mechanism's shape is looked into: in any other a secret may stand where
    /// a name is due. None for such a one.
    fn response(&self, payload: &[u8], step: &mut Step) -> Option<()> {
        match self.mechanism.as_str() {
            // RFC 4616: [authzid] NUL authcid NUL passwd
            "PLAIN" => {
                let fields: Vec<_> = payload.split(|&b| b == 0).collect();
                let [authorization_id, user, _] = fields[..] else { return None };
                step.authorization_id = Some(text(authorization_id)).filter(|id| !id.is_empty());
                step.user = Some(text(user));
            }
            "LOGIN" if self.responses == 1 => step.user = Some(text(payload)),
            "LOGIN" => step.detail = Some("the password".to_owned()),
            // RFC 2195: user SP digest
            "CRAM-MD5" => {
                let (user, digest) = payload.split_at(memchr::memrchr(b' ', payload)?);
                let is_digest = digest.len() == 33 && digest[1..].iter().all(u8::is_ascii_hexdigit);
                step.user = Some(text(is_digest.then_some(user)?));
            }
            // RFC 5802: gs2-header client-first-message-bare
            scram if scram.starts_with("SCRAM-") && self.responses == 1 => {
                let fields: Vec<_> = payload.split(|&b| b == b',').collect();
                let [binding, authorization_id, user, nonce, ..] = fields[..] else { return None };
                let user = user.strip_prefix(b"n=").filter(|_| nonce.starts_with(b"r="))?;
                step.authorization_id = authorization_id.strip_prefix(b"a=").map(|id| saslname(&text(id)));
                step.user = Some(saslname(&text(user)));
                step.detail = match binding.first() {
                    Some(b'p') => Some("with channel binding".to_owned()),
                    Some(b'y') => Some(BINDING_NOT_OFFERED.to_owned()),
                    _ => None,
                };
            }
            scram if scram.starts_with("SCRAM-") && self.responses == 2 => {
                step.detail = Some("the client's proof".to_owned());
            }
            "XOAUTH2" => {
                let fields: Vec<_> = payload.split(|&b| b == 1).collect();
                let [user, token, b"", b""] = fields[..] else { return None };
                let user = user.strip_prefix(b"user=").filter(|_| token.starts_with(b"auth="))?;
                step.user = Some(text(user));
            }
            // RFC 7628: gs2-header 01 key=value 01 ... 01
            "OAUTHBEARER" => {
                let fields: Vec<_> = payload.split(|&b| b == 1).collect();
                let [header, .., b"", b""] = fields[..] else { return None };
                let [_, user, b""] = header.split(|&b| b == b',').collect::<Vec<_>>()[..] else {
                    return None;
                };
                step.user = user.strip_prefix(b"a=").map(|user| saslname(&text(user)));
            }
            "EXTERNAL" => step.authorization_id = Some(text(payload)).filter(|id| !id.is_empty()),
            _ => {}
        }
        Some(())
    }

    fn challenge(&self, payload: &[u8], step: &mut Step) {
        match self.mechanism.as_str() {
            "LOGIN" => {
                // Only the two prompts that servers use: anything else could be an echo of a secret.
                let prompt = text(payload);
                let known = ["user name", "username", "password", "login"];
                let bare = prompt.trim_end_matches(['\0', ':', ' ']).to_ascii_lowercase();
                if known.contains(&bare.as_str()) {
                    step.detail = Some(prompt.trim_end_matches(['\0', ' ']).to_owned());
                }
            }
            "CRAM-MD5" => step.detail = Some("the challenge".to_owned()),
            scram if scram.starts_with("SCRAM-") => {
                let field =
                    |name: &[u8]| payload.split(|&b| b == b',').find_map(|f| f.strip_prefix(name)).map(text);
                step.detail = field(b"i=")
                    .filter(|count| count.bytes().all(|b| b.is_ascii_digit()))
                    .map(|count| format!("{count} iterations"))
                    .or_else(|| payload.starts_with(b"v=").then(|| "the server's signature".to_owned()))
                    .or_else(|| payload.starts_with(b"e=").then(|| text(payload)));
            }
            // The error is a JSON object whose other members may repeat parts of the token.
            "XOAUTH2" | "OAUTHBEARER" => {
                let said = text(payload);
                let status = said.split_once("\"status\"").map(|(_, rest)| {
                    let digits = rest.trim_start_matches([' ', ':', '"']);
                    digits.chars().take_while(char::is_ascii_digit).take(3).collect::<String>()
                });
                step.detail = status.map(|status| format!("refused, status {status}"));
            }
            _ => {}
        }
    }
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// RFC 5802 section 5.1: `=2C` and `=3D` stand for comma and equals sign.
fn saslname(name: &str) -> String {
    name.replace("=2C", ",").replace("=3D", "=")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(
        exchange: &mut Exchange,
        side: Side,
        payload: &str,
    ) -> (Option<String>, Option<String>, Option<String>) {
        let step = exchange.step(side, BASE64_STANDARD.encode(payload).as_bytes());
        (step.user, step.authorization_id, step.detail)
    }

    #[expect(clippy::unnecessary_wraps, reason = "reads as what it is compared with")]
    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn each_mechanism_shows_who_and_never_the_secret() {
        let mut plain = Exchange::new(b"plain");
        assert_eq!(
            step(&mut plain, Side::Client, "boss\0kcope\0secret"),
            (some("kcope"), some("boss"), None)
        );

        let mut login = Exchange::new(b"LOGIN");
        assert_eq!(step(&mut login, Side::Server, "Username:"), (None, None, some("Username:")));
        assert_eq!(step(&mut login, Side::Client, "kcope"), (some("kcope"), None, None));
        assert_eq!(step(&mut login, Side::Server, "Password:"), (None, None, some("Password:")));
        assert_eq!(step(&mut login, Side::Client, "secret"), (None, None, some("the password")));

        let mut cram = Exchange::new(b"CRAM-MD5");
        assert_eq!(
            step(&mut cram, Side::Server, "<1896.697170952@dewey>"),
            (None, None, some("the challenge"))
        );
        assert_eq!(
            step(&mut cram, Side::Client, "k cope b913a602c7eda7a495b4e6e7334d3890"),
            (some("k cope"), None, None)
        );

        let mut scram = Exchange::new(b"SCRAM-SHA-1");
        assert_eq!(step(&mut scram, Side::Client, "n,,n=us=2Cer,r=fyko"), (some("us,er"), None, None));
        assert_eq!(
            step(&mut scram, Side::Server, "r=fyko3r,s=QSXC,i=4096"),
            (None, None, some("4096 iterations"))
        );
        assert_eq!(
            step(&mut scram, Side::Client, "c=biws,r=fyko3r,p=v0X8"),
            (None, None, some("the client's proof"))
        );

        let mut oauth = Exchange::new(b"XOAUTH2");
        assert_eq!(
            step(&mut oauth, Side::Client, "user=ada\x01auth=Bearer ya29\x01\x01"),
            (some("ada"), None, None)
        );
        assert_eq!(
            step(&mut oauth, Side::Server, r#"{"status":"401","schemes":"bearer"}"#),
            (None, None, some("refused, status 401"))
        );
    }

    #[test]
    fn a_payload_out_of_shape_shows_nothing_of_itself() {
        for (mechanism, payload) in [
            ("PLAIN", "kcope\0MARKER"),
            ("PLAIN", "MARKER"),
            ("PLAIN", "a\0b\0c\0MARKER"),
            ("CRAM-MD5", "user MARKER word"),
            ("XOAUTH2", "user=ada^Aauth=Bearer MARKER^A^A"),
            ("XOAUTH2", "user=ada auth=MARKER\x01\x01"),
            ("OAUTHBEARER", "n,a=MARKER"),
            ("SCRAM-SHA-1", "n,,MARKER"),
        ] {
            let step = Exchange::new(mechanism.as_bytes())
                .step(Side::Client, BASE64_STANDARD.encode(payload).as_bytes());
            assert!(!format!("{step:?}").contains("MARKER"), "{step:?}");
        }
        let mut login = Exchange::new(b"LOGIN");
        login.step(Side::Client, b"not*base64");
        assert_eq!(login.step(Side::Client, BASE64_STANDARD.encode("MARKER").as_bytes()).user, None);
    }

    #[test]
    fn what_is_not_base64_is_said_to_be_so_and_not_shown() {
        let step = Exchange::new(b"PLAIN").step(Side::Client, b"*?");
        assert_eq!(step.detail.as_deref(), Some("not base64"));
    }
}
