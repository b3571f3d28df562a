//! Options of a push: comparison, deletes, publishing, recipes.

use assetsync_core::recipe::Recipes;

use crate::compare::policy::Policy;

/// Options of a push: comparison, deletes, publishing, recipes.
#[derive(Debug, Clone)]
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
    /// Who pushes, for others that find the destination locked: `ada@laptop`.
    pub who: String,
    /// The only ways files may take; if none are given, all that pay on the way to the destination.
    pub recipes: Option<Recipes>,
}

impl Options {
    /// Whether fewer bytes are better than less time: all ways are asked for.
    pub(crate) fn is_metered(&self) -> bool {
        self.recipes == Some(Recipes::ALL)
    }
}

/// The defaults of a push by the user of this process.
impl Default for Options {
    fn default() -> Options {
        Options {
            policy: Policy::default(),
            max_delete: None,
            allow_empty: false,
            whole_directory: false,
            who: this_user(),
            recipes: None,
        }
    }
}

/// `ada@laptop`.
fn this_user() -> String {
    let user = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let user = user.unwrap_or_else(|| format!("user {}", rustix::process::getuid().as_raw()));
    format!("{user}@{}", rustix::system::uname().nodename().to_string_lossy())
}
