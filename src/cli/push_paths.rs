//! SRC and the DESTs of a push, as values.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use assetsync_core::text;
use assetsync_ssh::Target;
use assetsync_sync::Destination;

use super::args::PushArguments;

/// SRC and every DEST of a command line.
pub struct PushPaths<'a> {
    /// SRC: a directory, or one or more files.
    pub sources: &'a [PathBuf],
    /// Each DEST.
    pub destinations: &'a [Destination],
    /// Whether extraneous files are deleted.
    pub delete: bool,
}

impl PushPaths<'_> {
    /// SRC, or the first one.
    pub fn source(&self) -> &Path {
        self.sources.first().map_or(Path::new(""), PathBuf::as_path)
    }

    /// Whether files are pushed, and not a directory.
    pub fn are_files(&self) -> bool {
        is_file(self.source())
    }
}

impl PushArguments {
    /// Reads files after SRC as sources, too, if that is a file: a file can't be a directory to
    /// push to. The last argument is always a DEST.
    pub fn with_files(mut self) -> PushArguments {
        if !is_file(&self.source) {
            return self;
        }
        let last = self.destinations.len().saturating_sub(1);
        let is_source = |given: &&OsString| is_local_file(given);
        let count = self.destinations[..last].iter().take_while(is_source).count();
        self.files = self.destinations.drain(..count).map(PathBuf::from).collect();
        // rsync's `host:` is the home directory. A directory is never pushed there by omission.
        for destination in &mut self.destinations {
            let bytes = destination.as_bytes();
            if bytes.ends_with(b":") && !bytes.contains(&b'/') {
                destination.push(".");
            }
        }
        self
    }
}

/// Whether `path` exists, and neither is nor leads to a directory.
pub fn is_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok() && !path.is_dir()
}

fn is_local_file(given: &OsString) -> bool {
    matches!(Target::parse(given), Ok(Target::Local(path)) if is_file(&path))
}

/// Whether a destination is written as a bucket: `s3://bucket/prefix`.
pub fn is_bucket(given: &OsString) -> bool {
    given.as_bytes().starts_with(b"s3://")
}

/// Printable forms of the given destinations.
pub fn labels(destinations: &[OsString]) -> Vec<String> {
    destinations.iter().map(|given| text::name(given.as_bytes())).collect()
}

/// An `assetsync push` command to type, its words quoted for a shell.
pub fn push_command(words: &[&str]) -> String {
    format!("assetsync push {}", shell_words::join(words))
}
