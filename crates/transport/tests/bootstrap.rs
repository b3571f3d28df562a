//! The bootstrap script in real login shells, and every way it can end.

mod common;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use assetsync_transport::bootstrap::{self, Started};
use assetsync_transport::{Agent, Agents, Channel, NoPrompt, TransportError, connect, spawn};
use common::Sshd;

const NONCE: &str = "00112233445566778899aabbccddeeff";
const FIRST: &[u8] = b"assetsync 1 hello\n";
/// A user who is not the one the tests run as.
const SOMEBODY: u32 = 1234;
const TIMEOUT: Duration = Duration::from_secs(20);
const STAND_IN: &str = "#!/bin/sh\ntest \"$1\" = --probe && exit 0\n\
    printf 'assetsync:%s:ready\\n' \"$1\"\nexec cat\n";

fn platform() -> (String, String) {
    let output = Command::new("uname").arg("-sm").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (kernel, arch) = text.trim().split_once(' ').unwrap();
    (kernel.to_owned(), arch.to_owned())
}

fn agents_of(program: &str) -> Agents {
    let (kernel, arch) = platform();
    let bytes = program.as_bytes().to_vec().into();
    Agents::new(vec![other(), Agent { kernel, arch, bytes, gzipped: None, xz: None }])
}

/// One for a platform that is not this one.
fn other() -> Agent {
    let (kernel, arch) = ("Other".to_owned(), "cpu".to_owned());
    Agent { kernel, arch, bytes: vec![1].into(), gzipped: None, xz: None }
}

fn agents() -> Agents {
    agents_of(STAND_IN)
}

type Case = (&'static str, fn(&Path));

struct Home(tempfile::TempDir);

impl Home {
    /// Under a directory that only root can write, as the script looks at all parents.
    fn new() -> Self {
        Self(tempfile::tempdir_in("/var/lib").unwrap())
    }

    fn cache(&self) -> PathBuf {
        self.0.path().join(".cache/assetsync")
    }

    fn installed(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.cache()) else { return Vec::new() };
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }

    /// Runs a command line as sshd does: the login shell with `-c`.
    fn shell(&self, shell: &str, line: &str) -> Channel {
        let mut words = shell.split(' ');
        let mut command = Command::new(words.next().unwrap());
        command.args(words).arg("-c").arg(line).env_clear();
        command.env("PATH", "/usr/bin:/bin").env("HOME", self.0.path());
        spawn(command, "shellhost").unwrap_or_else(|e| panic!("{e}: apt-get install {shell}"))
    }

    fn start_with(&self, shell: &str, agents: &Agents) -> Result<Started, TransportError> {
        let channel = self.shell(shell, &bootstrap::command(NONCE, agents));
        bootstrap::start(channel, NONCE, agents, FIRST, TIMEOUT)
    }

    fn start(&self) -> Result<Started, TransportError> {
        self.start_with("sh", &agents())
    }
}

fn assert_echoes(started: Started) {
    let Channel { reader, writer, end } = started.channel;
    let mut writer = File::from(writer);
    writer.write_all(b"\0binary\xff").unwrap();
    drop(writer);
    let mut output = started.leftover;
    read_nonblocking(reader, &mut output);
    assert_eq!(output, [FIRST, b"\0binary\xff"].concat());
    assert_eq!(end.finish().unwrap().status, Some(0));
}

fn read_nonblocking(reader: std::os::fd::OwnedFd, output: &mut Vec<u8>) {
    let mut reader = assetsync_transport::TimedReader::new(reader, TIMEOUT).unwrap();
    reader.read_to_end(output).unwrap();
}

#[test]
fn installs_once_and_then_starts_in_every_login_shell() {
    for shell in ["bash", "dash", "zsh", "tcsh", "fish", "mksh", "busybox sh"] {
        let home = Home::new();
        for installs in [true, false] {
            let started =
                home.start_with(shell, &agents()).unwrap_or_else(|e| panic!("{shell}: {e}"));
            assert_eq!(started.installed, installs, "{shell}");
            assert_eq!(started.noise, "", "{shell}");
            assert_echoes(started);
        }
        let installed = home.installed();
        assert_eq!(installed.len(), 1, "{shell}: {installed:?}");
        let modes = [home.cache(), installed[0].clone()]
            .map(|path| fs::metadata(path).unwrap().permissions().mode() & 0o7777);
        assert_eq!(modes, [0o700, 0o700], "{shell}");
    }
}

