//! The source: a directory on this machine, scanned and hashed.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use walkdir::WalkDir;

use crate::compare::SourceEntry;
use crate::digest::Digest;
use crate::entry::{CARRIED_MODE, Entry, Kind};
use crate::filter::{Filter, Verdict};
use crate::fs::tree::{Facts, Tree, facts_at, facts_of_open};
use crate::fs::work::is_own;
use crate::path::RelPath;

/// How often a file that changes while it is read is read again.
const READS: usize = 3;

/// How much is read at a time, in bytes.
const READ_BYTES: usize = 256 * 1024;

/// A scanned source.
#[derive(Debug)]
pub struct Source {
    root: OwnedFd,
    path: PathBuf,
    /// Everything that is carried, in tree order.
    pub entries: Vec<SourceEntry>,
    /// FIFOs, sockets and devices: reported, never opened.
    pub specials: Vec<RelPath>,
}

/// Why a source can't be pushed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// It is not there, or no directory.
    #[error("Can't use source {path}: {source}")]
    Root {
        /// The source.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Files that can't be read; nothing is pushed without them.
    #[error("Can't read {} of the source's files: {}", .0.len(), list(.0))]
    Unreadable(Vec<Unreadable>),
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

fn list(unreadable: &[Unreadable]) -> String {
    const SHOWN: usize = 10;
    let mut lines: Vec<String> = unreadable.iter().take(SHOWN).map(ToString::to_string).collect();
    if unreadable.len() > SHOWN {
        lines.push(format!("and {} more", unreadable.len() - SHOWN));
    }
    lines.join("; ")
}

impl Source {
    /// Scans `path` and hashes every file, on all cores.
    pub fn scan(path: &Path, filter: &Filter) -> Result<Source, SourceError> {
        let failed = |source: io::Error| SourceError::Root { path: path.into(), source };
        let root = OwnedFd::from(File::open(path).map_err(failed)?);
        if !File::from(root.try_clone().map_err(failed)?).metadata().map_err(failed)?.is_dir() {
            return Err(failed(io::ErrorKind::NotADirectory.into()));
        }
        let mut source =
            Source { root, path: path.into(), entries: Vec::new(), specials: Vec::new() };
        let mut unreadable = source.list(filter);
        unreadable.extend(source.hash());
        if unreadable.is_empty() { Ok(source) } else { Err(SourceError::Unreadable(unreadable)) }
    }

    /// The source's path, as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of regular files and their bytes.
    pub fn totals(&self) -> (u64, u64) {
        let sizes = self.entries.iter().filter_map(|local| local.entry.file_size());
        sizes.fold((0, 0), |(files, bytes), size| (files + 1, bytes + size))
    }

    /// Lists the tree; gives what could not be listed.
    fn list(&mut self, filter: &Filter) -> Vec<Unreadable> {
        let mut unreadable = Vec::new();
        let walk = WalkDir::new(&self.path).min_depth(1).sort_by_file_name().into_iter();
        let mut tree = match self.tree() {
            Ok(tree) => tree,
            Err(source) => return vec![Unreadable { path: ".".into(), source }],
        };
        let root = self.path.clone();
        for item in walk.filter_entry(|item| is_carried(item, &root, filter)) {
            let listed = item.map_err(Into::into).and_then(|item| {
                let path = relative(item.path(), &root).ok_or(io::ErrorKind::InvalidFilename)?;
                let path = RelPath::new(path).map_err(io::Error::other)?;
                let entry = entry(&mut tree, path)?;
                Ok(entry)
            });
            match listed {
                Ok(Entry { path, kind: Kind::Special, .. }) => self.specials.push(path),
                Ok(entry) => self.entries.push(SourceEntry { entry, digest: None }),
                Err(source) => unreadable.push(unreadable_at(source)),
            }
        }
        // A sorted walk is in tree order already; this makes sure of it.
        self.entries.sort_by(|a, b| a.entry.path.cmp(&b.entry.path));
        unreadable
    }

    /// Hashes all files; gives those that could not be read.
    fn hash(&mut self) -> Vec<Unreadable> {
        let root = self.root.as_fd();
        let files = self.entries.par_iter_mut().filter(|local| local.entry.file_size().is_some());
        let hashed = files.map_init(
            || (root.try_clone_to_owned().map(Tree::new), vec![0; READ_BYTES]),
            |(tree, buffer), local| {
                match tree {
                    Ok(tree) => read_again(tree, local, buffer).err(),
                    Err(error) => Some(error.kind().into()),
                }
                .map(|source| Unreadable { path: local.entry.path.to_string(), source })
            },
        );
        hashed.flatten().collect()
    }

    /// A view of the tree for one reader.
    pub fn tree(&self) -> io::Result<Tree> {
        Ok(Tree::new(self.root.try_clone()?))
    }
}

/// Reads a file's measures and content anew, until both belong together.
pub fn read_again(tree: &mut Tree, local: &mut SourceEntry, buffer: &mut [u8]) -> io::Result<()> {
    for _ in 0..READS {
        let file = tree.open_file(&local.entry.path)?;
        let before = facts_of_open(&file)?;
        let (digest, size) = Digest::of_reader(&file, buffer)?;
        let same = facts_of_open(&file)? == before && before.kind == Kind::File { size };
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

fn entry(tree: &mut Tree, path: RelPath) -> io::Result<Entry> {
    let parent = tree.parent(&path)?;
    let Facts { mut kind, mode, mtime, .. } = facts_at(parent, path.file_name())?;
    if let Kind::Symlink { target } = &mut kind {
        *target = rustix::fs::readlinkat(parent, path.file_name(), Vec::new())?.into_bytes();
    }
    Ok(Entry { path, kind, mode: mode & CARRIED_MODE, mtime })
}

fn is_carried(item: &walkdir::DirEntry, root: &Path, filter: &Filter) -> bool {
    match relative(item.path(), root) {
        None => true,
        Some(_) if is_own(item.file_name().as_bytes()) => false,
        Some(path) => filter.verdict(path, item.file_type().is_dir()) == Verdict::Included,
    }
}

fn relative<'p>(path: &'p Path, root: &Path) -> Option<&'p [u8]> {
    let relative = path.strip_prefix(root).ok()?.as_os_str().as_bytes();
    (!relative.is_empty()).then_some(relative)
}

fn unreadable_at(source: io::Error) -> Unreadable {
    let path = source
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<walkdir::Error>())
        .and_then(walkdir::Error::path)
        .map_or("?".into(), |path| crate::text::printable(path.as_os_str().as_bytes()));
    Unreadable { path, source }
}
