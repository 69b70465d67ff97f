//! What is worth saying of an authentication that has to pass an interception: some cannot.

use crate::pop3::dissect::Request;
use crate::pop3::{Command, Event, Keyword, State};
use crate::recording::{Entry, Note};
use crate::wire::Security;

use super::list::is_plus;
use super::policy::Policy;

/// Looks at what was found of a session until its login.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is asked for by itself")]
pub(super) struct Remarks {
    /// The upstream has a client's certificate to be shown.
    has_certificate: bool,
    /// STLS is kept from the client, which has no TLS, until it logs in.
    strips: bool,
    /// Mechanisms with channel binding were hidden from the client.
    pub(super) hidden: bool,
    told: bool,
    reads: Reads,
}

/// What is looked for.
#[derive(Debug, Default, PartialEq, Eq)]
enum Reads {
    /// Requests.
    #[default]
    Requests,
    /// The lists of this exchange too.
    List(u32),
    /// Nothing: the client is logged in.
    Nothing,
}

impl Remarks {
    pub(super) fn new(policy: &Policy) -> Self {
        Self {
            has_certificate: policy.has_certificate,
            strips: policy.strips() && policy.client != Security::Implicit,
            ..Self::default()
        }
    }

    /// What is to be said of these entries, a note's kind and text each.
    pub(super) fn look(&mut self, entries: &[Entry]) -> Vec<(&'static str, String)> {
        let mut notes = Vec::new();
        for entry in entries {
            let Entry::Event(event) = entry else { continue };
            if self.reads == Reads::Nothing {
                break;
            }
            match event {
                Event::Request { n, run, request: Request::Command(keyword), step } => {
                    let keyword = *keyword;
                    let logs_in = matches!(keyword, Keyword::Pass | Keyword::Apop | Keyword::Auth);
                    if logs_in && std::mem::take(&mut self.strips) {
                        let text = "the client logs in in clear, though it was kept from STLS: somebody on the line can do the same";
                        notes.push((Note::IN_CLEAR, text.to_owned()));
                    }
                    self.reads = if keyword == Keyword::Capa { Reads::List(*n) } else { Reads::Requests };
                    if keyword == Keyword::Auth
                        && let Some(mechanism) = Command::parse(&run.bytes).words().next()
                    {
                        notes.extend(self.mechanism(mechanism));
                    }
                    notes.extend(step.as_ref().and_then(|step| self.binding(step.detail.as_deref())));
                }
                Event::Request { step: Some(step), .. } => notes.extend(self.binding(step.detail.as_deref())),
                Event::Body { n, run }
                    if self.reads == Reads::List(*n) && !self.told && offers_plus(&run.bytes) =>
                {
                    self.told = true;
                    notes.push((
                        "channel-binding",
                        "the server offers authentication that binds to the TLS connection (-PLUS); through poptape it \
                         must fail, for there are two of them: --strip-plus hides it from the client"
                            .to_owned(),
                    ));
                }
                Event::End(outcome) if outcome.after == State::Transaction => self.reads = Reads::Nothing,
                _ => {}
            }
        }
        notes
    }

    fn mechanism(&self, mechanism: &[u8]) -> Option<(&'static str, String)> {
        let name = String::from_utf8_lossy(mechanism).to_ascii_uppercase();
        if is_plus(mechanism) {
            let text = format!(
                "{name} binds to the client's TLS connection, which ends at poptape: the server has to refuse it (RFC 5802 \
                 section 6). --strip-plus hides such mechanisms from the client"
            );
            return Some(("channel-binding", text));
        }
        (name == "EXTERNAL" && !self.has_certificate).then(|| {
            let text = "EXTERNAL authenticates by the client's TLS certificate, which cannot pass poptape: give the \
                        server one with --upstream-cert FILE --upstream-key FILE";
            ("client-certificate", text.to_owned())
        })
    }

    /// A client that would have bound to the channel says so, and the server knows that it did offer it.
    fn binding(&self, detail: Option<&str>) -> Option<(&'static str, String)> {
        (self.hidden && detail == Some(crate::pop3::sasl::BINDING_NOT_OFFERED)).then(|| {
            let text = "the client says that it would have bound to the TLS connection (\"y\"), had the server offered it. \
                        It did, so it has to refuse this (RFC 5802 section 6): --strip-plus helps only clients that say \"n\"";
            ("channel-binding", text.to_owned())
        })
    }
}

/// Whether a part of a list names such a mechanism.
fn offers_plus(octets: &[u8]) -> bool {
    memchr::memmem::find(octets, b"-PLUS").is_some()
}
