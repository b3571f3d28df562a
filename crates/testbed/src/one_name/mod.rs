//! A file system that ignores case and how Unicode is composed.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::error::{ErrorContext, Result};

const PROGRAM: &str = include_str!("fold.py");

/// Debian's own Python, for which the package is.
const PYTHON: &str = "/usr/bin/python3";

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
pub struct OneName {
    dir: TempDir,
    served: Child,
}

impl OneName {
    /// Mounts an empty one, with FUSE and Debian's python3-fusepy.
    pub fn mount(inodes: Inodes) -> Result<OneName> {
        let dir = TempDir::new().doing("make", "a directory")?;
        for name in ["stored", "mounted"] {
            std::fs::create_dir(dir.path().join(name)).doing("make", name)?;
        }
        let script = dir.path().join("fold.py");
        std::fs::write(&script, PROGRAM).doing("write", &script)?;
        let mut command = Command::new(PYTHON);
        command.arg(script).args(["stored", "mounted"].map(|name| dir.path().join(name)));
        command.args((inodes == Inodes::Stored).then_some("use_ino"));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut mount = OneName { served: command.spawn().doing("run", PYTHON)?, dir };
        mount.wait()?;
        Ok(mount)
    }

    /// Where it is mounted.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("mounted")
    }

    /// What is stored, which tells all spellings apart.
    pub fn stored(&self) -> PathBuf {
        self.dir.path().join("stored")
    }

    fn wait(&mut self) -> Result<()> {
        let device = |path: &Path| std::fs::metadata(path).map(|meta| meta.dev()).ok();
        while device(&self.path()) == device(self.dir.path()) {
            if self.served.try_wait().doing("wait for", PYTHON)?.is_some() {
                let missing = std::io::Error::other("is the package python3-fusepy installed?");
                return Err(missing).doing("mount", self.path());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for OneName {
    fn drop(&mut self) {
        let unmount = |program: &str, option: &str| {
            let mut command = Command::new(program);
            command.arg(option).arg(self.path()).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        };
        let _ = unmount("fusermount", "-uz") || unmount("umount", "-l");
        let _ = self.served.kill();
        let _ = self.served.wait();
    }
}

#[cfg(test)]
mod tests {
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
