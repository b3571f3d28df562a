//! From the names people write to settings.

use std::fmt;

use super::{SETTINGS, Setting};

/// The group whose tables may be sets of assets.
pub(crate) const ASSETS: &str = "assets";

/// The result of looking up a dotted name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// A setting.
    Setting(&'static Setting),
    /// The beginning of some settings' names.
    Group,
    /// Nothing.
    Nothing,
}

/// The key of one value: a setting, and the variable parts of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// The setting.
    pub setting: &'static Setting,
    /// The set of assets, where the setting is one set's own.
    pub set: Option<String>,
    /// The text for the `*`.
    pub wild: Option<String>,
}

/// Looks up `name`; names that match a wildcard are settings too.
pub(crate) fn find(name: &str) -> Lookup {
    if let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) {
        return Lookup::Setting(setting);
    }
    let group = format!("{name}.");
    if SETTINGS.iter().any(|setting| setting.name.starts_with(&group)) {
        return Lookup::Group;
    }
    let wildcard = SETTINGS.iter().find(|setting| wild_part(setting, name).is_some());
    wildcard.map_or(Lookup::Nothing, Lookup::Setting)
}

/// The text in `name` for the `*` of a setting.
fn wild_part<'a>(setting: &Setting, name: &'a str) -> Option<&'a str> {
    let wild = name.strip_prefix(setting.name.strip_suffix('*')?)?;
    is_variable(wild).then_some(wild)
}

/// Whether a name can be an environment variable's in every shell.
fn is_variable(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}

/// The names that may follow `group`, which is empty at the top.
pub(crate) fn children(group: &str) -> Vec<String> {
    let prefix = if group.is_empty() { String::new() } else { format!("{group}.") };
    let rest = SETTINGS.iter().filter_map(|setting| setting.name.strip_prefix(&prefix));
    let next = rest.filter_map(|rest| rest.split('.').next()).filter(|next| *next != "*");
    let mut children: Vec<String> = next.map(str::to_owned).collect();
    children.dedup();
    children
}

/// The names of all settings but the wildcards.
pub(crate) fn names() -> Vec<&'static str> {
    SETTINGS.iter().map(|setting| setting.name).filter(|name| !name.ends_with('*')).collect()
}

impl Key {
    /// The key of `name` for all sets of assets.
    pub fn new(setting: &'static Setting, name: &str) -> Key {
        Key { setting, set: None, wild: wild_part(setting, name).map(str::to_owned) }
    }

    /// Reads a dotted name, in which one of `sets` may follow `assets`.
    pub fn parse(name: &str, sets: &[String]) -> Option<Key> {
        if let Lookup::Setting(setting) = find(name) {
            return Some(Key::new(setting, name));
        }
        let (set, rest) = name.strip_prefix("assets.")?.split_once('.')?;
        let name = format!("{ASSETS}.{rest}");
        let Lookup::Setting(setting) = find(&name) else { return None };
        sets.iter().any(|known| known == set).then(|| Key::new(setting, &name).of_set(set))
    }

    /// The same for one set only.
    pub fn of_set(self, set: &str) -> Key {
        Key { set: Some(set.to_owned()), ..self }
    }

    /// Whether each set of assets has its own.
    pub fn is_of_assets(&self) -> bool {
        self.setting.name.starts_with("assets.")
    }
}

/// The dotted name, as `--set` takes it.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match &self.wild {
            Some(wild) => self.setting.name.replace('*', wild),
            None => self.setting.name.to_owned(),
        };
        match (&self.set, name.strip_prefix("assets.")) {
            (Some(set), Some(rest)) => write!(f, "{ASSETS}.{set}.{rest}"),
            _ => f.write_str(&name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_settings() {
        let setting = |name: &str| match find(name) {
            Lookup::Setting(setting) => setting.name,
            Lookup::Group => "group",
            Lookup::Nothing => "nothing",
        };
        for (name, expected) in [
            ("deploy_to", "deploy_to"),
            ("assets", "group"),
            ("assets.retention", "group"),
            ("build.environment", "group"),
            ("build.environment.NODE_ENV", "build.environment.NODE_ENV"),
            ("build.environment.A_1", "build.environment.*"),
            ("environment.a", "environment.*"),
            ("environment.1", "nothing"),
            ("environment.a.b", "nothing"),
            ("environment.", "nothing"),
            ("asset", "nothing"),
            ("", "nothing"),
        ] {
            assert_eq!(setting(name), expected, "{name}");
        }
    }

    #[test]
    fn keys_are_written_as_they_are_read() {
        let sets = ["vite".to_owned()];
        for name in ["assets.retention.keep", "assets.vite.retention.keep", "environment.PORT"] {
            assert_eq!(Key::parse(name, &sets).expect("a key").to_string(), name);
        }
        for name in ["assets.other.source", "assets.vite", "assets.vite.x", "environment", ""] {
            assert_eq!(Key::parse(name, &sets), None, "{name}");
        }
    }

    #[test]
    fn groups_list_what_may_follow() {
        assert_eq!(children("restart"), ["preset", "command", "phased", "roles"]);
        assert_eq!(children("build.environment"), ["RAILS_ENV", "NODE_ENV"]);
        assert!(children("").contains(&"version_manager".to_owned()));
    }
}
