//! Trees to push, and the comparison that tells whether a push was right.

mod bundle;
mod diff;
mod edits;
mod names;
mod pair;
mod random_files;
mod snapshot;
mod value;
mod write;

pub use diff::{DiffOptions, Mtimes, diff_trees};
pub use pair::TreePair;
pub use snapshot::{Kind, Node, Snapshot, snapshot};
pub use value::{Entry, Tree};
