//! PLAIN (RFC 4616): identity and password in one payload.

use super::super::Service;
use super::{Begun, Mechanism, Next};

#[derive(Debug)]
struct Plain;

pub(super) fn begin(_: &Service) -> Begun {
    (Box::new(Plain), Vec::new())
}

impl Mechanism for Plain {
    fn respond(&mut self, service: &Service, response: &[u8]) -> Next {
        // [authzid] NUL authcid NUL passwd, UTF-8 without a further NUL.
        let fields: Vec<_> = response.split(|&octet| octet == 0).collect();
        let [authorization_id, user, password] = fields[..] else { return Next::Failed };
        let Ok(name) = std::str::from_utf8(user) else { return Next::Failed };
        // Nobody here may act for somebody else.
        let own = authorization_id.is_empty() || authorization_id == user;
        let filled = !name.is_empty() && !password.is_empty();
        if own && filled && service.admits(name, password) {
            Next::Done(name.to_owned())
        } else {
            Next::Failed
        }
    }
}
