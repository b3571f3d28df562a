//! Listing the source: a walk that applies the filter and the link rules.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use assetsync_core::entry::{CARRIED_MODE, Entry, Kind};
use assetsync_core::path::RelPath;
use assetsync_core::work_names::is_work_dir_name;
use assetsync_tree::{FileMetadata, FileVersion, OpenTree, metadata_at, metadata_behind_link};
use walkdir::{DirEntry, WalkDir};

use super::filter::{Filter, Verdict};
use super::links::{LinkAction, LinkRules, is_outside};
use super::notice::{About, ScanNotice};

/// Device and inode of a directory.
type Id = (u64, u64);

/// What a listing found.
#[derive(Debug, Default)]
pub struct Listing {
    /// The entries to push, in tree order.
    pub entries: Vec<Entry>,
    /// Their versions.
    pub versions: Vec<FileVersion>,
    /// What the user should know.
    pub notices: Vec<ScanNotice>,
    /// What could not be listed.
    pub unreadable: Vec<Unreadable>,
}

/// One file that can't be read.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
pub struct Unreadable {
    /// Where, relative to the source.
    pub path: String,
    /// Why.
    pub source: io::Error,
}

/// Lists the tree at `root`, which `tree` has open.
pub fn list_tree(root: &Path, tree: OpenTree, filter: &Filter, links: LinkRules) -> Listing {
    let mut lister = Lister { root, tree, filter, links, found: Listing::default(), outside: None };
    let ids = fs::metadata(root).map(|meta| vec![id(&meta)]).unwrap_or_default();
    lister.walk(WalkDir::new(root).min_depth(1), &ids);
    let mut found = lister.listing();
    // A sorted walk is in tree order already; this makes sure of it.
    let mut both: Vec<_> = found.entries.into_iter().zip(found.versions).collect();
    both.sort_by(|(a, _), (b, _)| a.path.cmp(&b.path));
    (found.entries, found.versions) = both.into_iter().unzip();
    found
}

/// Lists the file `name` in the directory `dir`, which `tree` has open.
pub fn list_file(
    dir: &Path,
    name: &Path,
    tree: OpenTree,
    filter: &Filter,
    links: LinkRules,
) -> Listing {
    let (root, found, outside) = (dir, Listing::default(), None);
    let mut lister = Lister { root, tree, filter, links, found, outside };
    lister.walk(WalkDir::new(dir.join(name)).max_depth(0).follow_root_links(false), &[]);
    lister.listing()
}

impl Listing {
    /// The first path that is not the same in a later listing. What is in a directory is listed
    /// itself, so directories are the same if their modes are.
    pub fn difference(&self, later: &Listing) -> Option<RelPath> {
        let same = |at: usize| {
            let is_dir = self.entries[at].kind == Kind::Dir;
            self.entries[at] == later.entries[at]
                && (is_dir || self.versions[at] == later.versions[at])
        };
        let both = self.entries.len().min(later.entries.len());
        let at = (0..both).find(|&at| !same(at)).unwrap_or(both);
        let path = |listing: &Listing| listing.entries.get(at).map(|entry| entry.path.clone());
        // Of two paths, the smaller one is in one of the listings alone.
        match (path(self), path(later)) {
            (Some(before), Some(after)) => Some(before.min(after)),
            (before, after) => before.or(after),
        }
    }
}

struct Lister<'a> {
    root: &'a Path,
    tree: OpenTree,
    filter: &'a Filter,
    links: LinkRules,
    found: Listing,
    /// The first link out of the source that is pushed as it is, and the number of others.
    outside: Option<ScanNotice>,
}

/// One listed path: its entry, and whether it is a link that is replaced by its directory.
struct Listed {
    entry: Entry,
    version: FileVersion,
    enter: bool,
}

