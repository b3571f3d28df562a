//! Builds the agent for this platform, so that the command can carry it.
//!
//! The agent is a program of its own with its own profile and, on Linux, without any library to load; cargo
//! has no stable way to depend on such a thing, so this runs cargo once more, into a folder of its own.
//! Agents for other platforms are found at run time (see `docs/agents.md`).

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use libdeflater::{CompressionLvl, Compressor};

const NAME: &str = "assetsync-agent";

/// Switches of zstd's own (described in its `lib/README.md`). The agent compresses little, and at a low level: slower
/// searches stay out. Of several ways to decompress one is enough, as all are quick.
const LEAN_ZSTD: &str = include_str!("crates/agent/zstd.flags");

fn main() {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    for part in ["crates/agent", "crates/sync", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", root.join(part).display());
    }
    let target = variable("TARGET");
    let built = build(&root, &target);
    println!("cargo::rustc-env=ASSETSYNC_AGENT={}", built.display());
    println!("cargo::rustc-env=ASSETSYNC_AGENT_GZIPPED={}", gzip(&built).display());
    println!("cargo::rustc-env=ASSETSYNC_AGENT_KERNEL={}", kernel());
    println!("cargo::rustc-env=ASSETSYNC_AGENT_ARCH={}", arch());
}

/// Runs cargo for the agent and gives the program's path.
fn build(root: &Path, target: &str) -> PathBuf {
    let folder = target_folder().join("agent");
    let mut cargo = Command::new(variable("CARGO"));
    cargo.current_dir(root).args(["build", "--package", NAME, "--profile", "agent"]);
    cargo.args(["--target", target]).arg("--target-dir").arg(&folder);
    if target.contains("linux") {
        // Static, so that it runs on any distribution, whatever its libraries.
        let flags = format!("target.{target}.rustflags=[\"-C\",\"target-feature=+crt-static\"]");
        cargo.args(["--config", &flags]);
    }
    cargo.env(format!("CFLAGS_{}", target.replace('-', "_")), LEAN_ZSTD.replace('\n', " "));
    // What the outer cargo set for this build does not concern the agent's.
    for outer in
        ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"]
    {
        cargo.env_remove(outer);
    }
    let status = cargo.status().unwrap_or_else(|error| panic!("can't run cargo: {error}"));
    assert!(status.success(), "the agent does not build: {status}");
    folder.join(target).join("agent").join(NAME)
}

/// Compresses the agent as well as gzip's format allows, so that no push has to.
fn gzip(agent: &Path) -> PathBuf {
    let packed = PathBuf::from(variable("OUT_DIR")).join("agent.gz");
    let compress = || -> Result<(), Box<dyn Error>> {
        let (plain, mut compressor) = (fs::read(agent)?, Compressor::new(CompressionLvl::best()));
        let mut room = vec![0; compressor.gzip_compress_bound(plain.len())];
        let length = compressor.gzip_compress(&plain, &mut room)?;
        Ok(fs::write(&packed, &room[..length])?)
    };
    compress().unwrap_or_else(|error| panic!("can't compress {}: {error}", agent.display()));
    packed
}

/// The folder all builds share: OUT_DIR is `<target>/<profile>/build/<package>/out`, below a triple when
/// cross-compiling.
fn target_folder() -> PathBuf {
    let out = PathBuf::from(variable("OUT_DIR"));
    let build = out.ancestors().find(|path| path.ends_with("build"));
    let profile = build.and_then(Path::parent);
    profile.and_then(Path::parent).map_or(out.clone(), Path::to_path_buf)
}

/// The kernel as `uname -s` prints it.
fn kernel() -> &'static str {
    match variable("CARGO_CFG_TARGET_OS").as_str() {
        "linux" => "Linux",
        "macos" => "Darwin",
        "freebsd" => "FreeBSD",
        other => panic!("no agent can be built for {other}"),
    }
}

/// The machine as `uname -m` prints it.
fn arch() -> String {
    let arch = variable("CARGO_CFG_TARGET_ARCH");
    if kernel() == "Darwin" && arch == "aarch64" { "arm64".into() } else { arch }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}
