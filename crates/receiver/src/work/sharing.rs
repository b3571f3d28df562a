//! Who may use a work directory: whoever may write its destination, so that users of one group push
//! in turn, and the owner of a destination after root did.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use assetsync_tree::{make_dir, metadata_of_open, open_dir};
use rustix::fs::{
    self, AtFlags, Gid, Mode, OFlags, RawMode, Stat, Uid, XattrFlags, fchmod, fchown, fgetxattr,
    fsetxattr, fstat, openat, unlinkat,
};
use rustix::process::geteuid;

const ACCESS_LIST: &str = "system.posix_acl_access";
pub(super) const DEFAULT_LIST: &str = "system.posix_acl_default";

/// Bytes of an access list before its entries.
const ACCESS_LIST_HEADER: usize = 4;

/// Longest attribute that is compared or copied, in bytes; an access list with 500 users is
/// shorter.
const ATTRIBUTE_BYTES: usize = 4096;

/// The users who may write a destination.
pub struct Sharing {
    destination: Stat,
    /// The destination's access control list.
    access_list: Option<Vec<u8>>,
}

impl Sharing {
    /// Those who may write this destination.
    pub fn of(destination: BorrowedFd<'_>) -> io::Result<Sharing> {
        Ok(Sharing {
            destination: fstat(destination)?,
            access_list: attribute(destination, ACCESS_LIST),
        })
    }

    /// Whether a work directory may be used: its owner may write the destination anyway, and so
    /// gains nothing by what it could replace.
    pub fn trusts(&self, dir: BorrowedFd<'_>) -> io::Result<bool> {
        let (stat, me) = (fstat(dir)?, geteuid().as_raw());
        let owners = [me, 0, self.destination.st_uid];
        let of_group = self.has(0o020)
            && (stat.st_gid == self.destination.st_gid
                || self.access_list.is_some() && attribute(dir, ACCESS_LIST).is_some());
        Ok(owners.contains(&stat.st_uid) || of_group || self.is_open_to_all())
    }

    /// Whether a symlink to the destination may be followed: its owner may write what it leads to
    /// anyway.
    pub fn trusts_link(&self, link: &Stat) -> bool {
        let owners = [geteuid().as_raw(), 0, self.destination.st_uid];
        owners.contains(&link.st_uid)
            || self.has(0o020)
                && (link.st_gid == self.destination.st_gid || self.lists(link.st_uid))
            || self.is_open_to_all()
    }

    /// Whether the access control list lets a user write.
    fn lists(&self, user: u32) -> bool {
        const OF_USER: [u8; 2] = 2_u16.to_le_bytes();
        const WRITE: u8 = 2;
        let list = self.access_list.as_deref().unwrap_or_default();
        list.get(ACCESS_LIST_HEADER..).unwrap_or_default().chunks_exact(8).any(|entry| {
            entry[..2] == OF_USER && entry[2] & WRITE != 0 && entry[4..] == user.to_le_bytes()
        })
    }

    /// Lets the same users into a work directory that this user made. What this user may not set
    /// stays as it is: then the directory is not shared.
    pub fn apply(&self, dir: BorrowedFd<'_>) -> io::Result<()> {
        let (stat, me) = (fstat(dir)?, geteuid());
        if stat.st_uid != me.as_raw() {
            return Ok(());
        }
        let gid = Gid::from_raw(self.destination.st_gid);
        if me.is_root() && self.destination.st_uid != 0 {
            give(dir, &self.destination)?;
        } else if self.has(0o020) && stat.st_gid != self.destination.st_gid {
            let _ = fchown(dir, None, Some(gid));
        }
        let stat = fstat(dir)?;
        let is_of_group = stat.st_gid == self.destination.st_gid;
        let group = if self.has(0o020) && is_of_group { 0o070 } else { 0 };
        let others = if self.is_open_to_all() { 0o007 } else { 0 };
        let wanted = 0o700 | group | others;
        if let Some(list) = self.access_list.clone().filter(|_| self.has(0o020)) {
            return set_list(dir, list, is_of_group);
        }
        if stat.st_mode & 0o777 != wanted {
            let _ = fchmod(dir, Mode::from_raw_mode((stat.st_mode & 0o2000) | wanted));
            open_up(dir, &stat, wanted)?;
        }
        Ok(())
    }

