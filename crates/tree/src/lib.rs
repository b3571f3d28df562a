//! Open trees: access to files below an open directory.
//!
//! Every access below the root goes through here: path components are opened one by one, relative
//! to the open directory, and symlinks are never followed, so that neither a path from the other
//! side nor a directory that is swapped meanwhile leads out of the tree.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use assetsync_core::entry::{Kind, Mtime};
use assetsync_core::path::RelPath;
use rustix::fs::{self, AtFlags, Mode, OFlags, Stat, Timespec, Timestamps};
use rustix::io::Errno;

mod durability;
mod remove;

pub use durability::{
    BackgroundSync, begin_write_back, is_failed_sync, is_syncing, sync, sync_file_system,
};
pub use remove::{empty, remove_all, remove_entries};

/// A directory and everything below it.
///
/// The directories on the way to the last path used stay open, so that visiting paths in tree order
/// opens each directory once.
#[derive(Debug)]
pub struct OpenTree {
    root: OwnedFd,
    /// Open directories from the top down, with their names.
    open: Vec<(Box<[u8]>, OwnedFd)>,
    opened_files: u64,
    symlinks: Symlinks,
}

/// Whether symlinks are followed when a path is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symlinks {
    /// Never: no path leads out of the tree.
    Refuse,
    /// Also out of the tree; only for a tree whose owner wants that.
    Follow,
}

/// Shows whether a file changed without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileVersion {
    /// Inode number.
    pub ino: u64,
    /// Time of last status change, which no program can set.
    pub ctime: Mtime,
}

/// The result of `stat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMetadata {
    /// The kind; the target of a symlink is not read yet.
    pub kind: Kind,
    /// All twelve permission bits.
    pub mode: u32,
    /// Last modification; zero for directories, whose time is not copied.
    pub mtime: Mtime,
    /// The file version.
    pub version: FileVersion,
}

impl OpenTree {
    /// A tree below an open directory.
    pub fn new(root: OwnedFd) -> OpenTree {
        OpenTree { root, open: Vec::new(), opened_files: 0, symlinks: Symlinks::Refuse }
    }

    /// The same tree, with this treatment of symlinks.
    pub fn with_symlinks(self, symlinks: Symlinks) -> OpenTree {
        OpenTree { symlinks, ..self }
    }

    /// The root.
    pub fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Number of files that were opened.
    pub fn opened_files(&self) -> u64 {
        self.opened_files
    }

    /// Replaces the root by that of `other`; returns the old one.
    pub fn replace(&mut self, other: OpenTree) -> OwnedFd {
        self.opened_files += other.opened_files;
        self.forget();
        std::mem::replace(&mut self.root, other.root)
    }

    /// Closes cached directories. Needed after a directory was moved or replaced.
    pub fn forget(&mut self) {
        self.open.clear();
    }

