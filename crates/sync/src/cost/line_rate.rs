//! Measures what the line carries, from what the agent says that it has received.
//!
//! Between two receipts the line was never idle if what the second one acknowledges had been
//! written when the first one came. Then the bytes between them, in the time between them, are what
//! the line carries. Otherwise it could have carried more. So it could if the agent was busy for
//! much of that time, and let bytes that had arrived wait.

use std::time::Duration;

use assetsync_core::protocol::Receipt;

/// How long one measurement goes on: the rate may change.
const WINDOW: Duration = Duration::from_secs(1);

/// A later measurement counts after this time: receipts may have waited to be read, and the next
/// one may follow soon.
const SHORTEST: Duration = Duration::from_millis(200);

/// How much more than it did a line carries that may have been idle.
const IDLE_FACTOR: f64 = 2.0;

/// The part of the time that the agent waits for bytes if the line is slower than the agent.
const WAITING_SHARE: f64 = 0.5;

/// What the line carries, as far as receipts say.
#[derive(Debug, Clone, Default)]
pub struct LineRate {
    /// Where this measurement began.
    base: Option<Moment>,
    last: Option<Moment>,
    /// Whether the line may have been idle since then.
    is_idle: bool,
    /// Whether this is the first measurement, which begins before anything is sent.
    is_first: bool,
    busy: Option<f64>,
    /// The most that it has carried while it may have been idle.
    at_least: f64,
}

/// The last receipt at some time, and what had been written then.
#[derive(Debug, Clone, Copy)]
struct Moment {
    at: Duration,
    receipt: Receipt,
    written: u64,
}

impl Moment {
    fn acknowledged(&self) -> u64 {
        self.receipt.bytes
    }

    /// Whether the agent has waited for most of the time since an earlier moment.
    fn has_waited_since(&self, earlier: &Moment) -> bool {
        let waited = self.receipt.waited.saturating_sub(earlier.receipt.waited);
        waited >= self.at.saturating_sub(earlier.at).mul_f64(WAITING_SHARE)
    }
}

impl LineRate {
    /// Notes the last `receipt` and how many bytes are `written`, at a time since any beginning. To
    /// be called before something is written, and when receipts were read.
    pub fn note(&mut self, at: Duration, receipt: Receipt, written: u64) {
        let now = Moment { at, receipt, written };
        let (Some(base), Some(last)) = (self.base, self.last) else {
            (self.base, self.last, self.is_first) = (Some(now), Some(now), true);
            return;
        };
        if self.is_first && (now.acknowledged(), written) == (base.acknowledged(), base.written) {
            self.base = Some(now);
        }
        if now.acknowledged() <= last.acknowledged() {
            return;
        }
        // Before the first receipt too little had been written to keep the line busy.
        self.is_idle |=
            now.acknowledged() > last.written && last.acknowledged() > base.acknowledged();
        self.last = Some(now);
        let elapsed = at.saturating_sub(base.at);
        if elapsed.is_zero() || elapsed < SHORTEST && !self.is_first {
            return;
        }
        let rate = (now.acknowledged() - base.acknowledged()) as f64 / elapsed.as_secs_f64();
        match self.is_idle || !now.has_waited_since(&base) {
            false => self.busy = Some(rate),
            true => {
                self.at_least = self.at_least.max(rate);
                self.busy = self.busy.filter(|&busy| busy > self.at_least);
            }
        }
        if elapsed >= WINDOW {
            (self.base, self.is_idle, self.is_first) = (Some(now), false, false);
        }
    }

    /// Bytes per second, if anything was measured while the line was never idle, or if it has
    /// carried more than `assumed` though it may have been idle: then it is taken to carry
    /// more than it did, so that a quicker level shows whether it does.
    pub fn bytes_per_second(&self, assumed: u64) -> Option<u64> {
        let at_least = Some(self.at_least * IDLE_FACTOR);
        let at_least = at_least.filter(|&least| least > assumed as f64);
        self.busy.or(at_least).map(|rate| rate as u64)
    }

    /// Bytes per second that were carried, for a later push: what a quicker level would show is
    /// left out.
    pub fn carried(&self, assumed: u64) -> Option<u64> {
        let at_least = Some(self.at_least).filter(|&least| least > assumed as f64);
        self.busy.or(at_least).map(|rate| rate as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(receipts: &[(u64, u64, u64)]) -> Option<u64> {
        let mut rate = LineRate::default();
        for &(millis, acknowledged, written) in receipts {
            note(&mut rate, millis, acknowledged, written);
        }
        rate.bytes_per_second(1000)
    }

    /// Notes a receipt of an agent that never did anything but wait.
    fn note(rate: &mut LineRate, millis: u64, bytes: u64, written: u64) {
        let at = Duration::from_millis(millis);
        rate.note(at, Receipt { bytes, waited: at }, written);
    }

    #[test]
    fn a_line_that_is_never_idle_is_measured() {
        assert_eq!(rate(&[]), None);
        assert_eq!(rate(&[(0, 1000, 9000)]), None);
        assert_eq!(rate(&[(0, 1000, 9000), (500, 2000, 9000)]), Some(2000));
        assert_eq!(rate(&[(0, 0, 0), (700, 0, 0), (1200, 1000, 9000)]), Some(2000));
        assert_eq!(rate(&[(0, 0, 500), (500, 1000, 9000), (1000, 3000, 9000)]), Some(3000));
    }

    #[test]
    fn the_rate_may_change() {
        let slower = [(0, 0, 9000), (1000, 9000, 20_000), (1500, 10_000, 20_000)];
        assert_eq!(rate(&slower), Some(2000));
    }

    #[test]
    fn an_idle_line_carries_at_least_what_it_has_carried() {
        assert_eq!(rate(&[(0, 0, 0), (100, 500, 500), (500, 3000, 3000)]), Some(12_000));
        assert_eq!(rate(&[(0, 0, 0), (5, 1, 1), (500, 200, 200)]), None);
    }

    #[test]
    fn what_is_remembered_was_carried() {
        let mut rate = LineRate::default();
        note(&mut rate, 0, 0, 0);
        note(&mut rate, 100, 500, 500);
        note(&mut rate, 500, 3000, 3000);
        assert_eq!((rate.carried(1000), rate.carried(7000)), (Some(6000), None));
    }

    #[test]
    fn an_agent_that_is_busy_does_not_make_the_line_slow() {
        let after_a_second = |waited: u64| {
            let mut rate = LineRate::default();
            let of = |bytes, millis| Receipt { bytes, waited: Duration::from_millis(millis) };
            rate.note(Duration::ZERO, of(0, 70), 9000);
            rate.note(Duration::from_secs(1), of(4000, 70 + waited), 9000);
            [100_000, 1000].map(|assumed| (rate.bytes_per_second(assumed), rate.carried(assumed)))
        };
        assert_eq!(after_a_second(600), [(Some(4000), Some(4000)); 2]);
        assert_eq!(after_a_second(400), [(None, None), (Some(8000), Some(4000))]);
    }

    #[test]
    fn receipts_that_were_read_late_do_not_make_a_line_quick() {
        // It carries 1000 in a second; the receipt of half a second waited until 990 ms.
        let late = [(0, 0, 9000), (990, 500, 9000), (1000, 1000, 9000), (1010, 1010, 9000)];
        assert_eq!(rate(&late), Some(1000));
        assert_eq!(rate(&[(0, 100, 9000), (500, 100, 9000), (400, 90, 9000)]), None);
    }
}
