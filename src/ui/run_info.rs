//! A command on a stage: the values that its final messages need.

/// The kind of command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `deploy` and `push STAGE`.
    Deploy,
    /// `rollback`.
    Rollback,
    /// `verify`.
    Verify,
    /// `prune`.
    Prune,
}

/// A command on a stage.
#[derive(Debug, Clone, Copy)]
pub struct RunInfo<'a> {
    /// The stage.
    pub stage: &'a str,
    /// The kind of command.
    pub verb: Verb,
    /// Whether it only showed what it would do.
    pub dry_run: bool,
}
