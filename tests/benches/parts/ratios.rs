//! The ratios of a run: works and bounds measured in turns.

use std::hint::black_box;
use std::time::{Duration, Instant};

use super::part::{Part, Target, Work};

/// How long a work runs at least before its time is taken: long enough for the clock, and short enough to go by
/// undisturbed now and then where the machine has other things to do.
const ROUND: Duration = Duration::from_millis(1);

/// How long a pair is measured, and for how many rounds at least.
const PAIR: Duration = Duration::from_secs(1);
const ROUNDS: usize = 7;

pub struct Row {
    work: String,
    bound: &'static str,
    ratio: String,
    target: String,
    met: &'static str,
}

/// The rows of a part's comparisons.
pub fn of(part: &mut Part) -> Vec<Row> {
    let Part { name, works, comparisons, .. } = part;
    let row = |comparison: &super::part::Comparison| {
        let slower = slower(works, comparison.work, comparison.bound);
        let faster = 1.0 / slower;
        let (ratio, target, met) = match comparison.target {
            Target::Speed(least) => {
                (format!("{faster:.2} of its speed"), format!("at least {least}"), Some(faster >= least))
            }
            Target::Time(most) => {
                (format!("{slower:.2} of its time"), format!("at most {most}"), Some(slower <= most))
            }
            Target::Open => (format!("{faster:.2} of its speed"), String::new(), None),
        };
        let met = met.map_or("", |met| if met { "yes" } else { "no" });
        Row { work: format!("{name}: {}", comparison.work), bound: comparison.bound, ratio, target, met }
    };
    comparisons.iter().map(row).collect()
}

/// How many times as long as the bound the work takes, the best round of each: what disturbs only adds to it.
fn slower(works: &mut [Work], work: &str, bound: &str) -> f64 {
    let pair = [work, bound].map(|name| works.iter().position(|work| work.name == name).unwrap());
    let counts = pair.map(|at| count(&mut works[at]));
    let mut best = [f64::INFINITY; 2];
    let began = Instant::now();
    let mut rounds = 0;
    while rounds < ROUNDS || began.elapsed() < PAIR {
        for (best, (at, count)) in best.iter_mut().zip(pair.into_iter().zip(counts)) {
            *best = best.min(time(&mut works[at], count));
        }
        rounds += 1;
    }
    best[0] / best[1]
}

/// How often it has to run for its time to be worth taking.
fn count(work: &mut Work) -> u32 {
    let began = Instant::now();
    let mut count = 0;
    while count == 0 || began.elapsed() < ROUND {
        black_box((work.run)());
        count += 1;
    }
    count
}

/// Seconds a run.
fn time(work: &mut Work, count: u32) -> f64 {
    let began = Instant::now();
    for _ in 0..count {
        black_box((work.run)());
    }
    began.elapsed().as_secs_f64() / f64::from(count)
}

/// The table.
pub fn print(rows: &[Row]) {
    if rows.is_empty() {
        return;
    }
    let row = |cells: [&str; 5]| {
        println!("{:<36} | {:<22} | {:<19} | {:<12} | {}", cells[0], cells[1], cells[2], cells[3], cells[4]);
    };
    row(["work", "bound", "ratio", "target", "met"]);
    for Row { work, bound, ratio, target, met } in rows {
        row([work, bound, ratio, target, met]);
    }
}
