//! What a relay does about TLS: how it comes to either leg, and what is changed for a test.

use crate::wire::Security;

/// What a relay does about TLS.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// How TLS comes to the client's leg. Where it comes by STLS and the upstream is plain, the client's STLS is followed:
    /// the upstream is asked first, and poptape answers in its place where it refuses.
    pub client: Security,
    /// How it comes to the upstream's; by STLS: before the client sees the greeting.
    pub upstream: Security,
    /// STLS is not told of, and refused.
    pub strip_stls: bool,
    /// STLS is answered with this line and not passed on.
    pub stls_respond: Option<String>,
    /// SASL mechanisms with channel binding are not told of.
    pub strip_plus: bool,
    /// The upstream can be shown a client's certificate.
    pub has_certificate: bool,
}

impl Policy {
    /// Whether the legs can say different things about STLS, or shall: what passes has to be looked at before it goes on.
    pub(super) fn intercepts(&self) -> bool {
        let differ = match (self.client, self.upstream) {
            (Security::Plain, _) => false,
            (Security::Stls, _) => true,
            (Security::Implicit, upstream) => upstream == Security::Plain,
        };
        differ || self.strips() || self.strip_plus
    }

    /// Whether STLS is kept from the client.
    pub(super) fn strips(&self) -> bool {
        self.strip_stls || self.stls_respond.is_some()
    }

    /// Whether there is TLS on any leg.
    pub(super) fn has_tls(&self) -> bool {
        self.client != Security::Plain || self.upstream != Security::Plain
    }
}
