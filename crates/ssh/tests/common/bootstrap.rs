//! A stand-in for the agent, and a home directory to install it in.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use assetsync_ssh::bootstrap::{self, Started};
use assetsync_ssh::{Agent, Agents, Channel, TimedReader, TransportError, spawn};

pub const NONCE: &str = "00112233445566778899aabbccddeeff";
pub const FIRST: &[u8] = b"assetsync 1 hello\n";
/// A user who is not the one the tests run as.
pub const SOMEBODY: u32 = 1234;
pub const TIMEOUT: Duration = Duration::from_secs(300);
pub const STAND_IN: &str = "#!/bin/sh\ntest \"$1\" = --probe && exit 0\n\
    printf 'assetsync:%s:ready\\n' \"$1\"\nexec cat\n";

pub fn platform() -> (String, String) {
    let output = Command::new("uname").arg("-sm").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (kernel, arch) = text.trim().split_once(' ').unwrap();
    (kernel.to_owned(), arch.to_owned())
}

pub fn agents_of(program: &str) -> Agents {
    let (kernel, arch) = platform();
    Agents::new(vec![other(), Agent::new(kernel, arch, program.as_bytes().to_vec())])
}

/// One for a platform that is not this one.
pub fn other() -> Agent {
    Agent::new("Other".into(), "cpu".into(), vec![1])
}

pub fn agents() -> Agents {
    agents_of(STAND_IN)
}

pub struct Home(pub tempfile::TempDir);

impl Home {
    /// Under a directory that only root can write, as the script looks at all parents.
    pub fn new() -> Self {
        Self(tempfile::tempdir_in("/var/lib").unwrap())
    }

    pub fn cache(&self) -> PathBuf {
        self.0.path().join(".cache/assetsync")
    }

    pub fn installed(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.cache()) else { return Vec::new() };
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }

    /// Runs a command line as sshd does: the login shell with `-c`.
    pub fn shell(&self, shell: &str, line: &str) -> Channel {
        let mut words = shell.split(' ');
        let mut command = Command::new(words.next().unwrap());
        command.args(words).arg("-c").arg(line).env_clear();
        command.env("PATH", "/usr/bin:/bin").env("HOME", self.0.path());
        spawn(command, "shellhost").unwrap_or_else(|e| panic!("{e}: apt-get install {shell}"))
    }

    pub fn start_with(&self, shell: &str, agents: &Agents) -> Result<Started, TransportError> {
        let channel = self.shell(shell, &bootstrap::command(NONCE, FIRST, agents, None));
        bootstrap::start(channel, NONCE, agents, FIRST, TIMEOUT)
    }

    /// With `PATH` set to a directory that [`programs`] has filled.
    pub fn start_among(&self, bin: &Path, agents: &Agents) -> Result<Started, TransportError> {
        let line = bootstrap::command(NONCE, FIRST, agents, None);
        let line = format!("PATH={}; export PATH; {line}", bin.display());
        bootstrap::start(self.shell("sh", &line), NONCE, agents, FIRST, TIMEOUT)
    }

    pub fn start(&self) -> Result<Started, TransportError> {
        self.start_with("sh", &agents())
    }
}

pub fn assert_echoes(started: Started) {
    let Channel { reader, writer, end } = started.channel;
    let mut writer = File::from(writer);
    writer.write_all(b"\0binary\xff").unwrap();
    drop(writer);
    let mut output = started.read_ahead;
    read_nonblocking(reader, &mut output);
    assert_eq!(output, [FIRST, b"\0binary\xff"].concat());
    assert_eq!(end.finish().unwrap().status, Some(0));
}

pub fn read_nonblocking(reader: OwnedFd, output: &mut Vec<u8>) {
    let mut reader = TimedReader::new(reader, TIMEOUT).unwrap();
    reader.read_to_end(output).unwrap();
}

/// A program compressed by xz.
pub fn xz(program: &str) -> Vec<u8> {
    let mut command = Command::new("xz");
    command.arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|e| panic!("{e}: apt-get install xz-utils"));
    child.stdin.take().unwrap().write_all(program.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    output.stdout
}

/// The stand-in, in these compressed forms.
pub fn packed(gzipped: Option<&[u8]>, xz: &[u8]) -> Agents {
    packed_of(STAND_IN, gzipped, xz)
}

pub fn packed_of(program: &str, gzipped: Option<&[u8]>, xz: &[u8]) -> Agents {
    let (kernel, arch) = platform();
    let gzipped = gzipped.map(|bytes| bytes.to_vec().into());
    let plain = Agent::new(kernel, arch, program.as_bytes().to_vec());
    Agents::new(vec![Agent { gzipped, xz: Some(xz.to_vec().into()), ..plain }])
}

/// Fills a directory for `PATH` with all programs of this machine, but with these shell scripts in
/// place of theirs, or without them.
pub fn programs(directory: &Path, replaced: &[(&str, Option<&str>)]) {
    for entry in fs::read_dir("/usr/bin").unwrap().map(Result::unwrap) {
        if replaced.iter().all(|(name, _)| entry.file_name() != *name) {
            symlink(entry.path(), directory.join(entry.file_name())).unwrap();
        }
    }
    for (name, script) in replaced {
        if let Some(script) = script {
            fs::write(directory.join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
            mode(&directory.join(name), 0o755);
        }
    }
}

pub fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Makes it another user's.
pub fn give_away(path: &Path) {
    std::os::unix::fs::chown(path, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
}
