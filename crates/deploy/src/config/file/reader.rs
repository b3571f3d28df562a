//! The walk through a file's tables: each key is looked up, each value checked, each problem noted.

use std::ops::Range;
use std::sync::Arc;

use crate::config::layer::Item;
use crate::config::origin::{ConfigSpan, ConfigText, Origin};
use crate::config::problem::{Diagnostic, Expected, Problem};
use crate::config::toml_tree::{TomlEntry, TomlNode, TomlValue};

/// The table that is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct TableContext<'a> {
    /// The stage, if it is in the table of one.
    pub stage: Option<&'a str>,
    /// Whether it is the table of a host.
    pub is_host: bool,
    /// The set of assets, if it is in one.
    pub set: Option<&'a str>,
}

/// Keys of a host's table besides settings; keys of `[ssh]` need no `ssh.` there.
pub(super) const HOST_KEYS: [&str; 2] = ["address", "roles"];

/// Top of the file.
pub(super) const TOP: TableContext<'_> = TableContext { stage: None, is_host: false, set: None };

const TABLE: Expected =
    Expected { what: "a table", example: "a header in brackets, as [ssh], and keys below it" };

/// Reads one file.
pub(super) struct Reader {
    source: Arc<ConfigText>,
    /// The problems so far.
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

    pub fn item(&self, setting_value: crate::config::value::SettingValue, node: &TomlNode) -> Item {
        Item { setting_value, origin: Origin::Given(self.span(&node.span)) }
    }
}
