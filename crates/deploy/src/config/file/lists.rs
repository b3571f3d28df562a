//! Lists in a file: assigned, extended, shortened; and hooks, the items that are more than a word.

use super::reader::Reader;
use crate::config::layer::{APPEND, Change, Item, REMOVE};
use crate::config::problem::{Expected, Problem};
use crate::config::schema::{Key, Kind};
use crate::config::toml_tree::{TomlEntry, TomlNode, TomlValue};
use crate::config::value::{Hook, SettingValue};

/// A list that nothing else can extend.
pub(super) const LIST: Expected = Expected { what: "a list", example: "[\"one\", \"two\"]" };

impl Reader {
    /// A list, or a table with what is appended and removed.
    pub(super) fn list_change(&mut self, key: &Key, node: &TomlNode) -> Option<Change> {
        match &node.content {
            TomlValue::List(nodes) => Some(Change::Assign(self.items(key, nodes))),
            TomlValue::Table(entries) => Some(self.amendments(key, entries)),
            _ => {
                self.not_a_list(key, node);
                None
            }
        }
    }

    fn not_a_list(&mut self, key: &Key, node: &TomlNode) {
        let example = "[\"one\", \"two\"], or { append = [\"three\"] } to keep what was there";
        let expected = Expected { what: "a list", example };
        self.wrong_type(&key.to_string(), expected, node);
    }

    /// `append` and `remove`; with both, items are removed first.
    fn amendments(&mut self, key: &Key, entries: &[TomlEntry]) -> Change {
        let (mut append, mut remove) = (Vec::new(), Vec::new());
        for entry in entries {
            let target = match entry.key.as_str() {
                APPEND => &mut append,
                REMOVE => &mut remove,
                _ => {
                    self.unknown_of(entry, &format!(" in '{key}'"), &[APPEND, REMOVE]);
                    continue;
                }
            };
            let TomlValue::List(nodes) = &entry.node.content else {
                let name = format!("{key}.{}", entry.key);
                self.wrong_type(&name, LIST, &entry.node);
                continue;
            };
            *target = self.items(key, nodes);
        }
        Change::Amend { append, remove }
    }

    pub(super) fn items(&mut self, key: &Key, nodes: &[TomlNode]) -> Vec<Item> {
        let name = key.to_string();
        let mut items: Vec<Item> = Vec::new();
        for node in nodes {
            let is_hook = key.setting.kind == Kind::Hook;
            let setting_value = match &node.content {
                TomlValue::Table(entries) if is_hook => self.hook(&name, node, entries),
                _ => self.checked(key.setting.kind, &name, node),
            };
            items.extend(setting_value.map(|setting_value| self.item(setting_value, node)));
        }
        items
    }

    pub(super) fn checked(
        &mut self,
        kind: Kind,
        name: &str,
        node: &TomlNode,
    ) -> Option<SettingValue> {
        kind.check(name, node.scalar()).map_err(|problem| self.problem(&node.span, problem)).ok()
    }

    /// `{ run = "...", roles = [...], timeout = "..." }`.
    fn hook(&mut self, name: &str, node: &TomlNode, entries: &[TomlEntry]) -> Option<SettingValue> {
        let (mut run, mut roles, mut timeout) = (None, Vec::new(), None);
        for entry in entries {
            let part = format!("{name}.{}", entry.key);
            match entry.key.as_str() {
                "run" => run = Some(self.checked(Kind::Command, &part, &entry.node)?),
                "roles" => roles = self.words(&part, &entry.node)?,
                "timeout" => timeout = Some(self.checked(Kind::Age, &part, &entry.node)?),
                _ => self.unknown_of(entry, &format!(" in '{name}'"), &["run", "roles", "timeout"]),
            }
        }
        let timeout = timeout.and_then(|age| match age {
            SettingValue::Age(age, _) => Some(age),
            _ => None,
        });
        let Some(SettingValue::Text(run)) = run else {
            let (key, scope) = (format!("{name}.run"), String::new());
            let example = "run = \"bin/rails cache:clear\"";
            self.problem(&node.span, Problem::Missing { key, scope, example });
            return None;
        };
        Some(SettingValue::Hook(Hook { run, roles, timeout }))
    }

    /// A list of names.
    fn words(&mut self, name: &str, node: &TomlNode) -> Option<Vec<String>> {
        let TomlValue::List(nodes) = &node.content else {
            self.wrong_type(name, LIST, node);
            return None;
        };
        let words = nodes.iter().filter_map(|node| match self.checked(Kind::Word, name, node) {
            Some(SettingValue::Text(word)) => Some(word),
            _ => None,
        });
        Some(words.collect())
    }
}