#[test]
fn works_when_bin_sh_is_another_shell() {
    for shell in ["bash", "mksh", "busybox sh", "zsh --emulate sh"] {
        let home = Home::new();
        let line = bootstrap::command(NONCE, &agents());
        let line = line.replacen("/bin/sh", shell, 1);
        for installs in [true, false] {
            let channel = home.shell("dash", &line);
            let started = bootstrap::start(channel, NONCE, &agents(), FIRST, TIMEOUT);
            let started = started.unwrap_or_else(|e| panic!("{shell}: {e}"));
            assert_eq!(started.installed, installs, "{shell}");
            assert_echoes(started);
        }
    }
}

#[test]
fn works_over_ssh_and_locally() {
    let sshd = Sshd::start();
    let line = bootstrap::command(NONCE, &agents());
    for _ in 0..2 {
        let channel = connect(&sshd.target(), &sshd.options(), &NoPrompt, &line).unwrap().channel;
        assert_echoes(bootstrap::start(channel, NONCE, &agents(), FIRST, TIMEOUT).unwrap());
        let channel = bootstrap::local(NONCE, &agents()).unwrap();
        assert_echoes(bootstrap::start(channel, NONCE, &agents(), FIRST, TIMEOUT).unwrap());
    }
}

#[test]
fn damaged_agents_are_replaced_and_never_run() {
    let canary = "#!/bin/sh\ntouch $HOME/canary\n";
    let tamper: [Case; 7] = [
        ("altered", |path| fs::write(path, "#!/bin/sh\ntouch $HOME/canary\n").unwrap()),
        ("empty", |path| fs::write(path, "").unwrap()),
        ("truncated", |path| File::options().write(true).open(path).unwrap().set_len(9).unwrap()),
        ("missing", |path| fs::remove_file(path).unwrap()),
        ("link", |path| {
            fs::rename(path, path.with_file_name("elsewhere")).unwrap();
            symlink(path.with_file_name("elsewhere"), path).unwrap();
        }),
        ("fifo", |path| {
            fs::remove_file(path).unwrap();
            assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
        }),
        ("foreign", |path| std::os::unix::fs::chown(path, Some(1234), None).unwrap()),
    ];
    for (name, tamper) in tamper {
        let home = Home::new();
        fs::write(home.0.path().join("unused"), canary).unwrap();
        assert_echoes(home.start().unwrap());
        tamper(&home.installed()[0]);
        let started = home.start().unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(started.installed, "{name}");
        assert_echoes(started);
        assert!(!home.0.path().join("canary").exists(), "{name}");
    }
}

#[test]
fn an_unsafe_cache_directory_is_passed_over() {
    let spoil: [Case; 5] = [
        ("group may write", |cache| mode(cache, 0o770)),
        ("parent open to all", |cache| mode(cache.parent().unwrap(), 0o777)),
        ("foreign", |cache| give_away(cache)),
        ("foreign parent", |cache| give_away(cache.parent().unwrap())),
        ("link", |cache| {
            fs::rename(cache, cache.with_file_name("elsewhere")).unwrap();
            symlink(cache.with_file_name("elsewhere"), cache).unwrap();
        }),
    ];
    for (name, spoil) in spoil {
        let home = Home::new();
        fs::create_dir_all(home.cache()).unwrap();
        mode(&home.cache(), 0o700);
        mode(home.cache().parent().unwrap(), 0o700);
        spoil(&home.cache());
        assert_echoes(home.start().unwrap_or_else(|e| panic!("{name}: {e}")));
        assert_eq!(home.installed(), Vec::<PathBuf>::new(), "{name}");
    }
}

