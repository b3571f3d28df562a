//! The source: a directory on this machine, listed at once and hashed while the destination is
//! being reached.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use assetsync_core::digest::Digest;
use assetsync_core::entry::{CARRIED_MODE, Entry, Kind};
use assetsync_core::path::RelPath;
use assetsync_tree::{OpenTree, Symlinks, metadata_of_open};
use rayon::prelude::*;

use super::chmod::Chmod;
use super::filter::Filter;
use super::links::LinkRules;
use super::list::{Listing, Unreadable, list_tree};
use super::notice::ScanNotice;
use super::source_tree::{SourceRoot, SourceTree};
use crate::compare::content_match::SourceEntry;
use crate::compare::policy::Policy;

/// How often a file that changes while it is read is tried.
const READS: usize = 3;

/// How often a source that changes while it is read is listed and read.
const SCANS: usize = 3;

/// Permission bits of the root of a given source.
pub(super) const GIVEN_ROOT_MODE: u32 = 0o755;

/// How much is read at a time, in bytes.
const READ_BYTES: usize = 256 * 1024;

/// A scanned source.
#[derive(Debug)]
pub struct Source {
    pub(super) root: SourceRoot,
    /// The source, as it was given; of several files the first one.
    pub path: PathBuf,
    pub(super) root_mode: u32,
    pub(super) chmod: Chmod,
    /// The entries that are pushed, in tree order, as they were listed.
    pub entries: Vec<Entry>,
    /// What the user should know of its paths.
    pub notices: Vec<ScanNotice>,
    pub(super) symlinks: Symlinks,
    /// How a directory is listed, and what was found at first; `None` for a given source, and for
    /// files.
    pub(super) listed: Option<(Filter, LinkRules, Listing)>,
    pub(super) hashed: OnceLock<Result<Vec<SourceEntry>, Arc<SourceError>>>,
    /// Pieces of files that were read for their digests.
    pub(super) pieces_read: AtomicU64,
}

/// Why a source can't be pushed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// It does not exist, or is not a directory.
    #[error("Can't use source {}: {source}", assetsync_core::text::path(.path))]
    Root {
        /// The source.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Files that can't be read; nothing is pushed without them.
    #[error("Can't read {} of the source's files: {}", .0.len(), list(.0))]
    Unreadable(Vec<Unreadable>),
    /// Its files do not stay as they are while they are read.
    #[error(
        "Source {} changes while it is read, {path} for one; push when whatever writes to it has \
         ended",
        assetsync_core::text::path(.root)
    )]
    Changing {
        /// The source.
        root: PathBuf,
        /// A path that changed last.
        path: String,
    },
    /// Single files that would be pushed to the same path.
    #[error("Two of the files are called {0}; push them one after the other")]
    Twice(String),
    /// Single files that all are left out.
    #[error(
        "Nothing to push: no file that was given is a regular file or symlink, and not excluded"
    )]
    NoFiles,
}

fn list(unreadable: &[Unreadable]) -> String {
    const SHOWN: usize = 10;
    let mut lines: Vec<String> = unreadable.iter().take(SHOWN).map(ToString::to_string).collect();
    if unreadable.len() > SHOWN {
        lines.push(format!("and {} more", unreadable.len() - SHOWN));
    }
    lines.join("; ")
}

impl Source {
    /// Lists `path` with the policy's filter, links and modes. Its files are read when
    /// [`hashed`](Source::hashed) is first called.
    pub fn scan(path: &Path, policy: &Policy) -> Result<Source, SourceError> {
        let Policy { filter, links, chmod, .. } = policy;
        let failed = |source: io::Error| SourceError::Root { path: path.into(), source };
        let root = OwnedFd::from(File::open(path).map_err(failed)?);
        let metadata = metadata_of_open(&root).map_err(failed)?;
        if metadata.kind != Kind::Dir {
            return Err(failed(io::ErrorKind::NotADirectory.into()));
        }
        let symlinks = links.symlinks();
        let tree = || io::Result::Ok(OpenTree::new(root.try_clone()?).with_symlinks(symlinks));
        let mut listing = list_tree(path, tree().map_err(failed)?, filter, *links);
        listing.unreadable.extend(missing(filter, &mut tree().map_err(failed)?));
        if !listing.unreadable.is_empty() {
            return Err(SourceError::Unreadable(listing.unreadable));
        }
        let mut notices = std::mem::take(&mut listing.notices);
        listing.entries.iter_mut().for_each(|entry| change_mode(entry, chmod));
        notices.extend(ScanNotice::of_private(&listing.entries));
        notices.extend(ScanNotice::of_sensitive(&listing.entries));
        notices.extend(ScanNotice::of_case(&listing.entries));
        let (path, hashed) = (path.into(), OnceLock::new());
        Ok(Source {
            root: SourceRoot::Dir(root),
            path,
            root_mode: chmod.apply(metadata.mode & CARRIED_MODE, true),
            chmod: chmod.clone(),
            entries: listing.entries.clone(),
            notices,
            symlinks,
            listed: Some((filter.clone(), *links, listing)),
            hashed,
            pieces_read: AtomicU64::new(0),
        })
    }

