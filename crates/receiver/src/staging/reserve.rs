//! Room for what publishing makes in the destination: directories, and names in those that change.
//! Where room is short it is taken while staging, and given back as it is needed.

use std::io;

use assetsync_core::index::ActionIndex;
use assetsync_core::plan::ActionKind;
use rustix::fs::{
    AtFlags, FallocateFlags, Mode, OFlags, fallocate, fstatvfs, mkdirat, openat, unlinkat,
};
use rustix::io::Errno;

use super::staging_area::StagingArea;
use crate::publishing::actions::{Actions, is_dir};

/// With so many times what is needed, or so many bytes, left, there is room.
const PLENTY: u64 = 16;
const PLENTY_BYTES: u64 = 64 << 20;

/// Bytes that a directory may grow by, or that a new one takes.
const DIR_BYTES: u64 = 4096;

/// Names of directories and of the file that take room.
const DIR: &str = "room-dir";
const FILE: &str = "room";

/// What publishing a plan makes.
#[derive(Debug, Default)]
struct Needed {
    /// The positions of directories that are made.
    dirs: Vec<ActionIndex>,
    /// Names that are added to directories.
    names: u64,
}

impl Needed {
    fn by(actions: &mut dyn Actions) -> io::Result<Needed> {
        let mut needed = Needed::default();
        for position in actions.indices() {
            let Some(action) = actions.action(position)? else { break };
            needed.names += u64::from(action.known.is_none());
            let old = action.known.map_or(Ok(None), |known| actions.existing(known))?;
            if matches!(action.what, ActionKind::Dir { .. }) && !is_dir(old.as_ref()) {
                needed.dirs.push(position);
            }
        }
        Ok(needed)
    }

    /// The work directory's own files are a few more.
    fn inodes(&self) -> u64 {
        self.dirs.len() as u64 + 8
    }

    fn bytes(&self) -> u64 {
        (self.dirs.len() as u64 + self.names / 16 + 8) * DIR_BYTES
    }
}

impl StagingArea<'_> {
    /// Takes the room that publishing needs, if there is little. Files and links are staged
    /// already.
    pub fn reserve(&self, actions: &mut dyn Actions) -> io::Result<()> {
        let needed = Needed::by(actions)?;
        if (needed.names == 0 && needed.dirs.is_empty()) || self.has_plenty(&needed) {
            return Ok(());
        }
        for position in &needed.dirs {
            mkdirat(self.dir(), self.temporary_name(DIR, position.number()), Mode::RWXU)?;
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let file =
            openat(self.dir(), self.temporary_name(FILE, 0), flags | OFlags::CLOEXEC, Mode::RUSR)?;
        match fallocate(&file, FallocateFlags::empty(), 0, needed.bytes()) {
            // A file system without the call.
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
            taken => Ok(taken?),
        }
    }

    fn has_plenty(&self, needed: &Needed) -> bool {
        let Ok(stat) = fstatvfs(self.dir()) else { return true };
        // Network and FUSE file systems report zeros; some make inodes as they are needed.
        let inodes = stat.f_files == 0 || stat.f_favail > needed.inodes() * PLENTY;
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        let bytes = stat.f_blocks == 0 || free > PLENTY_BYTES.max(needed.bytes() * PLENTY);
        inodes && bytes
    }

    /// Gives back the room for names, as publishing begins.
    pub fn give_names(&self) -> io::Result<()> {
        self.give(&self.temporary_name(FILE, 0), AtFlags::empty())
    }

    /// Gives back the room for the directory that the action at this position makes.
    pub fn give_dir(&self, position: ActionIndex) -> io::Result<()> {
        self.give(&self.temporary_name(DIR, position.number()), AtFlags::REMOVEDIR)
    }

    fn give(&self, name: &str, flags: AtFlags) -> io::Result<()> {
        match unlinkat(self.dir(), name, flags) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
