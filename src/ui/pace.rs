//! How fast it goes, smoothed over the last seconds; pure, told the time.

use std::time::Duration;

/// How often a new measure is taken.
const STEP: Duration = Duration::from_millis(250);

/// Weight of the newest measure.
const NEWEST: f64 = 0.2;

/// No guess at the time left before so much time has been measured.
const GUESS_AFTER: Duration = Duration::from_secs(1);

/// A smoothed rate of two counters: content dealt with, and bytes on the wire.
#[derive(Debug, Default)]
pub struct Pace {
    first: Option<Duration>,
    last: Option<(Duration, u64, u64)>,
    content: f64,
    wire: f64,
}

impl Pace {
    /// Notes both counters at a time since the start.
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

    /// Bytes a second on the wire.
    pub fn wire(&self) -> u64 {
        self.wire as u64
    }

    /// How long the rest of `total` will take, once that can be guessed.
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
    fn a_steady_pace_is_told_as_it_is() {
        let mut pace = Pace::default();
        assert_eq!((pace.wire(), pace.left(100)), (0, None));
        for tick in 0..=20 {
            pace.note(STEP * tick, u64::from(tick) * 1000, u64::from(tick) * 250);
        }
        assert_eq!(pace.wire(), 1000);
        assert_eq!(pace.left(40_000), Some(Duration::from_secs(5)));
        assert_eq!(pace.left(0), Some(Duration::ZERO));
    }

    #[test]
    fn nothing_is_guessed_from_nothing() {
        let mut pace = Pace::default();
        pace.note(Duration::ZERO, 0, 0);
        pace.note(Duration::from_secs(9), 0, 0);
        assert_eq!(pace.left(1000), None);
        pace.note(Duration::from_secs(8), 0, 0);
        assert_eq!(pace.wire(), 0);
    }
}
