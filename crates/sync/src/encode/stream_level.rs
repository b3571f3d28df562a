//! The compression level of the stream of content: the one with which what is left arrives soonest,
//! by what was measured so far of the line and of this machine.

use std::time::Duration;

use super::content_left::Finding;
use crate::cost::levels::{
    Cpu, LITTLE, Level, STREAM, pays_to_change, pays_to_lower, pays_to_raise, soonest_for_stream,
};
use crate::cost::line::{Line, RateSource};

/// Shortest time between two looks at the line.
const PERIOD: Duration = Duration::from_millis(100);

/// The same while nothing is known of the line.
const FIRST_PERIOD: Duration = Duration::from_millis(10);

/// Up to this many bytes of content the agent holds a smaller window in memory.
const SMALL_TRANSFER: u64 = 4 << 20;

/// The smallest and the largest window, as powers of two.
const SMALLEST_WINDOW: u32 = 18;
const LARGEST_WINDOW: u32 = 23;

/// The part of a new measurement of the core's speed in the average.
const NEWEST: f64 = 0.5;

/// Less content than this says nothing of the core's speed, in bytes.
const MEASURED_BYTES: u64 = 100_000;

/// The levels for some content, and for much, while nothing is known of the line.
const FIRST_LEVELS: [Level; 2] = [STREAM[2], STREAM[1]];

/// The speed of a core until it is measured: one that is found to be quicker compresses more, but
/// one that is found to be slower has lost time.
const FIRST_SPEED: f64 = 0.5;

/// The current level.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamLevel {
    line: Line,
    cpu: Cpu,
    level: Level,
    window_log: u32,
}

/// What was done since the last look.
#[derive(Debug, Clone, Copy)]
pub struct Period {
    /// How long it was.
    pub elapsed: Duration,
    /// How long of it the encoder was blocked in writing.
    pub blocked: Duration,
    /// Bytes of content that were compressed.
    pub bytes: u64,
    /// Bytes of content that are not compressed yet.
    pub left: u64,
    /// Bytes per second of the line, if they are measured.
    pub line_rate: Option<u64>,
}

impl StreamLevel {
    /// The first level for this many bytes of content.
    pub fn new(bytes: u64, line: Line) -> StreamLevel {
        let cpu = Cpu { cores: 1, speed: FIRST_SPEED };
        StreamLevel { line, cpu, level: first_level(bytes, line, cpu), window_log: window(bytes) }
    }

    /// Chooses the first level again, now that `bytes` of content are found to be left, and
    /// `compressed` bytes are compressed already. A lower level is taken if it saves much time; a
    /// better one only once it is known how much of deltas is new. On a slow line a new zstd frame
    /// takes more time than another level saves. Returns whether it was changed.
    pub fn expect(&mut self, bytes: u64, compressed: u64, found: Finding) -> bool {
        if !self.line.is_quick() {
            return false;
        }
        let level = first_level(bytes, self.line, self.cpu);
        let changes = pays_to_lower(self.level, level, bytes, self.line, self.cpu)
            || found == Finding::NewInDeltas && pays_to_raise(self.level, level, bytes, compressed);
        if changes {
            self.level = level;
        }
        changes
    }

    /// The current level.
    #[cfg(test)]
    pub fn current(&self) -> Level {
        self.level
    }

    /// The zstd level.
    pub fn level(&self) -> i32 {
        self.level.zstd
    }

    /// The window's size as a power of two: the agent must hold it in memory.
    pub fn window_log(&self) -> u32 {
        self.window_log
    }

    /// The line, as far as it is known.
    pub fn line(&self) -> Line {
        self.line
    }

    /// Whether it is time for another look.
    pub fn is_due(&self, elapsed: Duration) -> bool {
        let is_unknown = self.line.source == RateSource::Assumed;
        elapsed >= if is_unknown { FIRST_PERIOD } else { PERIOD }
    }

    /// Looks at the line and this machine again. Returns whether the level was changed.
    pub fn adapt(&mut self, period: Period) -> bool {
        let Period { elapsed, blocked, bytes, left, line_rate } = period;
        self.line = self.line.updated(line_rate);
        if self.line.is_metered {
            return false;
        }
        if bytes >= MEASURED_BYTES {
            let busy = elapsed.saturating_sub(blocked).as_secs_f64();
            let speed = self.level.core_speed(bytes, busy);
            self.cpu.speed += (speed - self.cpu.speed) * NEWEST;
        }
        let better = soonest_for_stream(left, self.line, self.cpu);
        let changes =
            better != self.level && pays_to_change(self.level, better, left, self.line, self.cpu);
        if changes {
            self.level = better;
        }
        changes
    }
}

