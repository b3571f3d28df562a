//! Estimates how many bytes a push will have sent at its end. Pure.
//!
//! How much a file takes on the wire is known only once it is encoded: a patch takes a hundredth
//! of its file, a script a quarter, a picture all of it. The estimate begins with such shares, and
//! replaces them by the measured ones.

use assetsync_core::plan::{Action, FileAction};
use assetsync_core::recipe::Recipe;

use crate::scan::compressed_names::is_precompressed;

/// What decides how much of a content is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Differences from a content that the destination has.
    Differences,
    /// Content that compresses.
    Plain,
    /// Content that is compressed already.
    Compressed,
}

const CLASSES: usize = 3;

/// The expected shares before anything is measured.
const SHARES: [f64; CLASSES] = [0.02, 0.28, 1.0];

/// A share is replaced by the measured one after so many bytes of content.
const MEASURED_AFTER: u64 = 512 * 1024;

/// The content of a push in the order in which it is sent, and what was measured so far.
#[derive(Debug, Clone, Default)]
pub struct WireEstimate {
    /// Where each file ends, counted in bytes of all content, and its class.
    ends: Vec<(u64, Class)>,
    /// Files before this one are sent.
    next: usize,
    /// Bytes of content that are sent.
    done: u64,
    /// Bytes on the wire at the last measurement; those before the content are not counted.
    sent: Option<u64>,
    sent_by_class: [f64; CLASSES],
    done_by_class: [u64; CLASSES],
    left_by_class: [u64; CLASSES],
}

impl WireEstimate {
    /// The estimate for files that are sent in this order.
    pub fn new<'p>(actions: impl Iterator<Item = &'p Action>) -> WireEstimate {
        let mut estimate = WireEstimate::default();
        let mut end = 0;
        for (action, file) in actions.filter_map(|action| Some((action, action.file()?))) {
            let class = class(action, file);
            end += file.size;
            estimate.ends.push((end, class));
            estimate.left_by_class[class as usize] += file.size;
        }
        estimate
    }

    /// Notes that `done` bytes of content are sent, in `sent` bytes in all. Returns the expected
    /// `sent` at the end.
    pub fn note(&mut self, done: u64, sent: u64) -> u64 {
        let expected = each(|class| self.share(class));
        let passed = self.pass(done);
        // What the first content took is not known: the plan was sent before it.
        if let Some(before) = self.sent.replace(sent) {
            self.measure(passed, expected, sent.saturating_sub(before) as f64);
        }
        let left = each(|class| self.left_by_class[class] as f64 * self.share(class));
        sent + left.iter().sum::<f64>() as u64
    }

    /// Counts bytes that took `new` bytes on the wire, shared by what was expected of each class.
    fn measure(&mut self, passed: [u64; CLASSES], expected: [f64; CLASSES], new: f64) {
        let weights = each(|class| passed[class] as f64 * expected[class]);
        let whole: f64 = weights.iter().sum();
        for class in (0..CLASSES).filter(|_| whole > 0.0) {
            self.sent_by_class[class] += new * weights[class] / whole;
            self.done_by_class[class] += passed[class];
        }
    }

    /// Moves on to `done` bytes of content; returns how many of each class were passed.
    fn pass(&mut self, done: u64) -> [u64; CLASSES] {
        let mut passed = [0; CLASSES];
        while let Some(&(end, class)) = self.ends.get(self.next).filter(|_| self.done < done) {
            let to = end.min(done);
            passed[class as usize] += to.saturating_sub(self.done);
            self.done = to.max(self.done);
            if end > done {
                break;
            }
            self.next += 1;
        }
        for (class, bytes) in passed.iter().enumerate() {
            self.left_by_class[class] = self.left_by_class[class].saturating_sub(*bytes);
        }
        passed
    }

    /// The part of a class's content that is sent.
    fn share(&self, class: usize) -> f64 {
        match self.done_by_class[class] {
            done if done >= MEASURED_AFTER => self.sent_by_class[class] / done as f64,
            _ => SHARES[class],
        }
    }
}

fn each<T>(of: impl Fn(usize) -> T) -> [T; CLASSES] {
    std::array::from_fn(of)
}

fn class(action: &Action, file: &FileAction) -> Class {
    match file.recipe {
        Recipe::Whole if is_precompressed(action.path.as_bytes()) => Class::Compressed,
        Recipe::Whole => Class::Plain,
        _ => Class::Differences,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1_000_000;

    fn estimate(files: &[(u64, Class)]) -> WireEstimate {
        let mut estimate = WireEstimate::default();
        let mut end = 0;
        for &(size, class) in files {
            end += size;
            estimate.ends.push((end, class));
            estimate.left_by_class[class as usize] += size;
        }
        estimate
    }

    #[test]
    fn before_anything_is_measured_shares_are_assumed() {
        let files =
            [(10 * MB, Class::Differences), (10 * MB, Class::Plain), (MB, Class::Compressed)];
        assert_eq!(estimate(&files).note(0, 5000), 5000 + 200_000 + 2_800_000 + MB);
    }

    #[test]
    fn measured_shares_replace_assumed_ones() {
        let mut estimate = estimate(&[(10 * MB, Class::Plain), (10 * MB, Class::Compressed)]);
        estimate.note(0, 0);
        // Half of the text took a tenth of its size.
        assert_eq!(estimate.note(5 * MB, 500_000), 500_000 + 500_000 + 10 * MB);
        assert_eq!(estimate.note(10 * MB, MB), 11 * MB);
        assert_eq!(estimate.note(20 * MB, 11 * MB), 11 * MB);
    }

    #[test]
    fn the_first_content_is_not_measured() {
        let mut estimate = estimate(&[(10 * MB, Class::Plain), (10 * MB, Class::Plain)]);
        // It came with a plan of unknown size.
        assert_eq!(estimate.note(10 * MB, 2 * MB), 2 * MB + 2_800_000);
        assert_eq!(estimate.note(15 * MB, 3 * MB), 4 * MB);
    }

    #[test]
    fn a_step_over_several_files_is_shared_by_what_was_expected() {
        let files = [(MB, Class::Differences), (MB, Class::Compressed), (MB, Class::Compressed)];
        let mut estimate = estimate(&files);
        estimate.note(0, 0);
        assert_eq!(estimate.note(2 * MB, 1_020_000), 1_020_000 + MB);
    }

    #[test]
    fn empty_files_and_content_over_the_plan_do_no_harm() {
        let mut estimate = estimate(&[(0, Class::Plain), (10, Class::Plain), (0, Class::Plain)]);
        assert_eq!(estimate.note(10, 20), 20);
        assert_eq!(estimate.note(99, 30), 30);
        assert_eq!(WireEstimate::default().note(7, 7), 7);
    }
}
