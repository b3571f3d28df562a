//! An agent as the command carries it, and the Rust source that includes all of them.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crc::{CRC_32_CKSUM, Crc};

use crate::{compress, elf};

/// How a file with an agent is named: this, the kernel, `-`, the machine, and `.xz` if it is
/// compressed.
const PREFIX: &str = "assetsync-agent-";

/// The file that `src/lib.rs` includes.
const LIST: &str = "carried.rs";

/// An agent, compressed by xz.
pub struct Carried {
    pub kernel: String,
    pub arch: String,
    /// `HASH.CRC.SIZE`, as `assetsync-ssh` has it.
    identity: String,
    pub xz: Vec<u8>,
}

impl Carried {
    /// The agent `program`, which is refused if it does not run on its platform as it is; `xz` is
    /// the same, compressed.
    pub fn new(kernel: &str, arch: &str, program: &[u8], xz: Vec<u8>, path: &Path) -> Carried {
        if let Err(reason) = fits(kernel, arch, program) {
            panic!("{} is no agent for {kernel} on {arch}: {reason}", path.display());
        }
        let (kernel, arch) = (kernel.to_owned(), arch.to_owned());
        Carried { kernel, arch, identity: identity(program), xz }
    }

    pub fn platform(&self) -> String {
        format!("{}-{}", self.kernel, self.arch)
    }
}

/// Whether a program runs on its platform with nothing but the kernel. Programs for macOS always
/// need its libraries, which every Mac has.
fn fits(kernel: &str, arch: &str, program: &[u8]) -> Result<(), &'static str> {
    if kernel != "Linux" {
        return Ok(());
    }
    match elf::needs_loader(program) {
        None => return Err("it is no whole ELF file"),
        Some(true) => {
            return Err(
                "it is not linked statically, so it would run only where its libraries are; \
                        build it with -C target-feature=+crt-static",
            );
        }
        Some(false) => {}
    }
    match elf::is_for(program, arch) {
        false => Err("it is for another machine"),
        true => Ok(()),
    }
}

/// An agent in a file, as it is.
pub fn of_file(path: &Path, kernel: &str, arch: &str) -> Carried {
    println!("cargo::rerun-if-changed={}", path.display());
    let program = read(path);
    let xz = compress::xz(&program, arch);
    let xz = xz.unwrap_or_else(|error| panic!("can't compress {}: {error}", path.display()));
    Carried::new(kernel, arch, &program, xz, path)
}

/// An agent in a file compressed by xz.
pub fn of_packed_file(path: &Path, kernel: &str, arch: &str) -> Carried {
    println!("cargo::rerun-if-changed={}", path.display());
    let xz = read(path);
    let program = compress::unpacked(&xz);
    let program =
        program.unwrap_or_else(|error| panic!("can't unpack {}: {error}", path.display()));
    Carried::new(kernel, arch, &program, xz, path)
}

/// All agents in a directory; none if there is no such directory. Of one that is there in both
/// forms, the compressed form counts.
pub fn of_directory(directory: &Path) -> Vec<Carried> {
    println!("cargo::rerun-if-changed={}", directory.display());
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    // The compressed form comes last.
    paths.sort();
    paths.reverse();
    let mut agents: Vec<Carried> = Vec::new();
    for path in paths {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let plain_name = name.strip_suffix(".xz").unwrap_or(name);
        let platform = plain_name.strip_prefix(PREFIX).and_then(|name| name.split_once('-'));
        let Some((kernel, arch)) = platform else { continue };
        if agents.iter().all(|agent| agent.platform() != format!("{kernel}-{arch}")) {
            let read = if plain_name == name { of_file } else { of_packed_file };
            agents.push(read(&path, kernel, arch));
        }
    }
    agents
}

/// Writes the compressed agents, and a list of them in Rust, to the directory `out`.
pub fn write(agents: &[Carried], out: &Path) -> io::Result<()> {
    let mut list = "&[\n".to_owned();
    for agent in agents {
        let packed = out.join(format!("{}.xz", agent.platform()));
        // Fresh files: the old ones may be hard links or read-only.
        let _ = fs::remove_file(&packed);
        fs::write(&packed, &agent.xz)?;
        let Carried { kernel, arch, identity, .. } = agent;
        let line = format!("({kernel:?}, {arch:?}, {identity:?}, include_bytes!({packed:?})),");
        writeln!(list, "{line}").map_err(io::Error::other)?;
    }
    list.push(']');
    let path = out.join(LIST);
    let _ = fs::remove_file(&path);
    fs::write(path, list)
}

/// The first half of the program's BLAKE3 hash, and what `cksum` prints of it.
fn identity(program: &[u8]) -> String {
    let cksum = Crc::<u32>::new(&CRC_32_CKSUM);
    let mut digest = cksum.digest();
    digest.update(program);
    let length = program.len().to_le_bytes();
    let used = length.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    digest.update(&length[..used]);
    let hash = blake3::hash(program).to_hex();
    format!("{}.{}.{}", &hash[..32], digest.finalize(), program.len())
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path)
        .unwrap_or_else(|error| panic!("can't read the agent {}: {error}", path.display()))
}
