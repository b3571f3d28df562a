//! The version managers of Ruby and bundler: what each writes before the programs on its list.
//!
//! Defaults are those of capistrano-rbenv 2.2, capistrano-rvm 0.1.2, capistrano-chruby and
//! capistrano-bundler 2.1.1.

use super::quote;

/// The version manager of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Manager {
    /// Nothing: the host's own Ruby.
    #[default]
    None,
    /// rbenv.
    Rbenv(Rbenv),
    /// RVM.
    Rvm(Rvm),
    /// chruby.
    Chruby(Chruby),
}

/// rbenv: `RBENV_ROOT/bin/rbenv exec COMMAND`, with `RBENV_ROOT` and `RBENV_VERSION` in the
/// environment of all commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rbenv {
    /// The directory of rbenv (`rbenv_path`); `$HOME` and `~` are expanded.
    pub path: String,
    /// The version of Ruby (`rbenv_ruby`); without it the host decides.
    pub version: Option<String>,
    /// Shell text that replaces `PATH/bin/rbenv exec` (`rbenv_prefix`).
    pub prefix: Option<String>,
    /// The programs that run through rbenv (`rbenv_map_bins`).
    pub map_bins: Vec<String>,
}

/// RVM: `RVM_PATH/bin/rvm VERSION do COMMAND`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rvm {
    /// The directory of RVM (`rvm_path`); `~` is expanded. `rvm_type :auto` uses the first of
    /// [`Rvm::PATHS`] that is a directory on the host, or else the first.
    pub path: String,
    /// The version of Ruby, with its gemset (`rvm_ruby_version`).
    pub version: String,
    /// The programs that run through RVM (`rvm_map_bins`).
    pub map_bins: Vec<String>,
}

/// chruby: `chruby-exec VERSION -- COMMAND`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chruby {
    /// The path of `chruby-exec` (`chruby_exec`).
    pub exec: String,
    /// The version of Ruby (`chruby_ruby`).
    pub version: String,
    /// The programs that run through chruby (`chruby_map_bins`).
    pub map_bins: Vec<String>,
}

/// Bundler: `bundle exec COMMAND`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundler {
    /// The programs that run through bundler (`bundle_bins`).
    pub map_bins: Vec<String>,
}

impl Rbenv {
    /// `rbenv_map_bins`, unless set.
    pub const MAP_BINS: [&str; 5] = ["rake", "gem", "bundle", "ruby", "rails"];
    /// `rbenv_path` of `rbenv_type :user`.
    pub const USER_PATH: &str = "$HOME/.rbenv";
    /// `rbenv_path` of `rbenv_type :system`.
    pub const SYSTEM_PATH: &str = "/usr/local/rbenv";
    /// `rbenv_path` of `rbenv_type :fullstaq`.
    pub const FULLSTAQ_PATH: &str = "/usr/lib/rbenv";

    /// The prefix as shell text.
    pub(super) fn prefix_text(&self) -> String {
        let usual = || format!("{} exec", self.program());
        self.prefix.clone().unwrap_or_else(usual)
    }

    /// rbenv itself, as shell text.
    pub(super) fn program(&self) -> String {
        format!("{}/bin/rbenv", quote::path(&self.path))
    }
}

impl Default for Rbenv {
    fn default() -> Rbenv {
        Rbenv {
            path: Rbenv::USER_PATH.to_owned(),
            version: None,
            prefix: None,
            map_bins: owned(&Rbenv::MAP_BINS),
        }
    }
}

impl Rvm {
    /// `rvm_map_bins`, unless set.
    pub const MAP_BINS: [&str; 4] = ["gem", "rake", "ruby", "bundle"];
    /// `rvm_path` of `rvm_type :user` and of `:system`.
    pub const PATHS: [&str; 2] = ["~/.rvm", "/usr/local/rvm"];

    pub(super) fn prefix_text(&self) -> String {
        format!("{} {} do", self.program(), quote::word(&self.version))
    }

    pub(super) fn program(&self) -> String {
        format!("{}/bin/rvm", quote::path(&self.path))
    }
}

impl Default for Rvm {
    fn default() -> Rvm {
        Rvm {
            path: Rvm::PATHS[0].to_owned(),
            version: "default".to_owned(),
            map_bins: owned(&Rvm::MAP_BINS),
        }
    }
}

impl Chruby {
    /// `chruby_map_bins`, unless set.
    pub const MAP_BINS: [&str; 4] = ["rake", "gem", "bundle", "ruby"];
    /// `chruby_exec`, unless set.
    pub const EXEC: &str = "/usr/local/bin/chruby-exec";

    /// chruby with a version, which it can't do without.
    pub fn new(version: &str) -> Chruby {
        Chruby {
            exec: Chruby::EXEC.to_owned(),
            version: version.to_owned(),
            map_bins: owned(&Chruby::MAP_BINS),
        }
    }

    pub(super) fn prefix_text(&self) -> String {
        format!("{} {} --", quote::path(&self.exec), quote::word(&self.version))
    }
}

impl Bundler {
    /// `bundle_bins`, unless set.
    pub const MAP_BINS: [&str; 3] = ["gem", "rake", "rails"];
    /// The prefix.
    pub(super) const PREFIX: &str = "bundle exec";
}

impl Default for Bundler {
    fn default() -> Bundler {
        Bundler { map_bins: owned(&Bundler::MAP_BINS) }
    }
}

pub(super) fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}
