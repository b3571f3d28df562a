//! What every push is made with: the agents this program carries, and the store.

use std::path::Path;

use assetsync_ssh::{Agent, Agents};
use assetsync_sync::store::{LIMIT_BYTES, Store};

use crate::ui::console::Console;

/// The agent for this platform, carried by the command.
static AGENT: &[u8] = include_bytes!(env!("ASSETSYNC_AGENT"));

/// The same, compressed as it travels: by gzip, which every host has, and by xz for those that have it.
static AGENT_GZIPPED: &[u8] = include_bytes!(env!("ASSETSYNC_AGENT_GZIPPED"));
static AGENT_XZ: &[u8] = include_bytes!(env!("ASSETSYNC_AGENT_XZ"));

/// The agent in this program, and those found in the usual places.
pub fn agents() -> Agents {
    let (kernel, arch) =
        (env!("ASSETSYNC_AGENT_KERNEL").into(), env!("ASSETSYNC_AGENT_ARCH").into());
    let (gzipped, xz) = (Some(AGENT_GZIPPED.into()), Some(AGENT_XZ.into()));
    Agents::new(vec![Agent { kernel, arch, bytes: AGENT.into(), gzipped, xz }]).search()
}

/// A store that can't be opened costs bytes, no more. A dry run makes none.
pub fn open_store(path: &Path, dry_run: bool, console: &Console) -> Option<Store> {
    let opened = match dry_run {
        true => Store::open_existing(path, LIMIT_BYTES),
        false => Store::open(path, LIMIT_BYTES).map(Some),
    };
    opened.unwrap_or_else(|error| {
        console.warn(&error.to_string());
        None
    })
}
