//! `assetsync.toml`: read, layered, checked; every value knows where it came from.
//!
//! ```text
//! text -> ConfigFile -> Settings -> Deployment
//! ```
//!
//! A [`ConfigFile`] has only known keys and values of the right type. [`Settings`] are those of one
//! stage, with the environment and arguments over them; [`Settings::explain`] lists them. A
//! [`Deployment`] is what a deploy works with. All errors are returned at once, as [`Problems`]
//! with spans and hints.
//!
//! All of it is values in, values out, but for [`LoadedConfig`].

mod bucket;
mod check_value;
mod choice;
mod deployment;
pub(crate) mod escape;
mod explain;
mod file;
mod find;
mod hints;
mod layer;
mod names;
mod origin;
mod overrides;
mod path;
mod problem;
mod render;
mod resolve;
pub(crate) mod schema;
pub(crate) mod secrets;
mod settings;
pub(crate) mod suggest;
pub(crate) mod template;
#[cfg(test)]
mod tests;
mod toml_tree;
mod value;

pub use deployment::Deployment;
pub(crate) use deployment::{
    AssetSet, Bucket, Delete, Host, OnFailure, Publish, RestartHow, Timeouts, Transport, Web,
};
pub use explain::{ExplainedItem, ExplainedSetting};
pub use file::ConfigFile;
pub use find::{FILE_NAME, FindError, LoadedConfig};
pub use origin::Location;
pub use overrides::Overrides;
#[cfg(test)]
pub(crate) use problem::Severity;
pub use problem::{Diagnostic, Problems};
pub use settings::Settings;
pub use template::ConfigTemplate;
pub(crate) use template::Project;
pub use value::{Hook, SettingValue};

pub(crate) use check_value::value_is_fine;
pub(crate) use names::{is_name, is_set_name};
