//! Reads and checks a file of settings, before a stage is chosen.

mod buckets;
mod hosts;
mod lists;
mod parsed;
mod reader;
mod settings;
mod unknown;

use std::sync::Arc;

pub(crate) use self::hosts::is_address;
pub use self::parsed::ConfigFile;
pub(crate) use self::parsed::{FileBucket, FileHost, Stage};
use self::reader::{Reader, TOP, TableContext};
use super::layer::Layer;
use super::names::is_name;
use super::origin::{ConfigText, ConfigTextKind};
use super::problem::{Problems, refused};
use super::toml_tree;
use super::toml_tree::{TomlEntry, TomlNode};

impl ConfigFile {
    /// Reads a file's text; `name` is the file's name in messages. All errors are returned at once.
    pub fn parse(name: &str, text: &str) -> Result<ConfigFile, Problems> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let (name, text) = (name.to_owned(), text.to_owned());
        let source = Arc::new(ConfigText { kind: ConfigTextKind::File, name, text });
        let entries = toml_tree::parse(&source).map_err(Problems)?;
        let mut reader = Reader::new(source);
        let file = reader.file(&entries);
        if reader.problems.is_empty() { Ok(file) } else { Err(Problems(reader.problems)) }
    }
}

impl Reader {
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
            let problem = refused(&format!("stages.{name}"), "is not a name for a stage", hint);
            self.problem(&entry.key_span, problem);
            return None;
        }
        let (mut layer, mut hosts, mut buckets) = (Layer::default(), Vec::new(), Vec::new());
        let spot = TableContext { stage: Some(name), ..TOP };
        for entry in self.table(&format!("stages.{name}"), &entry.node)? {
            match entry.key.as_str() {
                "hosts" => hosts = self.hosts(name, &entry.node),
                "buckets" => buckets = self.buckets(name, &entry.node),
                _ => self.entry("", spot, entry, &mut layer),
            }
        }
        Some(Stage { name: name.clone(), span: self.span(&entry.key_span), layer, hosts, buckets })
    }
}
