//! TLS, as far as it needs the world: the certificates that poptape shows and those that it is shown, the handshakes on
//! either leg, and the records of a connection.

pub mod acceptor;
pub mod authority;
pub mod certificate;
pub mod connector;
mod failure;
pub(super) mod handshake;
pub mod identity;
mod judge;
pub mod keylog;
pub(super) mod layer;
mod mint;
pub mod sniffer;
mod vault;

use std::sync::Arc;

use self::acceptor::Acceptor;
use self::connector::Connector;

/// Who does the handshakes of a session's legs; None: there is no TLS on that leg.
#[derive(Debug, Clone, Default)]
pub struct Ends {
    /// Towards the client.
    pub client: Option<Arc<Acceptor>>,
    /// Towards the upstream.
    pub server: Option<Arc<Connector>>,
}
