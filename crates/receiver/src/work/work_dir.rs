//! The work directory: where a push to one destination keeps its lock, its staging area and its
//! index.
//!
//! It is beside the destination (`.assetsync-NAME` for a destination NAME), where no web server
//! serves it, or inside it as `.assetsync` if the parent is on another file system or not writable:
//! see [`hidden`]. It is always on the destination's file system, so that publishing is renaming.
//! All who may write the destination use the same one: see [`sharing`](super::sharing).

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use assetsync_core::limits;
use assetsync_core::protocol::Hello;
use assetsync_core::work_names::{CLOCK, COMPLETED, INSIDE, PUSHED};
use assetsync_tree::open_dir;
use rustix::fs::{self, AtFlags, Mode};

use super::error::WorkDirError;
use super::hidden;
use super::inherited::{Inherited, make_like};
use super::lock::{LEASE, Lock, NAME as LOCK, NO_LOCKS, holder_of, lock};
use super::lookup::Found;
use super::sharing::{Sharing, create_file, give};

/// How often a work directory is made that others remove.
const TRIES: u32 = 5;

/// A work directory that is only read.
pub struct Existing {
    /// The directory itself.
    pub dir: OwnedFd,
    /// Its path.
    pub path: PathBuf,
    /// Whether a push has completed to its destination.
    pub was_pushed: bool,
    /// Who has locked it, if anybody has.
    pub holder: Option<String>,
}

impl Existing {
    /// Opens the work directory at a location, if there is one.
    pub fn open(location: &Location<'_>) -> io::Result<Option<Existing>> {
        let outer = match open_dir(location.parent, &location.name) {
            Ok(outer) => outer,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let hidden = if location.is_inside() { hidden::find(outer.as_fd())? } else { None };
        let outer_was_pushed = was_pushed(outer.as_fd());
        let holder = holder_of(outer.as_fd());
        let (dir, path) = match hidden {
            Some(name) => (open_dir(outer.as_fd(), name.as_bytes())?, location.path.join(name)),
            None => (outer, location.path.clone()),
        };
        let was_pushed = outer_was_pushed || was_pushed(dir.as_fd());
        Ok(Some(Existing { dir, path, was_pushed, holder }))
    }
}

fn was_pushed(work: BorrowedFd<'_>) -> bool {
    let is_there = |name: &str| fs::statat(work, name, AtFlags::SYMLINK_NOFOLLOW).is_ok();
    COMPLETED.into_iter().any(is_there)
}

/// Where the work directory of a destination is.
pub struct Location<'d> {
    /// The directory it is in, which is held.
    parent: BorrowedFd<'d>,
    name: Vec<u8>,
    /// Its path, for messages.
    pub path: PathBuf,
}

impl Location<'_> {
    fn is_inside(&self) -> bool {
        self.name == INSIDE.as_bytes()
    }

    fn stat(&self) -> rustix::io::Result<fs::Stat> {
        fs::statat(self.parent, self.name.as_slice(), AtFlags::SYMLINK_NOFOLLOW)
    }
}

/// A locked work directory: no other push can use it until this value is dropped.
#[derive(Debug)]
pub struct WorkDir {
    /// The directory beside or in the destination, which has the lock.
    outer: OwnedFd,
    /// Where that is.
    parent: OwnedFd,
    name: Vec<u8>,
    /// The directory with everything else: the same one, or a hidden one in it.
    dir: OwnedFd,
    stage: OwnedFd,
    path: PathBuf,
    /// Suffix of the names of what belongs to one user.
    suffix: String,
    /// The owner of the staging area, if this user is root and it is another.
    owner: Option<fs::Stat>,
    lock: Lock,
}

impl WorkDir {
    /// Opens, creates if needed, and locks the work directory of a destination.
    pub fn open(destination: &Found, hello: &Hello) -> Result<WorkDir, WorkDirError> {
        for _ in 1..TRIES {
            match WorkDir::try_open(destination, hello) {
                // Another push has just removed it.
                Err(WorkDirError::Io { source, .. })
                    if source.kind() == io::ErrorKind::NotFound => {}
                opened => return opened,
            }
        }
        WorkDir::try_open(destination, hello)
    }