    /// A given source, such as an earlier deploy: `entries`, every file with its digest. Only
    /// contents that must be sent are read, each at its path in the directory `contents`; those
    /// that the destination has, at any path or retained, need not be there.
    pub fn of(mut entries: Vec<SourceEntry>, contents: &Path) -> Result<Source, SourceError> {
        let failed = |source: io::Error| SourceError::Root { path: contents.into(), source };
        let root = OwnedFd::from(File::open(contents).map_err(failed)?);
        entries.sort_by(|a, b| a.entry.path.cmp(&b.entry.path));
        if let Some(unknown) =
            entries.iter().find(|local| local.entry.file_size().is_some() && local.digest.is_none())
        {
            let text = format!("the digest of {} is not known", unknown.entry.path);
            return Err(failed(io::Error::other(text)));
        }
        if let Some(twice) = entries.windows(2).find(|two| two[0].entry.path == two[1].entry.path) {
            return Err(failed(io::Error::other(format!(
                "{} is there twice",
                twice[0].entry.path
            ))));
        }
        let listed = entries.iter().map(|local| local.entry.clone()).collect();
        let (path, hashed) = (contents.into(), OnceLock::from(Ok(entries)));
        Ok(Source {
            root: SourceRoot::Dir(root),
            path,
            root_mode: GIVEN_ROOT_MODE,
            chmod: Chmod::default(),
            entries: listed,
            notices: Vec::new(),
            symlinks: Symlinks::Refuse,
            listed: None,
            hashed,
            pieces_read: AtomicU64::new(0),
        })
    }

    /// Whether the source was [given](Source::of): its contents may not be on this machine, but
    /// can't change.
    pub(crate) fn has_contents_elsewhere(&self) -> bool {
        self.listed.is_none() && matches!(self.root, SourceRoot::Dir(_))
    }

    /// Whether there is a file or link to push. Names that begin with a dot, such as `.keep` or
    /// `.DS_Store`, do not count: they remain when a build has failed.
    pub(crate) fn has_files(&self) -> bool {
        let counts =
            |entry: &Entry| entry.kind != Kind::Dir && !entry.path.file_name().starts_with(b".");
        match self.hashed.get() {
            Some(Ok(hashed)) => hashed.iter().any(|local| counts(&local.entry)),
            _ => self.entries.iter().any(counts),
        }
    }

    /// The entries with the digests of all files, as they all were at one moment: after reading,
    /// the source is listed again, and if it is not the same, read again. The first call reads all
    /// files, on all cores; concurrent calls wait for it.
    pub fn hashed(&self) -> Result<&[SourceEntry], Arc<SourceError>> {
        let hashed = self.hashed.get_or_init(|| self.hash().map_err(Arc::new));
        hashed.as_deref().map_err(Arc::clone)
    }

    /// Whether [`hashed`](Source::hashed) returns at once.
    pub(crate) fn is_hashed(&self) -> bool {
        self.hashed.get().is_some()
    }

    /// A number that grows as long as files are being hashed.
    pub(crate) fn hashing_progress(&self) -> u64 {
        self.pieces_read.load(Ordering::Relaxed)
    }

    /// Permission bits of the source itself: a destination that is made gets them.
    pub(crate) fn root_mode(&self) -> u32 {
        self.root_mode
    }

    fn hash(&self) -> Result<Vec<SourceEntry>, SourceError> {
        let Some((filter, links, first)) = &self.listed else { return self.read(&self.entries) };
        let (mut newest, mut changed) = (None, None);
        for _ in 0..SCANS {
            let listing = newest.as_ref().unwrap_or(first);
            let read = self.read(&listing.entries);
            let later = self.list(filter, *links)?;
            match listing.difference(&later) {
                None if !self.is_replaced() => return read,
                path => changed = path.or(changed),
            }
            newest = Some(later);
        }
        let path = changed.map_or_else(|| ".".into(), |path| path.to_string());
        Err(SourceError::Changing { root: self.path.clone(), path })
    }

