//! A server as Capistrano leaves it, where Ruby is not on the `PATH`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use assetsync_loopback_sshd::Sshd;
use assetsync_loopback_sshd::process::{find, run};

use super::app::{App, source};
use super::puma::Puma;
use crate::error::{ErrorContext, Result};
use crate::memory::Cgroup;

/// The name that rbenv has for the system's Ruby.
pub const RUBY: &str = "3.1.2";

/// Programs of Ruby's that rbenv offers, and the package of Debian's that has each.
const PROGRAMS: [(&str, &str); 6] = [
    ("ruby", "ruby"),
    ("gem", "ruby"),
    ("rake", "rake"),
    ("bundle", "ruby-bundler"),
    ("puma", "puma"),
    ("pumactl", "puma"),
];

/// Prefixes of programs that must not be on the `PATH` of a login.
const HIDDEN: [&str; 11] =
    ["ruby", "gem", "rake", "bundle", "puma", "rails", "rbenv", "irb", "erb", "rackup", "cap"];

/// A server's home, with the application in `shop`: `releases`, `current`, `shared`.
///
/// Ruby is reached only through rbenv: sessions have a `PATH` on which everything else of this
/// machine is, and no program of Ruby's; those are in a version directory of `~/.rbenv`.
#[derive(Debug)]
pub struct Site {
    home: PathBuf,
    programs: PathBuf,
}

impl Site {
    /// A server in the new directory `dir`, with a release of `app`.
    pub fn lay_out(dir: &Path, app: &App) -> Result<Site> {
        let site = Site { home: dir.join("home"), programs: dir.join("programs") };
        site.link_programs()?;
        site.install_rbenv()?;
        app.release(&site.release())?;
        site.link_shared()?;
        Ok(site)
    }

    /// The home of those who log in.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Capistrano's `deploy_to`.
    #[must_use]
    pub fn deploy_to(&self) -> PathBuf {
        self.home.join("shop")
    }

    /// The release that is live.
    #[must_use]
    pub fn current(&self) -> PathBuf {
        self.deploy_to().join("current")
    }

    /// The directory that releases share.
    #[must_use]
    pub fn shared(&self) -> PathBuf {
        self.deploy_to().join("shared")
    }

    /// The assets, a linked directory of every release.
    #[must_use]
    pub fn assets(&self) -> PathBuf {
        self.shared().join("public/assets")
    }

    /// An sshd in front of it whose logins have bash; sessions begin with `prelude`, a line
    /// of `sh`.
    pub fn sshd(&self, prelude: Option<&str>) -> Result<Sshd> {
        let mut builder = Sshd::builder().in_home().shell(find("bash", "bash")?);
        for (name, value) in self.environment() {
            builder = builder.env(name, &value);
        }
        if let Some(line) = prelude {
            builder = builder.prelude(line);
        }
        Ok(builder.start()?)
    }

    /// Starts puma in `group`, if there is one; returns once it answers.
    pub fn serve(&self, group: Option<&Cgroup>) -> Result<Puma> {
        let config = self.shared().join("puma.rb");
        let config = config.to_string_lossy();
        let command = self.through_rbenv(["bundle", "exec", "puma", "-C", &config]);
        Puma::start(command, &self.shared(), group)
    }

    /// A program of Ruby's as rbenv runs it in the live release, with a login's environment.
    pub fn through_rbenv<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Command {
        let root = self.home.join(".rbenv");
        let mut command = Command::new("/usr/bin/env");
        // Cleared by env itself, so that it stays so when the command is wrapped into another.
        command.arg("-i").args(self.environment().map(|(name, value)| format!("{name}={value}")));
        command.arg(format!("RBENV_ROOT={}", root.display())).arg(format!("RBENV_VERSION={RUBY}"));
        command.arg(root.join("bin/rbenv")).arg("exec").args(words).current_dir(self.current());
        command
    }

    fn release(&self) -> PathBuf {
        self.deploy_to().join("releases/20261122051233")
    }

    /// The environment of every session.
    fn environment(&self) -> [(&'static str, String); 3] {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        [
            ("HOME", text(&self.home)),
            ("PATH", text(&self.programs)),
            ("XDG_CACHE_HOME", text(&self.home.join(".cache"))),
        ]
    }

    /// Makes the directory that is a login's `PATH`.
    fn link_programs(&self) -> Result<()> {
        make(&self.programs)?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        for dir in std::env::split_paths(&path).filter(|dir| dir.is_absolute()) {
            // One that is not there has nothing to offer.
            let Ok(entries) = fs::read_dir(&dir) else { continue };
            for entry in entries {
                let entry = entry.doing("read", &dir)?;
                let name = entry.file_name();
                let hidden = HIDDEN
                    .iter()
                    .any(|start| name.as_encoded_bytes().starts_with(start.as_bytes()));
                let link = self.programs.join(&name);
                // The first directory with the name wins, as it does on a PATH.
                if !hidden && link.symlink_metadata().is_err() {
                    symlink(entry.path(), &link).doing("link", &link)?;
                }
            }
        }
        Ok(())
    }

    /// Makes `~/.rbenv`, whose one version is the system's Ruby.
    fn install_rbenv(&self) -> Result<()> {
        let root = self.home.join(".rbenv");
        let bin = root.join("versions").join(RUBY).join("bin");
        make(&bin)?;
        make(&root.join("bin"))?;
        let link = root.join("bin/rbenv");
        symlink(find("rbenv", "rbenv")?, &link).doing("link", &link)?;
        for (program, package) in PROGRAMS {
            let link = bin.join(program);
            symlink(find(program, package)?, &link).doing("link", &link)?;
        }
        // Writes the shims: the only place where a user of rbenv has Ruby's programs on the PATH.
        let mut rehash = Command::new(root.join("bin/rbenv"));
        run(rehash.arg("rehash").env_clear().envs(self.environment()).env("RBENV_ROOT", &root))?;
        Ok(())
    }

    /// Makes the shared directory, and `current`.
    fn link_shared(&self) -> Result<()> {
        let shared = self.shared();
        for dir in ["public/assets", "tmp/pids", "tmp/sockets", "log"] {
            make(&shared.join(dir))?;
        }
        let config = shared.join("puma.rb");
        fs::copy(source("shop").join("config/puma.rb"), &config).doing("write", &config)?;
        make(&self.release().join("public"))?;
        for dir in ["public/assets", "log"] {
            let link = self.release().join(dir);
            symlink(shared.join(dir), &link).doing("link", &link)?;
        }
        symlink(self.release(), self.current()).doing("link", self.current())
    }
}

fn make(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).doing("make", dir)
}
