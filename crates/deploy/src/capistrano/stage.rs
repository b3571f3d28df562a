//! One stage of a configuration, whoever has read it: its variables and its servers.

use std::collections::BTreeMap;

use super::server::Server;
use super::value::Value;

/// A stage with everything that applies to it.
#[derive(Debug, Clone, Default)]
pub(crate) struct CapistranoStage {
    /// Its name.
    pub name: String,
    /// Its servers, in the order they are first named in.
    pub servers: Vec<Server>,
    /// Variables that are set; those that could not be read are unknown.
    pub variables: BTreeMap<String, Value>,
    /// What the `Capfile` requires and installs.
    pub plugins: Vec<String>,
    /// Changes to lists that plugins had filled.
    pub lists: BTreeMap<String, ListHistory>,
    /// What was not understood: where, and the text.
    pub notes: Vec<(String, String)>,
}

/// Changes to a list that plugins had filled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ListHistory {
    /// The items before the change.
    pub initial: Vec<String>,
    /// The items that `remove` removed.
    pub removed: Vec<String>,
    /// The line of a plain `set`, as in `config/deploy.rb:12`.
    pub set_at: Option<String>,
}

impl CapistranoStage {
    /// Whether the `Capfile` loads something, by its exact name.
    pub(crate) fn has(&self, plugin: &str) -> bool {
        self.plugins.iter().any(|one| one == plugin)
    }

    /// The value of a variable that is set.
    pub(crate) fn get(&self, name: &str) -> Option<Value> {
        self.variables.get(name).cloned()
    }

    /// A variable's text, if it is one and not empty.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        match self.get(name)? {
            Value::Text(text) => Some(text).filter(|text| !text.is_empty()),
            _ => None,
        }
    }

    /// A variable's text; `default` if it is not set. None if it is set and not known.
    pub(crate) fn text_or(&self, name: &str, default: &str) -> Option<String> {
        match self.get(name) {
            None | Some(Value::Nil) => Some(default.to_owned()),
            Some(_) => self.text(name),
        }
    }

    /// A variable's texts, if it is a list of them.
    pub(crate) fn texts(&self, name: &str) -> Option<Vec<String>> {
        self.get(name)?.into_texts()
    }

    /// Adds a server, or more about one that is there.
    pub(super) fn add(&mut self, server: Server) {
        match self.servers.iter_mut().find(|known| known.is_same(&server)) {
            Some(known) => known.merge(server),
            None => self.servers.push(server),
        }
    }
}
