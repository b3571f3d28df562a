//! A project of which only dry runs are made.

use std::fs;

use tempfile::TempDir;

use super::project::cap;
use crate::support::{Machine, OrFail, Ran, scratch};

/// A project without servers or a repository.
pub struct Plan {
    folder: TempDir,
    machine: Machine,
}

impl Plan {
    /// With one server that nobody connects to.
    pub fn new(capfile: &str, deploy: &str) -> Plan {
        let plan = Plan { folder: scratch(), machine: Machine::new() };
        plan.write("Capfile", capfile);
        let common =
            "set :application, 'shop'\nset :repo_url, 'file:///none'\nset :log_level, :info\n";
        plan.write("config/deploy.rb", &format!("{common}{deploy}"));
        plan.write(
            "config/deploy/production.rb",
            "server 'web1.example', user: 'deploy', roles: %w[app web db]\n",
        );
        plan
    }

    /// Writes a file of the project.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().expect("it has a folder")).or_fail();
        fs::write(path, text).or_fail();
    }

    /// Everything that a dry run of `words` prints, and its exit status.
    pub fn run(&self, words: &str) -> (String, Option<i32>) {
        let mut command = cap(&self.machine, self.folder.path(), words);
        let ran = Ran(command.output().or_fail());
        (format!("{}{}", ran.stdout(), ran.stderr()), ran.code())
    }
}
