//! Removing directories with all that is in them, through held directories: a link or another
//! directory that is put in place of one meanwhile is not followed.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{AtFlags, Dir, Mode, fchmod, fstat, unlinkat};
use rustix::io::Errno;

use super::{is_mount_point, is_own, open_own_dir};

/// Entries that are removed at the same time. Freeing the blocks of a file may wait for the disk:
/// one to two milliseconds each where ext4 is mounted with `discard` and without a journal.
const REMOVED_AT_ONCE: usize = 8;

/// So many are removed one after the other before threads are worth their start.
const BEFORE_THREADS: usize = 32;

/// The stack of a thread that removes, in bytes.
const STACK_BYTES: usize = 64 << 10;

/// Room for a file name, in bytes: the longest of Linux.
const NAME_BYTES: usize = 255;

/// Removes all entries of `dir` for whose names `goes` says so, of any kind.
pub fn remove_entries(dir: BorrowedFd<'_>, goes: impl Fn(&[u8]) -> bool + Sync) -> io::Result<()> {
    unlink_files(dir, &goes)?;
    let (mut items, mut name) = (Dir::read_from(dir)?, Vec::new());
    while next_name(&mut items, &mut name)? {
        if goes(&name) {
            remove_all(dir, &name)?;
        }
    }
    Ok(())
}

/// Removes what is no directory, many entries at the same time. Those that can't be removed stay,
/// and whoever tries again is told why.
fn unlink_files(dir: BorrowedFd<'_>, goes: &(impl Fn(&[u8]) -> bool + Sync)) -> io::Result<()> {
    let items = Mutex::new(Dir::read_from(dir)?);
    let work = |mut name: Vec<u8>, most: usize| {
        for _ in 0..most {
            // The lock is held for reading the name only, not while that is removed.
            let next = next_name(&mut lock(&items), &mut name);
            match next {
                Ok(true) if goes(&name) => {
                    let _ = unlinkat(dir, name.as_slice(), AtFlags::empty());
                }
                Ok(true) => {}
                Ok(false) | Err(_) => return false,
            }
        }
        true
    };
    // What a thread allocates may stay with it, so each is given its room.
    let room = || Vec::with_capacity(NAME_BYTES);
    if work(room(), BEFORE_THREADS) {
        std::thread::scope(|scope| {
            for _ in 1..REMOVED_AT_ONCE {
                let (name, work) = (room(), &work);
                let builder = std::thread::Builder::new().stack_size(STACK_BYTES);
                // Fewer threads take longer, and do the same.
                let _ = builder.spawn_scoped(scope, move || work(name, usize::MAX));
            }
            work(room(), usize::MAX);
        });
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes the name of the next entry into `name`; `false` if there is none.
fn next_name(items: &mut Dir, name: &mut Vec<u8>) -> io::Result<bool> {
    while let Some(item) = items.read() {
        let item = item?;
        let bytes = item.file_name().to_bytes();
        if bytes != b"." && bytes != b".." {
            name.clear();
            name.extend_from_slice(bytes);
            return Ok(true);
        }
    }
    Ok(false)
}

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
        let mut name = Vec::new();
        if !next_name(&mut level.items, &mut name)? {
            let done = levels.pop().map(|level| level.name).unwrap_or_default();
            if let Some(above) = levels.last() {
                remove_empty(above.items.fd()?, &done)?;
            }
            continue;
        }
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
        unlink_files(dir.as_fd(), &|_: &[u8]| true)?;
        Ok(Level { items: Dir::new(dir)?, name })
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
    fn entries_are_removed_by_name_however_many_there_are() {
        for count in [0, 1, BEFORE_THREADS, BEFORE_THREADS + 1, 3000] {
            let dir = tempfile::tempdir().unwrap();
            let at = |name: &str| dir.path().join(name);
            for number in 0..count {
                fs::write(at(&format!("old.{number}")), "x").unwrap();
            }
            fs::create_dir_all(at("old.dir/deep")).unwrap();
            fs::write(at("kept"), "x").unwrap();
            let held = open(dir.path());
            remove_entries(held.as_fd(), |name| name.starts_with(b"old.")).unwrap();
            let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|it| it.unwrap()).collect();
            assert_eq!(left.len(), 1, "{count} files: {left:?}");
        }
    }

    #[test]
    fn an_entry_that_can_not_be_removed_is_reported() {
        // What holds for any user: no directory is removed through a descriptor of another kind.
        let dir = tempfile::tempdir().unwrap();
        for number in 0..200 {
            fs::write(dir.path().join(number.to_string()), "x").unwrap();
        }
        let file = open(&dir.path().join("0"));
        let error = remove_entries(file.as_fd(), |_| true).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::NOTDIR.raw_os_error()));
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
