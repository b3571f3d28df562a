//! File systems in user space, written in Python.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::error::{ErrorContext, Result};

/// Debian's own Python, for which the package is.
const PYTHON: &str = "/usr/bin/python3";

/// The class that all file systems derive from.
const MIRROR: &str = include_str!("mirror.py");

/// A directory that a program shows in its own way at another place. Unmounted when dropped.
#[derive(Debug)]
pub(crate) struct Fuse {
    dir: TempDir,
    served: Child,
}

impl Fuse {
    /// Runs a program, which may use `MIRROR`, with the two directories, both empty, and `options`.
    pub(crate) fn mount(program: &str, options: &[&str]) -> Result<Fuse> {
        let dir = TempDir::new().doing("make", "a directory")?;
        for name in ["stored", "mounted"] {
            std::fs::create_dir(dir.path().join(name)).doing("make", name)?;
        }
        let script = dir.path().join("program.py");
        std::fs::write(&script, [MIRROR, program].join("\n")).doing("write", &script)?;
        let mut command = Command::new(PYTHON);
        command.arg(script).args(["stored", "mounted"].map(|name| dir.path().join(name)));
        command.args(options).stdin(Stdio::null()).stdout(Stdio::null());
        let mut mount = Fuse { served: command.spawn().doing("run", PYTHON)?, dir };
        mount.wait()?;
        Ok(mount)
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("mounted")
    }

    /// What is stored.
    pub(crate) fn stored(&self) -> PathBuf {
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

impl Drop for Fuse {
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
