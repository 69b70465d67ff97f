//! CRAM-MD5 (RFC 2195): a keyed digest of the server's challenge.

use hmac::{KeyInit, Mac, SimpleHmac};
use md5::Md5;

use super::super::{Service, hex};
use super::{Begun, Mechanism, Next};

#[derive(Debug)]
struct CramMd5 {
    challenge: String,
}

pub(super) fn begin(service: &Service) -> Begun {
    // In the form of a message-id, another one in each session (RFC 2195 section 2).
    let challenge = format!("<{}@{}>", service.birth.nonce, service.policy().host.as_str());
    let octets = challenge.clone().into_bytes();
    (Box::new(CramMd5 { challenge }), octets)
}

impl Mechanism for CramMd5 {
    fn respond(&mut self, service: &Service, response: &[u8]) -> Next {
        let Ok(text) = std::str::from_utf8(response) else { return Next::Failed };
        // The digest has no space, a name may.
        let Some((user, digest)) = text.rsplit_once(' ') else { return Next::Failed };
        let right = |password: &[u8]| keyed(password, self.challenge.as_bytes()) == digest;
        if service.server.accounts.admits(user, right) { Next::Done(user.to_owned()) } else { Next::Failed }
    }
}

/// HMAC-MD5 in lower-case hexadecimal.
fn keyed(password: &[u8], challenge: &[u8]) -> String {
    let Ok(mac) = SimpleHmac::<Md5>::new_from_slice(password) else { unreachable!("any length is a key") };
    hex(&mac.chain_update(challenge).finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    /// P3-119: the example of RFC 2195 section 2.
    #[test]
    fn the_digest_of_the_rfc() {
        let challenge = b"<1896.697170952@postoffice.reston.mci.net>";
        assert_eq!(super::keyed(b"tanstaaftanstaaf", challenge), "b913a602c7eda7a495b4e6e7334d3890");
    }
}
