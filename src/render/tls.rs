//! A handshake as lines: what it came to, who the peer says it is, and whether that is to be believed.

use super::escape::safe_beginning;
use super::exchange::{COMMAND, LATENCY, REPLY, SHOWN, indented, pad};
use super::span::{Line, Role};
use super::units::{duration, seconds};
use crate::wire::{Certificate, Tls, TlsFailure, Trust};

/// Digits of a fingerprint that are shown where not all are.
const FINGERPRINT: usize = 16;

/// A handshake. `whole`: show every certificate of the chain with all that is known of it.
pub fn lines(session: u32, tls: &Tls, whole: bool) -> Vec<Line> {
    let mut lines = vec![head(session, tls)];
    lines.extend(details(tls, whole).into_iter().map(|(role, text)| indented(session).with(role, text)));
    lines
}

/// The same as plain text, for a page.
pub fn plain(tls: &Tls) -> Vec<String> {
    let head = format!("{}  {}", title(tls), summary(tls));
    let took = tls.took.map(|took| format!("   ({})", duration(took))).unwrap_or_default();
    let mut lines = vec![format!("{:>9}  {}{took}", seconds(tls.at), head.trim_end())];
    lines.extend(details(tls, true).into_iter().map(|(_, text)| format!("           {text}")));
    lines
}

fn head(session: u32, tls: &Tls) -> Line {
    let (mark, role) = match (&tls.failure, &tls.trust) {
        (Some(_), _) => ("!", Role::Err),
        (None, Some(Trust::Overruled(_))) => ("!", Role::Detail),
        (None, _) => (" ", Role::Detail),
    };
    let mut line = Line::default()
        .with(Role::Session, format!("#{session:<3}"))
        .with(Role::Time, format!("{:>9}", seconds(tls.at)))
        .with(Role::Mark, format!(" {mark}"));
    line = pad(line, COMMAND).with(role, title(tls));
    line = pad(line, REPLY).with(role, summary(tls));
    match tls.took {
        Some(took) => pad(line, LATENCY).with(Role::Latency, format!("{:>7}", duration(took))),
        None => line,
    }
}

fn title(tls: &Tls) -> String {
    match &tls.failure {
        Some(_) => "TLS failed".to_owned(),
        None => shown(&tls.version.as_deref().unwrap_or("TLS").replacen("TLSv", "TLS ", 1)),
    }
}

/// Whose it was and what was agreed on, or why nothing was. Whoever only looks on, as a capture does, sees one
/// handshake, and it is nobody's leg.
fn summary(tls: &Tls) -> String {
    let looked_on = tls.begins_anew() && tls.took.is_none();
    let leg = (!looked_on).then(|| format!("with the {}", tls.leg.name()));
    if let Some(failure) = &tls.failure {
        return format!("{}: {}", leg.unwrap_or_default(), reason(failure));
    }
    let alpn = tls.alpn.as_ref().map(|alpn| format!("ALPN {alpn}"));
    let dark = (!tls.readable).then(|| "nobody here can look into it".to_owned());
    let verified = matches!(tls.trust, Some(Trust::Verified)).then(|| "verified".to_owned());
    let facts: Vec<_> = [leg, tls.cipher.clone(), tls.server_name.clone(), alpn, verified, dark]
        .into_iter()
        .flatten()
        .collect();
    shown(&facts.join(", "))
}

fn reason(failure: &TlsFailure) -> String {
    let alert = failure.alert.as_ref().map(|alert| {
        let way = if alert.sent { "sent" } else { "received" };
        format!(" (alert {} {way})", shown(&alert.name))
    });
    shown(&failure.reason) + &alert.unwrap_or_default()
}

fn details(tls: &Tls, whole: bool) -> Vec<(Role, String)> {
    let mut details = Vec::new();
    if let Some(Trust::Overruled(why)) = &tls.trust {
        details.push((Role::Err, format!("NOT VERIFIED: {}", shown(why))));
    }
    if let Some(hint) = tls.failure.as_ref().and_then(|failure| failure.hint.as_ref()) {
        details.push((Role::Warning, shown(hint)));
    }
    let certificates: Vec<_> = if whole {
        tls.chain.iter().flat_map(in_full).collect()
    } else {
        tls.chain.first().map(in_short).into_iter().collect()
    };
    details.extend(certificates.into_iter().map(|text| (Role::Detail, text)));
    details
}

fn in_short(certificate: &Certificate) -> String {
    let Certificate { subject, issuer, not_after, sha256, .. } = certificate;
    let day = not_after.split('T').next().unwrap_or_default();
    let beginning: String = sha256.chars().take(FINGERPRINT).collect();
    let more = if beginning.len() < sha256.len() { "…" } else { "" };
    format!(
        "certificate {} by {}, until {}, SHA-256 {}{more}",
        shown(subject),
        shown(issuer),
        shown(day),
        shown(&beginning)
    )
}

fn in_full(certificate: &Certificate) -> Vec<String> {
    let Certificate { subject, issuer, names, not_before, not_after, sha256 } = certificate;
    let mut lines = vec![format!("certificate {} by {}", shown(subject), shown(issuer))];
    if !names.is_empty() {
        lines.push(format!("  for {}", shown(&names.join(", "))));
    }
    lines.push(format!("  from {} until {}", shown(not_before), shown(not_after)));
    lines.push(format!("  SHA-256 {}", shown(sha256)));
    lines
}

