//! When commands run.

use std::fmt;

/// When commands run around a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
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
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Moment::Check => "check",
            Moment::BeforeBuild => "before_build",
            Moment::AfterBuild => "after_build",
            Moment::BeforePublish => "before_publish",
            Moment::AfterPublish => "after_publish",
            Moment::Restart => "restart",
            Moment::OnFailure => "on_failure",
        })
    }
}
