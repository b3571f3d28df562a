//! Deploy steps over the engine: configuration, hosts, rollout, retention.
//!
//! ```text
//! assetsync.toml -> LoadedConfig -> ConfigFile -> Settings -> Deployment -> Rollout -> Outcome
//! ```
//!
//! [`LoadedConfig`] finds `assetsync.toml`; [`template_of`] makes one to begin with. A
//! [`Deployment`] is what it says of one stage, and a [`Rollout`] deploys that to all hosts or to
//! none.

mod capistrano;
mod command;
mod config;
mod history;
#[doc(hidden)]
pub mod internals;
mod rollout;
mod template;

pub use crate::command::Shown;
pub use crate::config::{
    ConfigFile, ConfigTemplate, Deployment, Diagnostic, ExplainedItem, ExplainedSetting, FILE_NAME,
    FindError, LoadedConfig, Location, Overrides, Problems, SettingValue, Settings,
};
pub use crate::history::{Deploy, DeployId, Drift, RollbackTo};
pub use crate::rollout::{
    Cancel, CommandPhase, Engine, Event, KeptDeploy, Monitor, Outcome, Phase, Rollout,
    RolloutError, RolloutSelection, ServedVersion, TargetError, TargetOutcome, TargetState,
    TargetStatus,
};
pub use crate::template::template_of;
