//! The clock: the only place that asks what time it is.

use std::time::Instant;

use chrono::{DateTime, SubsecRound as _, Utc};

use crate::wire::Micros;

/// The wall clock.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn wall() -> DateTime<Utc> {
    Utc::now()
}

/// A session's clock.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Begins now; gives the wall clock at that moment too.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn start() -> (Self, DateTime<Utc>) {
        // A recording says the wall clock in microseconds; live shall show the same.
        (Self { start: Instant::now() }, wall().trunc_subsecs(6))
    }

    /// Microseconds since the beginning.
    pub fn now(&self) -> Micros {
        self.start.elapsed().as_micros() as Micros
    }

    /// The moment `at`, for a timer.
    pub fn instant(&self, at: Micros) -> Instant {
        self.start + std::time::Duration::from_micros(at)
    }
}
