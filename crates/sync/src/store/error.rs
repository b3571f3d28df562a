//! Why a store can't be used. None of it makes a push wrong: without a store a push sends more.

use std::io;
use std::path::{Path, PathBuf};

use assetsync_core::text;

/// Why a store can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The directory has other files. It is refused because files in a store are deleted.
    #[error("{} is not a store and is not empty; choose a new or empty directory", text::path(.0))]
    NotAStore(PathBuf),
    /// Another process holds the lock.
    #[error("Another process is pruning the store {}; try again when that has ended", text::path(.0))]
    Busy(PathBuf),
    /// An I/O error.
    #[error(
        "Can't {doing} {}: {source}; check permissions and free space, or choose another directory",
        text::path(path)
    )]
    Io {
        /// The failed operation, as a verb.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl StoreError {
    /// For `map_err`: what was being done with which path.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
        move |source| StoreError::Io { doing, path: path.into(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_where_why_and_what_to_do() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let text = StoreError::io("write", Path::new("/s/packs"))(full).to_string();
        assert_eq!(
            text,
            "Can't write /s/packs: no storage space; check permissions and free space, or choose another directory"
        );
        let text = StoreError::NotAStore("/home".into()).to_string();
        assert_eq!(text, "/home is not a store and is not empty; choose a new or empty directory");
    }
}
