//! Builds the agent for this platform.
//!
//! The agent is a program with its own profile and, on Linux, linked statically; cargo has no
//! stable way to depend on such a program, so this runs cargo once more, in a target directory of
//! its own. The result is kept below the target directory, under a hash of everything it is made
//! of: an agent that was built before is not built again.

use std::path::{Path, PathBuf};
use std::process::{Command, id};
use std::{env, fs};

use crate::carried::{self, Carried};
use crate::{sources, variable};

const NAME: &str = "assetsync-agent";

/// Below the root of the repository: switches of zstd's own (described in its `lib/README.md`). The
/// agent compresses little, and at a low level: slower searches stay out. Of several ways to
/// decompress one is enough, as all are quick.
const LEAN_ZSTD: &str = "crates/agent/zstd.flags";

/// Whether this is a checkout of the repository, and not a package alone.
pub fn has_sources(root: &Path) -> bool {
    root.join(LEAN_ZSTD).is_file()
}

/// The agent for this platform, from the cache, built first if it is not there yet.
pub fn agent(root: &Path) -> Carried {
    let target = variable("TARGET");
    let parts = sources::parts(root).unwrap_or_else(|error| panic!("can't list {root:?}: {error}"));
    for part in parts.iter().chain([&root.join("Cargo.toml")]) {
        println!("cargo::rerun-if-changed={}", part.display());
    }
    let key = sources::key(root, &settings(&target));
    let key =
        key.unwrap_or_else(|error| panic!("can't read the agent's sources in {root:?}: {error}"));
    let folder = target_folder().join("agents");
    let cached = folder.join(key);
    if !cached.is_dir() {
        let built = build(root, &target);
        let agent = carried::of_file(&built, kernel(), &arch());
        let unfinished = folder.join(format!("unfinished-{}", id()));
        let kept = fs::create_dir_all(&unfinished)
            .and_then(|()| fs::copy(&built, unfinished.join("agent")))
            .and_then(|_| fs::write(unfinished.join("agent.xz"), agent.xz));
        kept.unwrap_or_else(|error| panic!("can't write to {}: {error}", folder.display()));
        // By rename, so that it is whole or not there. Another build may have been quicker.
        if fs::rename(&unfinished, &cached).is_err() {
            let _ = fs::remove_dir_all(&unfinished);
        }
    }
    carried::of_packed_file(&cached.join("agent.xz"), kernel(), &arch())
}
/// What besides the sources has a say in what the agent becomes.
fn settings(target: &str) -> Vec<String> {
    let rustc = Command::new(variable("RUSTC")).arg("-vV").output();
    let rustc = rustc.unwrap_or_else(|error| panic!("can't run rustc: {error}")).stdout;
    let (lower, upper) = (target.replace('-', "_"), target.replace('-', "_").to_uppercase());
    let mut settings = vec![String::from_utf8_lossy(&rustc).into_owned(), target.to_owned()];
    for name in [
        "CC".to_owned(),
        format!("CC_{lower}"),
        format!("AR_{lower}"),
        format!("CARGO_TARGET_{upper}_LINKER"),
        format!("CARGO_TARGET_{upper}_RUSTFLAGS"),
    ] {
        println!("cargo::rerun-if-env-changed={name}");
        settings.push(env::var_os(&name).unwrap_or_default().to_string_lossy().into_owned());
    }
    // How it is built and compressed.
    settings.extend([include_str!("own.rs"), include_str!("compress.rs")].map(Into::into));
    settings
}

/// Runs cargo for the agent and gives the program's path.
///
/// The lock file may not change, as with `--locked`. Cargo does not tell build scripts about
/// `--offline`; that needs not be handed on: the agent's dependencies are also the command's (a
/// test makes sure), so the outer cargo has fetched them, and with nothing to fetch and a lock file
/// that may not change cargo does not use the network. `CARGO_NET_OFFLINE` and the configuration
/// count for both.
fn build(root: &Path, target: &str) -> PathBuf {
    let folder = target_folder().join("agent");
    let mut cargo = Command::new(variable("CARGO"));
    cargo.current_dir(root).args(["build", "--locked", "--package", NAME, "--profile", "agent"]);
    cargo.args(["--target", target]).arg("--target-dir").arg(&folder);
    if target.contains("linux") {
        // Static, so that it runs on any distribution, whatever its libraries.
        let flags = format!("target.{target}.rustflags=[\"-C\",\"target-feature=+crt-static\"]");
        cargo.args(["--config", &flags]);
    }
    let lean_zstd = fs::read_to_string(root.join(LEAN_ZSTD));
    let lean_zstd = lean_zstd.unwrap_or_else(|error| panic!("can't read {LEAN_ZSTD}: {error}"));
    cargo.env(format!("CFLAGS_{}", target.replace('-', "_")), lean_zstd.replace('\n', " "));
    // These are for the outer build. Of the last one, which cargo sets for this script, the cc
    // crate would conclude that C is to be compiled for a sanitizer.
    for outer in [
        "CARGO_ENCODED_RUSTFLAGS",
        "RUSTFLAGS",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "CARGO_CFG_SANITIZE",
    ] {
        cargo.env_remove(outer);
    }
    let status = cargo.status().unwrap_or_else(|error| panic!("can't run cargo: {error}"));
    assert!(status.success(), "the agent does not build: {status}");
    folder.join(target).join("agent").join(NAME)
}

/// The folder all builds share: OUT_DIR is `<target>/<profile>/build/<package>/out`, below a triple
/// when cross-compiling.
fn target_folder() -> PathBuf {
    let out = PathBuf::from(variable("OUT_DIR"));
    let build = out.ancestors().find(|path| path.ends_with("build"));
    let profile = build.and_then(Path::parent);
    profile.and_then(Path::parent).map_or(out.clone(), Path::to_path_buf)
}

/// The kernel as `uname -s` prints it.
pub fn kernel() -> &'static str {
    match variable("CARGO_CFG_TARGET_OS").as_str() {
        "linux" => "Linux",
        "macos" => "Darwin",
        "freebsd" => "FreeBSD",
        other => panic!("no agent can be built for {other}"),
    }
}

/// The machine as `uname -m` prints it.
pub fn arch() -> String {
    let arch = variable("CARGO_CFG_TARGET_ARCH");
    if kernel() == "Darwin" && arch == "aarch64" { "arm64".into() } else { arch }
}
