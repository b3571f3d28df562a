//! SRC and the DESTs of a push, as values.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use assetsync_core::text;
use assetsync_sync::Destination;

/// SRC and every DEST of a command line.
pub struct PushPaths<'a> {
    /// SRC.
    pub source: &'a Path,
    /// Each DEST.
    pub destinations: &'a [Destination],
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
