//! The tree that a deploy makes live.

use std::collections::BTreeSet;

use assetsync_core::digest::Digest;
use assetsync_core::entry::Mtime;
use assetsync_core::path::RelPath;

use super::HistoryError;

/// The content at a path, without times and permissions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Content {
    /// A regular file.
    File {
        /// Bytes of content.
        size: u64,
        /// Digest of the content.
        digest: Digest,
    },
    /// A symbolic link.
    Symlink {
        /// Its text.
        target: Vec<u8>,
    },
}

/// Attributes that may differ while the content is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FileAttributes {
    /// Permission bits.
    pub mode: u32,
    /// Last modification.
    pub mtime: Mtime,
    /// Whether it matched `assets.entry_points` when it was deployed.
    pub entry_point: bool,
}

/// One file or symbolic link of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryFile {
    /// Where.
    pub path: RelPath,
    /// The event.
    pub content: Content,
    /// Its times and permissions.
    pub attributes: FileAttributes,
}

/// The files of a deploy, in tree order; directories are where files need them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree(Vec<HistoryFile>);

impl Tree {
    /// Sorts `files`; no two may be at one path, and none below another.
    pub fn new(mut files: Vec<HistoryFile>) -> Result<Tree, HistoryError> {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        check_paths(files.iter().map(|file| &file.path))?;
        Ok(Tree(files))
    }

    /// Files that are those of a tree, in its order.
    pub(super) fn of_sorted(files: Vec<HistoryFile>) -> Tree {
        Tree(files)
    }

    /// The files, in tree order.
    pub fn files(&self) -> &[HistoryFile] {
        &self.0
    }

    /// The file at a path.
    pub fn get(&self, path: &RelPath) -> Option<&HistoryFile> {
        let found = self.0.binary_search_by(|file| file.path.cmp(path)).ok()?;
        Some(&self.0[found])
    }

    /// Whether any file is below `path`.
    pub(super) fn has_below(&self, path: &RelPath) -> bool {
        let from = self.0.partition_point(|file| file.path <= *path);
        self.0.get(from).is_some_and(|file| file.path.starts_with(path))
    }

    /// All directories that files are in.
    pub(super) fn directories(&self) -> BTreeSet<RelPath> {
        let mut directories = BTreeSet::new();
        self.0.iter().for_each(|file| add_parents(&mut directories, &file.path));
        directories
    }
}

/// Adds all directories above `path`.
pub(super) fn add_parents(directories: &mut BTreeSet<RelPath>, path: &RelPath) {
    let mut above = path.parent();
    while let Some(directory) = above {
        above = directory.parent();
        // Its parents were added with it.
        if !directories.insert(directory) {
            return;
        }
    }
}

/// Checks that sorted paths can be those of files in one tree. In tree order what is below a path
/// follows it.
pub(super) fn check_paths<'a>(
    paths: impl Iterator<Item = &'a RelPath> + Clone,
) -> Result<(), HistoryError> {
    let clash = paths.clone().zip(paths.skip(1)).find(|(above, below)| below.starts_with(above));
    clash.map_or(Ok(()), |(above, _)| Err(HistoryError::Clash(above.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::fixtures::{file, path};

    #[test]
    fn trees_have_one_file_a_path() {
        let names = |names: &[&str]| names.iter().map(|name| file(name, 1)).collect::<Vec<_>>();
        for bad in [["a", "a", "b"], ["a/b", "x", "a"], ["a/b/c", "a!", "a"]] {
            let refused = Tree::new(names(&bad)).unwrap_err();
            assert_eq!(refused.to_string(), "Tree has two files at or below 'a'");
        }
        let tree = Tree::new(names(&["b", "a!", "a/b"])).unwrap();
        assert!(tree.has_below(&path("a")) && !tree.has_below(&path("a!")));
        assert_eq!(tree.get(&path("b")), Some(&file("b", 1)));
    }
}
