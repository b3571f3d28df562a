//! Walks a tree in tree order, a directory's names at a time.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use assetsync_core::entry::{Entry, Kind};
use assetsync_core::limits;
use assetsync_core::path::RelPath;
use assetsync_core::work_names::is_work_dir_name;
use assetsync_tree::{FileMetadata, metadata_at, open_dir, open_own_dir};
use rustix::fs;

/// An entry that was scanned.
#[derive(Debug)]
pub struct ScannedEntry<'a> {
    /// The entry.
    pub entry: Entry,
    /// Its metadata.
    pub file_metadata: FileMetadata,
    /// The directory it is in, to open it by its last name.
    pub parent: BorrowedFd<'a>,
}

/// A scan that failed.
#[derive(Debug, thiserror::Error)]
#[error("Can't read {path}: {source}")]
pub struct ScanError {
    /// The path, relative to the root.
    pub path: String,
    /// Why.
    pub source: io::Error,
}

/// Visits everything below `root` except work directories. The root itself is not visited.
///
/// With `opens_up`, directories of this user that their owner can't read are opened up.
pub fn scan(
    root: BorrowedFd<'_>,
    opens_up: bool,
    visit: &mut impl FnMut(ScannedEntry<'_>) -> io::Result<()>,
) -> Result<(), ScanError> {
    walk(root, Walk { is_whole: false, opens_up }, visit)
}

/// As [`scan`], but a tree with work directories is refused.
pub fn scan_whole(
    root: BorrowedFd<'_>,
    visit: &mut impl FnMut(ScannedEntry<'_>) -> io::Result<()>,
) -> Result<(), ScanError> {
    walk(root, Walk { is_whole: true, opens_up: false }, visit)
}

#[derive(Clone, Copy)]
struct Walk {
    is_whole: bool,
    opens_up: bool,
}

fn walk(
    root: BorrowedFd<'_>,
    Walk { is_whole, opens_up }: Walk,
    visit: &mut impl FnMut(ScannedEntry<'_>) -> io::Result<()>,
) -> Result<(), ScanError> {
    let top = Level::read(open_dir(root, b".").map_err(|error| failed(None, error))?, None)?;
    let mut levels = vec![top];
    while let Some(level) = levels.last_mut() {
        let Some(name) = level.next_name() else {
            levels.pop();
            continue;
        };
        if is_work_dir_name(&name) && !is_whole {
            continue;
        }
        let path = RelPath::join(level.path.as_ref(), &name);
        let path = path.map_err(|error| failed(level.path.as_ref(), io::Error::other(error)))?;
        if is_work_dir_name(&name) {
            let text = "it is the work directory of a destination inside this one";
            return Err(failed(Some(&path), io::Error::other(text)));
        }
        if let Some(below) = level.step(path, opens_up, visit)? {
            levels.push(below);
        }
    }
    Ok(())
}

fn failed(path: Option<&RelPath>, source: io::Error) -> ScanError {
    ScanError { path: path.map_or(".".into(), ToString::to_string), source }
}

/// A directory that is being scanned, with its names sorted, in one buffer.
struct Level {
    dir: OwnedFd,
    path: Option<RelPath>,
    names: Vec<u8>,
    /// Where each name starts; a NUL ends it.
    starts: Vec<u32>,
    next: usize,
}

impl Level {
    fn read(dir: OwnedFd, path: Option<RelPath>) -> Result<Level, ScanError> {
        let (mut names, mut starts) = (Vec::new(), Vec::new());
        let listing =
            fs::Dir::read_from(&dir).map_err(|error| failed(path.as_ref(), error.into()))?;
        for item in listing {
            let item = item.map_err(|error| failed(path.as_ref(), error.into()))?;
            let name = item.file_name().to_bytes_with_nul();
            if name != b".\0" && name != b"..\0" {
                starts.push(names.len() as u32);
                names.extend_from_slice(name);
            }
        }
        if starts.len() as u64 > limits::ENTRIES {
            let many = io::Error::other(format!("more than {} names", limits::ENTRIES));
            return Err(failed(path.as_ref(), many));
        }
        starts.sort_unstable_by(|&a, &b| name_at(&names, a).cmp(name_at(&names, b)));
        Ok(Level { dir, path, names, starts, next: 0 })
    }

    fn next_name(&mut self) -> Option<Vec<u8>> {
        let start = *self.starts.get(self.next)?;
        self.next += 1;
        Some(name_at(&self.names, start).to_vec())
    }

    /// Visits one name; returns the level below if it is a directory.
    fn step(
        &self,
        path: RelPath,
        opens_up: bool,
        visit: &mut impl FnMut(ScannedEntry<'_>) -> io::Result<()>,
    ) -> Result<Option<Level>, ScanError> {
        let name = path.file_name();
        // It may have been deleted since the directory was read.
        let Some(found) = look(self.dir.as_fd(), &path)? else { return Ok(None) };
        let is_dir = found.file_metadata.kind == Kind::Dir;
        visit(found).map_err(|error| failed(Some(&path), error))?;
        if !is_dir {
            return Ok(None);
        }
        let open = if opens_up { open_own_dir } else { open_dir };
        let below = open(self.dir.as_fd(), name).map_err(|error| failed(Some(&path), error))?;
        Level::read(below, Some(path)).map(Some)
    }
}

/// What is at `path`, whose directory is `parent`, if it exists.
pub fn look<'p>(
    parent: BorrowedFd<'p>,
    path: &RelPath,
) -> Result<Option<ScannedEntry<'p>>, ScanError> {
    let mut file_metadata = match metadata_at(parent, path.file_name()) {
        Ok(file_metadata) => file_metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(Some(path), error)),
    };
    if let Kind::Symlink { target } = &mut file_metadata.kind {
        let read = fs::readlinkat(parent, path.file_name(), Vec::new());
        *target = read.map_err(|error| failed(Some(path), error.into()))?.into_bytes();
    }
    let entry = Entry {
        path: path.clone(),
        kind: file_metadata.kind.clone(),
        mode: file_metadata.mode,
        mtime: file_metadata.mtime,
    };
    Ok(Some(ScannedEntry { entry, file_metadata, parent }))
}

fn name_at(names: &[u8], start: u32) -> &[u8] {
    let rest = &names[start as usize..];
    let end = rest.iter().position(|&byte| byte == 0).unwrap_or(rest.len());
    &rest[..end]
}
