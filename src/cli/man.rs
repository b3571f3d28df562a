//! The arguments of `assetsync man`.

use clap::ValueEnum;

/// The manual pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Page {
    /// The command, for section 1
    #[value(name = "assetsync")]
    Assetsync,
    /// The settings of a project, for section 5
    #[value(name = "assetsync.toml")]
    AssetsyncToml,
}
