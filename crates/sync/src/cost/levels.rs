//! Which zstd level ends soonest.
//!
//! While some content is compressed, what came before it travels. So a transfer ends with the
//! slower of the two: compressing all of it on the cores at hand, or carrying what that leaves on
//! the line.

use super::line::{Line, RateSource};

/// A zstd level, and what it does to JavaScript and CSS, of which bundles are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// The level.
    pub zstd: i32,
    /// Bytes of content that a core compresses in a second.
    speed: f64,
    /// Bytes on the wire for a byte of content.
    ratio: f64,
    /// Seconds until a compressor has cleared its tables: those of levels from 10 on for a stream
    /// take 16 MiB and more.
    start: f64,
}

/// Levels for one long stream of content, fastest first: the speeds of one core of a small virtual
/// machine. What this machine does compared with it is measured (see [`Cpu`]).
pub const STREAM: &[Level] = &[
    Level { zstd: 1, speed: 300e6, ratio: 0.288, start: 0.0 },
    Level { zstd: 3, speed: 110e6, ratio: 0.267, start: 0.0 },
    Level { zstd: 6, speed: 50e6, ratio: 0.243, start: 0.0 },
    Level { zstd: 10, speed: 32e6, ratio: 0.224, start: 0.01 },
    Level { zstd: 12, speed: 15e6, ratio: 0.222, start: 0.01 },
];

/// Levels for what patches add to the old content, with its surroundings as prefix.
pub const PATCHES: &[Level] = &[
    Level { zstd: 1, speed: 120e6, ratio: 0.25, start: 0.0 },
    Level { zstd: 3, speed: 60e6, ratio: 0.21, start: 0.0 },
    Level { zstd: 6, speed: 28e6, ratio: 0.19, start: 0.0 },
    Level { zstd: 10, speed: 18e6, ratio: 0.175, start: 0.0 },
    Level { zstd: 12, speed: 9e6, ratio: 0.173, start: 0.0 },
    Level { zstd: 16, speed: 2.5e6, ratio: 0.165, start: 0.0 },
    Level { zstd: 19, speed: 1.2e6, ratio: 0.16, start: 0.0 },
];

/// Ends closer to each other than this are equal: fewer bytes decide. A part of the soonest, and
/// seconds: a push has one stream, and many frames of patches.
const EQUAL_SHARE: f64 = 0.03;
const EQUAL_SECONDS: f64 = 0.01;
const EQUAL_STREAM_SECONDS: f64 = 0.03;

/// A lower level in the middle of a stream must save more seconds than this.
const LOWERED_SECONDS: f64 = 0.05;

/// Up to this many bytes of content any level takes no time worth saving.
pub const LITTLE: u64 = 512 * 1024;

/// Up to this many bytes of new content the best level takes seconds at most.
const SMALL: u64 = 2 << 20;

/// The first levels for patches, which are quick.
const QUICK_LEVELS: usize = 3;

/// What compresses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cpu {
    /// How many cores compress at the same time.
    pub cores: usize,
    /// The speed of a core, compared with the one of the tables.
    pub speed: f64,
}

impl Level {
    /// Seconds until `bytes` of content have arrived.
    pub fn seconds(self, bytes: u64, line: Line, cpu: Cpu) -> f64 {
        self.compressing(bytes, cpu).max(line.seconds(self.sent(bytes as f64)))
    }

    /// Seconds until it can begin.
    pub fn starting(self, cpu: Cpu) -> f64 {
        self.start / cpu.speed
    }

    /// Seconds of compressing `bytes` of content, divided among the cores.
    pub fn compressing(self, bytes: u64, cpu: Cpu) -> f64 {
        bytes as f64 / (self.speed * cpu.speed * cpu.cores as f64)
    }

    /// Bytes on the wire for so many of content.
    pub fn sent(self, bytes: f64) -> f64 {
        bytes * self.ratio
    }

