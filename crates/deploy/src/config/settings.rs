//! Resolved settings: every value of a stage and its hosts, each with its origin.

use std::fmt;
use std::time::Duration;

use super::choice::Choice;
use super::file::FileBucket;
use super::layer::Item;
use super::origin::{ConfigSpan, Origin};
use super::problem::Diagnostic;
use super::schema::{Key, SETTINGS};
use super::value::{Hook, SettingValue};

/// A setting's value; one that is no list has one item.
#[derive(Clone, PartialEq, Eq)]
pub struct Value {
    /// The value, or the list's items in order.
    pub items: Vec<Item>,
    /// Where it was assigned or changed last.
    pub origin: Origin,
}

/// All values that hold for a stage, or for one of its hosts.
#[derive(Clone, Default)]
pub(crate) struct Values(pub Vec<(Key, Value)>);

/// Resolved settings. Shown without values, of which any may be a secret.
pub struct Settings {
    /// The names of all stages.
    pub(crate) stages: Vec<String>,
    /// The user's directory, for paths that begin with `~/`.
    pub(crate) home: Option<String>,
    /// The stage's name and its span.
    pub(crate) stage: Option<(String, ConfigSpan)>,
    /// The names of the sets of assets; none if `[assets]` is the only one.
    pub(crate) sets: Vec<String>,
    pub(crate) values: Values,
    pub(crate) hosts: Vec<HostSettings>,
    pub(crate) buckets: Vec<FileBucket>,
    pub(crate) warnings: Vec<Diagnostic>,
}

/// Resolved settings of one host: those of the stage, and its own over them.
pub(crate) struct HostSettings {
    pub address: String,
    pub span: ConfigSpan,
    pub roles: Vec<Item>,
    pub values: Values,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("stage", &self.stage.as_ref().map(|(name, _)| name))
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// Warnings.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }
}

impl Values {
    /// Replaces a value; none keeps the old one.
    pub fn set(&mut self, key: Key, value: Option<Value>) {
        let Some(value) = value else { return };
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = value,
            None => self.0.push((key, value)),
        }
    }

    /// The value of `name`; of an asset's setting, that of `set`.
    pub fn get(&self, name: &str, set: Option<&str>) -> Option<&Value> {
        debug_assert!(SETTINGS.iter().any(|setting| setting.name == name), "{name}");
        let set = set.filter(|_| name.starts_with("assets."));
        let found = self.0.iter().find(|(key, _)| {
            key.setting.name == name && key.set.as_deref() == set && key.wild.is_none()
        });
        found.map(|(_, value)| value)
    }

    fn setting_value(&self, name: &str, set: Option<&str>) -> Option<&SettingValue> {
        Some(&self.get(name, set)?.items.first()?.setting_value)
    }

    /// A text of a set of assets, or of the stage.
    pub fn text_of_set(&self, name: &str, set: Option<&str>) -> Option<&str> {
        match self.setting_value(name, set)? {
            SettingValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.text_of_set(name, None)
    }

    /// The value of a choice.
    pub fn choice<T: Choice>(&self, name: &str, set: Option<&str>) -> Option<T> {
        self.text_of_set(name, set).and_then(T::of)
    }

    /// A number.
    pub fn count(&self, name: &str, set: Option<&str>) -> Option<u64> {
        match self.setting_value(name, set)? {
            SettingValue::Count(count) => Some(*count),
            _ => None,
        }
    }

    /// Yes or no; no if it is not set.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.setting_value(name, None), Some(SettingValue::Flag(true)))
    }

    /// A length of time; none at all if it is not set.
    pub fn age(&self, name: &str, set: Option<&str>) -> Duration {
        match self.setting_value(name, set) {
            Some(SettingValue::Age(age, _)) => *age,
            _ => Duration::ZERO,
        }
    }

    /// The items of a list.
    pub fn items(&self, name: &str, set: Option<&str>) -> &[Item] {
        self.get(name, set).map_or(&[], |value| &value.items)
    }

    /// The texts of a list.
    pub fn texts(&self, name: &str, set: Option<&str>) -> Vec<String> {
        self.items(name, set).iter().map(|item| item.setting_value.plain()).collect()
    }

    /// The hooks of a list.
    pub fn hooks(&self, name: &str) -> Vec<Hook> {
        let hooks = self.items(name, None).iter().filter_map(|item| match &item.setting_value {
            SettingValue::Hook(hook) => Some(hook.clone()),
            _ => None,
        });
        hooks.collect()
    }

    /// The variables of a group, `environment` or `build.environment`, in order.
    pub fn variables(&self, group: &str) -> Vec<(String, String)> {
        let variables = self.0.iter().filter_map(|(key, value)| {
            let full = key.to_string();
            let name = full.strip_prefix(group)?.strip_prefix('.')?.to_owned();
            Some((name, value.items.first()?.setting_value.plain()))
        });
        variables.collect()
    }
}
