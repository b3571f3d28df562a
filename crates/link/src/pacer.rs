//! Paces a line of so many bytes a second.

use std::time::{Duration, Instant};

/// Computes when bytes leave a line of a given rate. It never waits itself.
#[derive(Debug)]
pub(crate) struct Pacer {
    rate: Option<u64>,
    free: Option<Instant>,
}

impl Pacer {
    /// A line of `rate` bytes a second.
    pub(crate) fn new(rate: Option<u64>) -> Self {
        Self { rate, free: None }
    }

    /// Reserves the line for `bytes` that are ready at `now`; returns when the last of them has
    /// left.
    pub(crate) fn reserve(&mut self, bytes: usize, now: Instant) -> Instant {
        let start = self.free.map_or(now, |free| free.max(now));
        let left = start + self.rate.map_or(Duration::ZERO, |rate| duration(bytes, rate));
        self.free = Some(left);
        left
    }
}

fn duration(bytes: usize, rate: u64) -> Duration {
    let nanoseconds = bytes as u128 * 1_000_000_000 / u128::from(rate.max(1));
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn bytes_leave_one_after_another_at_the_rate() {
        let now = Instant::now();
        let mut pacer = Pacer::new(Some(1_000));
        assert_eq!(pacer.reserve(500, now), now + SECOND / 2);
        assert_eq!(pacer.reserve(500, now), now + SECOND);
    }

    #[test]
    fn an_idle_line_saves_nothing_up() {
        let now = Instant::now();
        let mut pacer = Pacer::new(Some(1_000));
        pacer.reserve(1_000, now);
        assert_eq!(pacer.reserve(1_000, now + 9 * SECOND), now + 10 * SECOND);
    }

    #[test]
    fn without_a_rate_bytes_leave_at_once() {
        let now = Instant::now();
        assert_eq!(Pacer::new(None).reserve(usize::MAX, now), now);
    }
}
