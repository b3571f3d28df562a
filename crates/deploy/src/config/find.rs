//! The edge to the file system: finds the file and reads it. All else in this module is values
//! only.

use std::io;
use std::path::{Path, PathBuf};

use assetsync_core::text;

use super::toml_tree::MAX_FILE;

/// The name of the file.
pub const FILE_NAME: &str = "assetsync.toml";

/// A file of settings, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedConfig {
    /// The file.
    pub path: PathBuf,
    /// The directory it is in: the project, below which sources are.
    pub folder: PathBuf,
    /// Its text.
    pub text: String,
}

/// Why no file was read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// There is none.
    #[error("There is no {FILE_NAME} in {} nor in any folder above it", text::path(.0))]
    Nowhere(PathBuf),
    /// It can't be read.
    #[error("Can't read {}: {source}", text::path(.path))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It holds something else than text.
    #[error("{} is not UTF-8: byte {at} belongs to no character", text::path(.path))]
    NotText {
        /// The file.
        path: PathBuf,
        /// The first bad byte, from 0.
        at: usize,
    },
    /// It is far too large.
    #[error("{} is larger than {MAX_FILE} bytes", text::path(.0))]
    TooLarge(PathBuf),
}

impl LoadedConfig {
    /// Reads the nearest `assetsync.toml` in `folder` or above it. `folder` should be absolute.
    pub fn find(folder: &Path) -> Result<LoadedConfig, FindError> {
        let candidates = folder.ancestors().map(|folder| folder.join(FILE_NAME));
        let mut existing = candidates.filter(|path| path.exists());
        let path = existing.next().ok_or_else(|| FindError::Nowhere(folder.to_path_buf()))?;
        LoadedConfig::read(&path)
    }

    /// Reads a file.
    pub fn read(path: &Path) -> Result<LoadedConfig, FindError> {
        let failed = |source| FindError::Read { path: path.to_path_buf(), source };
        let length = path.metadata().map_err(failed)?.len();
        if length > MAX_FILE as u64 {
            return Err(FindError::TooLarge(path.to_path_buf()));
        }
        let bytes = std::fs::read(path).map_err(failed)?;
        let text = String::from_utf8(bytes).map_err(|error| FindError::NotText {
            path: path.to_path_buf(),
            at: error.utf8_error().valid_up_to(),
        })?;
        let folder = match path.parent() {
            Some(parent) if parent != Path::new("") => parent.to_path_buf(),
            _ => PathBuf::from("."),
        };
        Ok(LoadedConfig { path: path.to_path_buf(), folder, text })
    }
}