    /// Lists it again. What can't be listed is gone, or not yet there.
    fn list(&self, filter: &Filter, links: LinkRules) -> Result<Listing, SourceError> {
        let failed = |source: io::Error| SourceError::Root { path: self.path.clone(), source };
        let SourceRoot::Dir(root) = &self.root else { return Ok(Listing::default()) };
        let tree = OpenTree::new(root.try_clone().map_err(failed)?).with_symlinks(self.symlinks);
        let mut listing = list_tree(&self.path, tree, filter, links);
        listing.entries.iter_mut().for_each(|entry| change_mode(entry, &self.chmod));
        Ok(listing)
    }

    /// Whether another directory is at its path now.
    fn is_replaced(&self) -> bool {
        let SourceRoot::Dir(root) = &self.root else { return false };
        let held = metadata_of_open(root).map(|metadata| metadata.version.ino);
        let there = File::open(&self.path).and_then(metadata_of_open);
        held.ok() != there.ok().map(|metadata| metadata.version.ino)
    }

    /// Reads all files.
    fn read(&self, listed: &[Entry]) -> Result<Vec<SourceEntry>, SourceError> {
        let listed = listed.iter().map(|entry| SourceEntry { entry: entry.clone(), digest: None });
        let mut entries: Vec<_> = listed.collect();
        let files = entries.par_iter_mut().filter(|local| local.entry.file_size().is_some());
        let read = files.map_init(
            || (self.tree(), vec![0; READ_BYTES]),
            |(tree, buffer), local| {
                let read = match tree {
                    Ok(tree) => {
                        let read = read_counted(tree, local, buffer, &self.pieces_read);
                        change_mode(&mut local.entry, &self.chmod);
                        read
                    }
                    Err(error) => Err(error.kind().into()),
                };
                read.err().map(|source| Unreadable { path: local.entry.path.to_string(), source })
            },
        );
        let unreadable: Vec<_> = read.flatten().collect();
        if unreadable.is_empty() { Ok(entries) } else { Err(SourceError::Unreadable(unreadable)) }
    }

    /// Opens the file that is pushed to `path`.
    pub fn open(&self, path: &RelPath) -> io::Result<File> {
        self.tree()?.open_file(path)
    }

    /// A view of the tree for one reader.
    pub(crate) fn tree(&self) -> io::Result<SourceTree> {
        SourceTree::of(&self.root, self.symlinks)
    }
}

/// Counts the pieces that are read of a file.
struct Counted<'a> {
    file: &'a File,
    pieces: &'a AtomicU64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.pieces.fetch_add(1, Ordering::Relaxed);
        Ok(count)
    }
}

pub(super) fn change_mode(entry: &mut Entry, chmod: &Chmod) {
    if !matches!(entry.kind, Kind::Symlink { .. }) {
        entry.mode = chmod.apply(entry.mode, entry.kind == Kind::Dir);
    }
}

/// Paths that the caller listed and the source does not have.
fn missing(filter: &Filter, tree: &mut OpenTree) -> Vec<Unreadable> {
    let missing = filter.listed().filter_map(|path| {
        let found = RelPath::new(path).map_err(io::Error::other);
        let found = found.and_then(|path| tree.file_metadata(&path));
        let source = match found {
            Ok(Some(_)) => return None,
            Ok(None) => io::ErrorKind::NotFound.into(),
            Err(error) => error,
        };
        Some(Unreadable { path: assetsync_core::text::name(path), source })
    });
    missing.collect()
}

/// Reads a file's metadata and content again, until both belong together.
pub fn read_again(
    tree: &mut SourceTree,
    local: &mut SourceEntry,
    buffer: &mut [u8],
) -> io::Result<()> {
    read_counted(tree, local, buffer, &AtomicU64::new(0))
}

fn read_counted(
    tree: &mut SourceTree,
    local: &mut SourceEntry,
    buffer: &mut [u8],
    pieces: &AtomicU64,
) -> io::Result<()> {
    for _ in 0..READS {
        let file = tree.open_file(&local.entry.path)?;
        let before = metadata_of_open(&file)?;
        let (digest, size) = Digest::of_reader(Counted { file: &file, pieces }, buffer)?;
        let same = metadata_of_open(&file)? == before && before.kind == Kind::File { size };
        if same {
            local.entry.kind = before.kind;
            local.entry.mtime = before.mtime;
            local.entry.mode = before.mode & CARRIED_MODE;
            local.digest = Some(digest);
            return Ok(());
        }
    }
    Err(io::Error::other("it changes while it is read"))
}

#[cfg(test)]
mod tests;
