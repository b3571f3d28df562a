//! Published web bundles, fetched by `scripts/fetch-corpora` and never committed.
//!
//! Their modification times are as the archive had them: one for all files of an npm package, the
//! build's own in a wheel. A compile writes every file afresh, so a test or benchmark that wants a
//! compile's times copies the corpus and touches the copy.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Every corpus, consecutive releases next to each other.
pub const NAMES: [&str; 5] = [
    "n8n-2.40.2",
    "n8n-2.40.3",
    "n8n-2.41.0",
    "home-assistant-20250109.1",
    "home-assistant-20250109.2",
];

/// A corpus that is not on this machine yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("No corpus {name} in {}; `scripts/fetch-corpora {name}` fetches it", dir.display())]
pub struct MissingCorpus {
    /// The corpus asked for.
    pub name: String,
    /// The directory that should hold it.
    pub dir: PathBuf,
}

/// The directory of the corpus `name`: in `$ASSETSYNC_CORPORA`, or in the workspace's `corpora`.
pub fn path(name: &str) -> Result<PathBuf, MissingCorpus> {
    find(name, &root(std::env::var_os("ASSETSYNC_CORPORA")))
}

/// The directory that holds the corpora.
fn root(set: Option<OsString>) -> PathBuf {
    set.map_or_else(|| workspace().join("corpora"), PathBuf::from)
}

/// The workspace this crate was built in.
pub(crate) fn workspace() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

/// The corpus `name` in `dir`.
fn find(name: &str, dir: &Path) -> Result<PathBuf, MissingCorpus> {
    Some(dir.join(name))
        .filter(|path| path.is_dir())
        .ok_or_else(|| MissingCorpus { name: name.to_owned(), dir: dir.to_path_buf() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_chooses_the_directory() {
        assert_eq!(root(Some("/elsewhere".into())), Path::new("/elsewhere"));
        assert!(root(None).join("../Cargo.toml").exists() || root(None).ends_with("corpora"));
    }

    #[test]
    fn what_is_there_is_found_and_what_is_not_says_how_to_get_it() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("n8n-2.40.2")).unwrap();
        assert_eq!(find("n8n-2.40.2", dir.path()), Ok(dir.path().join("n8n-2.40.2")));
        let missing = find("n8n-2.40.3", Path::new("/corpora")).unwrap_err();
        assert_eq!(
            missing.to_string(),
            "No corpus n8n-2.40.3 in /corpora; `scripts/fetch-corpora n8n-2.40.3` fetches it"
        );
    }
}
