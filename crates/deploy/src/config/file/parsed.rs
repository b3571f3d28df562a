//! The values of a configuration file, before a stage is chosen.

use std::collections::BTreeMap;
use std::fmt;

use crate::config::layer::{Item, Layer};
use crate::config::origin::ConfigSpan;

/// An `assetsync.toml`; all keys are known and all values of the right type, for all stages.
///
/// Shown without values, of which any may be a secret.
pub struct ConfigFile {
    pub(crate) base: Layer,
    pub(crate) stages: Vec<Stage>,
}

/// The settings of one stage.
pub(crate) struct Stage {
    pub name: String,
    /// The span of the name.
    pub span: ConfigSpan,
    pub layer: Layer,
    pub hosts: Vec<FileHost>,
    pub buckets: Vec<FileBucket>,
}

/// The settings of one bucket, as they are written.
#[derive(Clone)]
pub(crate) struct FileBucket {
    pub span: ConfigSpan,
    /// By their keys.
    pub texts: BTreeMap<&'static str, Item>,
    /// The rules of headers.
    pub headers: Vec<Item>,
}

impl FileBucket {
    /// The value of a setting.
    pub fn text(&self, key: &str) -> Option<String> {
        self.texts.get(key).map(|item| item.setting_value.plain())
    }
}

/// The settings of one host.
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
    /// The names of its stages, in its order.
    pub fn stages(&self) -> impl Iterator<Item = &str> {
        self.stages.iter().map(|stage| stage.name.as_str())
    }
}
