//! Which names stages and sets of assets may have.

use super::schema::children;
use super::suggest::nearest;

/// Whether a set of assets can have this name: not one that looks like a key of `[assets]`.
pub(crate) fn is_set_name(name: &str) -> bool {
    is_name(name) && nearest(name, &children("assets")).is_none()
}

/// Whether a stage can have this name.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}
