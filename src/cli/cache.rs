//! The arguments that choose the store and the recipes, for every command that pushes.

use clap::{Args, ValueEnum};

use super::store::StoreLocation;

/// The store, and which recipes may be used.
#[derive(Debug, Args)]
#[command(next_help_heading = "Cache")]
pub struct CacheArguments {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub place: StoreLocation,
    /// Do not read or write the store
    #[arg(long)]
    pub no_store: bool,
    /// Use only these recipes [default: those that end soonest]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_enum)]
    pub recipes: Option<Vec<RecipeArgument>>,
}

/// Recipes that can be switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RecipeArgument {
    /// Copy content that is at the destination under another name
    Copy,
    /// Replace fingerprints in content of the destination
    Rewrite,
    /// Send the differences from content in the store
    Patch,
    /// Send the differences from content at the destination
    Delta,
    /// Make a .gz from its uncompressed sibling
    Regzip,
    /// All recipes
    All,
    /// No recipe: send whole files
    None,
}
