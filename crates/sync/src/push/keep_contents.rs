//! Which of the source's contents the store keeps, while the push waits for the agent.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::compare::content_match::SourceEntry;
use crate::cost::line::Line;
use crate::scan::source::Source;
use crate::store::destination_cache::DestinationCache;

/// On a quick line more contents than this, in bytes, are kept only for as long as the push has to
/// wait for the agent anyway: packing them may take longer than all the rest of the push, and what
/// a later push finds out from them saves less time there.
const ALWAYS_KEPT: u64 = 32 << 20;

/// Keeps contents while the push waits.
pub struct ContentKeeper {
    is_line_quick: bool,
    is_waiting: AtomicBool,
}

impl ContentKeeper {
    /// The push over this line waits from now on.
    pub fn new(line: Line) -> ContentKeeper {
        ContentKeeper { is_line_quick: line.is_quick(), is_waiting: AtomicBool::new(true) }
    }

    /// The push waits no longer.
    pub fn end_waiting(&self) {
        self.is_waiting.store(false, Ordering::Relaxed);
    }

    /// Keeps contents of the source. On a quick line one core does that: the agent, which may be
    /// on the same machine, has the others.
    pub fn keep(&self, cache: &DestinationCache<'_>, source: &Source, entries: &[SourceEntry]) {
        let keep = || cache.keep_contents(source, entries, &|kept| self.is_wanted(kept));
        match rayon::ThreadPoolBuilder::new().num_threads(1).build() {
            Ok(one) if self.is_line_quick => one.install(keep),
            _ => keep(),
        }
    }

    /// Whether another content is kept after so many bytes.
    fn is_wanted(&self, kept: u64) -> bool {
        !self.is_line_quick || kept < ALWAYS_KEPT || self.is_waiting.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_over_a_quick_line_waits_for_no_more_than_some_contents() {
        let (quick, slow) = (Line::LOCAL, Line::UNKNOWN);
        let rows = [
            (slow, false, u64::MAX, true),
            (quick, true, u64::MAX, true),
            (quick, false, ALWAYS_KEPT - 1, true),
            (quick, false, ALWAYS_KEPT, false),
        ];
        for (line, waits, kept, expected) in rows {
            let keeper = ContentKeeper::new(line);
            if !waits {
                keeper.end_waiting();
            }
            assert_eq!(keeper.is_wanted(kept), expected, "{line:?}, {waits}, {kept}");
        }
    }
}
