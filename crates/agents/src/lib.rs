//! The agents that this program carries: that for the platform it was built for, and those for
//! other platforms that the build was given. `docs/agents.md` tells how, and where agents for still
//! other platforms are looked for.

use std::borrow::Cow;

use assetsync_ssh::{Agent, Agents};

#[cfg(all(test, target_os = "linux"))]
#[path = "../build/carried.rs"]
mod build_carried;
#[cfg(all(test, target_os = "linux"))]
#[path = "../build/compress.rs"]
mod compress;
#[cfg(test)]
#[path = "../build/elf.rs"]
mod elf;
#[cfg(test)]
#[path = "../build/sources.rs"]
mod sources;

/// Kernel, machine, identity, and the program compressed by xz, of which all other forms are made
/// where they are needed: it is the smallest.
type Carried = (&'static str, &'static str, &'static str, &'static [u8]);

static CARRIED: &[Carried] = include!(concat!(env!("OUT_DIR"), "/carried.rs"));

/// The carried agents.
pub fn carried() -> Vec<Agent> {
    let agent = |&(kernel, arch, identity, xz): &Carried| Agent {
        kernel: Cow::Borrowed(kernel),
        arch: Cow::Borrowed(arch),
        identity: Cow::Borrowed(identity),
        plain: None,
        gzipped: None,
        xz: Some(Cow::Borrowed(xz)),
    };
    CARRIED.iter().map(agent).collect()
}

/// The carried agents, and those found in the usual directories.
pub fn agents() -> Agents {
    Agents::new(carried()).search()
}
