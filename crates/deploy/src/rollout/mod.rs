//! Rollouts: from one deployment to every host, all or none.
//!
//! ```text
//! check -> build -> stage everywhere -> publish everywhere -> hooks, restart -> prune -> clean up
//! ```
//!
//! Nothing is published before every place (a set of assets on a host) has all its files, staged and verified. A failure
//! until then leaves every host as it was. [`Rollout`] is the way in; it tells a [`Monitor`] what it does, stops when a
//! [`Cancel`] is asked, and ends with an [`Outcome`] that says for every place what is served there.
//!
//! The connection to each host stays from staging to pruning, and with it the lock on the destination: no other push can
//! come in between.

mod build;
mod cancel;
mod command_phase;
mod each;
mod error;
mod event;
mod fleet;
mod hooks;
mod line_splitter;
mod local_command;
mod options;
mod outcome;
mod payload;
mod pipeline;
mod remote_command;
mod retention;
mod rollback;
mod secrets;
mod started;
mod target;
mod target_status;
mod verbs;
mod version_managers;
mod worker;

pub use self::cancel::Cancel;
pub use self::command_phase::CommandPhase;
pub use self::error::{CommandFailure, RolloutError, TargetError};
pub use self::event::{Event, Monitor, NoMonitor, Phase};
pub use self::options::{Engine, Rollout, RolloutSelection};
pub use self::outcome::{Outcome, RolloutResult, ServedVersion, TargetOutcome};
pub use self::target::DeployTarget;
pub use self::target_status::{KeptDeploy, TargetState, TargetStatus};
