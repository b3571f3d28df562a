//! Random content, modes and times of files.

use fastrand::Rng;

use super::value::Entry;

/// Upper limits of sizes, the largest last.
const SIZES: [usize; 3] = [2_000, 32_000, 300_000];

/// Modes of files. Never writable by others, never setuid.
pub(super) const FILE_MODES: [u32; 5] = [0o644, 0o600, 0o755, 0o640, 0o444];

/// Modes of directories; all let their owner do everything.
pub(super) const DIR_MODES: [u32; 3] = [0o755, 0o700, 0o750];

/// A file with random content, mode and time.
pub(super) fn file(rng: &mut Rng) -> Entry {
    let mode = FILE_MODES[rng.usize(..FILE_MODES.len())];
    Entry::File { bytes: content(rng), mode, mtime: time(rng) }
}

/// A random time in 2020 to 2023.
pub(super) fn time(rng: &mut Rng) -> (i64, u32) {
    (1_600_000_000 + i64::from(rng.u32(..100_000_000)), rng.u32(..1_000_000_000))
}

/// Nothing, text or noise, mostly small.
fn content(rng: &mut Rng) -> Vec<u8> {
    let longest = match rng.u8(..16) {
        0..=1 => 0,
        2..=11 => SIZES[0],
        12..=14 => SIZES[1],
        _ => SIZES[2],
    };
    let length = rng.usize(..=longest);
    if rng.bool() {
        return (0..length).map(|_| rng.u8(..)).collect();
    }
    let text =
        (0..length / 8 + 1).flat_map(|_| format!("v{}={};\n", rng.u8(..), rng.u8(..)).into_bytes());
    text.take(length).collect()
}
