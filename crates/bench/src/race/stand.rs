//! A competitor's own place: its destination, its memory of pushes, and what both hold.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Doing, Result};
use crate::far::here;
use crate::ground::Ground;
use crate::names::Places;
use crate::source::{Held, Source};

/// Where programs keep what they remember, and what each is in a competitor's own home.
const MEMORY: [(&str, &str); 4] = [
    ("XDG_CACHE_HOME", "cache"),
    ("XDG_CONFIG_HOME", "config"),
    ("XDG_DATA_HOME", "data"),
    ("XDG_STATE_HOME", "state"),
];

/// A competitor's own place.
#[derive(Debug)]
pub(super) struct Stand {
    /// A directory on the far side that nobody else uses.
    pub(super) dir: String,
    /// The destination, in that.
    pub(super) tree: String,
    /// What the destination is known to hold.
    pub(super) held: Option<Held>,
    /// Whether the destination does not exist and nothing is remembered of it.
    clear: bool,
    home: PathBuf,
}

impl Stand {
    /// The place of competitor `number`, with its memory in `home`.
    pub(super) fn new(ground: &Ground, number: usize, home: PathBuf) -> Result<Stand> {
        let dir = format!("{}/{number}", ground.base);
        let tree = format!("{dir}/assets");
        let mut stand = Stand { dir, tree, held: None, clear: false, home };
        stand.clear(ground)?;
        Ok(stand)
    }

    /// Whether the destination holds `source`, as compiled last if `same`.
    pub(super) fn holds(&self, source: &Source, same: bool) -> bool {
        let wanted = source.held();
        self.held.is_some_and(|held| {
            held.build == wanted.build && (!same || held.compiled == wanted.compiled)
        })
    }

    /// Leaves nothing of any push, there and here.
    pub(super) fn clear(&mut self, ground: &Ground) -> Result<()> {
        if !self.clear {
            ground.far.remove(&self.dir)?;
            ground.far.run("make a directory", "mkdir -p \"$1\"", &[&self.dir])?;
            self.forget()?;
        }
        (self.clear, self.held) = (true, None);
        Ok(())
    }

    /// Leaves nothing of any push here.
    pub(super) fn forget(&self) -> Result<()> {
        if self.home.exists() {
            fs::remove_dir_all(&self.home).doing("remove", &self.home)?;
        }
        fs::create_dir(&self.home).doing("make", &self.home)
    }

    /// The shell that runs `command` to push `source` here by `config`.
    pub(super) fn command(
        &mut self,
        command: &str,
        source: &Source,
        config: &str,
        ground: &Ground,
        assetsync: &Path,
    ) -> Command {
        self.clear = false;
        let (src, host, path) = (source.path.as_str(), ground.host, self.tree.as_str());
        let line = Places { src, host, path, config, assetsync }.expand(command);
        let mut shell = here(&line, &[]);
        shell.env_remove("ASSETSYNC_STORE");
        shell.envs(MEMORY.map(|(name, place)| (name, self.home.join(place))));
        shell
    }
}
