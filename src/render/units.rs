//! Figures for people: times, counts.

use crate::wire::Micros;

/// A duration with its unit, at most three digits: `26 µs`, `0.4 ms`, `12 ms`, `3.1 s`.
pub fn duration(micros: Micros) -> String {
    let value = micros as f64;
    match micros {
        0..100 => format!("{micros} µs"),
        100..10_000 => format!("{:.1} ms", value / 1e3),
        10_000..1_000_000 => format!("{:.0} ms", value / 1e3),
        _ => format!("{:.1} s", value / 1e6),
    }
}

/// Seconds since the session began.
pub fn seconds(micros: Micros) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// With a comma between thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with its noun: `1 line`, `5 lines`.
pub fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(number), if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures() {
        assert_eq!([duration(26), duration(12_345), duration(3_100_000)], ["26 µs", "12 ms", "3.1 s"]);
        assert_eq!(seconds(61_012_999), "61.012999");
        assert_eq!([grouped(7), grouped(1_204), grouped(1_000_000)], ["7", "1,204", "1,000,000"]);
        assert_eq!([counted(1, "line"), counted(0, "line")], ["1 line", "0 lines"]);
    }
}
