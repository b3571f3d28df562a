//! The walk through a file's tables: each key is looked up, each value checked, each problem noted.

use std::ops::Range;
use std::sync::Arc;

use super::{ConfigFile, Stage};
use crate::config::layer::{Change, Item, Layer, SettingChange};
use crate::config::origin::{ConfigSpan, ConfigText, Origin};
use crate::config::problem::{Diagnostic, Expected, Problem};
use crate::config::schema::{Key, Lookup, Scope, children, find};
use crate::config::suggest::nearest;
use crate::config::toml_tree::{TomlEntry, TomlNode, TomlValue};
use crate::config::value::refused;

/// Where in the file the walk is.
#[derive(Debug, Clone, Copy)]
pub(super) struct TableContext<'a> {
    /// The stage, if it is in one.
    pub stage: Option<&'a str>,
    /// Whether it is in one of that stage's hosts.
    pub is_host: bool,
    /// The set of assets, if it is in one.
    pub set: Option<&'a str>,
}

/// Top of the file.
const TOP: TableContext<'_> = TableContext { stage: None, is_host: false, set: None };

const TABLE: Expected =
    Expected { what: "a table", example: "a header in brackets, as [ssh], and keys below it" };

/// Reads one file.
pub(super) struct Reader {
    source: Arc<ConfigText>,
    /// What was wrong so far.
    pub problems: Vec<Diagnostic>,
}

impl Reader {
    pub fn new(source: Arc<ConfigText>) -> Reader {
        Reader { source, problems: Vec::new() }
    }

    pub fn span(&self, span: &Range<usize>) -> ConfigSpan {
        ConfigSpan::new(&self.source, span.clone())
    }

    pub fn problem(&mut self, span: &Range<usize>, problem: Problem) {
        self.problems.push(Diagnostic::at(problem, self.span(span)));
    }

    /// The table that `node` must be.
    pub fn table<'n>(&mut self, key: &str, node: &'n TomlNode) -> Option<&'n [TomlEntry]> {
        let TomlValue::Table(entries) = &node.content else {
            self.wrong_type(key, TABLE, node);
            return None;
        };
        Some(entries)
    }

    pub fn wrong_type(&mut self, key: &str, expected: Expected, node: &TomlNode) {
        let key = key.to_owned();
        let found = node.scalar().kind();
        self.problem(&node.span, Problem::WrongType { key, expected, found });
    }

    /// The whole file.
    pub fn file(&mut self, entries: &[TomlEntry]) -> ConfigFile {
        let mut file = ConfigFile { base: Layer::default(), stages: Vec::new() };
        for entry in entries {
            match entry.key.as_str() {
                "stages" => file.stages = self.stages(&entry.node),
                _ => self.entry("", TOP, entry, &mut file.base),
            }
        }
        file
    }

    fn stages(&mut self, node: &TomlNode) -> Vec<Stage> {
        let entries = self.table("stages", node).unwrap_or_default();
        entries.iter().filter_map(|entry| self.stage(entry)).collect()
    }

    fn stage(&mut self, entry: &TomlEntry) -> Option<Stage> {
        let name = &entry.key;
        if !is_name(name) {
            let hint = "a stage's name has letters, digits, '-' and '_'";
            let problem = refused(&format!("stages.{name}"), "is no name for a stage", hint);
            self.problem(&entry.key_span, problem);
            return None;
        }
        let (mut layer, mut hosts) = (Layer::default(), Vec::new());
        let spot = TableContext { stage: Some(name), ..TOP };
        for entry in self.table(&format!("stages.{name}"), &entry.node)? {
            match entry.key.as_str() {
                "hosts" => hosts = self.hosts(name, &entry.node),
                _ => self.entry("", spot, entry, &mut layer),
            }
        }
        Some(Stage { name: name.clone(), span: self.span(&entry.key_span), layer, hosts })
    }

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

    pub fn item(&self, setting_value: crate::config::value::SettingValue, node: &TomlNode) -> Item {
        Item { setting_value, origin: Origin::Given(self.span(&node.span)) }
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

/// Whether a set of assets can have this name: not one that looks like a key of `[assets]`.
pub(crate) fn is_set_name(name: &str) -> bool {
    is_name(name) && nearest(name, &children("assets")).is_none()
}

/// Whether a stage can have this name.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}
