//! What directories give to all that is made in them: group, access list, label, project. Only the
//! system itself can give it, so staged files are made in a directory that has the same.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use assetsync_core::work_names::INSIDE;
use assetsync_tree::{make_dir, open_dir};
use rustix::fs::{self, AtFlags, fstat, unlinkat};
use rustix::process::{getegid, geteuid};

use super::sharing::{DEFAULT_LIST, attribute};

const LABEL: &str = "security.selinux";

/// What everything that is made in a directory gets.
#[derive(Debug, PartialEq, Eq)]
pub struct Inherited {
    owner: u32,
    group: u32,
    default_list: Option<Vec<u8>>,
    /// The type of its SELinux label: the user in the label is that of whoever makes something.
    label_type: Option<Vec<u8>>,
    /// Attributes of chattr(1), by their bits.
    attributes: u32,
}

impl Inherited {
    /// What this directory gives to what this user makes in it.
    pub fn of(dir: BorrowedFd<'_>) -> io::Result<Inherited> {
        let stat = fstat(dir)?;
        let (me, my_group) = (geteuid(), getegid().as_raw());
        // Root gives it away.
        let is_given = me.is_root() && stat.st_uid != 0;
        let gets_group =
            is_given || stat.st_mode & 0o2000 != 0 || groups::follow_directories(&stat);
        Ok(Inherited {
            owner: if is_given { stat.st_uid } else { me.as_raw() },
            group: if gets_group { stat.st_gid } else { my_group },
            default_list: attribute(dir, DEFAULT_LIST),
            label_type: attribute(dir, LABEL).and_then(|label| type_of(&label)),
            attributes: inherited_attributes(dir),
        })
    }
}

/// The type in a label, which is `USER:ROLE:TYPE:LEVEL`.
fn type_of(label: &[u8]) -> Option<Vec<u8>> {
    label.split(|&byte| byte == b':').nth(2).map(<[u8]>::to_vec)
}

/// Project, compression and copy-on-write.
#[cfg(target_os = "linux")]
fn inherited_attributes(dir: BorrowedFd<'_>) -> u32 {
    use rustix::fs::{IFlags, ioctl_getflags};
    const INHERITED: IFlags =
        IFlags::PROJECT_INHERIT.union(IFlags::COMPRESSED).union(IFlags::NOCOW);
    ioctl_getflags(dir).map_or(0, |flags| (flags & INHERITED).bits())
}

/// Not on other systems.
#[cfg(not(target_os = "linux"))]
fn inherited_attributes(_dir: BorrowedFd<'_>) -> u32 {
    0
}

/// On Linux, files get their directory's group without set-group-id where the file system is
/// mounted with `grpid`.
#[cfg(target_os = "linux")]
mod groups {
    use std::fs::File;
    use std::io::{BufRead, BufReader};
    use std::sync::OnceLock;

    use rustix::fs::{Stat, major, minor};

    /// Devices that are mounted so, as `MAJOR:MINOR`.
    static DEVICES: OnceLock<Vec<String>> = OnceLock::new();

    pub fn follow_directories(dir: &Stat) -> bool {
        let device = format!("{}:{}", major(dir.st_dev), minor(dir.st_dev));
        DEVICES.get_or_init(devices).contains(&device)
    }

    fn devices() -> Vec<String> {
        let Ok(mounts) = File::open("/proc/self/mountinfo") else { return Vec::new() };
        let lines = BufReader::new(mounts).lines().map_while(Result::ok);
        lines.filter_map(|line| device_with_grpid(&line)).collect()
    }

    /// A line is `ID PARENT MAJOR:MINOR ...`, and ends with the options of the file system.
    pub fn device_with_grpid(line: &str) -> Option<String> {
        let mut options = line.rsplit(' ').next()?.split(',');
        let has = options.any(|option| option == "grpid" || option == "bsdgroups");
        line.split(' ').nth(2).filter(|_| has).map(Into::into)
    }
}

/// Elsewhere they always do.
#[cfg(not(target_os = "linux"))]
mod groups {
    pub fn follow_directories(_dir: &rustix::fs::Stat) -> bool {
        true
    }
}

/// Opens the directory `name` in `parent`, made for this user as if it were made in `like`: what is
/// made in it belongs to where it will be renamed to.
pub fn make_like(like: BorrowedFd<'_>, parent: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    if Inherited::of(like)? != Inherited::of(parent)? && make_and_move(like, parent, name).is_ok() {
        return open_dir(parent, name.as_bytes());
    }
    match make_dir(parent, name.as_bytes(), 0o700) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => open_dir(parent, name.as_bytes()),
    }
}

/// Only the system itself can give a directory everything that it inherits where it is made.
fn make_and_move(like: BorrowedFd<'_>, parent: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    let made = format!("{INSIDE}-new");
    let _ = unlinkat(like, &made, AtFlags::REMOVEDIR);
    make_dir(like, made.as_bytes(), 0o700)?;
    let moved = fs::renameat_with(like, &made, parent, name, fs::RenameFlags::NOREPLACE);
    if moved.is_err() {
        let _ = unlinkat(like, &made, AtFlags::REMOVEDIR);
    }
    Ok(moved?)
}
