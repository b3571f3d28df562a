//! A checkout of an application.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use assetsync_loopback_sshd::Error as ToolError;
use assetsync_loopback_sshd::process::{find, run};

use crate::corpora;
use crate::error::{Error, ErrorContext, Result};

/// Gems that the shop asks for, and the package of Debian's that has each.
const GEMS: [(&str, &str); 5] = [
    ("railties", "ruby-railties"),
    ("puma", "puma"),
    ("sassc-rails", "ruby-sassc-rails"),
    ("sprockets-rails", "ruby-sprockets-rails"),
    ("terser", "ruby-terser"),
];

/// Prints the first of its arguments that is no gem of this machine.
const FIRST_MISSING: &str =
    "ARGV.each { |name| begin; gem name; rescue LoadError; puts name; exit; end }";

/// A checkout of the Rails shop that can be compiled and served.
#[derive(Debug)]
pub struct App {
    dir: PathBuf,
}

impl App {
    /// The first version, in the new directory `dir`.
    pub fn shop(dir: &Path) -> Result<App> {
        check_installed()?;
        copy(&source("shop"), dir)?;
        let link = dir.join("node_modules");
        symlink(node_modules("shop")?, &link).doing("link", &link)?;
        let bundle = find("bundle", "ruby-bundler")?;
        run(Command::new(bundle).args(["install", "--local", "--quiet"]).current_dir(dir))?;
        Ok(App { dir: dir.to_path_buf() })
    }

    /// Its directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The output directory of `assets:precompile`.
    #[must_use]
    pub fn assets(&self) -> PathBuf {
        self.dir.join("public/assets")
    }

    /// Checks out the next version: another stylesheet, another script, and an image more.
    pub fn check_out_next(&self) -> Result<()> {
        copy(&source("shop-next"), &self.dir)
    }

    /// Checks out the first version again.
    pub fn check_out_first(&self) -> Result<()> {
        copy(&source("shop"), &self.dir)
    }

    /// Compiles the assets into an empty directory, as a build does.
    pub fn compile(&self) -> Result<()> {
        if self.assets().exists() {
            fs::remove_dir_all(self.assets()).doing("remove", self.assets())?;
        }
        let mut rake = Command::new(find("rake", "rake")?);
        run(rake.arg("assets:precompile").env("RAILS_ENV", "production").current_dir(&self.dir))?;
        Ok(())
    }

    /// Copies it to `release`, without compiled assets.
    pub fn release(&self, release: &Path) -> Result<()> {
        for part in ["app", "config"] {
            copy(&self.dir.join(part), &release.join(part))?;
        }
        for file in ["Gemfile", "Gemfile.lock", "Rakefile", "config.ru"] {
            let to = release.join(file);
            fs::copy(self.dir.join(file), &to).doing("write", &to)?;
        }
        let link = release.join("node_modules");
        symlink(node_modules("shop")?, &link).doing("link", &link)
    }
}

/// The npm packages of an application, which `scripts/fetch-corpora` has fetched.
pub fn node_modules(app: &str) -> Result<PathBuf> {
    let corpus = corpora::path(&format!("app-{app}")).map_err(Error::Corpus)?;
    Ok(corpus.join("node_modules"))
}

/// The directory of an application's own files.
pub(super) fn source(app: &str) -> PathBuf {
    corpora::workspace().join("tests/apps").join(app)
}

/// Fails unless everything that builds the shop is installed.
fn check_installed() -> Result<()> {
    find("node", "nodejs")?;
    find("rake", "rake")?;
    let mut ruby = Command::new(find("ruby", "ruby")?);
    let names = GEMS.map(|(gem, _)| gem);
    let missing = run(ruby.args(["-e", FIRST_MISSING]).args(names))?.stdout;
    let missing = String::from_utf8_lossy(&missing);
    match GEMS.iter().find(|(gem, _)| *gem == missing.trim()) {
        Some((program, package)) => Err(ToolError::Missing { program, package }.into()),
        None => Ok(()),
    }
}

/// Copies a directory's files into another one, which may exist, without those that git ignores.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    const IGNORED: [&str; 5] = ["Gemfile.lock", "log", "node_modules", "public", "tmp"];
    fs::create_dir_all(to).doing("make", to)?;
    for entry in fs::read_dir(from).doing("read", from)? {
        let entry = entry.doing("read", from)?;
        let (path, copied) = (entry.path(), to.join(entry.file_name()));
        if IGNORED.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        if path.is_dir() {
            copy(&path, &copied)?;
        } else {
            fs::copy(&path, &copied).doing("write", &copied)?;
        }
    }
    Ok(())
}
