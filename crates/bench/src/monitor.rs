//! What a race tells of itself while it runs.

use crate::record::{Outcome, Run};
use crate::scenario::Scenario;

/// How it goes.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Something is made ready that is not measured.
    Preparing(&'static str),
    /// A link is raced on.
    Link(&'a str),
    /// A run begins.
    Run {
        /// Of which scenario.
        scenario: Scenario,
        /// Whose.
        competitor: &'a str,
        /// How many runs ended before.
        done: u32,
        /// How many there will be, over all links.
        of: u32,
    },
    /// It has ended.
    Ended {
        /// Of which scenario.
        scenario: Scenario,
        /// Whose.
        competitor: &'a str,
        /// What it took.
        run: &'a Run,
    },
}

/// Hears how a race goes.
pub trait Monitor {
    /// Something happened.
    fn event(&self, event: Event<'_>);

    /// Whether the user wants it to end. Asked between runs.
    fn stopped(&self) -> bool {
        false
    }
}

/// Hears nothing.
impl Monitor for () {
    fn event(&self, _: Event<'_>) {}
}

impl Outcome {
    /// What went wrong, in a line; nothing if nothing did.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        match self {
            Outcome::Right => None,
            Outcome::Wrong { differences, first } => {
                let paths = if *differences == 1 { "line differs" } else { "lines differ" };
                Some(format!("wrong: {differences} {paths}: {first}"))
            }
            Outcome::Failed { said } => Some(format!("failed: {said}")),
        }
    }
}
