//! The edge to the file system: finds a project's Capistrano configuration and reads it.

use std::env;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::reader::capfile_text;
use super::{Files, RubyFile};

/// The folder of stages.
const STAGES: &str = "config/deploy";

/// The most stages that are read.
const MAX_STAGES: usize = 100;

/// Reads the configuration files below `folder`, the project's root. Missing files are none; bytes
/// that are not UTF-8 are replaced.
pub fn find(folder: &Path) -> io::Result<Files> {
    let capfile = file(folder, "Capfile")?;
    let named = |variable: &str, default: &str| {
        let name = capfile.as_ref().and_then(|capfile| capfile_text(capfile, variable));
        name.unwrap_or_else(|| default.to_owned())
    };
    Ok(Files {
        deploy: file(folder, &named("deploy_config_path", "config/deploy.rb"))?,
        stages: stages(folder, named("stage_config_path", STAGES).trim_end_matches('/'))?,
        ruby_version: file(folder, ".ruby-version")?.map(|file| file.text),
        environment: env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        capfile,
    })
}

fn file(folder: &Path, name: &str) -> io::Result<Option<RubyFile>> {
    match fs::read(folder.join(name)) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            Ok(Some(RubyFile { name: name.to_owned(), text }))
        }
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(io::Error::new(error.kind(), format!("{name}: {error}"))),
    }
}

/// The stages in the order of their names.
fn stages(folder: &Path, below: &str) -> io::Result<Vec<(String, RubyFile)>> {
    let entries = match fs::read_dir(folder.join(below)) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(io::Error::new(error.kind(), format!("{below}: {error}"))),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".rb").map(str::to_owned));
    }
    names.sort();
    names.truncate(MAX_STAGES);
    let mut stages = Vec::new();
    for name in names {
        let read = file(folder, &format!("{below}/{name}.rb"))?;
        stages.extend(read.map(|file| (name, file)));
    }
    Ok(stages)
}
