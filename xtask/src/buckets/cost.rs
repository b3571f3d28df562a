//! What is measured of each program, step by step.

use std::time::Duration;

/// A step of a run: one push.
pub(super) struct Step {
    /// As the table calls it.
    pub(super) name: &'static str,
    /// The position of the build that a compile writes before; if none, the source stays as it is.
    pub(super) compiles: Option<usize>,
    /// Whether each text has a `.gz` beside it. Such a build is pushed to a prefix of its own.
    pub(super) compressed: bool,
}

/// The steps of a run, each of which pushes to where the ones before have pushed.
pub(super) const STEPS: [Step; 6] = [
    Step { name: "n8n, first push", compiles: Some(0), compressed: false },
    Step { name: "compiled again, only times changed", compiles: Some(0), compressed: false },
    Step { name: "next build", compiles: Some(1), compressed: false },
    Step { name: "nothing changed", compiles: None, compressed: false },
    Step { name: "n8n with a `.gz` of each text, first push", compiles: Some(0), compressed: true },
    Step { name: "next build of that", compiles: Some(1), compressed: true },
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
