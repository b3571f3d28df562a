//! Layers: what one place says about settings, before it is known what others say.

use super::origin::{ConfigSpan, Origin};
use super::schema::Key;
use super::value::SettingValue;

/// What stands behind a list's name where it is extended.
pub(crate) const APPEND: &str = "append";
/// What stands behind a list's name where it is shortened.
pub(crate) const REMOVE: &str = "remove";

/// A value and where it came from.
#[derive(Clone, PartialEq, Eq)]
pub struct Item {
    /// The value.
    pub setting_value: SettingValue,
    /// Where it came from.
    pub origin: Origin,
}

/// What is done to what lower layers say.
#[derive(Clone)]
pub(crate) enum Change {
    /// It counts no more; for a setting that is no list, there is one item.
    Assign(Vec<Item>),
    /// These go, then these come.
    Amend {
        /// What comes.
        append: Vec<Item>,
        /// What goes.
        remove: Vec<Item>,
    },
}

/// One change of one setting.
#[derive(Clone)]
pub(crate) struct SettingChange {
    /// The setting.
    pub key: Key,
    /// What is done to it.
    pub change: Change,
    /// Where that is said.
    pub span: ConfigSpan,
}

/// All that one place says.
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
