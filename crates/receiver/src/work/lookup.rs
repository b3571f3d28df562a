//! Finds a directory by its path, name by name through held directories, so that nobody can put
//! another one in its place meanwhile.
//!
//! Symlinks on the way are followed (`current/public` may be one), but only those of users who may
//! write the directory anyway: another one's could lead a push of root to wherever that user likes.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use assetsync_core::entry::CARRIED_MODE;
use assetsync_core::text;
use assetsync_tree::make_dir;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, open, openat, readlinkat, statat};

use super::sharing::Sharing;

/// Most symlinks that are followed, as in the kernel.
const MOST_LINKS: usize = 40;

/// Permission bits of directories that are made above the one that is looked up: a web server that
/// runs as another user gets through.
const OF_PARENTS: u32 = 0o755;

/// A directory that was found.
pub struct Found {
    /// The directory.
    pub dir: OwnedFd,
    /// The directory it is in; not that of the root.
    pub parent: Option<OwnedFd>,
    /// Its path, without symlinks.
    pub path: PathBuf,
}

/// A symlink whose owner may not write what it leads to.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} is a symlink of user {owner}, who may not write the directory where it leads; replace it by \
     a link of your own, or give the path of {} itself", text::path(.link), text::path(.leads_to)
)]
struct UntrustedLink {
    link: PathBuf,
    owner: u32,
    leads_to: PathBuf,
}

/// A directory that this key may not push to.
#[derive(Debug, thiserror::Error)]
#[error("this login may push only to {} and what is in it (--restrict)", text::path(.within))]
struct OutOfBounds {
    within: PathBuf,
}

/// Looks up the directory at `path`. With `make`, its permission bits, it is made with the ones
/// above it where they do not exist; `None` if it does not exist otherwise.
///
/// It must be `within` a directory, if one is given, and nothing is made outside of that.
pub fn look_up(path: &Path, make: Option<u32>, within: Option<&Path>) -> io::Result<Option<Found>> {
    let path = if path.is_absolute() { path.into() } else { std::env::current_dir()?.join(path) };
    let root = open("/", SEARCH.union(OFlags::DIRECTORY), Mode::empty())?;
    let within = within.map(Into::into);
    let mut lookup =
        Lookup { root, within, levels: Vec::new(), left: VecDeque::new(), links: Vec::new() };
    lookup.prepend(path.as_os_str().as_bytes());
    match lookup.run(make.map(|mode| (mode & CARRIED_MODE) | 0o700)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && make.is_none() => Ok(None),
        ran => ran.and_then(|()| lookup.found()).map(Some),
    }
}

struct Lookup {
    root: OwnedFd,
    within: Option<PathBuf>,
    /// The directories on the way, with their names.
    levels: Vec<(OwnedFd, Vec<u8>)>,
    left: VecDeque<Vec<u8>>,
    /// The symlinks that were followed.
    links: Vec<(Stat, PathBuf)>,
}

impl Lookup {
    fn run(&mut self, make: Option<u32>) -> io::Result<()> {
        while let Some(name) = self.left.pop_front() {
            if name == b".." {
                self.levels.pop();
                continue;
            }
            match hold(self.here(), &name) {
                Ok(Held::Dir(dir)) => self.levels.push((dir, name)),
                Ok(Held::Link { stat, target }) => self.follow(&name, stat, &target)?,
                Ok(Held::Other) => return Err(io::ErrorKind::NotADirectory.into()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.check()?;
                    self.make(name, make.ok_or(error)?)?;
                }
                Err(error) => return Err(error),
            }
        }
        self.check()
    }

