//! Progress of a race.

use crate::record::Run;
use crate::scenario::Scenario;

/// Progress of a race.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A step that is not measured.
    Preparing(&'static str),
    /// The race on a link begins.
    Link(&'a str),
    /// A run begins.
    Run {
        /// The scenario.
        scenario: Scenario,
        /// The competitor.
        competitor: &'a str,
        /// How many runs have ended.
        done: u32,
        /// The number of all runs, over all links.
        of: u32,
    },
    /// A run has ended.
    Ended {
        /// The scenario.
        scenario: Scenario,
        /// The competitor.
        competitor: &'a str,
        /// Its measurements.
        run: &'a Run,
    },
}

/// Receives the progress of a race.
pub trait Monitor {
    /// Receives an event.
    fn event(&self, event: Event<'_>);

    /// Whether the user wants to stop. Called between runs.
    fn stopped(&self) -> bool {
        false
    }
}

/// Ignores all progress.
impl Monitor for () {
    fn event(&self, _: Event<'_>) {}
}