    fn has(&self, bit: RawMode) -> bool {
        self.destination.st_mode & bit != 0
    }

    /// Where the directory is sticky, users can't replace each other's files.
    fn is_open_to_all(&self) -> bool {
        self.has(0o002) && !self.has(0o1000)
    }
}

/// Lets the users of an access control list into a directory and all that is made in it.
fn set_list(dir: BorrowedFd<'_>, mut list: Vec<u8>, is_of_group: bool) -> io::Result<()> {
    const OF_GROUP: [u8; 2] = 4_u16.to_le_bytes();
    for entry in list.get_mut(ACCESS_LIST_HEADER..).unwrap_or_default().chunks_exact_mut(8) {
        if entry[..2] == OF_GROUP && !is_of_group {
            entry[2..4].fill(0);
        }
    }
    for name in [ACCESS_LIST, DEFAULT_LIST] {
        if attribute(dir, name).as_ref() != Some(&list) {
            let _ = fsetxattr(dir, name, &list, XattrFlags::empty());
        }
    }
    Ok(())
}

/// Gives files that an earlier version kept for their owner alone the bits of their directory.
fn open_up(dir: BorrowedFd<'_>, before: &Stat, bits: RawMode) -> io::Result<()> {
    for item in fs::Dir::read_from(dir)? {
        let item = item?;
        let stat = fs::statat(dir, item.file_name(), AtFlags::SYMLINK_NOFOLLOW)?;
        if stat.st_uid != before.st_uid
            || fs::FileType::from_raw_mode(stat.st_mode) != fs::FileType::RegularFile
        {
            continue;
        }
        let file = assetsync_tree::open_file(dir, item.file_name().to_bytes())?;
        let _ = fchown(&file, None, Some(Gid::from_raw(fstat(dir)?.st_gid)));
        let _ = fchmod(&file, Mode::from_raw_mode(bits & 0o666));
    }
    Ok(())
}

/// Creates the file `name` in a work directory, for those who may use the directory; an old one is
/// removed, which may be another user's.
pub fn create_file(dir: BorrowedFd<'_>, name: &str) -> io::Result<File> {
    match unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let like = fstat(dir)?;
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(like.st_mode & 0o666);
    let file = File::from(openat(dir, name, flags, mode)?);
    if geteuid().is_root() && like.st_uid != 0 {
        give(file.as_fd(), &like)?;
    }
    Ok(file)
}

/// Renames a file in a work directory over another; where a rename does not replace, that is
/// removed first.
pub fn replace(dir: BorrowedFd<'_>, new: &str, name: &str) -> io::Result<()> {
    match fs::renameat(dir, new, dir, name) {
        Err(rustix::io::Errno::EXIST) => {
            unlinkat(dir, name, AtFlags::empty())?;
            Ok(fs::renameat(dir, new, dir, name)?)
        }
        renamed => Ok(renamed?),
    }
}

/// Opens the directory `name` in a work directory, made for those who may use that if it is not
/// there.
pub fn open_or_make(dir: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    let mode = metadata_of_open(dir)?.mode & 0o777;
    match make_dir(dir, name.as_bytes(), mode) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => open_dir(dir, name.as_bytes()),
    }
}

/// Gives what root made to the owner of what it is in.
pub fn give(made: BorrowedFd<'_>, like: &Stat) -> io::Result<()> {
    Ok(fchown(made, Some(Uid::from_raw(like.st_uid)), Some(Gid::from_raw(like.st_gid)))?)
}

/// An extended attribute, if there is one of no more bytes than are compared.
pub(super) fn attribute(dir: BorrowedFd<'_>, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; ATTRIBUTE_BYTES];
    let length = fgetxattr(dir, name, &mut value[..]).ok()?;
    value.truncate(length);
    value.shrink_to_fit();
    Some(value)
}