    /// The directory at `path`, or the root.
    pub fn dir(&mut self, path: Option<&RelPath>) -> io::Result<BorrowedFd<'_>> {
        let Some(path) = path else { return Ok(self.root.as_fd()) };
        let shared =
            self.open.iter().zip(path.names()).take_while(|((a, _), b)| **a == **b).count();
        self.open.truncate(shared);
        for name in path.names().skip(shared) {
            let parent = self.open.last().map_or(self.root.as_fd(), |(_, fd)| fd.as_fd());
            let opened = match self.symlinks {
                Symlinks::Refuse => open_dir(parent, name)?,
                Symlinks::Follow => fs::openat(parent, name, DIRECTORY, Mode::empty())?,
            };
            self.open.push((name.into(), opened));
        }
        Ok(self.open.last().map_or(self.root.as_fd(), |(_, fd)| fd.as_fd()))
    }

    /// The directory that `path` is in.
    pub fn parent(&mut self, path: &RelPath) -> io::Result<BorrowedFd<'_>> {
        self.dir(path.parent().as_ref())
    }

    /// The metadata of `path`, if it exists.
    pub fn file_metadata(&mut self, path: &RelPath) -> io::Result<Option<FileMetadata>> {
        match self.parent(path).and_then(|parent| metadata_at(parent, path.file_name())) {
            Ok(file_metadata) => Ok(Some(file_metadata)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens the regular file at `path` for reading.
    pub fn open_file(&mut self, path: &RelPath) -> io::Result<std::fs::File> {
        self.opened_files += 1;
        let flags = match self.symlinks {
            Symlinks::Refuse => FILE.union(OFlags::NOFOLLOW),
            Symlinks::Follow => FILE,
        };
        open_regular(self.parent(path)?, path.file_name(), flags)
    }

    /// Sets permission bits and, unless it is a directory, the mtime of `path`.
    pub fn touch(&mut self, path: &RelPath, mode: u32, mtime: Option<Mtime>) -> io::Result<()> {
        let parent = self.parent(path)?;
        if let Some(mtime) = mtime
            && is_file_with(&metadata_at(parent, path.file_name())?, mode)
        {
            // Opening costs more than all the rest, and there may be thousands of files.
            return set_mtime_at(parent, path.file_name(), mtime);
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = match fs::openat(parent, path.file_name(), flags, Mode::empty()) {
            Err(Errno::ACCESS) => {
                open_up(parent, path.file_name())?;
                fs::openat(parent, path.file_name(), flags, Mode::empty())?
            }
            opened => opened?,
        };
        set_mode(&opened, mode)?;
        mtime.map_or(Ok(()), |mtime| set_mtime(&opened, mtime))
    }
}

/// How directories are opened.
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// How files are opened; opening does not wait for a FIFO.
const FILE: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// Opens the directory `name` in `parent`; a symlink is refused.
pub fn open_dir(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
    match fs::openat(parent, name, DIRECTORY.union(OFlags::NOFOLLOW), Mode::empty()) {
        // Linux reports a symlink that was not followed as ELOOP.
        Err(Errno::LOOP) => Err(Errno::NOTDIR.into()),
        other => Ok(other?),
    }
}

/// Makes the directory `name` in `parent`. Root gives it to the owner of `parent`, who could not
/// fill it otherwise.
pub fn make_dir(parent: BorrowedFd<'_>, name: &[u8], mode: u32) -> io::Result<()> {
    fs::mkdirat(parent, name, Mode::from_raw_mode(mode as _))?;
    let stat = fs::fstat(parent)?;
    if rustix::process::geteuid().is_root() && stat.st_uid != 0 {
        let (uid, gid) = (fs::Uid::from_raw(stat.st_uid), fs::Gid::from_raw(stat.st_gid));
        let made = open_dir(parent, name)?;
        // The owner of `parent` may have put another directory there meanwhile.
        if fs::fstat(&made)?.st_uid == 0 && is_empty(&made)? {
            fs::fchown(made, Some(uid), Some(gid))?;
        }
    }
    Ok(())
}

fn is_empty(dir: &OwnedFd) -> io::Result<bool> {
    for item in fs::Dir::read_from(dir)? {
        if !matches!(item?.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Opens the directory `name` in `parent`, as [`open_dir`]; one of this user's own that its owner
/// can't read is opened up.
pub fn open_own_dir(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
    match open_dir(parent, name) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
        opened => {
            let dir = opened?;
            let search = fs::accessat(&dir, ".", fs::Access::EXEC_OK, AtFlags::EACCESS);
            if search != Err(Errno::ACCESS) {
                return Ok(dir);
            }
        }
    }
    open_up(parent, name)?;
    open_dir(parent, name)
}

/// Lets the owner of a file or directory read it and change it.
fn open_up(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    let stat = fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let kind = fs::FileType::from_raw_mode(stat.st_mode);
    let bits = match kind {
        fs::FileType::Directory => 0o700,
        fs::FileType::RegularFile => 0o600,
        _ => return Err(Errno::ACCESS.into()),
    };
    if !is_own(&stat) {
        return Err(Errno::ACCESS.into());
    }
    let mode = Mode::from_raw_mode((stat.st_mode & 0o7777) | bits);
    Ok(fs::chmodat(parent, name, mode, AtFlags::empty())?)
}

/// Whether a path, or one above it, does not exist or is no directory.
pub fn is_no_dir(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Whether a directory is a mount point, if the system reports it.
#[cfg(target_os = "linux")]
pub fn is_mount_point(dir: BorrowedFd<'_>) -> bool {
    let stat = fs::statx(dir, "", AtFlags::EMPTY_PATH, fs::StatxFlags::BASIC_STATS);
    stat.is_ok_and(|stat| stat.stx_attributes.contains(fs::StatxAttributes::MOUNT_ROOT))
}

/// Not reported on this system; a mount point can't be renamed, nor files linked out of it.
#[cfg(not(target_os = "linux"))]
pub fn is_mount_point(_dir: BorrowedFd<'_>) -> bool {
    false
}

/// Opens the regular file `name` in `parent`. It does not wait for a FIFO; everything but a regular
/// file is refused.
pub fn open_file(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<std::fs::File> {
    open_regular(parent, name, FILE.union(OFlags::NOFOLLOW))
}

fn open_regular(parent: BorrowedFd<'_>, name: &[u8], flags: OFlags) -> io::Result<std::fs::File> {
    let file = std::fs::File::from(fs::openat(parent, name, flags, Mode::empty())?);
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    }
}

/// The metadata of `name` in `parent`.
pub fn metadata_at(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<FileMetadata> {
    let stat = fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(metadata_of(&stat))
}

/// The metadata of what the symlink `name` in `parent` leads to.
pub fn metadata_behind_link(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<FileMetadata> {
    Ok(metadata_of(&fs::statat(parent, name, AtFlags::empty())?))
}

/// The metadata of an open file.
pub fn metadata_of_open(file: impl AsFd) -> io::Result<FileMetadata> {
    Ok(metadata_of(&fs::fstat(file)?))
}

fn metadata_of(stat: &Stat) -> FileMetadata {
    let kind = match fs::FileType::from_raw_mode(stat.st_mode) {
        fs::FileType::RegularFile => Kind::File { size: stat.st_size as u64 },
        fs::FileType::Directory => Kind::Dir,
        fs::FileType::Symlink => Kind::Symlink { target: Vec::new() },
        _ => Kind::Special,
    };
    let mtime = match kind {
        Kind::Dir => Mtime::default(),
        _ => time(stat.st_mtime, stat.st_mtime_nsec),
    };
    let ctime = time(stat.st_ctime, stat.st_ctime_nsec);
    // Sixteen bits on some systems, thirty-two on others.
    #[allow(clippy::useless_conversion)]
    let mode = match kind {
        // Whether a directory has set-group-id is a matter of where it is, not of what is pushed.
        Kind::Dir => u32::from(stat.st_mode) & 0o5777,
        _ => u32::from(stat.st_mode) & 0o7777,
    };
    FileMetadata { kind, mode, mtime, version: FileVersion { ino: stat.st_ino, ctime } }
}

/// The fields' types differ between systems.
fn time(secs: impl TryInto<i64>, nanos: impl TryInto<u32>) -> Mtime {
    Mtime { secs: secs.try_into().unwrap_or_default(), nanos: nanos.try_into().unwrap_or_default() }
}

/// Whether it is a regular file whose bits [`set_mode`] would not change.
fn is_file_with(file_metadata: &FileMetadata, mode: u32) -> bool {
    matches!(file_metadata.kind, Kind::File { .. })
        && file_metadata.mode == mode & assetsync_core::entry::CARRIED_MODE
}

/// Sets the permission bits that a push copies; all others are cleared, but for set-group-id of a
/// directory. A file system that has no such bits keeps its own.
pub fn set_mode(file: impl AsFd, mode: u32) -> io::Result<()> {
    let before = fs::fstat(&file)?;
    let is_dir = fs::FileType::from_raw_mode(before.st_mode) == fs::FileType::Directory;
    let kept = if is_dir { before.st_mode & 0o2000 } else { 0 };
    let mode = (mode & assetsync_core::entry::CARRIED_MODE) as fs::RawMode | kept;
    if before.st_mode & 0o7777 == mode {
        return Ok(());
    }
    unless_lacking(|| fs::fchmod(&file, Mode::from_raw_mode(mode)), || Ok(before))
}

/// Sets the time of last modification; that of last access becomes now. A file system that takes
/// no times keeps its own.
pub fn set_mtime(file: impl AsFd, mtime: Mtime) -> io::Result<()> {
    unless_lacking(|| fs::futimens(&file, &timestamps(mtime)), || fs::fstat(&file))
}

/// Sets the time of last modification of `name` in `parent`, even if it is a symlink.
pub fn set_mtime_at(parent: BorrowedFd<'_>, name: &[u8], mtime: Mtime) -> io::Result<()> {
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    let set = || fs::utimensat(parent, name, &timestamps(mtime), flags);
    unless_lacking(set, || fs::statat(parent, name, flags))
}

/// The owner may set modes and times: if even the owner can't, each time it is tried, the file
/// system lacks the call.
fn unless_lacking(
    set: impl Fn() -> Result<(), Errno>,
    file: impl FnOnce() -> Result<Stat, Errno>,
) -> io::Result<()> {
    match set() {
        Err(error) if is_lacking(error) && is_own(&file()?) => {}
        done => return Ok(done?),
    }
    match set() {
        Err(error) if is_lacking(error) => Ok(()),
        done => Ok(done?),
    }
}

fn is_own(stat: &Stat) -> bool {
    let me = rustix::process::geteuid();
    me.is_root() || stat.st_uid == me.as_raw()
}

/// Whether an error says that a file system does not have the call.
fn is_lacking(error: Errno) -> bool {
    matches!(error, Errno::PERM | Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL)
}

/// Both times are always set: FUSE file systems with the second version of its library ignore a
/// change of one.
fn timestamps(mtime: Mtime) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: fs::UTIME_NOW as _ },
        last_modification: Timespec { tv_sec: mtime.secs as _, tv_nsec: mtime.nanos as _ },
    }
}