    fn here(&self) -> BorrowedFd<'_> {
        self.levels.last().map_or(self.root.as_fd(), |(dir, _)| dir.as_fd())
    }

    fn path(&self) -> PathBuf {
        let names = self.levels.iter().map(|(_, name)| OsString::from_vec(name.clone()));
        std::iter::once(OsString::from("/")).chain(names).collect()
    }

    /// Puts the names of `path` in front of those that are left.
    fn prepend(&mut self, path: &[u8]) {
        if path.first() == Some(&b'/') {
            self.levels.clear();
        }
        let names = path.split(|&byte| byte == b'/').filter(|name| !matches!(name, [] | [b'.']));
        names.rev().for_each(|name| self.left.push_front(name.to_vec()));
    }

    fn follow(&mut self, name: &[u8], stat: Stat, target: &[u8]) -> io::Result<()> {
        if self.links.len() == MOST_LINKS {
            return Err(rustix::io::Errno::LOOP.into());
        }
        // Nothing is made where a link leads to nothing.
        statat(self.here(), name, AtFlags::empty())?;
        self.links.push((stat, self.path().join(OsString::from_vec(name.to_vec()))));
        self.prepend(target);
        Ok(())
    }

    fn make(&mut self, name: Vec<u8>, mode: u32) -> io::Result<()> {
        let mode = if self.left.is_empty() { mode } else { OF_PARENTS };
        match make_dir(self.here(), &name, mode) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            // Another push may have made it meanwhile.
            _ => {}
        }
        let flags = SEARCH.union(OFlags::DIRECTORY);
        let dir = openat(self.here(), name.as_slice(), flags, Mode::empty())?;
        self.levels.push((dir, name));
        Ok(())
    }

    fn check(&self) -> io::Result<()> {
        match &self.within {
            Some(within) if !self.path().starts_with(within) => {
                let refused = OutOfBounds { within: within.clone() };
                Err(io::Error::new(io::ErrorKind::PermissionDenied, refused))
            }
            _ => self.check_links(),
        }
    }

    fn check_links(&self) -> io::Result<()> {
        if self.links.is_empty() {
            return Ok(());
        }
        let dir = readable(self.here())?;
        let sharing = Sharing::of(dir.as_fd())?;
        match self.links.iter().find(|(stat, _)| !sharing.trusts_link(stat)) {
            Some((stat, link)) => {
                let (link, leads_to) = (link.clone(), self.path());
                let refused = UntrustedLink { link, owner: stat.st_uid, leads_to };
                Err(io::Error::new(io::ErrorKind::PermissionDenied, refused))
            }
            None => Ok(()),
        }
    }

    fn found(mut self) -> io::Result<Found> {
        let (dir, path) = (readable(self.here())?, self.path());
        let is_root = self.levels.pop().is_none();
        let parent = match self.levels.pop() {
            _ if is_root => None,
            Some((parent, _)) => Some(parent),
            None => Some(self.root),
        };
        Ok(Found { dir, parent, path })
    }
}

fn readable(dir: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat(dir, ".", flags, Mode::empty())?)
}

/// What a name is.
enum Held {
    Dir(OwnedFd),
    Link { stat: Stat, target: Vec<u8> },
    Other,
}

/// How directories on the way are opened: they may be such that nobody can list.
#[cfg(target_os = "linux")]
const SEARCH: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// As on Linux, but they must be readable.
#[cfg(not(target_os = "linux"))]
const SEARCH: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

#[cfg(target_os = "linux")]
fn hold(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<Held> {
    let held = openat(parent, name, SEARCH, Mode::empty())?;
    let stat = rustix::fs::fstat(&held)?;
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Held::Dir(held),
        FileType::Symlink => {
            Held::Link { stat, target: readlinkat(&held, "", Vec::new())?.into_bytes() }
        }
        _ => Held::Other,
    })
}

#[cfg(not(target_os = "linux"))]
fn hold(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<Held> {
    let stat = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => {
            Held::Dir(openat(parent, name, SEARCH.union(OFlags::DIRECTORY), Mode::empty())?)
        }
        FileType::Symlink => {
            Held::Link { stat, target: readlinkat(parent, name, Vec::new())?.into_bytes() }
        }
        _ => Held::Other,
    })
}
