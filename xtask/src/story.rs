//! The problem that this project solves, measured with real programs on a small server: compiling
//! assets there gets the process killed; compiling elsewhere and copying by rsync works; `assetsync
//! deploy` does the same with less.
//!
//! [`run`] measures all three. [`write()`] keeps the measurements in `docs/story.json` and puts
//! [`table`] into the README.

mod measure;
mod measurements;
mod server;
mod table;

use std::fs;
use std::path::PathBuf;

pub use measure::measure;
pub use measurements::{Compile, Measurements, Transfer};
pub use table::table;

use crate::error::{Error, ErrorContext, Result};
use crate::repository::{build_release, root, script, target_dir};

/// Installs all that is needed, and measures. Needs root, for memory cgroups, and takes about two
/// minutes.
pub fn run(progress: &mut dyn FnMut(&str)) -> Result<Measurements> {
    script("test-deps", &[])?;
    script("fetch-corpora", &["app-shop"])?;
    let assetsync = build_release()?;
    // On a disk: files in memory would count as the server's memory.
    let target = target_dir();
    let scratch = tempfile::Builder::new().prefix("story-").tempdir_in(&target);
    measure(&assetsync, scratch.doing("make a directory in", target)?.path(), progress)
}

/// The measurements in `docs/story.json`, of which the README's table is made.
pub fn read() -> Result<Measurements> {
    let path = json_path();
    let text = fs::read_to_string(&path).doing("read", &path)?;
    serde_json::from_str(&text).map_err(|source| Error::Json { path, source })
}

/// Writes `docs/story.json`, and the table into the README.
pub fn write(measurements: &Measurements) -> Result<()> {
    let json = serde_json::to_string_pretty(measurements).expect("plain values always are JSON");
    fs::write(json_path(), json + "\n").doing("write", json_path())?;
    table::SECTION.write(&table(measurements))
}

fn json_path() -> PathBuf {
    root().join("docs/story.json")
}