    fn try_open(destination: &Found, hello: &Hello) -> Result<WorkDir, WorkDirError> {
        let location = choose(destination);
        let failed = |source: io::Error| WorkDirError::Io { path: location.path.clone(), source };
        let sharing = Sharing::of(destination.dir.as_fd()).map_err(failed)?;
        let outer = open_outer(&location, &destination.path, &sharing)?;
        let lock = lock(outer.as_fd(), &location.path, hello)?;
        let opened = open_contents(outer.as_fd(), &location, &sharing);
        let (path, dir) = opened.map_err(failed)?;
        let (suffix, stage) = open_stage(destination.dir.as_fd(), dir.as_fd()).map_err(failed)?;
        let owner = fs::fstat(&stage).map_err(|error| failed(error.into()))?;
        let is_root = rustix::process::geteuid().is_root();
        let owner = Some(owner).filter(|owner| is_root && owner.st_uid != 0);
        let Location { parent, name, .. } = location;
        let parent = parent
            .try_clone_to_owned()
            .map_err(|source| WorkDirError::Io { path: path.clone(), source })?;
        Ok(WorkDir { outer, parent, name, dir, stage, path, suffix, owner, lock })
    }

    /// The directory itself.
    pub fn dir(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    /// The directory beside or in the destination that it is, or is in.
    pub fn outer(&self) -> BorrowedFd<'_> {
        self.outer.as_fd()
    }

    /// The directory that is in.
    pub fn parent(&self) -> BorrowedFd<'_> {
        self.parent.as_fd()
    }

    /// The staging area.
    pub fn stage(&self) -> BorrowedFd<'_> {
        self.stage.as_fd()
    }

    /// Gives a staged file that root made to the owner of the staging area.
    pub fn give(&self, file: impl AsFd) -> io::Result<()> {
        self.owner.as_ref().map_or(Ok(()), |owner| give(file.as_fd(), owner))
    }

    /// The directory's path, for spools and messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name in it of the staging area.
    pub fn stage_name(&self) -> String {
        format!("stage{}", self.suffix)
    }

    /// The name in it of a new tree before the exchange, and of the old one after it.
    pub fn tree_name(&self) -> String {
        format!("tree{}", self.suffix)
    }

    /// Whether a push has completed to the destination.
    pub fn was_pushed(&self) -> bool {
        was_pushed(self.outer.as_fd()) || was_pushed(self.dir())
    }

    /// Records outside a hidden directory, for pushes over SFTP, that a push has completed.
    pub fn mark_pushed(&self) -> io::Result<()> {
        if self.was_pushed() && !was_pushed(self.outer.as_fd()) {
            create_file(self.outer.as_fd(), PUSHED)?;
        }
        Ok(())
    }

    /// The push of the same run that had the lock before.
    pub fn locked_before(&self) -> Option<u32> {
        self.lock.before
    }

    /// Removes the directory, if no push of the whole destination left anything in it, and none of
    /// files was interrupted. If that fails, it stays, and the next push uses it.
    pub fn remove_if_unused(self) {
        if !self.was_pushed() && self.is_unused().unwrap_or(false) {
            let _ = self.remove();
        }
    }

    /// The name of a hidden directory in the outer one.
    fn hidden_name(&self) -> Option<&[u8]> {
        let is_hidden = self.name == INSIDE.as_bytes();
        self.path.file_name().filter(|_| is_hidden).map(OsStrExt::as_bytes)
    }

    fn is_unused(&self) -> io::Result<bool> {
        let stage = self.stage_name();
        let hidden = self.hidden_name().unwrap_or_default();
        let ours = [stage.as_bytes(), CLOCK.as_bytes(), LOCK.as_bytes(), LEASE.as_bytes(), hidden];
        let has_only = |dir: BorrowedFd<'_>, ours: &[&[u8]]| -> io::Result<bool> {
            for item in fs::Dir::read_from(dir)? {
                let item = item?;
                let name = item.file_name().to_bytes();
                if name != b"." && name != b".." && !ours.contains(&name) {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        let is_ours = has_only(self.outer.as_fd(), &ours)? && has_only(self.dir(), &ours)?;
        Ok(is_ours && has_only(self.stage(), &[])?)
    }

    /// Whoever opened the lock meanwhile notices that it is gone; whoever has made a new one keeps
    /// the directory.
    fn remove(self) -> io::Result<()> {
        fs::unlinkat(&self.dir, self.stage_name(), AtFlags::REMOVEDIR)?;
        let _ = fs::unlinkat(&self.dir, CLOCK, AtFlags::empty());
        if let Some(hidden) = self.hidden_name() {
            fs::unlinkat(&self.outer, hidden, AtFlags::REMOVEDIR)?;
        }
        fs::unlinkat(&self.outer, LOCK, AtFlags::empty())?;
        drop(self.lock);
        Ok(fs::unlinkat(&self.parent, self.name.as_slice(), AtFlags::REMOVEDIR)?)
    }

    /// What the user has to know about it.
    pub fn warning(&self) -> Option<&'static str> {
        self.lock.lease.as_ref().map(|_| NO_LOCKS)
    }
}

