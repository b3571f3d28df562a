//! The build here: a list of arguments and variables, never a shell line unless the user wrote one.

use super::manager::{Bundler, Chruby, Rbenv, Rvm, owned};
use super::parse_line::ParsedLine;
use super::{CommandError, parse_line};

/// The version manager that was found here. It is taken from the `PATH`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LocalManager {
    /// None.
    #[default]
    None,
    /// rbenv; it finds the version by itself.
    Rbenv,
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

/// Prefixes of programs on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalTools {
    /// The version manager.
    pub manager: LocalManager,
    /// The programs that run through it; by default the same as on a host.
    pub manager_bins: Vec<String>,
    /// Bundler, if there is a Gemfile.
    pub bundler: Option<Bundler>,
}

impl LocalTools {
    /// A version manager with the programs that run through it on hosts, and maybe bundler.
    pub fn new(manager: LocalManager, bundler: Option<Bundler>) -> LocalTools {
        let manager_bins = match manager {
            LocalManager::None => Vec::new(),
            LocalManager::Rbenv => owned(&Rbenv::MAP_BINS),
            LocalManager::Rvm { .. } => owned(&Rvm::MAP_BINS),
            LocalManager::Chruby { .. } => owned(&Chruby::MAP_BINS),
        };
        LocalTools { manager, manager_bins, bundler }
    }

    /// The program and arguments that a user's line comes to: words with the prefixes that their
    /// program has, or a shell for text that needs one.
    pub fn command(&self, line: &str) -> Result<Vec<String>, CommandError> {
        let argv = match parse_line::read(line)? {
            ParsedLine::Script => owned(&["sh", "-c", line]),
            ParsedLine::Words(words) => {
                let mut argv = self.prefix(words.first().map_or("", String::as_str));
                argv.extend(words);
                argv
            }
        };
        if argv.iter().any(|word| word.contains('\0')) { Err(CommandError::Nul) } else { Ok(argv) }
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
            LocalManager::Rbenv => owned(&["rbenv", "exec"]),
            LocalManager::Rvm { version } => owned(&["rvm", version, "do"]),
            LocalManager::Chruby { version } => owned(&["chruby-exec", version, "--"]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(line: &str, tools: &LocalTools) -> String {
        tools.command(line).expect("a good command").join(" ")
    }

    #[test]
    fn prefixes() {
        let rvm = LocalManager::Rvm { version: "ruby-3.3.0@app".into() };
        let chruby = LocalManager::Chruby { version: "3.3".into() };
        let table = [
            (LocalManager::None, true, "bundle exec rake assets:precompile"),
            (LocalManager::None, false, "rake assets:precompile"),
            (LocalManager::Rbenv, true, "rbenv exec bundle exec rake assets:precompile"),
            (LocalManager::Rbenv, false, "rbenv exec rake assets:precompile"),
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
    fn invalid_commands() {
        let refused = LocalTools::new(LocalManager::None, None).command("a\0b");
        assert_eq!(refused, Err(CommandError::Nul));
    }
}
