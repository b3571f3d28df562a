//! A source of single files, as `rsync a.js b.js DEST` has.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use assetsync_core::entry::Entry;
use assetsync_core::path::RelPath;
use assetsync_tree::OpenTree;

use super::list::{Listing, list_file};
use super::notice::ScanNotice;
use super::source::{GIVEN_ROOT_MODE, Source, SourceError, change_mode};
use super::source_tree::{NamedFile, SourceRoot};
use crate::compare::content_match::SourceEntry;
use crate::compare::policy::Policy;

/// Whether `path` is pushed by itself: it exists, and neither is nor leads to a directory.
pub fn is_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok() && !path.is_dir()
}

impl Source {
    /// Lists single files, with the policy's filter, links and modes. Each is pushed under its own
    /// name; they are read when [`hashed`](Source::hashed) is first called.
    pub(crate) fn scan_files(paths: &[PathBuf], policy: &Policy) -> Result<Source, SourceError> {
        let mut found: BTreeMap<RelPath, (Entry, NamedFile)> = BTreeMap::new();
        let mut notices = Vec::new();
        for path in paths {
            let failed = |source: io::Error| SourceError::Root { path: path.clone(), source };
            let Listing { entries, notices: more, unreadable, .. } =
                list_at(path, policy).map_err(failed)?;
            if !unreadable.is_empty() {
                return Err(SourceError::Unreadable(unreadable));
            }
            notices.extend(more);
            let dir = Arc::new(open_parent(path).map_err(failed)?);
            for mut entry in entries {
                change_mode(&mut entry, &policy.chmod);
                let (name, dir) = (entry.path.clone(), Arc::clone(&dir));
                let file = NamedFile { dir, name: name.clone() };
                if found.insert(name.clone(), (entry, file)).is_some() {
                    return Err(SourceError::Twice(name.to_string()));
                }
            }
        }
        if found.is_empty() {
            return Err(SourceError::NoFiles);
        }
        let entries: Vec<Entry> = found.values().map(|(entry, _)| entry.clone()).collect();
        notices.extend(ScanNotice::of_private(&entries));
        let files = found.into_iter().map(|(name, (_, file))| (name, file)).collect();
        Ok(Source {
            root: SourceRoot::Files(Arc::new(files)),
            path: paths.first().cloned().unwrap_or_default(),
            root_mode: GIVEN_ROOT_MODE,
            chmod: policy.chmod.clone(),
            entries,
            notices,
            symlinks: policy.links.symlinks(),
            listed: None,
            hashed: OnceLock::new(),
            pieces_read: AtomicU64::new(0),
        })
    }

    /// Whether single files are pushed, and not a directory.
    pub(crate) fn is_files(&self) -> bool {
        matches!(self.root, SourceRoot::Files(_))
    }

    /// The names of the files, if single files are pushed.
    pub(crate) fn file_names(&self) -> Vec<RelPath> {
        match &self.root {
            SourceRoot::Dir(_) => Vec::new(),
            SourceRoot::Files(files) => files.keys().cloned().collect(),
        }
    }

    /// The same single file, pushed to another name.
    pub(crate) fn renamed(&self, name: &RelPath) -> Result<Source, Arc<SourceError>> {
        let rename = |local: &SourceEntry| {
            let mut local = local.clone();
            local.entry.path = name.clone();
            local
        };
        let hashed: Vec<SourceEntry> = self.hashed()?.iter().map(rename).collect();
        let files = match &self.root {
            SourceRoot::Dir(_) => BTreeMap::new(),
            SourceRoot::Files(files) => {
                files.values().map(|file| (name.clone(), file.clone())).collect()
            }
        };
        Ok(Source {
            root: SourceRoot::Files(Arc::new(files)),
            path: self.path.clone(),
            root_mode: self.root_mode,
            chmod: self.chmod.clone(),
            entries: hashed.iter().map(|local| local.entry.clone()).collect(),
            notices: Vec::new(),
            symlinks: self.symlinks,
            listed: None,
            hashed: OnceLock::from(Ok(hashed)),
            pieces_read: AtomicU64::new(0),
        })
    }
}

/// Lists one file: at most one entry, by its name.
fn list_at(path: &Path, policy: &Policy) -> io::Result<Listing> {
    let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    RelPath::new(name.as_bytes()).map_err(io::Error::other)?;
    // The metadata of a path that ends with a slash is that of a directory.
    path.symlink_metadata()?;
    let tree = OpenTree::new(open_parent(path)?).with_symlinks(policy.links.symlinks());
    Ok(list_file(parent(path), Path::new(name), tree, &policy.filter, policy.links))
}

fn open_parent(path: &Path) -> io::Result<OwnedFd> {
    Ok(File::open(parent(path))?.into())
}

fn parent(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}
