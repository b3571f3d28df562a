//! The available agents: embedded ones and those found in directories.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::agent::{Agent, SIZE_LIMIT};
use crate::xz_checksum;

/// The directories to search, in the environment, colon-separated.
const SEARCH_VARIABLE: &str = "ASSETSYNC_AGENTS";
/// How a file of such a directory is named: this, the kernel, `-` and the machine.
const FILE_PREFIX: &str = "assetsync-agent-";
/// End of the name of the same agent, compressed by xz.
const XZ_SUFFIX: &str = ".xz";

/// The available agents, at most one for a platform; the first one given or found counts.
#[derive(Clone, Debug, Default)]
pub struct Agents {
    agents: Vec<Agent>,
    /// They are sent uncompressed.
    plain: bool,
}

impl Agents {
    /// Starts with embedded agents.
    pub fn new(carried: Vec<Agent>) -> Self {
        let mut agents = Self::default();
        carried.into_iter().for_each(|agent| agents.add(agent));
        agents
    }

    /// Adds the agents of the usual directories: those of `ASSETSYNC_AGENTS`, then `agents` beside
    /// the running program and `../lib/assetsync/agents`.
    pub fn search(self) -> Self {
        let named = env::var_os(SEARCH_VARIABLE).unwrap_or_default();
        let mut directories: Vec<PathBuf> = env::split_paths(&named).collect();
        if let Some(beside) = env::current_exe().ok().as_deref().and_then(Path::parent) {
            directories.push(beside.join("agents"));
            directories.push(beside.join("../lib/assetsync/agents"));
        }
        directories.iter().fold(self, |agents, directory| agents.search_in(directory))
    }

    /// Adds the agents of a directory; a missing directory has none.
    pub fn search_in(mut self, directory: &Path) -> Self {
        let Ok(entries) = fs::read_dir(directory) else { return self };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let platform = path.file_name().and_then(platform_of);
            let missing = |(kernel, arch): &(String, String)| self.find(kernel, arch).is_none();
            let Some((kernel, arch)) = platform.filter(missing) else { continue };
            if let Ok(bytes) = read_limited(&path) {
                let xz = xz_beside(&path, &bytes).map(Cow::Owned);
                self.add(Agent { xz, ..Agent::new(kernel, arch, bytes) });
            }
        }
        self
    }

    /// The agents, one for a platform.
    pub fn all(&self) -> &[Agent] {
        &self.agents
    }

    /// These agents, to be sent uncompressed: on a fast link, unpacking takes longer than
    /// receiving.
    pub fn plain(&self) -> Self {
        Self { plain: true, ..self.clone() }
    }

    /// An agent's bytes as sent to a host that has `unpacker`, and the name of their format.
    pub(crate) fn packed<'a>(
        &self,
        agent: &'a Agent,
        unpacker: &str,
    ) -> io::Result<(Cow<'a, [u8]>, &'static str)> {
        Ok(match &agent.xz {
            _ if self.plain => (agent.program()?, " plain"),
            Some(packed) if unpacker == "xz" => (Cow::Borrowed(&**packed), " xz"),
            _ => (agent.gzipped()?, ""),
        })
    }

    /// The agent for a platform written as `KERNEL-ARCH`.
    pub(crate) fn for_platform(&self, platform: &str) -> Option<&Agent> {
        self.agents.iter().find(|agent| agent.platform() == platform)
    }

    /// `KERNEL-ARCH=HASH.CRC.SIZE` for each agent, by which the server recognises its own.
    pub(crate) fn pairs(&self) -> Vec<String> {
        self.agents.iter().map(Agent::pair).collect()
    }

    fn find(&self, kernel: &str, arch: &str) -> Option<&Agent> {
        self.agents.iter().find(|agent| agent.kernel == kernel && agent.arch == arch)
    }

    /// Adds an agent, unless there is one for its platform.
    fn add(&mut self, agent: Agent) {
        if agent.is_fit() && self.find(&agent.kernel, &agent.arch).is_none() {
            self.agents.push(agent);
        }
    }
}

/// The compressed file beside a program, if it was made from it.
fn xz_beside(program: &Path, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut path = program.as_os_str().to_owned();
    path.push(XZ_SUFFIX);
    read_limited(Path::new(&path)).ok().filter(|packed| xz_checksum::is_of(packed, bytes))
}

/// Compressed files are not agents themselves.
fn platform_of(name: &OsStr) -> Option<(String, String)> {
    let name = name.to_str().filter(|name| !name.ends_with(XZ_SUFFIX))?;
    let (kernel, arch) = name.strip_prefix(FILE_PREFIX)?.split_once('-')?;
    Some((kernel.to_owned(), arch.to_owned()))
}

fn read_limited(path: &Path) -> io::Result<Vec<u8>> {
    let meta = fs::metadata(path)?;
    match meta.is_file() && meta.len() <= SIZE_LIMIT {
        true => fs::read(path),
        false => Err(io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn carried_agents_go_before_found_ones_and_odd_names_are_not_taken() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["Linux-x86_64", "Linux-aarch64", "Linux-a b", "Linux-'x", "Linux"] {
            fs::write(directory.path().join(format!("{FILE_PREFIX}{name}")), name).unwrap();
        }
        let (kernel, arch) = ("Linux".to_owned(), "x86_64".to_owned());
        let carried = Agent::new(kernel, arch, b"carried".as_slice());
        let agents = Agents::new(vec![carried]).search_in(directory.path());
        assert_eq!(agents.pairs().len(), 2);
        for (platform, content) in [("Linux-x86_64", "carried"), ("Linux-aarch64", "Linux-aarch64")]
        {
            let agent = agents.for_platform(platform).unwrap();
            assert_eq!(*agent.program().unwrap(), *content.as_bytes());
        }
    }

    #[test]
    fn a_compressed_file_counts_beside_the_program_it_was_made_from() {
        let directory = tempfile::tempdir().unwrap();
        for (arch, made_from, options) in [
            ("same", "same", &["-9e"][..]),
            ("same32", "same32", &["--check=crc32"]),
            ("other", "another", &[]),
            ("none", "none", &["--check=none"]),
            ("blocks", "blocks", &["--block-size=2"]),
        ] {
            let path = directory.path().join(format!("{FILE_PREFIX}Linux-{arch}"));
            fs::write(&path, arch).unwrap();
            fs::write(path.with_extension("plain"), made_from).unwrap();
            let mut xz = Command::new("xz");
            let packed = xz.args(options).arg("-c").arg(path.with_extension("plain"));
            let packed = packed.output().unwrap();
            fs::remove_file(path.with_extension("plain")).unwrap();
            fs::write(path.with_extension("xz"), packed.stdout).unwrap();
        }
        fs::write(directory.path().join(format!("{FILE_PREFIX}Linux-alone.xz")), "").unwrap();
        let agents = Agents::default().search_in(directory.path());
        let found: Vec<_> = agents.agents.iter().map(|a| (&*a.arch, a.xz.is_some())).collect();
        let expected = [
            ("blocks", false),
            ("none", false),
            ("other", false),
            ("same", true),
            ("same32", true),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn nothing_short_or_odd_is_taken_for_xz() {
        let mut footer = [0; 64];
        footer[62..].copy_from_slice(b"YZ");
        for size in [0, 1, 12, u32::MAX] {
            footer[56..60].copy_from_slice(&size.to_le_bytes());
            for from in 0..64 {
                assert!(!xz_checksum::is_of(&footer[from..], b"plain"));
            }
        }
    }
}
