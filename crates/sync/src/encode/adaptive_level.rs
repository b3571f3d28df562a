//! Adapts the compression level to the link.
//!
//! If the link is slower than the encoder, the encoder is blocked in writing most of the time, and
//! could have compressed more. If the encoder is slower, it is hardly ever blocked.

use std::ops::Range;
use std::time::Duration;

use crate::connect::link_speed::LinkSpeed;

/// The zstd levels in use, fastest first.
const LEVELS: [i32; 5] = [1, 3, 6, 10, 12];

/// The first step on a fast and on a slow link. On a slow link the first megabytes, which buffers
/// absorb, must not make it look fast.
const FAST: usize = 0;
const FAR: usize = 3;

/// The last step on a fast link. There the encoder is blocked by the agent's work, which fewer
/// bytes do not speed up, and which may use the same cores.
const NEAR_MOST: usize = 1;

/// Shortest time between two changes of the level.
const PERIOD: Duration = Duration::from_millis(150);

/// Shortest time before a lower level on a slow link: a new frame costs time there, and a machine
/// that is busy for a moment makes the link look fast.
const LONG_PERIOD: Duration = Duration::from_millis(400);

/// About this many bytes are absorbed by buffers before the link's speed shows. While buffers
/// drain, the link is busy though the encoder is not blocked.
const BUFFERED_BYTES: u64 = 4 << 20;

/// Up to this many bytes of content are always compressed well on a slow link: it takes little
/// time.
const SMALL_TRANSFER: u64 = 4 << 20;

/// From this many bytes of content on, a change to the highest level pays.
const LARGE_TRANSFER: u64 = 96 << 20;

/// The current level, and the evidence for another one.
#[derive(Debug, Clone, PartialEq)]
pub struct AdaptiveLevel {
    step: usize,
    /// The last step that pays: a new level begins a new frame, without the content before, and
    /// that costs more than the last levels save on a few megabytes.
    most: usize,
    little: bool,
    link_speed: LinkSpeed,
}

impl AdaptiveLevel {
    /// The first level for this many bytes of content.
    pub fn new(bytes: u64, link_speed: LinkSpeed) -> AdaptiveLevel {
        let little = bytes <= SMALL_TRANSFER;
        let (step, most) = match link_speed {
            LinkSpeed::Fast => (FAST, NEAR_MOST),
            LinkSpeed::Slow if bytes > LARGE_TRANSFER => (FAR, LEVELS.len() - 1),
            LinkSpeed::Slow => (FAR, FAR),
        };
        AdaptiveLevel { step, most, little, link_speed }
    }

    /// The zstd level.
    pub fn level(&self) -> i32 {
        LEVELS[self.step]
    }

    /// The window's size as a power of two: the agent must hold it in memory.
    pub fn window_log(&self) -> u32 {
        if self.little { 22 } else { 23 }
    }

    /// Judges the last period: its duration, how long of it the encoder was blocked in writing, and
    /// which range of bytes was sent. Unless it is too early, a new period begins.
    pub fn adapt(&mut self, elapsed: Duration, blocked: Duration, sent: Range<u64>) -> LevelChange {
        let quick = blocked < elapsed.mul_f64(0.4);
        if elapsed < PERIOD {
            return LevelChange::TooEarly;
        }
        if self.link_speed == LinkSpeed::Slow && quick {
            // A period in which buffers absorbed everything says nothing about the link.
            if sent.end < BUFFERED_BYTES {
                return LevelChange::Stay;
            }
            if elapsed < LONG_PERIOD || sent.end - sent.start < BUFFERED_BYTES {
                return LevelChange::TooEarly;
            }
        }
        let share = blocked.as_secs_f64() / elapsed.as_secs_f64();
        let step = match share {
            0.7.. => (self.step + 2).min(self.most),
            0.4.. => (self.step + 1).min(self.most),
            ..0.1 if !self.little => self.step.saturating_sub(2),
            ..0.25 if !self.little => self.step.saturating_sub(1),
            _ => self.step,
        };
        let changed = step != self.step;
        self.step = step;
        if changed { LevelChange::Change } else { LevelChange::Stay }
    }
}

/// The result of judging the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LevelChange {
    /// Not enough time has passed.
    TooEarly,
    /// The level is right.
    Stay,
    /// The level was changed.
    Change,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const LOTS: Range<u64> = 1 << 20..9 << 20;

    #[test]
    fn a_slow_link_raises_the_level_and_a_quick_one_lowers_it() {
        let mut effort = AdaptiveLevel::new(100 << 20, LinkSpeed::Slow);
        let rows = [
            (900, 12),
            (900, 12),
            (300, 12),
            (200, 10),
            (300, 10),
            (50, 3),
            (0, 1),
            (0, 1),
            (500, 3),
            (900, 10),
        ];
        for (blocked, level) in rows {
            effort.adapt(SECOND, Duration::from_millis(blocked), LOTS);
            assert_eq!(effort.level(), level, "blocked for {blocked} ms of a second");
        }
    }

    #[test]
    fn a_slow_reader_on_a_fast_link_does_not_raise_the_level() {
        let mut effort = AdaptiveLevel::new(100 << 20, LinkSpeed::Fast);
        for (blocked, level) in [(900, 3), (900, 3), (300, 3), (0, 1), (0, 1)] {
            effort.adapt(SECOND, Duration::from_millis(blocked), 0..0);
            assert_eq!(effort.level(), level, "blocked for {blocked} ms of a second");
        }
    }

    #[test]
    fn slow_links_and_small_transfers_keep_a_high_level() {
        let mut effort = AdaptiveLevel::new(100 << 20, LinkSpeed::Slow);
        assert_eq!(effort.level(), 10);
        let early = effort.adapt(Duration::from_millis(149), Duration::from_millis(149), LOTS);
        assert_eq!((early, effort.level()), (LevelChange::TooEarly, 10));
        assert_eq!(effort.adapt(SECOND, Duration::ZERO, 0..1 << 20), LevelChange::Stay);
        assert_eq!(effort.level(), 10);
        let moment = Duration::from_millis(399);
        assert_eq!(effort.adapt(moment, Duration::ZERO, LOTS), LevelChange::TooEarly);
        let draining = 9 << 20..12 << 20;
        assert_eq!(effort.adapt(SECOND, Duration::ZERO, draining), LevelChange::TooEarly);
        assert_eq!(effort.adapt(SECOND, Duration::ZERO, LOTS), LevelChange::Change);
        assert_eq!(effort.level(), 3);
        let mut little = AdaptiveLevel::new(1000, LinkSpeed::Slow);
        assert_eq!(little.adapt(SECOND, Duration::ZERO, LOTS), LevelChange::Stay);
        assert_eq!(little.level(), 10);
    }
}
