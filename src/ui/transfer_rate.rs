//! The transfer rate, smoothed over the last seconds. Pure: the caller passes the time.

use std::time::Duration;

/// The interval of measurements.
const STEP: Duration = Duration::from_millis(250);

/// The weight of the newest measurement.
const NEWEST: f64 = 0.2;

/// The time left is estimated only after this long.
const GUESS_AFTER: Duration = Duration::from_secs(1);

/// The smoothed rates of two counters: content processed, and bytes sent.
#[derive(Debug, Default)]
pub struct TransferRate {
    first: Option<Duration>,
    last: Option<(Duration, u64, u64)>,
    content: f64,
    wire: f64,
}

impl TransferRate {
    /// Records both counters at a time since the start.
    pub fn note(&mut self, now: Duration, done: u64, sent: u64) {
        let Some((then, done_then, sent_then)) = self.last else {
            (self.first, self.last) = (Some(now), Some((now, done, sent)));
            return;
        };
        let passed = now.saturating_sub(then);
        if passed < STEP {
            return;
        }
        let weight = if self.content == 0.0 && self.wire == 0.0 { 1.0 } else { NEWEST };
        let per_second =
            |before: u64, after: u64| after.saturating_sub(before) as f64 / passed.as_secs_f64();
        self.content += weight * (per_second(done_then, done) - self.content);
        self.wire += weight * (per_second(sent_then, sent) - self.wire);
        self.last = Some((now, done, sent));
    }

    /// Bytes sent per second.
    pub fn wire(&self) -> u64 {
        self.wire as u64
    }

    /// The estimated time for the rest of `total`, if there is enough data.
    pub fn left(&self, total: u64) -> Option<Duration> {
        let (now, done, _) = self.last?;
        let enough = now.saturating_sub(self.first?) >= GUESS_AFTER && self.content >= 1.0;
        let seconds = total.saturating_sub(done) as f64 / self.content;
        enough.then(|| Duration::try_from_secs_f64(seconds).ok()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_rate_is_exact() {
        let mut rate = TransferRate::default();
        assert_eq!((rate.wire(), rate.left(100)), (0, None));
        for tick in 0..=20 {
            rate.note(STEP * tick, u64::from(tick) * 1000, u64::from(tick) * 250);
        }
        assert_eq!(rate.wire(), 1000);
        assert_eq!(rate.left(40_000), Some(Duration::from_secs(5)));
        assert_eq!(rate.left(0), Some(Duration::ZERO));
    }

    #[test]
    fn no_estimate_without_progress() {
        let mut rate = TransferRate::default();
        rate.note(Duration::ZERO, 0, 0);
        rate.note(Duration::from_secs(9), 0, 0);
        assert_eq!(rate.left(1000), None);
        rate.note(Duration::from_secs(8), 0, 0);
        assert_eq!(rate.wire(), 0);
    }
}
