//! When commands run.

use std::fmt;

/// When commands run around a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandPhase {
    /// Hosts without assets are reached before anything is staged.
    Check,
    /// Before the build.
    BeforeBuild,
    /// After the build.
    AfterBuild,
    /// All is staged.
    BeforePublish,
    /// All is live.
    AfterPublish,
    /// The application is told.
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
