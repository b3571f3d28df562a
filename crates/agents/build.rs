//! Builds the agent for this platform and compresses it, for `src/lib.rs` to include.
//!
//! The agent is a program with its own profile and, on Linux, linked statically; cargo has no
//! stable way to depend on such a program, so this runs cargo once more, in a target directory of
//! its own. The result is kept below the target directory, under a hash of everything it is made
//! of: an agent that was built before is not built again. Agents for other platforms are found at
//! run time (see `docs/agents.md`).

#[path = "build/compress.rs"]
mod compress;
#[path = "build/elf.rs"]
mod elf;
#[path = "build/sources.rs"]
mod sources;

use std::path::{Path, PathBuf};
use std::process::{Command, id};
use std::{env, fs, io};

const NAME: &str = "assetsync-agent";

/// Names an agent that is built already, for this platform; then none is built here.
const PREBUILT: &str = "ASSETSYNC_PREBUILT_AGENT";

/// Switches of zstd's own (described in its `lib/README.md`). The agent compresses little, and at a
/// low level: slower searches stay out. Of several ways to decompress one is enough, as all are
/// quick.
const LEAN_ZSTD: &str = include_str!("../agent/zstd.flags");

/// The agent as it is, by gzip, and by xz, in the directory of a cached agent and in `OUT_DIR`.
const FILES: [&str; 3] = ["agent", "agent.gz", "agent.xz"];

fn main() {
    println!("cargo::rerun-if-env-changed={PREBUILT}");
    let out = PathBuf::from(variable("OUT_DIR"));
    match env::var_os(PREBUILT) {
        Some(path) => {
            println!("cargo::rerun-if-changed={}", Path::new(&path).display());
            pack(Path::new(&path), &out);
        }
        None => {
            let cached = cached();
            FILES.iter().for_each(|name| copy(&cached.join(name), &out.join(name)));
        }
    }
    println!("cargo::rustc-env=ASSETSYNC_AGENT_KERNEL={}", kernel());
    println!("cargo::rustc-env=ASSETSYNC_AGENT_ARCH={}", arch());
}

/// The directory of the cached agent, which is built first if it is not there yet.
fn cached() -> PathBuf {
    let crates = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let root = crates.ancestors().nth(2).expect("this package is in a folder of the workspace");
    let target = variable("TARGET");
    let parts = sources::parts(root).unwrap_or_else(|error| panic!("can't list {root:?}: {error}"));
    for part in parts.iter().chain([
        &root.join("Cargo.toml"),
        &crates.join("build.rs"),
        &crates.join("build"),
    ]) {
        println!("cargo::rerun-if-changed={}", part.display());
    }
    let key = sources::key(root, &settings(&target));
    let key =
        key.unwrap_or_else(|error| panic!("can't read the agent's sources in {root:?}: {error}"));
    let folder = target_folder().join("agents");
    let cached = folder.join(key);
    if !cached.is_dir() {
        let unfinished = folder.join(format!("unfinished-{}", id()));
        pack(&build(root, &target), &unfinished);
        // By rename, so that it is whole or not there. Another build may have been quicker.
        if fs::rename(&unfinished, &cached).is_err() {
            let _ = fs::remove_dir_all(&unfinished);
        }
    }
    cached
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
    settings.extend([include_str!("build.rs"), include_str!("build/compress.rs")].map(Into::into));
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
    cargo.env(format!("CFLAGS_{}", target.replace('-', "_")), LEAN_ZSTD.replace('\n', " "));
    // These are for the outer build.
    for outer in
        ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"]
    {
        cargo.env_remove(outer);
    }
    let status = cargo.status().unwrap_or_else(|error| panic!("can't run cargo: {error}"));
    assert!(status.success(), "the agent does not build: {status}");
    folder.join(target).join("agent").join(NAME)
}

/// Puts the agent into `folder`, in all three forms. One that needs libraries of the host is
/// refused.
fn pack(program: &Path, folder: &Path) {
    let plain = fs::read(program)
        .unwrap_or_else(|error| panic!("can't read the agent {}: {error}", program.display()));
    let is_fit = kernel() != "Linux" || elf::needs_loader(&plain) == Some(false);
    assert!(
        is_fit,
        "{} is not a statically linked program: it would run only where the libraries are that it was linked \
         with; build the agent with -C target-feature=+crt-static",
        program.display()
    );
    let forms = [
        Ok(plain.clone()),
        compress::gzip(&plain),
        compress::xz(&plain, &variable("CARGO_CFG_TARGET_ARCH")),
    ];
    for (name, form) in FILES.iter().zip(forms) {
        let form = form.unwrap_or_else(|error| panic!("can't compress the agent: {error}"));
        let written = fs::create_dir_all(folder).and_then(|()| replace(&folder.join(name), &form));
        written.unwrap_or_else(|error| panic!("can't write to {}: {error}", folder.display()));
    }
}

fn copy(from: &Path, to: &Path) {
    let copied = fs::read(from).and_then(|bytes| replace(to, &bytes));
    copied.unwrap_or_else(|error| panic!("can't copy {}: {error}", from.display()));
}

/// Writes a fresh file: the old one may be a hard link or read-only.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let _ = fs::remove_file(path);
    fs::write(path, bytes)
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
