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
    /// `program`, which is `xz` when that is unpacked.
    fn new(kernel: &str, arch: &str, program: &[u8], xz: Vec<u8>) -> Carried {
        let (kernel, arch) = (kernel.to_owned(), arch.to_owned());
        Carried { kernel, arch, identity: identity(program), xz }
    }

    pub fn platform(&self) -> String {
        format!("{}-{}", self.kernel, self.arch)
    }
}

/// Refuses a program that does not run on its platform as it is.
fn check(kernel: &str, arch: &str, program: &[u8], path: &Path) {
    if let Err(reason) = fits(kernel, arch, program) {
        panic!("{} is no agent for {kernel} on {arch}: {reason}", path.display());
    }
}

/// Whether a program runs on its platform with nothing but the kernel. Programs for macOS always
/// need its libraries, which every Mac has.
fn fits(kernel: &str, arch: &str, program: &[u8]) -> Result<(), &'static str> {
    if kernel != "Linux" {
        return Ok(());
    }
    match elf::needs_loader(program) {
        None => Err("it is no whole ELF file"),
        Some(true) => Err("it is not linked statically, so it would run only where its libraries \
            are; build it with -C target-feature=+crt-static"),
        Some(false) if !elf::is_for(program, arch) => Err("it is for another machine"),
        Some(false) => Ok(()),
    }
}

/// An agent in a file, as it is.
pub fn of_file(path: &Path, kernel: &str, arch: &str) -> Carried {
    let program = read(path);
    check(kernel, arch, &program, path);
    let xz = compress::xz(&program, arch);
    let xz = xz.unwrap_or_else(|error| panic!("can't compress {}: {error}", path.display()));
    Carried::new(kernel, arch, &program, xz)
}

/// An agent in a file compressed by xz.
pub fn of_packed_file(path: &Path, kernel: &str, arch: &str) -> Carried {
    let xz = read(path);
    let program = compress::unpacked(&xz);
    let program =
        program.unwrap_or_else(|error| panic!("can't unpack {}: {error}", path.display()));
    check(kernel, arch, &program, path);
    Carried::new(kernel, arch, &program, xz)
}

/// All agents in a directory; none if there is no such directory. Of one that is there in both
/// forms, the compressed form counts.
pub fn of_directory(directory: &Path) -> Vec<Carried> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    // The compressed form comes first.
    paths.sort_by(|one, other| other.cmp(one));
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

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    /// The name of a file with an agent for the platform of the tests.
    fn name(arch: &str) -> String {
        format!("{PREFIX}Linux-{arch}")
    }

    fn own_agent() -> Vec<u8> {
        let is_own = |agent: &assetsync_ssh::Agent| agent.arch == std::env::consts::ARCH;
        let own = crate::carried().into_iter().find(is_own).unwrap();
        own.program().unwrap().into_owned()
    }

    #[test]
    fn agents_of_a_directory_are_known_by_their_names_in_both_forms() {
        let (dir, program) = (tempfile::tempdir().unwrap(), own_agent());
        let path = dir.path().join(name(std::env::consts::ARCH));
        fs::write(&path, &program).unwrap();
        fs::write(dir.path().join("README"), "no agent").unwrap();
        let plain = of_directory(dir.path());
        fs::write(path.with_extension("xz"), &plain[0].xz).unwrap();
        fs::write(&path, "the compressed form counts").unwrap();
        let packed = of_directory(dir.path());
        for agents in [&plain, &packed] {
            assert_eq!(agents.len(), 1);
            assert_eq!(agents[0].identity, identity(&program));
            assert_eq!(compress::unpacked(&agents[0].xz).unwrap(), program);
        }
        assert!(of_directory(&dir.path().join("missing")).is_empty());
    }

    #[test]
    fn what_does_not_run_on_its_platform_as_it_is_is_refused() {
        let other = if std::env::consts::ARCH == "x86_64" { "aarch64" } else { "x86_64" };
        let dynamic = fs::read(std::env::current_exe().unwrap()).unwrap();
        for (name, program) in [
            (name(std::env::consts::ARCH), dynamic),
            (name(other), own_agent()),
            (name("riscv64"), b"#!/bin/sh\n".to_vec()),
        ] {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join(&name), program).unwrap();
            let refused = catch_unwind(|| of_directory(dir.path()).len());
            assert!(refused.is_err(), "{name}");
        }
    }

    #[test]
    fn the_list_is_one_for_src_lib_rs_to_include() {
        let (dir, program) = (tempfile::tempdir().unwrap(), own_agent());
        fs::write(dir.path().join(name(std::env::consts::ARCH)), program).unwrap();
        let out = tempfile::tempdir().unwrap();
        let agents = of_directory(dir.path());
        write(&agents, out.path()).unwrap();
        let list = fs::read_to_string(out.path().join(LIST)).unwrap();
        let packed = out.path().join(format!("{}.xz", agents[0].platform()));
        assert_eq!(fs::read(&packed).unwrap(), agents[0].xz);
        let (arch, identity) = (std::env::consts::ARCH, &agents[0].identity);
        let line = format!("(\"Linux\", {arch:?}, {identity:?}, include_bytes!({packed:?})),");
        assert_eq!(list, format!("&[\n{line}\n]"));
    }
}
