//! What has arrived at a destination: amount, rate and time left. Pure: the caller passes the time.

use std::collections::VecDeque;
use std::time::Duration;

/// The rate is that of the last seconds.
const WINDOW: Duration = Duration::from_secs(10);

/// Samples are at least this far apart.
const STEP: Duration = Duration::from_millis(250);

/// Nothing that arrives for so long lowers the rate.
const STALL: Duration = Duration::from_secs(1);

/// A rate over less time than this is not steady enough to tell the time left.
const STEADY_AFTER: Duration = Duration::from_secs(3);

/// The bytes that have arrived and are expected, all as they travel, and the last samples.
#[derive(Debug, Clone, Default)]
pub struct Arrivals {
    /// Bytes that have arrived.
    pub arrived: u64,
    /// Bytes that will have arrived at the end, as far as is known.
    pub expected: u64,
    samples: VecDeque<(Duration, u64)>,
}

impl Arrivals {
    /// Records both numbers at a time since the start.
    pub fn note(&mut self, now: Duration, arrived: u64, expected: u64) {
        let has_grown = arrived > self.arrived;
        self.arrived = self.arrived.max(arrived);
        self.expected = expected.max(self.arrived);
        // Receipts come twice a second: in between, a sample would only lower the rate.
        let step = if has_grown { STEP } else { STALL };
        if self.samples.back().is_some_and(|(then, _)| now.saturating_sub(*then) < step) {
            return;
        }
        self.samples.push_back((now, self.arrived));
        // The oldest one is the last that is not within the window.
        while self.samples.get(1).is_some_and(|(then, _)| now.saturating_sub(*then) >= WINDOW) {
            self.samples.pop_front();
        }
    }

    /// Bytes that arrive per second, once two samples are known.
    pub fn rate(&self) -> Option<u64> {
        let (passed, bytes) = self.span()?;
        Some((bytes as f64 / passed.as_secs_f64()) as u64)
    }

    /// The estimated time until everything has arrived, once the rate is steady.
    pub fn left(&self) -> Option<Duration> {
        let (passed, bytes) = self.span().filter(|(passed, _)| *passed >= STEADY_AFTER)?;
        let left = (self.expected - self.arrived) as f64;
        Duration::try_from_secs_f64(left * passed.as_secs_f64() / bytes as f64).ok()
    }

    /// The time that the samples span and the bytes that arrived in it, if any did.
    fn span(&self) -> Option<(Duration, u64)> {
        let (&(first, before), &(last, now)) = (self.samples.front()?, self.samples.back()?);
        let (passed, bytes) = (last.saturating_sub(first), now - before);
        (!passed.is_zero() && bytes > 0).then_some((passed, bytes))
    }
}

/// The sum of several destinations.
pub fn total<'a>(all: impl Iterator<Item = &'a Arrivals>) -> Sum {
    all.fold(Sum::default(), |sum, one| Sum {
        arrived: sum.arrived + one.arrived,
        expected: sum.expected + one.expected,
        rate: sum.rate.max(one.rate().map(|rate| rate + sum.rate.unwrap_or(0))),
        left: sum.left.max(one.left()),
    })
}

/// Amounts of one destination or of several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// Bytes that have arrived.
    pub arrived: u64,
    /// Bytes that will have arrived at the end.
    pub expected: u64,
    /// Bytes per second.
    pub rate: Option<u64>,
    /// The time until the last one has everything.
    pub left: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steady(seconds: u32, per_step: u64) -> Arrivals {
        let mut arrivals = Arrivals::default();
        for step in 0..=seconds * 4 {
            arrivals.note(STEP * step, u64::from(step) * per_step, 100_000);
        }
        arrivals
    }

    #[test]
    fn a_steady_rate_is_exact() {
        let arrivals = steady(5, 250);
        assert_eq!(arrivals.rate(), Some(1000));
        assert_eq!(arrivals.left(), Some(Duration::from_secs(95)));
        assert_eq!(steady(60, 250).rate(), Some(1000));
    }

    #[test]
    fn no_time_left_until_the_rate_is_steady() {
        assert_eq!(Arrivals::default().left(), None);
        assert_eq!((steady(2, 250).rate(), steady(2, 250).left()), (Some(1000), None));
        assert_eq!((steady(9, 0).rate(), steady(9, 0).left()), (None, None));
    }

    #[test]
    fn only_the_last_seconds_count() {
        let mut arrivals = steady(60, 2_500);
        let at = arrivals.arrived;
        for step in 1..=44 {
            arrivals.note(
                Duration::from_secs(60) + STEP * step,
                at + u64::from(step) * 25,
                1 << 20,
            );
        }
        assert_eq!(arrivals.rate(), Some(100));
    }

    #[test]
    fn numbers_never_fall_behind_what_has_arrived() {
        let mut arrivals = Arrivals::default();
        arrivals.note(Duration::ZERO, 700, 500);
        arrivals.note(STEP, 600, 500);
        assert_eq!((arrivals.arrived, arrivals.expected), (700, 700));
    }

    #[test]
    fn the_total_ends_with_the_last_one() {
        let sum = total([steady(5, 250), steady(5, 500), Arrivals::default()].iter());
        assert_eq!((sum.arrived, sum.expected, sum.rate), (15_000, 200_000, Some(3000)));
        assert_eq!(sum.left, Some(Duration::from_secs(95)));
    }
}