    /// The speed of a core that took `seconds` to compress `bytes` of content, compared with that
    /// of the tables.
    pub fn core_speed(self, bytes: u64, seconds: f64) -> f64 {
        bytes as f64 / (self.speed * seconds.max(1e-6))
    }
}

/// The level with which `bytes` of content of the stream arrive soonest; of those that take as
/// long, the one that sends fewest bytes.
pub fn soonest_for_stream(bytes: u64, line: Line, cpu: Cpu) -> Level {
    soonest(STREAM, EQUAL_STREAM_SECONDS, [bytes, 0], line, cpu)
}

/// The level for patches with `bytes` of new content in all, in the next frame and in later ones:
/// nothing of a frame travels before all of it is compressed. While nothing is known of the line,
/// much is compressed quickly, as in the stream. Where bytes decide, no clock does.
pub fn soonest_for_patches(bytes: [u64; 2], line: Line, cpu: Cpu) -> Level {
    match (line.is_metered, line.source, bytes[0]) {
        (true, _, ..=SMALL) => PATCHES[PATCHES.len() - 1],
        (true, ..) => PATCHES[QUICK_LEVELS],
        (_, RateSource::Assumed, LITTLE..) => {
            soonest(&PATCHES[..QUICK_LEVELS], EQUAL_SECONDS, bytes, line, cpu)
        }
        _ => soonest(PATCHES, EQUAL_SECONDS, bytes, line, cpu),
    }
}

/// The level of those that end within `equal_seconds` of the soonest that sends fewest bytes.
fn soonest(levels: &[Level], equal_seconds: f64, bytes: [u64; 2], line: Line, cpu: Cpu) -> Level {
    let [all, frame] = bytes;
    let one = Cpu { cores: 1, ..cpu };
    let seconds = |level: &Level| {
        let first = level.compressing(frame, one);
        level.starting(cpu)
            + first
            + level.seconds(all.saturating_sub(frame), line, cpu)
            + line.seconds(level.sent(frame as f64))
    };
    let least = levels.iter().map(seconds).fold(f64::INFINITY, f64::min);
    let equal = least * (1.0 + EQUAL_SHARE) + equal_seconds;
    let found = levels.iter().rev().find(|level| seconds(level) <= equal);
    *found.unwrap_or(&levels[0])
}

/// Whether another level ends so much sooner that beginning a new zstd frame, without the content
/// before, pays.
pub fn pays_to_change(from: Level, to: Level, bytes: u64, line: Line, cpu: Cpu) -> bool {
    const NEW_FRAME_BYTES: f64 = 60e3;
    const NEW_FRAME_SHARE: f64 = 0.97;
    let frame = to.starting(cpu) + line.seconds(NEW_FRAME_BYTES);
    to.seconds(bytes, line, cpu) + frame < from.seconds(bytes, line, cpu) * NEW_FRAME_SHARE
}

/// Whether a higher level saves more bytes of what is left than a new zstd frame loses at most: it
/// does not find what it has in common with the bytes that were compressed before.
pub fn pays_to_raise(from: Level, to: Level, bytes: u64, compressed: u64) -> bool {
    from.sent(bytes as f64) - to.sent(bytes as f64) > from.sent(compressed as f64)
}

