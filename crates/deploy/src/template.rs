//! The `assetsync.toml` that a project begins with.

use std::io;
use std::path::Path;

use crate::capistrano;
use crate::config::{ConfigTemplate, Project};

/// The file to begin with for the project in `folder`: converted from its Capistrano configuration,
/// if it has one. If Capistrano is installed, it loads that configuration; no task of it is run.
pub fn template_of(folder: &Path) -> io::Result<ConfigTemplate> {
    let files = capistrano::find(folder)?;
    if !files.is_empty() {
        let answer = if files.can_be_loaded() { capistrano::ask(folder)? } else { None };
        return Ok(capistrano::convert(&files, answer.as_ref()));
    }
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    Ok(ConfigTemplate::of_project(&Project {
        folder: name.unwrap_or_default(),
        has_rails: folder.join("config/application.rb").exists(),
        has_bin_rails: folder.join("bin/rails").exists(),
        has_package: folder.join("package.json").exists(),
    }))
}
