//! Removing directories with all that is in them, through held directories: a link or another
//! directory that is put in place of one meanwhile is not followed.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, Mode, fchmod, fstat, unlinkat};
use rustix::io::Errno;

use super::{is_mount_point, is_own, open_own_dir};

/// Removes `name` in `parent`, of any kind, if it exists.
pub fn remove_all(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    let dir = match unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        // What is no directory can't be removed for the reason that `unlinkat` gave.
        Err(error) => open_own_dir(parent, name).map_err(|_| error)?,
    };
    empty(dir)?;
    remove_empty(parent, name)
}

/// Removes all that is in the open directory `dir`.
pub fn empty(dir: OwnedFd) -> io::Result<()> {
    let mut levels = vec![Level::open(dir, Vec::new())?];
    while let Some(level) = levels.last_mut() {
        let Some(name) = level.next_name()? else {
            let done = levels.pop().map(|level| level.name).unwrap_or_default();
            if let Some(above) = levels.last() {
                remove_empty(above.items.fd()?, &done)?;
            }
            continue;
        };
        let here = level.items.fd()?;
        match unlinkat(here, name.as_slice(), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => {
                let below = open_own_dir(here, &name).map_err(|_| error)?;
                levels.push(Level::open(below, name)?);
            }
        }
    }
    Ok(())
}

fn remove_empty(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    match unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A directory that is being emptied, and its name in the one above.
struct Level {
    items: Dir,
    name: Vec<u8>,
}

impl Level {
    /// Makes a directory of this user writable, as what is in it could not be removed otherwise.
    fn open(dir: OwnedFd, name: Vec<u8>) -> io::Result<Level> {
        let stat = fstat(&dir)?;
        if is_mount_point(dir.as_fd()) {
            return Err(Errno::BUSY.into());
        }
        if stat.st_mode & 0o700 != 0o700 && is_own(&stat) {
            fchmod(&dir, Mode::RWXU)?;
        }
        Ok(Level { items: Dir::new(dir)?, name })
    }

    fn next_name(&mut self) -> io::Result<Option<Vec<u8>>> {
        while let Some(item) = self.items.read() {
            let item = item?;
            let name = item.file_name().to_bytes();
            if name != b"." && name != b".." {
                return Ok(Some(name.to_vec()));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn open(path: &std::path::Path) -> OwnedFd {
        fs::File::open(path).unwrap().into()
    }

    #[test]
    fn all_is_removed_and_no_link_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("victim/deep")).unwrap();
        fs::create_dir_all(at("tree/a/b/c")).unwrap();
        fs::write(at("tree/a/file"), "x").unwrap();
        symlink(at("victim"), at("tree/a/b/link")).unwrap();
        fs::set_permissions(at("tree/a"), PermissionsExt::from_mode(0o555)).unwrap();
        fs::set_permissions(at("tree/a/b"), PermissionsExt::from_mode(0o000)).unwrap();
        let parent = open(dir.path());
        remove_all(parent.as_fd(), b"tree").unwrap();
        assert!(!at("tree").exists() && at("victim/deep").exists());
        symlink(at("victim"), at("tree")).unwrap();
        remove_all(parent.as_fd(), b"tree").unwrap();
        remove_all(parent.as_fd(), b"tree").unwrap();
        assert!(at("tree").symlink_metadata().is_err() && at("victim/deep").exists());
    }

    #[test]
    fn a_directory_is_emptied_wherever_it_was_moved() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("old/deep")).unwrap();
        fs::create_dir_all(at("victim/deep")).unwrap();
        let held = open(&at("old"));
        fs::rename(at("old"), at("moved")).unwrap();
        fs::rename(at("victim"), at("old")).unwrap();
        empty(held).unwrap();
        assert!(at("moved").exists() && !at("moved/deep").exists() && at("old/deep").exists());
    }
}
