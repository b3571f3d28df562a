//! The available agents: embedded ones and those found in directories.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::{env, fs};

use crc::{CRC_32_CKSUM, Crc, Table};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::xz_checksum;

/// The directories to search, in the environment, colon-separated.
const SEARCH_VARIABLE: &str = "ASSETSYNC_AGENTS";
/// How a file of such a directory is named: this, the kernel, `-` and the machine.
const FILE_PREFIX: &str = "assetsync-agent-";
/// End of the name of the same agent, compressed by xz.
const XZ_SUFFIX: &str = ".xz";
/// Upper bound of an agent's size; larger files are ignored.
const SIZE_LIMIT: u64 = 64 << 20;

static CKSUM: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_CKSUM);

/// An agent program for one platform.
#[derive(Clone, Debug)]
pub struct Agent {
    /// The kernel as `uname -s` prints it, such as `Linux`.
    pub kernel: String,
    /// The machine as `uname -m` prints it, such as `x86_64`.
    pub arch: String,
    /// The program.
    pub bytes: Cow<'static, [u8]>,
    /// The program compressed by gzip, if the caller has that; otherwise it is compressed when
    /// needed.
    pub gzipped: Option<Cow<'static, [u8]>>,
    /// The program compressed by xz, if the caller has that: for hosts that can unpack it. It must
    /// have been made from `bytes`, or the host asks for a second upload.
    pub xz: Option<Cow<'static, [u8]>>,
}

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
                self.add(Agent { kernel, arch, bytes: bytes.into(), gzipped: None, xz });
            }
        }
        self
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
            _ if self.plain => (Cow::Borrowed(&*agent.bytes), " plain"),
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

    /// Platforms become words of a remote command, so unusual characters are refused.
    fn add(&mut self, agent: Agent) {
        let is_word = |text: &str| !text.is_empty() && text.bytes().all(is_word_byte);
        let fits = is_word(&agent.kernel) && is_word(&agent.arch) && !agent.bytes.is_empty();
        if fits && self.find(&agent.kernel, &agent.arch).is_none() {
            self.agents.push(agent);
        }
    }
}

impl Agent {
    pub(crate) fn platform(&self) -> String {
        format!("{}-{}", self.kernel, self.arch)
    }

    fn pair(&self) -> String {
        let hash = blake3::hash(&self.bytes).to_hex();
        let (crc, size) = (cksum(&self.bytes), self.bytes.len());
        format!("{}={}.{crc}.{size}", self.platform(), &hash[..32])
    }

    fn gzipped(&self) -> io::Result<Cow<'_, [u8]>> {
        if let Some(gzipped) = &self.gzipped {
            return Ok(Cow::Borrowed(gzipped));
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&self.bytes)?;
        encoder.finish().map(Cow::Owned)
    }
}

/// The first number of POSIX `cksum`: a CRC over the bytes and then over their number.
fn cksum(bytes: &[u8]) -> u32 {
    let mut digest = CKSUM.digest();
    digest.update(bytes);
    let length = bytes.len().to_le_bytes();
    let used = length.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    digest.update(&length[..used]);
    digest.finalize()
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

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')
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
    use std::process::{Command, Stdio};

    #[test]
    fn the_checksum_is_that_of_cksum() {
        for size in [0, 1, 255, 256, 65_535, 65_536, 70_000] {
            let bytes: Vec<u8> = (0..size).map(|i: usize| (i * 31 % 251) as u8).collect();
            let mut child =
                Command::new("cksum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            child.stdin.take().unwrap().write_all(&bytes).unwrap();
            let said = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
            assert_eq!(said.trim(), format!("{} {size}", cksum(&bytes)));
        }
    }

    #[test]
    fn carried_agents_go_before_found_ones_and_odd_names_are_not_taken() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["Linux-x86_64", "Linux-aarch64", "Linux-a b", "Linux-'x", "Linux"] {
            fs::write(directory.path().join(format!("{FILE_PREFIX}{name}")), name).unwrap();
        }
        let (kernel, arch) = ("Linux".to_owned(), "x86_64".to_owned());
        let carried =
            Agent { kernel, arch, bytes: b"carried".as_slice().into(), gzipped: None, xz: None };
        let agents = Agents::new(vec![carried]).search_in(directory.path());
        assert_eq!(agents.pairs().len(), 2);
        assert_eq!(*agents.for_platform("Linux-x86_64").unwrap().bytes, *b"carried");
        assert_eq!(*agents.for_platform("Linux-aarch64").unwrap().bytes, *b"Linux-aarch64");
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
        let found: Vec<_> =
            agents.agents.iter().map(|a| (a.arch.as_str(), a.xz.is_some())).collect();
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
