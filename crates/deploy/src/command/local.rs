//! The build here: a list of arguments and variables, never a shell line unless the user wrote one.

use super::CommandError;
use super::manager::{Bundler, Chruby, Rbenv, Rvm, owned};
use super::text::{self, Reading};

/// The version manager that was found here. It is taken from the `PATH`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LocalManager {
    /// None.
    #[default]
    None,
    /// rbenv; it takes the version from `.ruby-version` unless told one.
    Rbenv {
        /// The version of Ruby.
        version: Option<String>,
    },
    /// RVM.
    Rvm {
        /// The version of Ruby; `default` and `.` are known to it too.
        version: String,
    },
    /// chruby.
    Chruby {
        /// The version of Ruby.
        version: String,
    },
}

/// What programs run through here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalTools {
    /// The version manager.
    pub manager: LocalManager,
    /// The programs that run through it; by default the same as on a host.
    pub manager_bins: Vec<String>,
    /// Bundler, if there is a Gemfile.
    pub bundler: Option<Bundler>,
}

/// The build as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// The command in one line: words, or shell text.
    pub command: String,
    /// `RAILS_ENV`.
    pub rails_env: Option<String>,
    /// `NODE_ENV`.
    pub node_env: Option<String>,
    /// `RAILS_GROUPS` (`rails_assets_groups`).
    pub rails_groups: Option<String>,
}

/// What is to be run here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalCommand {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Variables to set beside those that are there.
    pub environment: Vec<(&'static str, String)>,
}

impl LocalTools {
    /// A version manager with the programs that run through it on hosts, and maybe bundler.
    pub fn new(manager: LocalManager, bundler: Option<Bundler>) -> LocalTools {
        let manager_bins = match manager {
            LocalManager::None => Vec::new(),
            LocalManager::Rbenv { .. } => owned(&Rbenv::MAP_BINS),
            LocalManager::Rvm { .. } => owned(&Rvm::MAP_BINS),
            LocalManager::Chruby { .. } => owned(&Chruby::MAP_BINS),
        };
        LocalTools { manager, manager_bins, bundler }
    }

    fn prefix(&self, name: &str) -> Vec<String> {
        let mut prefix = Vec::new();
        if self.manager_bins.iter().any(|bin| bin == name) {
            prefix.extend(self.manager.prefix());
        }
        if self.bundler.as_ref().is_some_and(|bundler| bundler.map_bins.iter().any(|b| b == name)) {
            prefix.extend(owned(&["bundle", "exec"]));
        }
        prefix
    }
}

impl LocalManager {
    fn prefix(&self) -> Vec<String> {
        match self {
            LocalManager::None => Vec::new(),
            LocalManager::Rbenv { .. } => owned(&["rbenv", "exec"]),
            LocalManager::Rvm { version } => owned(&["rvm", version, "do"]),
            LocalManager::Chruby { version } => owned(&["chruby-exec", version, "--"]),
        }
    }

    fn rbenv_version(&self) -> Option<&String> {
        match self {
            LocalManager::Rbenv { version } => version.as_ref(),
            _ => None,
        }
    }
}

impl Build {
    /// The command with the prefixes that its program has.
    pub fn command(&self, tools: &LocalTools) -> Result<LocalCommand, CommandError> {
        let argv = match text::read(&self.command)? {
            Reading::Script => owned(&["sh", "-c", &self.command]),
            Reading::Words(words) => {
                let mut argv = tools.prefix(words.first().map_or("", String::as_str));
                argv.extend(words);
                argv
            }
        };
        if argv.iter().any(|word| word.contains('\0')) {
            return Err(CommandError::Nul);
        }
        Ok(LocalCommand { argv, environment: self.environment(tools) })
    }

    fn environment(&self, tools: &LocalTools) -> Vec<(&'static str, String)> {
        let all = [
            ("RBENV_VERSION", tools.manager.rbenv_version()),
            ("RAILS_ENV", self.rails_env.as_ref()),
            ("NODE_ENV", self.node_env.as_ref()),
            ("RAILS_GROUPS", self.rails_groups.as_ref()),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?.clone()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(command: &str, tools: &LocalTools) -> String {
        let build = Build {
            command: command.into(),
            rails_env: Some("production".into()),
            node_env: None,
            rails_groups: None,
        };
        build.command(tools).expect("a good command").argv.join(" ")
    }

    #[test]
    fn prefixes() {
        let rbenv = LocalManager::Rbenv { version: None };
        let rvm = LocalManager::Rvm { version: "ruby-3.3.0@app".into() };
        let chruby = LocalManager::Chruby { version: "3.3".into() };
        let table = [
            (LocalManager::None, true, "bundle exec rake assets:precompile"),
            (LocalManager::None, false, "rake assets:precompile"),
            (rbenv.clone(), true, "rbenv exec bundle exec rake assets:precompile"),
            (rbenv, false, "rbenv exec rake assets:precompile"),
            (rvm, true, "rvm ruby-3.3.0@app do bundle exec rake assets:precompile"),
            (chruby, true, "chruby-exec 3.3 -- bundle exec rake assets:precompile"),
        ];
        for (manager, bundled, expected) in table {
            let tools = LocalTools::new(manager, bundled.then(Bundler::default));
            assert_eq!(argv("rake assets:precompile", &tools), expected);
            assert_eq!(argv("npm run build", &tools), "npm run build");
            assert_eq!(argv("rake a && npm run b", &tools), "sh -c rake a && npm run b");
        }
    }

    #[test]
    fn what_is_no_command() {
        let build =
            Build { command: "a\0b".into(), rails_env: None, node_env: None, rails_groups: None };
        let refused = build.command(&LocalTools::new(LocalManager::None, None));
        assert_eq!(refused, Err(CommandError::Nul));
    }

    #[test]
    fn variables_that_are_set() {
        let build = Build {
            command: "rake assets:precompile".into(),
            rails_env: Some("staging".into()),
            node_env: Some("production".into()),
            rails_groups: None,
        };
        let manager = LocalManager::Rbenv { version: Some("3.3.0".into()) };
        let made = build.command(&LocalTools::new(manager, None)).expect("a good command");
        let expected =
            [("RBENV_VERSION", "3.3.0"), ("RAILS_ENV", "staging"), ("NODE_ENV", "production")];
        assert_eq!(made.environment, expected.map(|(name, value)| (name, value.to_owned())));
    }
}
