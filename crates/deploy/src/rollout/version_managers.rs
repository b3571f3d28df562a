//! Finds the version manager and bundler of a project on this machine.

use std::env;
use std::path::{Path, PathBuf};

use crate::command::{Bundler, LocalManager, LocalTools};

/// Looks in `PATH` and in the project's folder. rvm and chruby need a Ruby version, so they are
/// used only if the project names one.
pub(super) fn find(project: &Path) -> LocalTools {
    let version = ruby_version(project);
    let manager = match version {
        _ if is_there("rbenv") => LocalManager::Rbenv,
        Some(version) if is_there("rvm") => LocalManager::Rvm { version },
        Some(version) if is_there("chruby-exec") => LocalManager::Chruby { version },
        _ => LocalManager::None,
    };
    let bundler = project.join("Gemfile").is_file().then(Bundler::default);
    LocalTools::new(manager, bundler)
}

fn ruby_version(project: &Path) -> Option<String> {
    let text = std::fs::read_to_string(project.join(".ruby-version")).ok()?;
    let version = text.lines().next()?.trim();
    (!version.is_empty()).then(|| version.to_owned())
}

fn is_there(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Box<dyn Iterator<Item = PathBuf>> = Box::new(env::split_paths(&path));
    folders.any(|folder| folder.join(program).is_file())
}
