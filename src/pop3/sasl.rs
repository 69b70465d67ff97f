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

/// One authentication exchange as it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    mechanism: String,
    responses: u32,
}

impl Exchange {
    /// Begins with the mechanism that AUTH named.
    pub fn new(mechanism: &[u8]) -> Self {
        Self { mechanism: String::from_utf8_lossy(mechanism).to_ascii_uppercase(), responses: 0 }
    }

    /// Whether this is NTLM, which old servers answer out of shape.
    pub fn is_ntlm(&self) -> bool {
        self.mechanism == "NTLM"
    }

    /// Decodes the next base64 payload of a side.
    pub fn step(&mut self, side: Side, payload: &[u8]) -> Step {
        let decoded = BASE64_STANDARD.decode(payload);
        let mut step = Step { mechanism: self.mechanism.clone(), ..Step::default() };
        let Ok(decoded) = decoded else {
            step.detail = Some("not base64".to_owned());
            return step;
        };
        match side {
            Side::Client => {
                self.responses += 1;
                self.response(&decoded, &mut step);
            }
            Side::Server => self.challenge(&decoded, &mut step),
        }
        step
    }

    fn response(&self, payload: &[u8], step: &mut Step) {
        match self.mechanism.as_str() {
            // RFC 4616: [authzid] NUL authcid NUL passwd
            "PLAIN" => {
                let mut fields = payload.split(|&b| b == 0).map(text);
                step.authorization_id = fields.next().filter(|id| !id.is_empty());
                step.user = fields.next();
            }
            "LOGIN" if self.responses == 1 => step.user = Some(text(payload)),
            "LOGIN" => step.detail = Some("the password".to_owned()),
            // RFC 2195: user SP digest
            "CRAM-MD5" => {
                step.user = memchr::memrchr(b' ', payload).map(|space| text(&payload[..space]));
            }
            // RFC 5802: gs2-header client-first-message-bare
            scram if scram.starts_with("SCRAM-") && self.responses == 1 => {
                let mut fields = payload.split(|&b| b == b',');
                let binding = fields.next().unwrap_or_default();
                step.authorization_id =
                    fields.next().and_then(|id| id.strip_prefix(b"a=")).map(|id| saslname(&text(id)));
                step.user =
                    fields.find_map(|field| field.strip_prefix(b"n=")).map(|user| saslname(&text(user)));
                step.detail = match binding.first() {
                    Some(b'p') => Some("with channel binding".to_owned()),
                    Some(b'y') => Some("channel binding not offered by the server".to_owned()),
                    _ => None,
                };
            }
            scram if scram.starts_with("SCRAM-") && self.responses == 2 => {
                step.detail = Some("the client's proof".to_owned());
            }
            "XOAUTH2" => {
                step.user =
                    payload.split(|&b| b == 1).find_map(|field| field.strip_prefix(b"user=")).map(text);
            }
            // RFC 7628: gs2-header 01 key=value 01 ... 01
            "OAUTHBEARER" => {
                let header = payload.split(|&b| b == 1).next().unwrap_or_default();
                step.user = header
                    .split(|&b| b == b',')
                    .find_map(|field| field.strip_prefix(b"a="))
                    .map(|user| saslname(&text(user)));
            }
            "EXTERNAL" => step.authorization_id = Some(text(payload)).filter(|id| !id.is_empty()),
            _ => {}
        }
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
        assert_eq!(step(&mut cram, Side::Client, "k cope b913a602c7eda7a4"), (some("k cope"), None, None));

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
    fn what_is_not_base64_is_said_to_be_so_and_not_shown() {
        let step = Exchange::new(b"PLAIN").step(Side::Client, b"*?");
        assert_eq!(step.detail.as_deref(), Some("not base64"));
    }
}
