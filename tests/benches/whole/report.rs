//! The table, in Markdown.

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::median;
use crate::works::Target::{self, AtLeast, AtMost, Below};
use crate::works::{Row, Work};

/// What was measured of a work: by subject a round, by round a figure a row.
pub type Measured = HashMap<&'static str, Vec<Vec<f64>>>;

/// The table's head.
pub const HEAD: &str = "| work | reference | nothing recorded | JSON | JSON + pcapng | beside them |\n\
                        | --- | --- | --- | --- | --- | --- |\n";

/// The lines of a work, and how many targets were met and missed.
pub fn lines(work: &Work, measured: &Measured) -> (String, [usize; 2]) {
    let (mut lines, mut met) = (String::new(), [0; 2]);
    for (at, row) in work.rows.iter().enumerate() {
        let rounds = |subject: &str| -> Option<Vec<f64>> {
            let rounds = measured.get(subject)?;
            (!rounds.is_empty()).then(|| rounds.iter().map(|figures| figures[at]).collect())
        };
        let best = row
            .reference
            .iter()
            .filter_map(|name| Some((*name, rounds(name)?)))
            .min_by(|one, other| median(&mut one.1.clone()).total_cmp(&median(&mut other.1.clone())));
        let reference = best.as_ref().map_or("not installed".to_owned(), |(name, figures)| {
            format!("{name}: {}", figure(median(&mut figures.clone()), row))
        });
        let cells = row.cells.map(|cell| {
            let Some((subject, target)) = cell else { return String::new() };
            let (Some((_, reference)), Some(figures)) = (&best, rounds(subject)) else {
                return "-".to_owned();
            };
            // Of each round by itself: what disturbs a round disturbs all subjects.
            let mut ratios: Vec<f64> =
                figures.iter().zip(reference).map(|(one, other)| one / other).collect();
            let own = median(&mut figures.clone());
            let (text, is_met) = judged(median(&mut ratios), own, target);
            met[usize::from(!is_met)] += 1;
            text
        });
        let named: Vec<&str> = row.cells.iter().flatten().map(|cell| cell.0).collect();
        let others = work.subjects.iter().filter(|name| {
            !named.contains(*name) && best.as_ref().is_none_or(|best| best.0 != **name) && at == 0
        });
        let others: Vec<String> = others
            .filter_map(|name| Some(format!("{name} {}", figure(median(&mut rounds(name)?), row))))
            .collect();
        let _ =
            writeln!(lines, "| {} | {reference} | {} | {} |", row.name, cells.join(" | "), others.join(", "));
    }
    (lines, met)
}

fn judged(ratio: f64, own: f64, target: Target) -> (String, bool) {
    let (shown, sign, bound, met) = match target {
        AtMost(bound) => (ratio, "<=", bound, ratio <= bound),
        AtLeast(bound) => (ratio, ">=", bound, ratio >= bound),
        Below(bound) => (own, "<=", bound, own <= bound),
    };
    (format!("{shown:.2} ({sign} {bound}{})", if met { "" } else { ", **missed**" }), met)
}

fn figure(value: f64, row: &Row) -> String {
    let digits = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$} {}", row.unit)
}