/// The work directory's location for a destination; nothing is created.
pub fn choose(destination: &Found) -> Location<'_> {
    let inside = Location {
        parent: destination.dir.as_fd(),
        name: INSIDE.into(),
        path: destination.path.join(INSIDE),
    };
    beside(destination).filter(|_| inside.stat().is_err()).unwrap_or(inside)
}

/// The location beside the destination, if the work directory can be there.
fn beside(destination: &Found) -> Option<Location<'_>> {
    let (parent, name) = (destination.parent.as_ref()?, destination.path.file_name()?);
    let name = [INSIDE.as_bytes(), b"-", name.as_bytes()].concat();
    let path = destination.path.parent()?.join(OsString::from_vec(name.clone()));
    let location = Location { parent: parent.as_fd(), name, path };
    let same_fs = fs::fstat(&destination.dir).ok()?.st_dev == fs::fstat(parent).ok()?.st_dev;
    let short = location.name.len() <= limits::NAME_BYTES;
    let access = fs::Access::WRITE_OK | fs::Access::EXEC_OK;
    let writable = || fs::accessat(parent, ".", access, AtFlags::empty()).is_ok();
    let is_dir =
        |stat: fs::Stat| fs::FileType::from_raw_mode(stat.st_mode) == fs::FileType::Directory;
    let usable = same_fs && short && (writable() || location.stat().is_ok_and(is_dir));
    usable.then_some(location)
}

/// Opens what is beside or in the destination; it must be one that this user may share.
fn open_outer(
    location: &Location<'_>,
    destination: &Path,
    sharing: &Sharing,
) -> Result<OwnedFd, WorkDirError> {
    let work = &location.path;
    let failed = |source: io::Error| WorkDirError::Io { path: work.into(), source };
    match fs::mkdirat(location.parent, location.name.as_slice(), Mode::RWXU) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(error) => return Err(failed(error.into())),
    }
    let other_owner = |owner: u32| {
        let (path, destination) = (work.into(), destination.into());
        WorkDirError::OtherOwner { path, destination, owner }
    };
    let owner = location.stat().map_err(|error| failed(error.into()))?.st_uid;
    let dir = open_dir(location.parent, &location.name).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => other_owner(owner),
        _ => failed(error),
    })?;
    if !sharing.trusts(dir.as_fd()).map_err(failed)? {
        return Err(other_owner(owner));
    }
    sharing.apply(dir.as_fd()).map_err(failed)?;
    let usable = fs::Access::READ_OK | fs::Access::WRITE_OK | fs::Access::EXEC_OK;
    match fs::accessat(&dir, ".", usable, AtFlags::EACCESS) {
        Err(rustix::io::Errno::ACCESS) => Err(other_owner(owner)),
        _ => Ok(dir),
    }
}

fn open_contents(
    outer: BorrowedFd<'_>,
    location: &Location<'_>,
    sharing: &Sharing,
) -> io::Result<(PathBuf, OwnedFd)> {
    if location.is_inside() {
        let (name, dir) = hidden::open(outer, sharing)?;
        return Ok((location.path.join(name), dir));
    }
    Ok((location.path.clone(), outer.try_clone_to_owned()?))
}

/// Opens the staging area, which is this user's alone: nobody else can replace what was verified.
/// Also returns the suffix of its name.
fn open_stage(destination: BorrowedFd<'_>, work: BorrowedFd<'_>) -> io::Result<(String, OwnedFd)> {
    let me = rustix::process::geteuid();
    let is_mine = |name: &str| match fs::statat(work, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(stat.st_uid == me.as_raw() || me.is_root()),
        Err(rustix::io::Errno::NOENT) => Ok(true),
        Err(error) => Err(io::Error::from(error)),
    };
    let suffix = if is_mine("stage")? { String::new() } else { format!("-{}", me.as_raw()) };
    let name = format!("stage{suffix}");
    if let Ok(old) = open_dir(work, name.as_bytes()) {
        if Inherited::of(old.as_fd())? == Inherited::of(destination)? {
            return Ok((suffix, old));
        }
        // What is in it does not belong to the destination any more.
        assetsync_tree::remove_all(work, name.as_bytes())?;
    }
    let stage = make_like(destination, work, &name)?;
    Ok((suffix, stage))
}

/// Removes `name` in the staging area, of any kind.
pub fn remove_staged(work: &WorkDir, name: &str) -> io::Result<()> {
    assetsync_tree::remove_all(work.stage(), name.as_bytes())
}
