//! What is measured of each program, step by step.

use std::time::Duration;

/// What is pushed in each step of a run, to which the step before has pushed: the build, and
/// whether a compile has written all files afresh.
pub(super) const STEPS: [(&str, usize, bool); 4] = [
    ("n8n, first push", 0, true),
    ("compiled again, only times changed", 0, true),
    ("next build", 1, true),
    ("nothing changed", 1, false),
];

/// What one push took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Requests that the server got.
    pub requests: u64,
    /// Bytes on the link in both directions.
    pub bytes: u64,
    /// Of the whole command.
    pub time: Duration,
}

/// A program, and what each step took: the medians.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The command, as it is shown.
    pub command: &'static str,
    /// By the order of the steps.
    pub costs: Vec<Cost>,
}