/// Whether a lower level saves enough seconds of work that what is already compressed may be given
/// up for it: the higher one sends fewer bytes, and a new zstd frame more.
pub fn pays_to_lower(from: Level, to: Level, bytes: u64, line: Line, cpu: Cpu) -> bool {
    to.zstd < from.zstd
        && pays_to_change(from, to, bytes, line, cpu)
        && from.seconds(bytes, line, cpu) - to.seconds(bytes, line, cpu) > LOWERED_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1_000_000;
    const ONE: Cpu = Cpu { cores: 1, speed: 1.0 };

    fn cpu(cores: usize, speed: f64) -> Cpu {
        Cpu { cores, speed }
    }

    #[test]
    fn the_level_that_ends_soonest() {
        // Bytes of content, bytes per second, cores, their speed: level of a stream, of patches.
        let rows = [
            (33 * MB, 250_000, 1, 1.0, 12, 16),
            (33 * MB, 2_500_000, 1, 1.0, 12, 10),
            (33 * MB, 2_500_000, 2, 1.0, 12, 12),
            (33 * MB, 2_500_000, 1, 0.3, 6, 3),
            (33 * MB, 12_500_000, 1, 1.0, 6, 3),
            (33 * MB, 12_500_000, 1, 0.3, 1, 1),
            (33 * MB, 125_000_000, 1, 1.0, 1, 1),
            (33 * MB, 1_000_000_000, 16, 1.0, 3, 1),
            (MB, 2_500_000, 2, 1.0, 12, 12),
            (MB / 10, 2_500_000, 2, 1.0, 12, 12),
            (MB / 50, 2_500_000, 2, 1.0, 12, 19),
            (0, 1_000_000_000, 1, 0.1, 6, 19),
        ];
        for row @ (bytes, rate, cores, speed, stream, patches) in rows {
            let line = Line::measured(rate);
            let cpu = cpu(cores, speed);
            let level = soonest_for_stream(bytes, line, cpu).zstd;
            assert_eq!(
                (level, soonest_for_patches([bytes, 0], line, cpu).zstd),
                (stream, patches),
                "{row:?}"
            );
        }
    }

    #[test]
    fn where_bytes_decide_the_level_is_that_of_a_slow_line() {
        let (fast, metered) = (Line::measured(GIGABIT), Line::measured(GIGABIT).metered(None));
        let patches = |bytes, line| soonest_for_patches([bytes, MB / 4], line, ONE).zstd;
        assert_eq!((patches(MB, fast), patches(MB, metered)), (3, 19));
        assert_eq!(patches(100 * MB, metered), 10);
        assert_eq!(soonest_for_stream(MB, metered, ONE).zstd, 12);
    }

    #[test]
    fn patches_for_an_unknown_line_are_compressed_quickly_unless_they_are_few() {
        let level = |bytes| soonest_for_patches([bytes; 2], Line::UNKNOWN, ONE).zstd;
        assert_eq!((level(3 * MB), level(MB / 50)), (3, 16));
    }

    #[test]
    fn a_new_frame_must_pay_for_itself() {
        let (high, low) = (STREAM[3], STREAM[0]);
        let pays = |bytes, rate| pays_to_change(high, low, bytes, Line::measured(rate), ONE);
        assert!(pays(100 * MB, GIGABIT) && pays(2 * MB, GIGABIT));
        assert!(!pays(MB / 10, 12_500_000) && !pays(100 * MB, 2_500_000));
    }

    #[test]
    fn a_lower_level_must_save_time_worth_its_bytes() {
        let lower = |bytes, to| pays_to_lower(STREAM[2], to, bytes, Line::LOCAL, ONE);
        assert!(lower(8 * MB, STREAM[0]) && lower(8 * MB, STREAM[1]));
        assert!(!lower(2 * MB, STREAM[0]) && !lower(8 * MB, STREAM[3]));
    }

    #[test]
    fn a_higher_level_must_save_more_than_a_new_frame_may_lose() {
        let raise = |bytes, compressed| pays_to_raise(STREAM[1], STREAM[3], bytes, compressed);
        assert!(raise(MB, MB / 10) && !raise(MB, MB / 5) && !raise(0, 0));
        assert!(!pays_to_raise(STREAM[3], STREAM[1], MB, 0));
    }

    #[test]
    fn the_speed_of_a_core_is_what_it_did_compared_with_the_table() {
        assert_eq!(STREAM[0].core_speed(150_000_000, 1.0), 0.5);
    }

    const GIGABIT: u64 = 125_000_000;
}
