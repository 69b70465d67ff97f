//! EXTERNAL (RFC 4422 appendix A): the connection says who the client is, the payload only whom to act for.

use super::super::Service;
use super::{Begun, Mechanism, Next};

#[derive(Debug)]
struct External;

pub(super) fn begin(_: &Service) -> Begun {
    (Box::new(External), Vec::new())
}

impl Mechanism for External {
    fn respond(&mut self, service: &Service, response: &[u8]) -> Next {
        match &service.policy().external {
            Some(user) if response.is_empty() || response == user.as_bytes() => Next::Done(user.clone()),
            _ => Next::Failed,
        }
    }
}
