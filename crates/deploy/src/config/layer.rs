//! Layers: the settings of one source (file, environment, arguments) before they are merged.

use super::origin::{ConfigSpan, Origin};
use super::schema::Key;
use super::value::SettingValue;

/// The suffix of a list's name that extends it.
pub(crate) const APPEND: &str = "append";
/// The suffix of a list's name that shortens it.
pub(crate) const REMOVE: &str = "remove";

/// A value and where it came from.
#[derive(Clone, PartialEq, Eq)]
pub struct Item {
    /// The value.
    pub setting_value: SettingValue,
    /// Where it came from.
    pub origin: Origin,
}

/// A change to the value of lower layers.
#[derive(Clone)]
pub(crate) enum Change {
    /// Replaces it; for a setting that is not a list, there is one item.
    Assign(Vec<Item>),
    /// Removes items, then appends items.
    Amend {
        /// The appended items.
        append: Vec<Item>,
        /// The removed items.
        remove: Vec<Item>,
    },
}

/// One change of one setting.
#[derive(Clone)]
pub(crate) struct SettingChange {
    /// The setting.
    pub key: Key,
    /// The change.
    pub change: Change,
    /// Its span.
    pub span: ConfigSpan,
}

/// The changes of one layer.
#[derive(Clone, Default)]
pub(crate) struct Layer(pub Vec<SettingChange>);

impl Layer {
    /// The changes of one key: those for all sets of assets, then those for its own.
    pub fn changes<'a>(&'a self, key: &'a Key) -> impl Iterator<Item = &'a SettingChange> {
        let common = key.set.is_some().then(|| Key { set: None, ..key.clone() });
        let common = self.0.iter().filter(move |entry| Some(&entry.key) == common.as_ref());
        common.chain(self.0.iter().filter(move |entry| entry.key == *key))
    }
}
