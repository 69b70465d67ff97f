//! Alerts, in words (RFC 8446 section 6).

use tls_parser::TlsAlertDescription;

use super::Out;
use crate::wire::{Micros, Side};

/// The note that an alert is worth; None for a proper end, and for what is no alert.
pub(super) fn note(side: Side, at: Micros, alert: &[u8]) -> Option<Out> {
    let &[_, number] = alert else {
        return None;
    };
    let description = TlsAlertDescription(number);
    if description == TlsAlertDescription::CloseNotify {
        return None;
    }
    let name = snake(&description.to_string());
    Some(Out::Note(at, "tls-alert", format!("the {} sent the alert {name} ({number})", side.name())))
}

/// The name as the RFC writes it; nothing for a number without one.
fn snake(name: &str) -> String {
    if !name.chars().all(char::is_alphanumeric) {
        return "unknown".to_owned();
    }
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_are_told_but_for_the_proper_end() {
        let text = |alert: &[u8]| match note(Side::Server, 0, alert) {
            Some(Out::Note(_, "tls-alert", text)) => text,
            other => format!("{other:?}"),
        };
        assert_eq!(text(&[2, 42]), "the server sent the alert bad_certificate (42)");
        assert_eq!(text(&[2, 48]), "the server sent the alert unknown_ca (48)");
        assert_eq!(text(&[2, 250]), "the server sent the alert unknown (250)");
        assert_eq!(text(&[1, 0]), "None");
        assert_eq!(text(&[1, 0, 0]), "None");
    }
}
