//! The trees to push: copies of OLD and NEW, whose times change as if they were compiled again.

use std::fs::{File, FileTimes};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use walkdir::WalkDir;

use crate::error::{Error, ErrorContext, Result};
use crate::listing::Listing;
use crate::placeholders::plain;
use crate::record::Bundle;
use crate::scenario::Build;
use crate::server_shell::local_shell;

/// A tree to push.
#[derive(Debug)]
pub(crate) struct Source {
    /// The path of the copy.
    pub(crate) path: String,
    /// Name and size.
    pub(crate) bundle: Bundle,
    /// The content of a destination after a push of it.
    pub(crate) listing: Listing,
    build: Build,
    files: Vec<PathBuf>,
    compiled: u32,
}

/// The time before the first compile, since the epoch: 2025-01-01.
const FIRST_COMPILE: Duration = Duration::from_secs(1_735_689_600);

/// A build, and how often it was compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version {
    /// The build.
    pub(crate) build: Build,
    /// The number of the compile, which changes only times.
    pub(crate) compiled: u32,
}

/// Both trees.
#[derive(Debug)]
pub(crate) struct SourceTrees {
    old: Source,
    new: Source,
}

impl SourceTrees {
    /// Copies `old` and `new` into `scratch`.
    pub(crate) fn copy(old: &Path, new: &Path, scratch: &Path) -> Result<SourceTrees> {
        let old = Source::copy(Build::Old, old, &scratch.join("old"))?;
        Ok(SourceTrees { old, new: Source::copy(Build::New, new, &scratch.join("new"))? })
    }

    /// One of the two.
    pub(crate) fn get(&self, build: Build) -> &Source {
        match build {
            Build::Old => &self.old,
            Build::New => &self.new,
        }
    }

    /// One of the two, to be compiled.
    pub(crate) fn get_mut(&mut self, build: Build) -> &mut Source {
        match build {
            Build::Old => &mut self.old,
            Build::New => &mut self.new,
        }
    }
}

impl Source {
    fn copy(build: Build, from: &Path, to: &Path) -> Result<Source> {
        let path = plain(to, "set TMPDIR to another directory")?;
        let from_text = from.to_string_lossy();
        let output =
            local_shell("mkdir \"$2\" && cp -RPp \"$1/.\" \"$2\"", &[&from_text, &path]).output();
        let output = output.doing("copy", from)?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            let place = "this machine".to_owned();
            return Err(Error::Preparing { action: "copy a tree", place, said });
        }
        let (files, bytes) = regular_files(to)?;
        if files.is_empty() {
            return Err(Error::NoFiles(from.to_path_buf()));
        }
        let bundle = Bundle { name: name(from), files: files.len() as u64, bytes };
        let listing = Listing::local(&path)?;
        let mut source = Source { path, bundle, listing, build, files, compiled: 0 };
        source.compile()?;
        Ok(source)
    }

    /// Its build and last compile.
    pub(crate) fn version(&self) -> Version {
        Version { build: self.build, compiled: self.compiled }
    }

    /// The time of the current compile. Two compiles, of either build, are minutes apart: programs
    /// that compare whole seconds would take a change for none that a slower machine would show.
    /// All are in the past.
    fn time_of_compile(&self) -> SystemTime {
        let offset = match self.build {
            Build::Old => 0,
            Build::New => 1,
        };
        let minutes = u64::from(self.compiled) * 2 + offset;
        SystemTime::UNIX_EPOCH + FIRST_COMPILE + Duration::from_secs(minutes * 60)
    }

    /// Gives every file a new time, as a compile does; the content stays.
    pub(crate) fn compile(&mut self) -> Result<()> {
        self.compiled += 1;
        let start = self.time_of_compile();
        for (at, path) in self.files.iter().enumerate() {
            // Not a whole microsecond, for those who would round.
            let time = start + Duration::from_nanos(at as u64 * 1_000 + 123);
            let file = File::open(path).doing("open", path)?;
            file.set_times(FileTimes::new().set_modified(time)).doing("set the time of", path)?;
        }
        Ok(())
    }
}

/// The name of the tree at `path` in tables.
fn name(path: &Path) -> String {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let name = whole.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_else(|| path.display().to_string());
    name.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Every regular file below `root`, and the sum of their sizes.
fn regular_files(root: &Path) -> Result<(Vec<PathBuf>, u64)> {
    let (mut files, mut bytes) = (Vec::new(), 0);
    for entry in WalkDir::new(root).sort_by_file_name() {
        let entry = entry.map_err(std::io::Error::from).doing("list", root)?;
        if entry.file_type().is_file() {
            bytes += entry.metadata().map_err(std::io::Error::from).doing("read", root)?.len();
            files.push(entry.into_path());
        }
    }
    Ok((files, bytes))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;

    #[test]
    fn a_compile_changes_all_times_and_no_content() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("build");
        fs::create_dir_all(from.join("a")).unwrap();
        for name in ["a/x.js", "a/y.js", "z.css"] {
            fs::write(from.join(name), name).unwrap();
        }
        let mut source = Source::copy(Build::Old, &from, &dir.path().join("copy")).unwrap();
        assert_eq!(source.bundle, Bundle { name: "build".into(), files: 3, bytes: 17 });
        let times = |source: &Source| -> BTreeSet<SystemTime> {
            let time = |path: &PathBuf| fs::metadata(path).unwrap().modified().unwrap();
            source.files.iter().map(time).collect()
        };
        let before = times(&source);
        source.compile().unwrap();
        let after = times(&source);
        assert_eq!((after.len(), source.compiled), (3, 2));
        assert!(before.is_disjoint(&after));
        let minutes = |times: &BTreeSet<SystemTime>| -> BTreeSet<u64> {
            let since = |time: &SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
            times.iter().map(|time| since(time).as_secs() / 60).collect()
        };
        assert!(minutes(&before).is_disjoint(&minutes(&after)));
        assert_eq!(Listing::local(&source.path).unwrap(), source.listing);
    }

    #[test]
    fn an_empty_tree_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("empty");
        fs::create_dir(&from).unwrap();
        let error =
            Source::copy(Build::Old, &from, &dir.path().join("copy")).unwrap_err().to_string();
        assert!(error.ends_with("OLD and NEW are two builds of the same assets"), "{error}");
    }
}