/// The window for this many bytes of content, as a power of two: four to eight times as much, since
/// there may be more new content in deltas than is expected. The tables of high levels are as
/// large, and clearing those for 4 MiB takes about 12 ms.
fn window(bytes: u64) -> u32 {
    match bytes > SMALL_TRANSFER {
        true => LARGEST_WINDOW,
        false => (8 * bytes).max(1).ilog2().clamp(SMALLEST_WINDOW, LARGEST_WINDOW - 1),
    }
}

/// A quick level until something is measured costs a slow line little, and a good level costs a
/// quick line much.
fn first_level(bytes: u64, line: Line, cpu: Cpu) -> Level {
    match line.source {
        RateSource::Assumed if !line.is_metered && bytes > SMALL_TRANSFER => FIRST_LEVELS[1],
        RateSource::Assumed if !line.is_metered && bytes > LITTLE => FIRST_LEVELS[0],
        _ => soonest_for_stream(bytes, line, cpu),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1_000_000;

    #[test]
    fn the_window_grows_with_the_content() {
        let rows = [(0, 18), (20_000, 18), (100_000, 19), (300_000, 21), (MB, 22), (5 * MB, 23)];
        for (bytes, window_log) in rows {
            assert_eq!(StreamLevel::new(bytes, Line::UNKNOWN).window_log(), window_log, "{bytes}");
        }
    }

    fn period(millis: u64, bytes: u64, left: u64, line_rate: Option<u64>) -> Period {
        let (elapsed, blocked) = (Duration::from_millis(millis), Duration::ZERO);
        Period { elapsed, blocked, bytes, left, line_rate }
    }

    #[test]
    fn a_line_that_is_quicker_than_assumed_lowers_the_level_once_it_is_measured() {
        let mut level = StreamLevel::new(100 * MB, Line::UNKNOWN);
        assert_eq!(level.level(), 3);
        assert!(level.adapt(period(10, MB / 2, 99 * MB, None)), "the core is measured");
        assert_eq!(level.level(), 10);
        assert!(level.adapt(period(100, MB / 2, 99 * MB, Some(100 * MB))));
        assert_eq!((level.level(), level.line()), (1, Line::measured(100 * MB)));
    }

    #[test]
    fn a_line_that_is_slower_than_assumed_raises_it() {
        let mut level = StreamLevel::new(100 * MB, Line::LOCAL);
        assert_eq!(level.level(), 1);
        assert!(level.adapt(period(100, MB / 2, 99 * MB, Some(MB))));
        assert_eq!(level.level(), 10);
    }

    #[test]
    fn a_busy_machine_lowers_it() {
        let mut level = StreamLevel::new(100 * MB, Line::measured(5 * MB / 2));
        let changed = (0..4).any(|_| level.adapt(period(1000, 2 * MB, 92 * MB, None)));
        assert!(changed && level.level() < 12, "{}", level.level());
    }

    #[test]
    fn little_is_compressed_well_and_what_little_is_left_begins_no_new_frame() {
        let mut level = StreamLevel::new(MB / 10, Line::measured(100 * MB));
        assert_eq!((level.level(), level.window_log()), (10, 19));
        assert!(!level.adapt(period(100, MB / 20, MB / 20, Some(100 * MB))));
    }

    #[test]
    fn the_level_follows_what_deltas_turn_out_to_be_like() {
        let expect = |level: &mut StreamLevel, bytes, found| level.expect(bytes, MB / 50, found);
        let mut level = StreamLevel::new(MB, Line::LOCAL);
        assert_eq!(level.level(), 3);
        assert!(!expect(&mut level, MB / 2, Finding::MoreContent));
        assert!(!level.expect(MB / 2, MB / 5, Finding::NewInDeltas), "much was compressed before");
        assert!(expect(&mut level, MB / 2, Finding::NewInDeltas) && level.level() == 6);
        assert!(!expect(&mut level, 3 * MB / 2, Finding::NewInDeltas) && level.level() == 6);
        assert!(expect(&mut level, 8 * MB, Finding::MoreContent) && level.level() == 1);
        assert!(!expect(&mut level, 9 * MB, Finding::NewInDeltas));
        let mut slow = StreamLevel::new(MB / 3, Line::UNKNOWN);
        assert!(!expect(&mut slow, 8 * MB, Finding::MoreContent));
        assert!(!expect(&mut slow, 8 * MB, Finding::NewInDeltas));
    }

    #[test]
    fn where_bytes_decide_no_clock_does() {
        let mut level = StreamLevel::new(100 * MB, Line::LOCAL.metered(None));
        assert_eq!(level.level(), 12);
        assert!(!level.adapt(period(1000, MB, 99 * MB, Some(100 * MB))));
    }

    #[test]
    fn the_first_looks_follow_each_other_sooner() {
        let (unknown, known) = (Line::UNKNOWN, Line::LOCAL);
        let due = |line, elapsed| StreamLevel::new(MB, line).is_due(elapsed);
        assert!(due(unknown, FIRST_PERIOD) && !due(known, FIRST_PERIOD) && due(known, PERIOD));
    }
}