impl Lister<'_> {
    fn listing(self) -> Listing {
        let Lister { mut found, outside, .. } = self;
        found.notices.extend(outside);
        found
    }

    /// Lists what `walk` visits. `ids` are the directories whose content is being listed because
    /// links lead to them: entering one again would never end.
    fn walk(&mut self, walk: WalkDir, ids: &[Id]) {
        let mut walk = walk.sort_by_file_name().into_iter();
        while let Some(item) = walk.next() {
            let is_dir = item.as_ref().is_ok_and(|item| item.file_type().is_dir());
            let kept = match item.map_err(io::Error::from).and_then(|item| self.item(&item)) {
                Ok(listed) => self.keep(listed, ids),
                Err(source) => {
                    self.found.unreadable.push(unreadable_at(source));
                    continue;
                }
            };
            if is_dir && !kept {
                walk.skip_current_dir();
            }
        }
    }

    /// The entry of an item; `None` if it is not pushed.
    fn item(&mut self, item: &DirEntry) -> io::Result<Option<Listed>> {
        let relative = item.path().strip_prefix(self.root).map_err(io::Error::other)?;
        let path = relative.as_os_str().as_bytes();
        let is_dir = item.file_type().is_dir();
        // A link may be replaced by a directory, which is decided below.
        let decided = !item.file_type().is_symlink() || !self.links.follows();
        if decided && !self.includes(path, is_dir) {
            return Ok(None);
        }
        let path = RelPath::new(path).map_err(io::Error::other)?;
        if is_work_dir_name(path.file_name()) {
            self.found.notices.push(ScanNotice { path, about: About::Reserved });
            return Ok(None);
        }
        let listed = listed(&mut self.tree, path)?;
        match &listed.entry.kind {
            Kind::Symlink { target } => {
                let target = target.clone();
                self.link(listed, &target, item.path())
            }
            _ => Ok(Some(listed)),
        }
    }

    fn includes(&self, path: &[u8], is_dir: bool) -> bool {
        self.filter.verdict(path, is_dir) == Verdict::Included
    }

    fn link(&mut self, listed: Listed, target: &[u8], full: &Path) -> io::Result<Option<Listed>> {
        let link = &listed.entry;
        let to_dir = self.links.follows() && fs::metadata(full).is_ok_and(|meta| meta.is_dir());
        let action = self.links.action(&link.path, target, to_dir);
        let is_dir = action == LinkAction::Copy && to_dir;
        if self.links.follows() && !self.includes(link.path.as_bytes(), is_dir) {
            return Ok(None);
        }
        match action {
            LinkAction::Keep => {
                self.note_outside(&link.path, target);
                Ok(Some(listed))
            }
            LinkAction::Skip => {
                let path = listed.entry.path;
                self.found.notices.push(ScanNotice { path, about: About::UnsafeLink });
                Ok(None)
            }
            LinkAction::Copy => {
                let metadata =
                    metadata_behind_link(self.tree.parent(&link.path)?, link.path.file_name());
                let FileMetadata { kind, mode, mtime, version } =
                    metadata.map_err(|error| at(full, error))?;
                let path = listed.entry.path;
                let entry = Entry { path, kind, mode: mode & CARRIED_MODE, mtime };
                Ok(Some(Listed { entry, version, enter: is_dir }))
            }
        }
    }

    fn note_outside(&mut self, path: &RelPath, target: &[u8]) {
        if !is_outside(path, target) {
            return;
        }
        match &mut self.outside {
            Some(ScanNotice { about: About::OutsideLink { others, .. }, .. }) => *others += 1,
            _ => {
                let about = About::OutsideLink { target: target.to_vec(), others: 0 };
                self.outside = Some(ScanNotice { path: path.clone(), about });
            }
        }
    }

    /// Adds an entry, and what is behind it if it was a link to a directory; returns whether a
    /// directory is to be entered.
    fn keep(&mut self, listed: Option<Listed>, ids: &[Id]) -> bool {
        match listed {
            None => false,
            Some(Listed { entry: Entry { path, kind: Kind::Special, .. }, .. }) => {
                self.found.notices.push(ScanNotice { path, about: About::Special });
                false
            }
            Some(Listed { entry, version, enter }) => {
                let dir = enter.then(|| self.full(&entry.path));
                self.found.entries.push(entry);
                self.found.versions.push(version);
                dir.into_iter().for_each(|dir| self.enter(&dir, ids));
                true
            }
        }
    }

    fn full(&self, path: &RelPath) -> PathBuf {
        self.root.join(std::ffi::OsStr::from_bytes(path.as_bytes()))
    }

    /// Lists the directory that a link leads to.
    fn enter(&mut self, dir: &Path, ids: &[Id]) {
        let entered = fs::metadata(dir).map(|meta| id(&meta));
        match entered {
            Ok(id) if !ids.contains(&id) => {
                self.walk(WalkDir::new(dir).min_depth(1), &[ids, &[id]].concat());
            }
            Ok(_) => {
                let source = io::Error::other("a link to a directory that it is in");
                let path = assetsync_core::text::path(dir);
                self.found.unreadable.push(Unreadable { path, source });
            }
            Err(source) => {
                let path = assetsync_core::text::path(dir);
                self.found.unreadable.push(Unreadable { path, source });
            }
        }
    }
}

fn id(meta: &fs::Metadata) -> Id {
    (meta.dev(), meta.ino())
}

fn listed(tree: &mut OpenTree, path: RelPath) -> io::Result<Listed> {
    let parent = tree.parent(&path)?;
    let FileMetadata { mut kind, mode, mtime, version } = metadata_at(parent, path.file_name())?;
    if let Kind::Symlink { target } = &mut kind {
        *target = rustix::fs::readlinkat(parent, path.file_name(), Vec::new())?.into_bytes();
    }
    let entry = Entry { path, kind, mode: mode & CARRIED_MODE, mtime };
    Ok(Listed { entry, version, enter: false })
}

/// The error of a link that leads nowhere, with its path.
fn at(path: &Path, error: io::Error) -> io::Error {
    let path = assetsync_core::text::path(path);
    io::Error::new(error.kind(), format!("what the link {path} leads to: {error}"))
}

fn unreadable_at(source: io::Error) -> Unreadable {
    let path = source
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<walkdir::Error>())
        .and_then(walkdir::Error::path)
        .map_or("?".into(), assetsync_core::text::path);
    Unreadable { path, source }
}