fn shown(text: &str) -> String {
    safe_beginning(text.as_bytes(), SHOWN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Alert, Side};

    fn certificate(name: &str, issuer: &str) -> Certificate {
        Certificate {
            subject: format!("CN={name}"),
            issuer: format!("CN={issuer}"),
            names: vec![name.to_owned(), "127.0.0.1".to_owned()],
            not_before: "2026-01-01T00:00:00Z".to_owned(),
            not_after: "2027-01-01T00:00:00Z".to_owned(),
            sha256: "0123456789abcdef".repeat(4),
        }
    }

    fn server() -> Tls {
        Tls {
            at: 9000,
            took: Some(4000),
            version: Some("TLSv1.3".to_owned()),
            cipher: Some("TLS_AES_256_GCM_SHA384".to_owned()),
            server_name: Some("pop.example.org".to_owned()),
            readable: true,
            chain: vec![certificate("pop.example.org", "Example CA"), certificate("Example CA", "Root")],
            trust: Some(Trust::Verified),
            ..Tls::of(Side::Server)
        }
    }

    #[track_caller]
    fn check(tls: &Tls, whole: bool, expected: &str) {
        let lines: Vec<_> = lines(1, tls, whole).iter().map(|line| line.plain() + "\n").collect();
        assert_eq!(lines.concat(), expected);
    }

    #[test]
    fn a_handshake_says_whom_it_was_with() {
        check(
            &server(),
            false,
            "\
#1   0.009000   TLS 1.3           with the server, TLS_AES_256_GCM_SHA384, pop.example.org, verified  4.0 ms
#1                                certificate CN=pop.example.org by CN=Example CA, until 2027-01-01, SHA-256 0123456789abcdef…
",
        );
    }

    #[test]
    fn the_whole_chain_has_its_names() {
        let whole = "\
#1   0.009000   TLS 1.3           with the server, TLS_AES_256_GCM_SHA384, pop.example.org, verified  4.0 ms
#1                                certificate CN=pop.example.org by CN=Example CA
#1                                  for pop.example.org, 127.0.0.1
#1                                  from 2026-01-01T00:00:00Z until 2027-01-01T00:00:00Z
#1                                  SHA-256 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
#1                                certificate CN=Example CA by CN=Root
#1                                  for Example CA, 127.0.0.1
#1                                  from 2026-01-01T00:00:00Z until 2027-01-01T00:00:00Z
#1                                  SHA-256 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
";
        check(&server(), true, whole);
    }

    #[test]
    fn what_is_not_to_be_trusted_is_as_loud_as_an_error() {
        let tls = Tls {
            trust: Some(Trust::Overruled("it is self-signed".to_owned())),
            chain: Vec::new(),
            ..server()
        };
        check(
            &tls,
            false,
            "\
#1   0.009000 ! TLS 1.3           with the server, TLS_AES_256_GCM_SHA384, pop.example.org  4.0 ms
#1                                NOT VERIFIED: it is self-signed
",
        );
        assert!(lines(1, &tls, false)[1].0.iter().any(|span| span.role == Role::Err));
    }

    #[test]
    fn a_failure_says_why_and_what_to_do() {
        let failure = TlsFailure {
            reason: "the client does not trust the certificate".to_owned(),
            alert: Some(Alert { name: "unknown_ca".to_owned(), sent: false }),
            hint: Some("run `poptape ca`".to_owned()),
        };
        let tls = Tls { at: 9000, failure: Some(failure), ..Tls::of(Side::Client) };
        let expected = "\
#1   0.009000 ! TLS failed        with the client: the client does not trust the certificate (alert unknown_ca received)
#1                                run `poptape ca`
";
        check(&tls, false, expected);
        let page = "
 0.009000  TLS failed  with the client: the client does not trust the certificate (alert unknown_ca received)
           run `poptape ca`";
        assert_eq!(format!("\n{}", plain(&tls).join("\n")), page);
    }

    #[test]
    fn a_handshake_that_was_only_seen_is_nobodys_leg() {
        let tls = Tls { took: None, trust: None, chain: Vec::new(), ..server() };
        let seen = Tls { leg: Side::Client, ..tls };
        check(&seen, false, "#1   0.009000   TLS 1.3           TLS_AES_256_GCM_SHA384, pop.example.org\n");
        check(&Tls::default(), false, "#1   0.000000   TLS               nobody here can look into it\n");
    }

    #[test]
    fn no_certificate_moves_a_cursor() {
        let evil = "\u{1b}[2J\r\n\u{202e}".to_owned();
        let certificate = Certificate {
            subject: evil.clone(),
            issuer: evil.clone(),
            names: vec![evil.clone()],
            not_before: evil.clone(),
            not_after: evil.clone(),
            sha256: evil.clone(),
        };
        let failure = TlsFailure {
            reason: evil.clone(),
            alert: Some(Alert { name: evil.clone(), sent: true }),
            hint: Some(evil.clone()),
        };
        let fact = Some(evil.clone());
        let tls = Tls {
            version: fact.clone(),
            cipher: fact.clone(),
            server_name: fact.clone(),
            alpn: fact,
            chain: vec![certificate],
            trust: Some(Trust::Overruled(evil)),
            ..Tls::default()
        };
        for tls in [tls.clone(), Tls { failure: Some(failure), ..tls }] {
            let shown = [lines(1, &tls, false), lines(1, &tls, true)].concat();
            let texts = shown.iter().map(Line::plain).chain(plain(&tls));
            for text in texts {
                assert!(!text.contains(|c: char| c.is_control() || c == '\u{202e}'), "{text:?}");
            }
        }
    }
}
