//! Options of a push: comparison, deletes, publishing, recipes.

use assetsync_core::recipe::Recipes;

use crate::compare::policy::Policy;

/// Options of a push: comparison, deletes, publishing, recipes.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// How trees are compared and what is deleted.
    pub policy: Policy,
    /// Refuse a plan with more deletes.
    pub max_delete: Option<u64>,
    /// Let an empty source empty the destination.
    pub allow_empty: bool,
    /// Publish all at once: a new tree, built beside the destination from links to what stays, is
    /// exchanged with it. Otherwise file by file, entry points last: every path is whole at every
    /// moment.
    pub whole_directory: bool,
    /// The only ways files may take; if none are given, all that pay on the way to the destination.
    pub recipes: Option<Recipes>,
}
