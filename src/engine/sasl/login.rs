//! LOGIN: two prompts, a name and a password. It has no standard; the prompts are those that clients know.

use super::super::Service;
use super::{Begun, Mechanism, Next};

#[derive(Debug, Default)]
struct Login {
    user: Option<String>,
}

pub(super) fn begin(_: &Service) -> Begun {
    (Box::new(Login::default()), b"Username:".to_vec())
}

impl Mechanism for Login {
    fn respond(&mut self, service: &Service, response: &[u8]) -> Next {
        match self.user.take() {
            None => match std::str::from_utf8(response) {
                Ok(user) => {
                    self.user = Some(user.to_owned());
                    Next::Challenge(b"Password:".to_vec())
                }
                Err(_) => Next::Failed,
            },
            Some(user) if service.admits(&user, response) => Next::Done(user),
            Some(_) => Next::Failed,
        }
    }
}
