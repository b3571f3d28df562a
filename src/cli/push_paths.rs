//! SRC and the DESTs of a push, as values.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use assetsync_core::text;
use assetsync_ssh::Target;
use assetsync_sync::scan::filter::Filter;

/// One DEST.
#[derive(Debug)]
pub struct Destination {
    /// The text that was given, safe to print.
    pub label: String,
    /// Its parsed form.
    pub target: Target,
}

/// SRC and every DEST of a command line.
pub struct PushPaths<'a> {
    /// SRC.
    pub source: &'a Path,
    /// Each DEST.
    pub destinations: &'a [Destination],
    /// The filter that excludes files of SRC.
    pub filter: &'a Filter,
    /// Whether extraneous files are deleted.
    pub delete: bool,
}

/// Printable forms of the given destinations.
pub fn labels(destinations: &[OsString]) -> Vec<String> {
    destinations.iter().map(|given| text::name(given.as_bytes())).collect()
}

/// An `assetsync push` command to type, its words quoted for a shell.
pub fn push_command(words: &[&str]) -> String {
    format!("assetsync push {}", shell_words::join(words))
}
