//! What is printed of a push.

/// What is printed of a push, resolved from `-v`, `-q`, `--json` and the like.
#[derive(Debug, Clone, Copy, Default)]
pub struct Output {
    /// Each step.
    pub steps: bool,
    /// The time of each step.
    pub clock: bool,
    /// Each changed path.
    pub changes: bool,
    /// More numbers at the end.
    pub stats: bool,
    /// Nothing but errors.
    pub quiet: bool,
    /// JSON instead of words.
    pub json: bool,
}
