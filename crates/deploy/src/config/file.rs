//! A file of settings, read and checked, before a stage is chosen.

mod hosts;
mod lists;
mod reader;
mod unknown;

use std::fmt;
use std::sync::Arc;

pub(crate) use self::hosts::is_address;
use self::reader::Reader;
pub(crate) use self::reader::{is_name, is_set_name};
use super::layer::{Item, Layer};
use super::origin::{ConfigSpan, ConfigText, ConfigTextKind};
use super::problem::Problems;
use super::toml_tree;

/// What an `assetsync.toml` says; everything in it is known and of the right type, whatever the stage.
///
/// Shown without values, of which any may be a secret.
pub struct ConfigFile {
    pub(crate) base: Layer,
    pub(crate) stages: Vec<Stage>,
}

/// What it says of one stage.
pub(crate) struct Stage {
    pub name: String,
    /// Where the name stands.
    pub span: ConfigSpan,
    pub layer: Layer,
    pub hosts: Vec<FileHost>,
}

/// What it says of one host.
pub(crate) struct FileHost {
    /// A name or an address; an IPv6 address has no brackets.
    pub address: String,
    pub span: ConfigSpan,
    /// None if it has those that are built in.
    pub roles: Option<Vec<Item>>,
    pub layer: Layer,
}

impl fmt::Debug for ConfigFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigFile").field("stages", &self.stages().collect::<Vec<_>>()).finish()
    }
}

impl ConfigFile {
    /// Reads a file's text; `name` is how messages call the file. Everything wrong with it is told at once.
    pub fn parse(name: &str, text: &str) -> Result<ConfigFile, Problems> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let (name, text) = (name.to_owned(), text.to_owned());
        let source = Arc::new(ConfigText { kind: ConfigTextKind::File, name, text });
        let entries = toml_tree::parse(&source).map_err(Problems)?;
        let mut reader = Reader::new(source);
        let file = reader.file(&entries);
        if reader.problems.is_empty() { Ok(file) } else { Err(Problems(reader.problems)) }
    }

    /// The names of its stages, in its order.
    pub fn stages(&self) -> impl Iterator<Item = &str> {
        self.stages.iter().map(|stage| stage.name.as_str())
    }
}
