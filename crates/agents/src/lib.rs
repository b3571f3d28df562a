//! The agent that this program carries, for the platform it was built for.
//!
//! The build script builds the agent from the workspace's sources, or takes the ready one that
//! `ASSETSYNC_PREBUILT_AGENT` names, and compresses it as it travels. `docs/agents.md` tells where
//! agents for other platforms are looked for.

use assetsync_ssh::{Agent, Agents};

#[cfg(test)]
#[path = "../build/elf.rs"]
mod elf;
#[cfg(test)]
#[path = "../build/sources.rs"]
mod sources;

static PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/agent"));
static GZIPPED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/agent.gz"));
static XZ: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/agent.xz"));

/// The carried agent: as it is, and compressed by gzip, which every host has, and by xz.
pub fn embedded() -> Agent {
    Agent {
        kernel: env!("ASSETSYNC_AGENT_KERNEL").into(),
        arch: env!("ASSETSYNC_AGENT_ARCH").into(),
        bytes: PROGRAM.into(),
        gzipped: Some(GZIPPED.into()),
        xz: Some(XZ.into()),
    }
}

/// The carried agent, and those found in the usual directories.
pub fn agents() -> Agents {
    Agents::new(vec![embedded()]).search()
}
