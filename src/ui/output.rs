//! Which parts of a push are printed.

/// Which parts of a push are printed, from `-v`, `-q`, `--json` and the like.
#[derive(Debug, Clone, Copy, Default)]
pub struct Output {
    /// Each step.
    pub steps: bool,
    /// The time of each step.
    pub clock: bool,
    /// Each changed path.
    pub changes: bool,
    /// Statistics at the end.
    pub stats: bool,
    /// Only errors.
    pub quiet: bool,
    /// JSON instead of text.
    pub json: bool,
}
