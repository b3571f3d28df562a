//! SSHKit's command map: the text that replaces a program's name.

use std::collections::BTreeMap;

use super::environment::{Environment, Value};
use super::manager::{Bundler, Manager, Rbenv};
use super::quote;

/// Names that stay as they are: a shell's own.
const BARE: [&str; 4] = ["if", "test", "time", "exec"];

/// Which programs have prefixes, and the environment of all commands.
///
/// The prefix of a version manager precedes all others, that of bundler follows them, in whatever
/// order they are added: `rbenv exec bundle exec rake`. Repeated names in a list count once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandMap {
    prefixes: BTreeMap<String, Vec<String>>,
    replaced: BTreeMap<String, String>,
    environment: Environment,
}

impl CommandMap {
    /// A map without prefixes; `environment` is that of all commands (`default_env`).
    pub fn new(environment: Environment) -> CommandMap {
        CommandMap { environment, ..CommandMap::default() }
    }

    /// Adds a version manager.
    pub fn with_manager(mut self, manager: &Manager) -> CommandMap {
        match manager {
            Manager::None => {}
            Manager::Rbenv(rbenv) => self.add_rbenv(rbenv),
            Manager::Rvm(rvm) => {
                self.replaced.insert("rvm".to_owned(), rvm.program());
                self.put_first(&rvm.map_bins, &rvm.prefix_text());
            }
            Manager::Chruby(chruby) => self.put_first(&chruby.map_bins, &chruby.prefix_text()),
        }
        self
    }

    /// Adds bundler.
    pub fn with_bundler(mut self, bundler: &Bundler) -> CommandMap {
        for name in unique(&bundler.map_bins) {
            self.prefixes.entry(name.clone()).or_default().push(Bundler::PREFIX.to_owned());
        }
        self
    }

    /// Runs `path` for `name`, if `name` has no prefix (`SSHKit.config.command_map[:name]`).
    pub fn with_path(mut self, name: &str, path: &str) -> CommandMap {
        self.replaced.insert(name.to_owned(), quote::path(path));
        self
    }

    /// The text for `name`.
    pub fn program(&self, name: &str) -> String {
        let quoted = quote::path(name);
        match self.prefixes.get(name) {
            Some(prefixes) => format!("{} {quoted}", prefixes.join(" ")),
            None if BARE.contains(&name) => quoted,
            None => match self.replaced.get(name) {
                Some(replaced) => replaced.clone(),
                None => format!("/usr/bin/env {quoted}"),
            },
        }
    }

    /// The environment of all commands.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    fn add_rbenv(&mut self, rbenv: &Rbenv) {
        let version = rbenv.version.clone().unwrap_or_default();
        self.environment.put("RBENV_ROOT", Value::Expanding(rbenv.path.clone()));
        self.environment.put("RBENV_VERSION", Value::Text(version));
        self.replaced.insert("rbenv".to_owned(), rbenv.program());
        self.put_first(&rbenv.map_bins, &rbenv.prefix_text());
    }

    fn put_first(&mut self, names: &[String], prefix: &str) {
        for name in unique(names) {
            self.prefixes.entry(name.clone()).or_default().insert(0, prefix.to_owned());
        }
    }
}

fn unique(names: &[String]) -> std::collections::BTreeSet<&String> {
    names.iter().collect()
}
