//! Gathers the agents that the command carries and compresses them, for `src/lib.rs` to include.
//!
//! In a checkout of the repository the agent for this platform is built from source
//! (`build/own.rs`), and those for other platforms are taken from the directory that
//! `ASSETSYNC_PREBUILT_AGENT` names. The published package has no sources of the agent: there all
//! of them are ready, in its directory `ready`. Agents for still other platforms are found at run
//! time (see `docs/agents.md`).

#[path = "build/carried.rs"]
mod carried;
#[path = "build/compress.rs"]
mod compress;
#[path = "build/elf.rs"]
mod elf;
#[path = "build/own.rs"]
mod own;
#[path = "build/sources.rs"]
mod sources;

use std::env;
use std::path::{Path, PathBuf};

use carried::Carried;

/// Names an agent that is built already, for this platform, or a directory with agents of several.
const PREBUILT: &str = "ASSETSYNC_PREBUILT_AGENT";

fn main() {
    println!("cargo::rerun-if-env-changed={PREBUILT}");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    let out = PathBuf::from(variable("OUT_DIR"));
    let written = carried::write(&gathered(), &out);
    written.unwrap_or_else(|error| panic!("can't write to {}: {error}", out.display()));
}

/// All agents to carry, in the order of their platforms.
fn gathered() -> Vec<Carried> {
    let (kernel, arch) = (own::kernel(), own::arch());
    let mut agents = Vec::new();
    match env::var_os(PREBUILT).map(PathBuf::from) {
        Some(path) if path.is_dir() => agents = carried::of_directory(watched(&path)),
        Some(path) => agents.push(carried::of_file(watched(&path), kernel, &arch)),
        None => {}
    }
    let packages = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let root = packages.ancestors().nth(2).filter(|root| own::has_sources(root));
    let is_own = |agent: &Carried| agent.kernel == kernel && agent.arch == arch;
    match root {
        Some(root) if !agents.iter().any(is_own) => agents.push(own::agent(root)),
        Some(_) => {}
        None => agents.extend(carried::of_directory(watched(&packages.join("ready")))),
    }
    agents.sort_by_key(Carried::platform);
    agents.dedup_by(|one, other| one.platform() == other.platform());
    assert!(!agents.is_empty(), "{}", no_agents(&packages));
    agents
}

/// A file or a directory whose change makes cargo run this again.
fn watched(path: &Path) -> &Path {
    println!("cargo::rerun-if-changed={}", path.display());
    path
}

fn no_agents(package: &Path) -> String {
    format!(
        "the package in {} has no agents in it, and this is no checkout of the repository to build one; \
         name one with {PREBUILT}",
        package.display()
    )
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}
