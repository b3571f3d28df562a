//! What a file system says about an entry without changing it.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::fs::AtFlags;

/// What decides whether an entry can be replaced, and from where.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts {
    /// The owner's user id.
    pub owner: u32,
    /// Permission bits and kind.
    pub mode: u32,
    /// The part of the file system that renames stay within.
    pub reach: Reach,
    /// It can't be changed, not even by root.
    pub immutable: bool,
    /// Bytes and entries can only be added.
    pub append_only: bool,
    /// Something is mounted here.
    pub mount_point: bool,
}

impl Facts {
    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.mode & 0o170_000 == 0o040_000
    }
}

/// A device and a mount of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reach {
    device: (u32, u32),
    /// 0 if the system does not tell.
    pub mount: u64,
}

/// The facts about `name` in `parent`, or about `parent` itself if `name` is empty.
#[cfg(target_os = "linux")]
pub fn facts(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<Facts> {
    use rustix::fs::{StatxAttributes, StatxFlags, statx};
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH | AtFlags::NO_AUTOMOUNT;
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
    let stat = match statx(parent, name, flags, wanted) {
        // Old kernels, and sandboxes that do not know the call.
        Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => return basic(parent, name),
        stat => stat?,
    };
    let is_told = stat.stx_mask & StatxFlags::MNT_ID.bits() != 0;
    let has = |attribute| stat.stx_attributes.contains(attribute);
    Ok(Facts {
        owner: stat.stx_uid,
        mode: stat.stx_mode.into(),
        reach: Reach {
            device: (stat.stx_dev_major, stat.stx_dev_minor),
            mount: if is_told { stat.stx_mnt_id } else { 0 },
        },
        immutable: has(StatxAttributes::IMMUTABLE),
        append_only: has(StatxAttributes::APPEND),
        mount_point: has(StatxAttributes::MOUNT_ROOT),
    })
}

/// The facts about `name` in `parent`, or about `parent` itself if `name` is empty.
#[cfg(not(target_os = "linux"))]
pub fn facts(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<Facts> {
    basic(parent, name)
}

#[allow(clippy::useless_conversion, clippy::unnecessary_cast)]
fn basic(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<Facts> {
    let stat = match name {
        b"" => rustix::fs::fstat(parent)?,
        name => rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?,
    };
    let device = stat.st_dev as u64;
    let reach = Reach { device: ((device >> 32) as u32, device as u32), mount: 0 };
    Ok(Facts { owner: stat.st_uid, mode: stat.st_mode.into(), reach, ..Facts::default() })
}

/// Whether something is mounted on `name` in `parent`, if the system tells.
pub fn is_mount_point_at(parent: BorrowedFd<'_>, name: &[u8]) -> bool {
    facts(parent, name).is_ok_and(|found| found.mount_point)
}

/// Whether renames into a directory may fail although device and mount are the same: its files
/// belong to a project, or a FUSE file system joins several others.
#[cfg(target_os = "linux")]
pub fn must_be_tried(dir: BorrowedFd<'_>) -> bool {
    const FUSE_SUPER_MAGIC: i64 = 0x6573_5546;
    #[allow(clippy::unnecessary_cast)]
    let is_fuse = rustix::fs::fstatfs(dir).is_ok_and(|stat| stat.f_type as i64 == FUSE_SUPER_MAGIC);
    is_fuse || gives_project(dir)
}

/// Whether what is made in a directory belongs to its project.
#[cfg(target_os = "linux")]
pub fn gives_project(dir: BorrowedFd<'_>) -> bool {
    use rustix::fs::{IFlags, ioctl_getflags};
    ioctl_getflags(dir).is_ok_and(|flags| flags.contains(IFlags::PROJECT_INHERIT))
}

/// Other systems have neither.
#[cfg(not(target_os = "linux"))]
pub fn must_be_tried(_dir: BorrowedFd<'_>) -> bool {
    false
}

/// Other systems have no projects.
#[cfg(not(target_os = "linux"))]
pub fn gives_project(_dir: BorrowedFd<'_>) -> bool {
    false
}

/// Where a mount is mounted.
pub fn mount_path(reach: Reach) -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let id = reach.mount.to_string();
    let line = mounts.lines().find(|line| line.split(' ').next() == Some(&id))?;
    line.split(' ').nth(4).map(|path| assetsync_core::text::line(path.as_bytes()))
}
