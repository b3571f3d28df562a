//! The phases in which commands run.

use std::fmt;

/// A phase in which commands run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandPhase {
    /// Before staging: checks that hosts without assets can be reached.
    Check,
    /// Before the build.
    BeforeBuild,
    /// After the build.
    AfterBuild,
    /// Everything is staged.
    BeforePublish,
    /// Everything is published.
    AfterPublish,
    /// The application is restarted.
    Restart,
    /// The rollout has failed.
    OnFailure,
}

/// The name of the setting, where there is one.
impl fmt::Display for CommandPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CommandPhase::Check => "check",
            CommandPhase::BeforeBuild => "before_build",
            CommandPhase::AfterBuild => "after_build",
            CommandPhase::BeforePublish => "before_publish",
            CommandPhase::AfterPublish => "after_publish",
            CommandPhase::Restart => "restart",
            CommandPhase::OnFailure => "on_failure",
        })
    }
}
