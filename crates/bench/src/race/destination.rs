//! The destination of one competitor, and its home directory here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{ErrorContext, Result};
use crate::placeholders::Placeholders;
use crate::server::Server;
use crate::server_shell::local_shell;
use crate::sources::{Source, Version};

/// The XDG variables, and the directory of each in a competitor's home.
const XDG_DIRS: [(&str, &str); 4] = [
    ("XDG_CACHE_HOME", "cache"),
    ("XDG_CONFIG_HOME", "config"),
    ("XDG_DATA_HOME", "data"),
    ("XDG_STATE_HOME", "state"),
];

/// The destination of one competitor, and its home directory here.
#[derive(Debug)]
pub(super) struct Destination {
    /// A directory on the server that no other competitor uses.
    pub(super) dir: String,
    /// The directory to push to, in that.
    pub(super) tree: String,
    /// The build that it holds, if that is known.
    pub(super) content: Option<Version>,
    /// Whether it does not exist and the home is empty.
    empty: bool,
    home: PathBuf,
}

impl Destination {
    /// The destination of competitor `number`, whose caches are in `home`.
    pub(super) fn new(server: &Server, number: usize, home: PathBuf) -> Result<Destination> {
        let dir = format!("{}/{number}", server.base_dir);
        let tree = format!("{dir}/assets");
        let mut destination = Destination { dir, tree, content: None, empty: false, home };
        destination.clear(server)?;
        Ok(destination)
    }

    /// Whether it holds the build of `source`; if `same`, also its last compile.
    pub(super) fn holds(&self, source: &Source, same: bool) -> bool {
        let wanted = source.version();
        self.content.is_some_and(|content| {
            content.build == wanted.build && (!same || content.compiled == wanted.compiled)
        })
    }

    /// Removes all traces of pushes, on the server and here.
    pub(super) fn clear(&mut self, server: &Server) -> Result<()> {
        if !self.empty {
            server.shell.remove(&self.dir)?;
            server.shell.run("make a directory", "mkdir -p \"$1\"", &[&self.dir])?;
            self.clear_home()?;
        }
        (self.empty, self.content) = (true, None);
        Ok(())
    }

    /// Removes all traces of pushes here; the XDG directories are there, and empty.
    pub(super) fn clear_home(&self) -> Result<()> {
        if self.home.exists() {
            fs::remove_dir_all(&self.home).doing("remove", &self.home)?;
        }
        let dirs = XDG_DIRS.map(|(_, dir)| self.home.join(dir));
        dirs.iter().try_for_each(|dir| fs::create_dir_all(dir).doing("make", dir))
    }

    /// The placeholders of a push of `source` with the ssh configuration at `config`.
    pub(super) fn placeholders<'a>(
        &'a self,
        source: &'a Source,
        config: &'a str,
        server: &Server,
        assetsync: &'a Path,
    ) -> Placeholders<'a> {
        let (src, host, path) = (source.path.as_str(), server.host, self.tree.as_str());
        Placeholders { src, host, path, config, assetsync }
    }

    /// A shell that runs `line` in this competitor's home. It is no longer empty then.
    pub(super) fn shell(&mut self, line: &str) -> Command {
        self.empty = false;
        let mut shell = local_shell(line, &[]);
        shell.env_remove("ASSETSYNC_STORE");
        shell.envs(XDG_DIRS.map(|(name, dir)| (name, self.home.join(dir))));
        shell
    }
}
