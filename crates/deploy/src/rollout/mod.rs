//! Rollouts: publish one deployment on every host, or on none.
//!
//! ```text
//! check -> build -> stage everywhere -> publish everywhere -> hooks, restart -> prune -> clean up
//! ```
//!
//! Nothing is published before every target (an asset set on a host) has all its files, staged and
//! verified. A failure until then leaves every host as it was. Start with [`Rollout`]: it sends
//! events to a [`Monitor`], stops when [`Cancel`] is used, and returns an [`Outcome`] with the
//! version that each target serves.
//!
//! The connection to each host stays open from staging to pruning, and with it the lock on the
//! destination, so no other push can happen in between.

#[cfg(feature = "buckets")]
mod bucket_checks;
#[cfg(not(feature = "buckets"))]
#[path = "no_bucket_checks.rs"]
mod bucket_checks;
#[cfg(feature = "buckets")]
mod bucket_targets;
#[cfg(not(feature = "buckets"))]
#[path = "no_bucket_targets.rs"]
mod bucket_targets;
#[cfg(feature = "buckets")]
mod buckets;
#[cfg(not(feature = "buckets"))]
#[path = "no_buckets.rs"]
mod buckets;
mod build;
mod cancel;
mod changed;
mod check_commands;
mod checkout_lock;
mod command_failure;
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
mod output_marks;
mod over_sftp;
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
mod verify;
mod version_managers;
mod worker;

pub use self::cancel::Cancel;
pub use self::command_phase::CommandPhase;
pub use self::error::{RolloutError, TargetError};
pub use self::event::{Event, Monitor, Phase};
pub use self::options::{Engine, Rollout, RolloutSelection};
pub use self::outcome::{Outcome, ServedVersion, TargetOutcome};
pub use self::target_status::{KeptDeploy, TargetState, TargetStatus};
