//! Builds the agent for this platform, so that the command can carry it.
//!
//! The agent is a program of its own with its own profile and, on Linux, without any library to load; cargo
//! has no stable way to depend on such a thing, so this runs cargo once more, into a folder of its own.
//! Agents for other platforms are found at run time (see `docs/agents.md`).

use std::env;
use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use libdeflater::{CompressionLvl, Compressor};
use liblzma::stream::{Check, Filters, LzmaOptions, PRESET_EXTREME, Stream};
use liblzma::write::XzEncoder;

const NAME: &str = "assetsync-agent";

/// Names an agent that is built already, for this platform; then none is built here.
const PREBUILT: &str = "ASSETSYNC_PREBUILT_AGENT";

/// Switches of zstd's own (described in its `lib/README.md`). The agent compresses little, and at a low level: slower
/// searches stay out. Of several ways to decompress one is enough, as all are quick.
const LEAN_ZSTD: &str = include_str!("crates/agent/zstd.flags");

fn main() {
    println!("cargo::rerun-if-env-changed={PREBUILT}");
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let built = match env::var_os(PREBUILT) {
        Some(path) => prebuilt(path.into()),
        None => from_source(&root),
    };
    let agent = kept(&built);
    println!("cargo::rustc-env=ASSETSYNC_AGENT={}", agent.display());
    println!("cargo::rustc-env=ASSETSYNC_AGENT_GZIPPED={}", packed(&agent, "gz", gzip).display());
    println!("cargo::rustc-env=ASSETSYNC_AGENT_XZ={}", packed(&agent, "xz", xz).display());
    println!("cargo::rustc-env=ASSETSYNC_AGENT_KERNEL={}", kernel());
    println!("cargo::rustc-env=ASSETSYNC_AGENT_ARCH={}", arch());
}

fn prebuilt(path: PathBuf) -> PathBuf {
    println!("cargo::rerun-if-changed={}", path.display());
    path
}

/// Builds the agent again whenever one of its sources changed.
fn from_source(root: &Path) -> PathBuf {
    for part in [
        "crates/agent",
        "crates/core",
        "crates/receiver",
        "crates/tree",
        "crates/regzip",
        "crates/rewrite",
        "Cargo.toml",
        "Cargo.lock",
    ] {
        println!("cargo::rerun-if-changed={}", root.join(part).display());
    }
    build(root, &variable("TARGET"))
}

/// A copy that no later build replaces: builds of several checkouts may share a target directory.
fn kept(built: &Path) -> PathBuf {
    let agent = PathBuf::from(variable("OUT_DIR")).join("agent");
    // A fresh file, as the old one may be a hard link or read-only.
    let _ = fs::remove_file(&agent);
    let copied = fs::copy(built, &agent);
    copied.unwrap_or_else(|error| panic!("can't copy the agent {}: {error}", built.display()));
    agent
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

type Compress = fn(&[u8]) -> Result<Vec<u8>, Box<dyn Error>>;

/// Writes the compressed agent, so that no push has to compress it.
fn packed(agent: &Path, suffix: &str, compress: Compress) -> PathBuf {
    let packed = PathBuf::from(variable("OUT_DIR")).join("agent").with_extension(suffix);
    let written = fs::read(agent)
        .map_err(Into::into)
        .and_then(|plain| compress(&plain))
        .and_then(|bytes| Ok(fs::write(&packed, bytes)?));
    written.unwrap_or_else(|error| panic!("can't compress {}: {error}", agent.display()));
    packed
}

/// As well as gzip's format allows.
fn gzip(plain: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut compressor = Compressor::new(CompressionLvl::best());
    let mut room = vec![0; compressor.gzip_compress_bound(plain.len())];
    let length = compressor.gzip_compress(plain, &mut room)?;
    room.truncate(length);
    Ok(room)
}

/// As well as xz's format allows. The dictionary is no larger than it has to be: a small server makes room for it.
fn xz(plain: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut options = LzmaOptions::new_preset(9 | PRESET_EXTREME)?;
    options.dict_size(u32::try_from(plain.len().next_power_of_two())?);
    let mut filters = Filters::new();
    if variable("CARGO_CFG_TARGET_ARCH") == "x86_64" {
        // Instructions start at any byte, and jumps become alike once they name where they lead.
        options.literal_context_bits(4).position_bits(0);
        filters.x86();
    }
    filters.lzma2(&options);
    let stream = Stream::new_stream_encoder(&filters, Check::Crc32)?;
    let mut encoder = XzEncoder::new_stream(Vec::new(), stream);
    encoder.write_all(plain)?;
    Ok(encoder.finish()?)
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
