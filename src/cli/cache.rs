//! The arguments that choose the store and the recipes, for every command that pushes.

use clap::{Args, ValueEnum};

use super::store::StoreLocation;

/// What is remembered, and how files may be sent.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is remembered")]
pub struct CacheArguments {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub place: StoreLocation,
    /// Remember nothing, and use nothing that is remembered
    #[arg(long)]
    pub no_store: bool,
    /// Send files only in these ways; without it, in all that pay: next door that is copy and delta
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_enum)]
    pub recipes: Option<Vec<RecipeArgument>>,
}

/// Ways to send a file that can be switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RecipeArgument {
    /// Content that is at the destination under another name
    Copy,
    /// Content with other fingerprints in it
    Rewrite,
    /// Differences to content in the store
    Patch,
    /// Differences to content at the destination
    Delta,
    /// A .gz from its plain sibling
    Regzip,
    /// All of these
    All,
    /// None of these: whole files
    None,
}
