//! A tree in memory, which can be changed and written to disk.

use std::collections::BTreeMap;

/// A tree: every path below its root, relative, with `/` between names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    entries: BTreeMap<Vec<u8>, Entry>,
}

/// A file, directory or link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A directory.
    Dir {
        /// Its permission bits.
        mode: u32,
    },
    /// A regular file.
    File {
        /// Its content.
        bytes: Vec<u8>,
        /// Its permission bits.
        mode: u32,
        /// Its modification time: seconds since 1970, and nanoseconds.
        mtime: (i64, u32),
    },
    /// A symbolic link.
    Symlink {
        /// Its target, which may not exist.
        target: Vec<u8>,
    },
}

impl Tree {
    /// The entry at `path`.
    #[must_use]
    pub fn get(&self, path: &[u8]) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// All paths and their entries, parents before children.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&[u8], &Entry)> {
        self.entries.iter().map(|(path, entry)| (&path[..], entry))
    }

    /// The number of paths.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Puts `entry` at `path` in place of the old one, and makes its parent directories. Where a
    /// parent is a file or a link, that becomes a directory.
    pub fn insert(&mut self, path: &[u8], entry: Entry) {
        for parent in parents(path) {
            if !matches!(self.get(parent), Some(Entry::Dir { .. })) {
                self.entries.insert(parent.to_vec(), Entry::Dir { mode: 0o755 });
            }
        }
        if !matches!(entry, Entry::Dir { .. }) {
            self.remove(path);
        }
        self.entries.insert(path.to_vec(), entry);
    }

    /// Takes away `path` and all below it.
    pub fn remove(&mut self, path: &[u8]) {
        self.entries.retain(|other, _| !is_within(other, path));
    }

    /// Moves `from`, and all below it, to `to`.
    pub fn rename(&mut self, from: &[u8], to: &[u8]) {
        let within = |path: &[u8]| is_within(path, from);
        let (moved, kept) =
            std::mem::take(&mut self.entries).into_iter().partition(|(path, _)| within(path));
        self.entries = kept;
        let moved: BTreeMap<_, _> = moved;
        for (path, entry) in moved {
            self.insert(&[to, &path[from.len()..]].concat(), entry);
        }
    }

    /// The entry at `path`, to be changed.
    pub(super) fn get_mut(&mut self, path: &[u8]) -> Option<&mut Entry> {
        self.entries.get_mut(path)
    }
}

/// The directories above `path`, the topmost first.
fn parents(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    slashes.map(|(place, _)| &path[..place])
}

/// Whether `path` is `dir` or below it.
pub(super) fn is_within(path: &[u8], dir: &[u8]) -> bool {
    path.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> Entry {
        Entry::Symlink { target: b"t".to_vec() }
    }

    fn paths(tree: &Tree) -> Vec<String> {
        tree.iter().map(|(path, _)| String::from_utf8_lossy(path).into_owned()).collect()
    }

    #[test]
    fn parents_come_into_being_and_children_go_with_their_parent() {
        let mut tree = Tree::default();
        tree.insert(b"a/b/c", link());
        tree.insert(b"a-b", link());
        assert_eq!(paths(&tree), ["a", "a-b", "a/b", "a/b/c"]);
        tree.insert(b"a/b", link());
        assert_eq!(paths(&tree), ["a", "a-b", "a/b"]);
        tree.insert(b"a/b/d", link());
        assert_eq!(tree.get(b"a/b"), Some(&Entry::Dir { mode: 0o755 }));
        tree.remove(b"a");
        assert_eq!(paths(&tree), ["a-b"]);
    }

    #[test]
    fn a_directory_moves_with_its_contents() {
        let mut tree = Tree::default();
        tree.insert(b"a/b/c", link());
        tree.rename(b"a/b", b"x/y");
        assert_eq!(paths(&tree), ["a", "x", "x/y", "x/y/c"]);
    }
}
