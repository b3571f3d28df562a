//! A file system that ignores case and how Unicode is composed.

use std::path::PathBuf;

use crate::error::Result;
use crate::fuse::Fuse;

const PROGRAM: &str = include_str!("fold.py");

/// Where inode numbers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inodes {
    /// From what is stored: one thing has one number under all its names.
    Stored,
    /// From names: one thing has a number for each spelling, as on sshfs and some network file
    /// systems.
    OfNames,
}

/// A mounted file system that takes names for one that differ in case or Unicode composition only.
/// It keeps the spelling that a name was made with. Unmounted when dropped.
#[derive(Debug)]
pub struct OneName(Fuse);

impl OneName {
    /// Mounts an empty one, with FUSE and Debian's python3-fusepy.
    pub fn mount(inodes: Inodes) -> Result<OneName> {
        let options: &[&str] = if inodes == Inodes::Stored { &["use_ino"] } else { &[] };
        Ok(OneName(Fuse::mount(PROGRAM, options)?))
    }

    /// Where it is mounted.
    pub fn path(&self) -> PathBuf {
        self.0.path()
    }

    /// What is stored, which tells all spellings apart.
    pub fn stored(&self) -> PathBuf {
        self.0.stored()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn spellings_are_kept_and_lead_to_one_file() {
        for inodes in [Inodes::Stored, Inodes::OfNames] {
            let mount = OneName::mount(inodes).unwrap();
            let at = |name: &str| mount.path().join(name);
            std::fs::write(at("Caf\u{e9}"), "first").unwrap();
            assert_eq!(std::fs::read_to_string(at("cafe\u{301}")).unwrap(), "first");
            std::fs::rename(at("caf\u{e9}"), at("CAFE\u{301}")).unwrap();
            let listed = std::fs::read_dir(mount.stored()).unwrap().next().unwrap().unwrap();
            assert_eq!(listed.file_name(), "CAFE\u{301}");
            let ino = |name: &str| std::fs::metadata(at(name)).unwrap().ino();
            let is_one = ino("caf\u{e9}") == ino("CAF\u{c9}");
            assert_eq!(is_one, inodes == Inodes::Stored);
        }
    }
}
