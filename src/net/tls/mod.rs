//! TLS, as far as it needs the world: the certificates that poptape shows, and those that it is shown.

pub mod authority;
pub mod certificate;
pub mod identity;
mod mint;
mod vault;
