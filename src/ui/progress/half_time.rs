//! The estimates of the engine and of the progress line together, on a simulated line with a
//! simulated clock: at half time the time left is right within a fifth.

use std::time::Duration;

use assetsync_core::entry::Mtime;
use assetsync_core::path::RelPath;
use assetsync_core::plan::{Action, ActionKind, FileAction, PublishRank};
use assetsync_core::recipe::{Basis, Recipe, Reference};
use assetsync_sync::internals::WireEstimate;

use super::arrivals::Arrivals;

/// How often the engine reports.
const STEP: Duration = Duration::from_millis(50);

/// Steps between two receipts of the agent.
const RECEIPTS: u32 = 10;

/// Bytes in buffers on the way.
const IN_FLIGHT: u64 = 256 * 1024;

/// A file, and the part of it that travels.
struct Content {
    action: Action,
    share: f64,
}

/// Pushes of one seed differ in what is pushed and how it compresses.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        // xorshift64, by Marsaglia.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn between(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * self.below(1000) as f64 / 1000.0
    }
}

fn action(name: String, size: u64, recipe: Recipe) -> Action {
    let (mode, mtime, rank) = (0o644, Mtime::default(), PublishRank::Ordinary);
    let file = FileAction { size, mode, mtime, digest: None, recipe, rank };
    let path = RelPath::new(name.as_bytes()).unwrap();
    Action { path, known: None, what: ActionKind::File(file) }
}

/// The files of a push in the order in which they are sent: patches, text, images.
fn contents(random: &mut Random) -> Vec<Content> {
    let basis = Basis::Retained(assetsync_core::index::Index::new(0));
    let patch = Recipe::Patch { reference: Reference { basis, rewritten: false } };
    let kinds = [
        (patch, "js", (0.002, 0.03), 300),
        (Recipe::Whole, "js", (0.22, 0.34), 120),
        (Recipe::Whole, "png", (1.0, 1.001), 60),
    ];
    let mut contents = Vec::new();
    for (recipe, extension, (least, most), count) in kinds {
        for number in 0..20 + random.below(count) {
            let size = 1000 + random.below(300_000);
            let action = action(format!("{number}.{extension}"), size, recipe);
            contents.push(Content { action, share: random.between(least, most) });
        }
    }
    contents
}

/// Where the sender is: bytes of content passed, and of the wire.
struct Sender<'c> {
    contents: &'c [Content],
    next: usize,
    done: u64,
    sent: f64,
}

impl Sender<'_> {
    /// Sends files until so many bytes are on the wire.
    fn send(&mut self, most: f64) {
        while let Some(content) = self.contents.get(self.next).filter(|_| self.sent < most) {
            let size = content.action.file().map_or(0, |file| file.size);
            self.done += size;
            self.sent += size as f64 * content.share;
            self.next += 1;
        }
    }
}

/// The time left that is shown at half time, and the one that is right.
fn half_time(seed: u64, bytes_per_second: f64) -> (Option<Duration>, Duration) {
    let contents = contents(&mut Random(seed));
    let mut estimate = WireEstimate::new(contents.iter().map(|content| &content.action));
    let mut all = Sender { contents: &contents, next: 0, done: 0, sent: 0.0 };
    all.send(f64::INFINITY);
    let whole = Duration::from_secs_f64(all.sent / bytes_per_second);
    let mut sender = Sender { contents: &contents, next: 0, done: 0, sent: 0.0 };
    let (mut arrivals, mut received) = (Arrivals::default(), 0);
    for step in 0_u32.. {
        let now = STEP * step;
        if now >= whole / 2 {
            return (arrivals.left(), whole - now);
        }
        let carried = now.as_secs_f64() * bytes_per_second;
        sender.send(carried + IN_FLIGHT as f64);
        if step % RECEIPTS == 0 {
            received = carried as u64;
        }
        let expected = estimate.note(sender.done, sender.sent as u64);
        arrivals.note(now, received, expected);
    }
    unreachable!("the half time comes")
}

#[test]
fn at_half_time_the_time_left_is_right_within_a_fifth() {
    for seed in 1..=200 {
        for bytes_per_second in [100_000.0, 250_000.0, 500_000.0] {
            let (shown, right) = half_time(seed, bytes_per_second);
            let shown = shown.expect("the rate is steady by then");
            let error = shown.as_secs_f64() / right.as_secs_f64() - 1.0;
            assert!(error.abs() <= 0.2, "{seed}, {bytes_per_second}: {shown:?} for {right:?}");
        }
    }
}
