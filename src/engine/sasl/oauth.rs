//! OAUTHBEARER (RFC 7628) and its forerunner XOAUTH2: a token takes the password's place. A refusal comes as a
//! challenge that says why; after the client's answer to it, whatever it is, follows `-ERR`.

use super::super::Service;
use super::{Begun, Mechanism, Next};

/// What a refused client is told (RFC 7628 section 3.2.2).
const REFUSED: &[u8] = br#"{"status":"invalid_token"}"#;

/// The same as XOAUTH2 has it.
const REFUSED_XOAUTH2: &[u8] = br#"{"status":"401","schemes":"bearer","scope":"mail"}"#;

/// A name and its token.
type Credentials<'a> = (String, &'a [u8]);

#[derive(Debug)]
struct OAuth {
    /// Finds name and token in a payload.
    parse: fn(&[u8]) -> Option<Credentials<'_>>,
    refusal: &'static [u8],
    refused: bool,
}

pub(super) fn bearer(_: &Service) -> Begun {
    (Box::new(OAuth { parse: bearer_fields, refusal: REFUSED, refused: false }), Vec::new())
}

pub(super) fn xoauth2(_: &Service) -> Begun {
    (Box::new(OAuth { parse: xoauth2_fields, refusal: REFUSED_XOAUTH2, refused: false }), Vec::new())
}

impl Mechanism for OAuth {
    fn respond(&mut self, service: &Service, response: &[u8]) -> Next {
        if self.refused {
            return Next::Failed;
        }
        match (self.parse)(response) {
            Some((user, token)) if service.admits(&user, token) => Next::Done(user),
            _ => {
                self.refused = true;
                Next::Challenge(self.refusal.to_vec())
            }
        }
    }
}

/// `user=` name 01 `auth=Bearer ` token 01 01
fn xoauth2_fields(payload: &[u8]) -> Option<Credentials<'_>> {
    let fields: Vec<_> = payload.split(|&octet| octet == 1).collect();
    let [user, token, b"", b""] = fields[..] else { return None };
    let user = String::from_utf8(user.strip_prefix(b"user=")?.to_vec()).ok()?;
    Some((user, bearer_token(token)?))
}

/// gs2-header 01 key=value 01 ... 01 (RFC 7628 section 3.1)
fn bearer_fields(payload: &[u8]) -> Option<Credentials<'_>> {
    let fields: Vec<_> = payload.split(|&octet| octet == 1).collect();
    let [header, pairs @ .., b"", b""] = &fields[..] else { return None };
    let header = std::str::from_utf8(header).ok()?;
    let user = header.strip_prefix("n,")?.strip_suffix(',')?.strip_prefix("a=")?;
    let token = pairs.iter().find_map(|pair| bearer_token(pair))?;
    Some((super::scram::unescaped(user)?, token))
}

fn bearer_token(pair: &[u8]) -> Option<&[u8]> {
    let value = pair.strip_prefix(b"auth=")?;
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
}
