//! The edge to the file system: finds a project's Capistrano configuration and reads it.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::{Files, RubyFile};

/// The folder of stages.
const STAGES: &str = "config/deploy";

/// The most stages that are read.
const MAX_STAGES: usize = 100;

/// Reads the configuration files below `folder`, the project's root. Missing files are none; bytes
/// that are not UTF-8 are replaced.
pub fn find(folder: &Path) -> io::Result<Files> {
    Ok(Files {
        capfile: file(folder, "Capfile")?,
        deploy: file(folder, "config/deploy.rb")?,
        stages: stages(folder)?,
        ruby_version: file(folder, ".ruby-version")?.map(|file| file.text),
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
fn stages(folder: &Path) -> io::Result<Vec<(String, RubyFile)>> {
    let entries = match fs::read_dir(folder.join(STAGES)) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(io::Error::new(error.kind(), format!("{STAGES}: {error}"))),
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
        let read = file(folder, &format!("{STAGES}/{name}.rb"))?;
        stages.extend(read.map(|file| (name, file)));
    }
    Ok(stages)
}
