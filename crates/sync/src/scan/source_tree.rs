//! The files of a source, to read: those below a directory, or single ones wherever they are.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use assetsync_core::path::RelPath;
use assetsync_tree::{OpenTree, Symlinks};

/// Where a source is.
#[derive(Debug)]
pub enum SourceRoot {
    /// A directory.
    Dir(OwnedFd),
    /// Files, by the paths that they are pushed to.
    Files(NamedFiles),
}

/// Files by the paths that they are pushed to.
pub type NamedFiles = Arc<BTreeMap<RelPath, NamedFile>>;

/// A file that is pushed by itself.
#[derive(Debug, Clone)]
pub struct NamedFile {
    /// The directory it is in.
    pub dir: Arc<OwnedFd>,
    /// Its name there.
    pub name: RelPath,
}

/// A view of a source for one reader.
#[derive(Debug)]
pub struct SourceTree {
    place: Place,
    symlinks: Symlinks,
}

#[derive(Debug)]
enum Place {
    Dir(OpenTree),
    Files(NamedFiles),
}

impl SourceTree {
    /// A view of what is at `root`.
    pub fn of(root: &SourceRoot, symlinks: Symlinks) -> io::Result<SourceTree> {
        let place = match root {
            SourceRoot::Dir(root) => {
                Place::Dir(OpenTree::new(root.try_clone()?).with_symlinks(symlinks))
            }
            SourceRoot::Files(files) => Place::Files(Arc::clone(files)),
        };
        Ok(SourceTree { place, symlinks })
    }

    /// Opens the regular file that is pushed to `path`.
    pub fn open_file(&mut self, path: &RelPath) -> io::Result<File> {
        match &mut self.place {
            Place::Dir(tree) => tree.open_file(path),
            Place::Files(files) => {
                let NamedFile { dir, name } = files.get(path).ok_or(io::ErrorKind::NotFound)?;
                let mut tree = OpenTree::new(dir.try_clone()?).with_symlinks(self.symlinks);
                tree.open_file(name)
            }
        }
    }
}
