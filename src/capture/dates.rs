//! When frames were captured, in the time of their conversation: microseconds since it began.

use super::Nanos;
use crate::wire::Micros;

/// Frames that were captured in another order than they went are this near to each other, in microseconds.
const NEAR: i64 = 1_000_000;

/// A frame that is so much later than the one before is not believed alone: one hour, longer than servers wait for the
/// next command.
const LONG: i64 = 3_600_000_000;

/// The capture's clock, as a conversation sees it. A frame that is dated before the conversation began, or long after
/// the frame before, takes the time of that; a second one that agrees with it shows that the clock was set.
#[derive(Debug)]
pub(super) struct Dates {
    /// Microsecond 0, since 1970.
    start: i64,
    last: Micros,
    /// What the frame before was dated, if that was not believed.
    doubted: Option<i64>,
}

impl Dates {
    /// Of a conversation with its first frame.
    pub(super) const fn new(first: Nanos) -> Self {
        Self { start: first.div_euclid(1000), last: 0, doubted: None }
    }

    /// Microsecond 0, a whole number of them since 1970.
    pub(super) const fn start(&self) -> Nanos {
        self.start.saturating_mul(1000)
    }

    /// The time of the latest frame.
    pub(super) const fn last(&self) -> Micros {
        self.last
    }

    /// Takes the next frame; gives whether its date is believed.
    pub(super) fn take(&mut self, at: Nanos) -> bool {
        let date = at.div_euclid(1000);
        let (doubted, since, last) = (self.doubted.take(), date - self.start, self.last.cast_signed());
        if (-NEAR..=last + LONG).contains(&since) {
            self.last = u64::try_from(since).unwrap_or(self.last);
            return true;
        }
        match doubted {
            Some(doubted) if date.abs_diff(doubted) <= LONG.unsigned_abs() => {
                // Where the first frame stands alone against two, it is the one that is misdated.
                if since < 0 || self.last == 0 {
                    self.start = doubted - last;
                }
                self.last = u64::try_from(date - self.start).unwrap_or(self.last);
                true
            }
            _ => {
                self.doubted = Some(date);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;
    const DAY: i64 = 24 * LONG;
    const YEARS: i64 = 40 * 365 * DAY;

    /// The times that frames with these dates get, in microseconds, and where their conversation begins.
    #[track_caller]
    fn check(dates: &[i64], start: i64, times: &[Micros]) {
        let mut clock = Dates::new(dates[0] * 1000);
        let taken = dates.iter().map(|date| {
            clock.take(date * 1000);
            clock.last()
        });
        assert_eq!(taken.collect::<Vec<_>>(), times, "{dates:?}");
        assert_eq!(clock.start(), start * 1000, "{dates:?}");
    }

    #[test]
    fn one_frame_that_does_not_fit() {
        for strange in [YEARS, -YEARS, -3000 * SECOND, 2 * DAY, 2 * LONG] {
            check(&[0, 5, strange, 7, 8], 0, &[0, 5, 5, 7, 8]);
        }
        check(&[0, 5, YEARS, 2 * YEARS, 8], 0, &[0, 5, 5, 5, 8]);
        check(&[0, 5, YEARS], 0, &[0, 5, 5]);
    }

    #[test]
    fn a_first_frame_that_does_not_fit() {
        for strange in [YEARS, -YEARS] {
            check(&[strange, 2, 4, 5], 2, &[0, 0, 2, 3]);
        }
    }

    #[test]
    fn a_clock_that_is_set() {
        let (late, later) = (2 * DAY, 2 * DAY + SECOND);
        check(&[0, 5, late, later, later + 1], 0, &[0, 5, 5, later.unsigned_abs(), later.unsigned_abs() + 1]);
        check(&[0, 5, -YEARS, 3 - YEARS, 4 - YEARS], -YEARS - 5, &[0, 5, 5, 8, 9]);
    }

    #[test]
    fn an_hour_of_silence_is_believed() {
        check(&[0, LONG, LONG - 1], 0, &[0, LONG.unsigned_abs(), LONG.unsigned_abs() - 1]);
    }

    #[test]
    fn no_date_is_too_strange() {
        let mut clock = Dates::new(i64::MIN);
        for at in [i64::MAX, i64::MAX, i64::MIN, i64::MIN, 0, i64::MAX, i64::MIN, i64::MIN] {
            clock.take(at);
            clock.start();
        }
    }
}