/// Makes it another user's.
fn give_away(path: &Path) {
    std::os::unix::fs::chown(path, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
}

#[test]
fn a_user_s_own_cache_directory_below_root_s_is_taken() {
    let home = Home::new();
    give_away(home.0.path());
    let shell = format!("setpriv --reuid {SOMEBODY} --regid {SOMEBODY} --clear-groups sh");
    assert_echoes(home.start_with(&shell, &agents()).unwrap());
    assert_eq!(home.installed().len(), 1);
    give_away(&home.cache().join(".."));
    mode(&home.cache().join(".."), 0o770);
    assert_echoes(home.start_with(&shell, &agents_of(&format!("{STAND_IN}# 2\n"))).unwrap());
    assert_eq!(home.installed().len(), 1);
}

#[test]
fn agents_travel_as_they_are_where_that_is_wanted() {
    for shell in ["bash", "dash", "mksh", "busybox sh", "zsh --emulate sh"] {
        let home = Home::new();
        // No other directory holds this one already.
        let program = format!("{STAND_IN}# {}\n", home.0.path().display());
        let plain = packed_of(&program, Some(b"no gzip"), b"no xz").plain();
        let line = bootstrap::command(NONCE, &plain).replacen("/bin/sh", shell, 1);
        let started = bootstrap::start(home.shell("dash", &line), NONCE, &plain, FIRST, TIMEOUT);
        assert_echoes(started.unwrap_or_else(|e| panic!("{shell}: {e}")));
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn at_most_two_older_agents_are_kept() {
    let home = Home::new();
    fs::create_dir_all(home.cache()).unwrap();
    fs::write(home.cache().join("mine"), "not an agent").unwrap();
    for version in 0..5 {
        let agents = agents_of(&format!("{STAND_IN}# {version}\n"));
        assert_echoes(home.start_with("sh", &agents).unwrap());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(home.installed().len(), 4);
    assert!(home.cache().join("mine").exists());
}

#[test]
fn a_platform_without_an_agent_is_named() {
    let error = Home::new().start_with("sh", &Agents::new(vec![other()])).unwrap_err();
    let (kernel, arch) = platform();
    let expected = format!("No agent build for {kernel}-{arch} ");
    assert!(error.to_string().starts_with(&expected), "{error}");
    assert!(error.suggests_sftp());
}

#[test]
fn an_agent_that_cannot_run_is_told_apart() {
    let broken = agents_of("#!/nonexistent/interpreter\n");
    let error = Home::new().start_with("sh", &broken).unwrap_err();
    assert!(matches!(error, TransportError::Noexec { .. }), "{error}");
    assert!(error.suggests_sftp());
}

#[test]
fn noise_is_skipped_up_to_a_limit() {
    let home = Home::new();
    assert_echoes(home.start().unwrap());
    let line = bootstrap::command(NONCE, &agents());
    let wrong = "printf 'assetsync:ffff:ready\\n'";
    for (noise, length) in
        [("printf 'no newline'", 10), ("head -c 60000 /dev/urandom", 1000), (wrong, 21)]
    {
        let channel = home.shell("bash", &format!("{noise}; {line}"));
        let started = bootstrap::start(channel, NONCE, &agents(), FIRST, TIMEOUT).unwrap();
        assert!(started.noise.len() >= length, "{noise}");
        assert_echoes(started);
    }
    for noise in ["head -c 1000000 /dev/zero", "yes '\u{1b}[31m'"] {
        let channel = home.shell("bash", &format!("{noise}; {line}"));
        let error = bootstrap::start(channel, NONCE, &agents(), FIRST, TIMEOUT).unwrap_err();
        assert!(matches!(error, TransportError::Noisy { .. }), "{noise}: {error}");
        assert!(!error.to_string().contains(['\0', '\u{1b}']), "{noise}");
    }
}

#[test]
fn commands_that_are_no_shell_end_as_closed_or_silent() {
    let home = Home::new();
    let cases = [
        ("echo 'This account is currently not available.'; exit 1", Some(1)),
        ("echo fatal: unrecognized command >&2; exit 128", Some(128)),
        ("exit 0", Some(0)),
    ];
    for (script, status) in cases {
        let error = bootstrap::start(home.shell("sh", script), NONCE, &agents(), FIRST, TIMEOUT)
            .unwrap_err();
        let TransportError::Closed { exit, .. } = error else { panic!("{script}: {error}") };
        assert_eq!(exit, status, "{script}");
        assert!(error.suggests_sftp(), "{script}");
    }
    let before = Instant::now();
    let silent = home.shell("sh", "exec sleep 60");
    let timeout = Duration::from_millis(300);
    let error = bootstrap::start(silent, NONCE, &agents(), FIRST, timeout).unwrap_err();
    assert!(matches!(error, TransportError::Timeout { .. }), "{error}");
    assert!(before.elapsed() < Duration::from_secs(5));
}

#[test]
fn an_sftp_only_account_is_recognised() {
    let sshd = Sshd::with("ForceCommand internal-sftp\n", &["ed25519"]);
    let line = bootstrap::command(NONCE, &agents());
    let channel = connect(&sshd.target(), &sshd.options(), &NoPrompt, &line).unwrap().channel;
    let error = bootstrap::start(channel, NONCE, &agents(), FIRST, TIMEOUT).unwrap_err();
    assert!(matches!(error, TransportError::Closed { .. }), "{error}");
    assert!(error.suggests_sftp(), "{error}");
}

/// What xz makes of a program.
fn xz(program: &str) -> Vec<u8> {
    let mut command = Command::new("xz");
    command.arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|e| panic!("{e}: apt-get install xz-utils"));
    child.stdin.take().unwrap().write_all(program.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    output.stdout
}

/// The stand-in, in these compressed forms.
fn packed(gzipped: Option<&[u8]>, xz: &[u8]) -> Agents {
    packed_of(STAND_IN, gzipped, xz)
}

fn packed_of(program: &str, gzipped: Option<&[u8]>, xz: &[u8]) -> Agents {
    let (kernel, arch) = platform();
    let gzipped = gzipped.map(|bytes| bytes.to_vec().into());
    let bytes = program.as_bytes().to_vec().into();
    Agents::new(vec![Agent { kernel, arch, bytes, gzipped, xz: Some(xz.to_vec().into()) }])
}

/// All programs of this machine but `xz`, in whose place is a script, or nothing.
fn programs(directory: &Path, xz: Option<&str>) {
    for entry in fs::read_dir("/usr/bin").unwrap().map(Result::unwrap) {
        if entry.file_name() != "xz" {
            symlink(entry.path(), directory.join(entry.file_name())).unwrap();
        }
    }
    if let Some(script) = xz {
        fs::write(directory.join("xz"), format!("#!/bin/sh\n{script}\n")).unwrap();
        mode(&directory.join("xz"), 0o755);
    }
}

#[test]
fn where_there_is_xz_the_agent_travels_by_it() {
    let only_xz = packed(Some(b"no gzip"), &xz(STAND_IN));
    for shell in ["bash", "dash", "mksh", "busybox sh", "zsh --emulate sh"] {
        let home = Home::new();
        let line = bootstrap::command(NONCE, &only_xz).replacen("/bin/sh", shell, 1);
        let started = bootstrap::start(home.shell("dash", &line), NONCE, &only_xz, FIRST, TIMEOUT);
        assert_echoes(started.unwrap_or_else(|e| panic!("{shell}: {e}")));
    }
}

#[test]
fn where_xz_is_missing_or_another_one_the_agent_travels_by_gzip() {
    let only_gzip = packed(None, b"no xz");
    let unusable =
        [None, Some("exec busybox xz \"$@\""), Some("exit 127"), Some("echo xz 1.0; cat")];
    for xz in unusable {
        let (home, bin) = (Home::new(), tempfile::tempdir().unwrap());
        programs(bin.path(), xz);
        let line = bootstrap::command(NONCE, &only_gzip);
        let line = format!("PATH={}; export PATH; {line}", bin.path().display());
        let started = bootstrap::start(home.shell("sh", &line), NONCE, &only_gzip, FIRST, TIMEOUT);
        assert_echoes(started.unwrap_or_else(|e| panic!("{xz:?}: {e}")));
    }
}

#[test]
fn where_xz_fails_the_agent_comes_once_more_by_gzip() {
    let version = "test \"$1\" = --version && { echo xz 5; echo liblzma 5; exit; };";
    for fails in ["exit 1", "echo garbage", "cat", "kill -9 $$", "head -c 3; exit 0"] {
        let (home, bin) = (Home::new(), tempfile::tempdir().unwrap());
        programs(bin.path(), Some(&format!("{version} {fails}")));
        let agents = packed(None, &xz(STAND_IN));
        let line = bootstrap::command(NONCE, &agents);
        let line = format!("PATH={}; export PATH; {line}", bin.path().display());
        let started = bootstrap::start(home.shell("sh", &line), NONCE, &agents, FIRST, TIMEOUT);
        assert_echoes(started.unwrap_or_else(|e| panic!("{fails}: {e}")));
        assert_eq!(home.installed().len(), 1, "{fails}");
    }
}

#[test]
fn what_xz_unpacks_to_something_else_is_never_run() {
    let other = xz("#!/bin/sh\ntouch $HOME/canary\n");
    let mut damaged = xz(STAND_IN);
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    for bytes in [&other[..], &damaged, &damaged[..middle], b""] {
        let home = Home::new();
        // No other directory holds this one already.
        let program = format!("{STAND_IN}# {}\n", home.0.path().display());
        let no_gzip = packed_of(&program, Some(b"no gzip"), bytes);
        let error = home.start_with("sh", &no_gzip).unwrap_err();
        assert!(matches!(error, TransportError::Damaged { .. }), "{error}");
        assert_eq!(home.installed(), Vec::<PathBuf>::new());
        assert_echoes(home.start_with("sh", &packed_of(&program, None, bytes)).unwrap());
        assert_eq!(home.installed().len(), 1);
        assert!(!home.0.path().join("canary").exists());
    }
}

#[test]
fn no_home_still_finds_a_directory() {
    let home = Home::new();
    let line = bootstrap::command(NONCE, &agents());
    // What the environment has goes into no directory's name.
    let channel = home.shell("sh", &format!("unset HOME; u=odd; export u; {line}"));
    assert_echoes(bootstrap::start(channel, NONCE, &agents(), FIRST, TIMEOUT).unwrap());
    assert!(!Path::new("/var/tmp/assetsync-odd").exists());
}
