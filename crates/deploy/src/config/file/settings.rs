//! The settings of a table: each key is looked up, and each value checked.

use super::reader::{Reader, TableContext};
use crate::config::layer::{Change, Layer, SettingChange};
use crate::config::names::is_set_name;
use crate::config::problem::Problem;
use crate::config::schema::{Key, Lookup, Scope, find};
use crate::config::toml_tree::{TomlEntry, TomlNode, TomlValue};

impl Reader {
    /// A key below `group`: a setting, a group of settings, or a set of assets.
    pub fn entry(
        &mut self,
        group: &str,
        spot: TableContext<'_>,
        entry: &TomlEntry,
        layer: &mut Layer,
    ) {
        let name =
            if group.is_empty() { entry.key.clone() } else { format!("{group}.{}", entry.key) };
        // A dot in a key was quoted: it is no path.
        let found = if entry.key.contains('.') { Lookup::Nothing } else { find(&name) };
        match found {
            Lookup::Setting(setting) => {
                let key = Key::new(setting, &name);
                let key = Key { set: spot.set.map(str::to_owned), ..key };
                if spot.is_host && setting.scope == Scope::Stage {
                    return self.problem(&entry.key_span, Problem::NotPerHost(name));
                }
                if let Some(change) = self.change(&key, &entry.node) {
                    let span = self.span(&entry.node.span);
                    layer.0.push(SettingChange { key, change, span });
                }
            }
            Lookup::Group => {
                for child in self.table(&name, &entry.node).unwrap_or_default() {
                    self.entry(&name, spot, child, layer);
                }
            }
            Lookup::Nothing if is_set(group, spot, entry) => {
                let spot = TableContext { set: Some(&entry.key), ..spot };
                for child in self.table(&name, &entry.node).unwrap_or_default() {
                    self.entry(group, spot, child, layer);
                }
            }
            Lookup::Nothing => self.unknown(group, spot, entry),
        }
    }

    fn change(&mut self, key: &Key, node: &TomlNode) -> Option<Change> {
        if key.setting.is_list {
            return self.list_change(key, node);
        }
        match key.setting.kind.check(&key.to_string(), node.scalar()) {
            Ok(setting_value) => Some(Change::Assign(vec![self.item(setting_value, node)])),
            Err(problem) => {
                self.problem(&node.span, problem);
                None
            }
        }
    }
}

/// Whether a table in `[assets]` is a set of its own, and not a key written wrongly.
fn is_set(group: &str, spot: TableContext<'_>, entry: &TomlEntry) -> bool {
    group == "assets"
        && spot.set.is_none()
        && !spot.is_host
        && is_set_name(&entry.key)
        && matches!(entry.node.content, TomlValue::Table(_))
}
