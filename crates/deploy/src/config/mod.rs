//! `assetsync.toml`: read, layered, checked; every value knows where it came from.
//!
//! ```text
//! text -> ConfigFile -> Settings -> Deployment
//! ```
//!
//! A [`ConfigFile`] has only known keys and values of the right type. [`Settings`] are those of one stage, with the
//! environment and arguments over them; [`Settings::explain`] lists them. A [`Deployment`] is what a deploy works
//! with. On the way everything that is wrong is told at once, as [`Problems`] with places and advice.
//!
//! All of it is values in, values out, but for [`find`] and [`read`].

mod advice;
mod check;
mod choice;
mod decide;
mod deployment;
mod explain;
mod file;
mod find;
mod layer;
mod nearest;
mod overlay;
mod path;
mod place;
mod problem;
mod render;
mod resolve;
pub(crate) mod schema;
pub(crate) mod secret;
mod settings;
pub(crate) mod starter;
#[cfg(test)]
mod tests;
pub(crate) mod text;
mod tree;
mod value;

pub use deployment::{
    AssetSet, Build, Delete, Deployment, Hook, Hooks, Host, Publish, Restart, RestartHow, Ssh,
    Timeouts, Transport,
};
pub use explain::{ExplainedSetting, Part};
pub use file::ConfigFile;
pub use find::{FILE_NAME, FindError, Found, find, read};
pub use overlay::Overrides;
pub use place::{ConfigTextKind, Origin, Place, Source};
pub use problem::{Diagnostic, Expected, Problem, Problems, Severity};
pub use settings::Settings;
pub use starter::{ConfigTemplate, Project};
pub use tree::MAX_FILE;
pub use value::SettingValue;

pub(crate) use check::value_is_fine;
pub(crate) use file::{is_name, is_set_name};
