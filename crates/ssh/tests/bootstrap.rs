//! The bootstrap script in real login shells, and every way it can end.

mod common;

use std::fs::{self, FileTimes};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use assetsync_ssh::bootstrap::{self};
use assetsync_ssh::{Agents, Channel, NoPrompt, TransportError, connect};
use common::Sshd;
use common::bootstrap::*;

/// A stand-in that says with which words it was started.
const SAYS_ITS_WORDS: &str = "#!/bin/sh\ntest \"$1\" = --probe && exit 0\n\
    printf 'assetsync:%s:ready\\n%s ' \"$1\" \"$2\"\nexec cat\n";

#[test]
fn the_agent_gets_the_first_line_with_its_command_if_that_is_short() {
    let (home, agents) = (Home::new(), agents_of(SAYS_ITS_WORDS));
    let long = [b"assetsync 1 ", &[b'0'; 5000][..], b"\n"].concat();
    for (first, word) in [(FIRST, "assetsync:1:hello"), (&long, "-")] {
        // It is installed first, and there the next time.
        for _ in 0..2 {
            let line = bootstrap::command(NONCE, first, &agents, None);
            let channel = home.shell("sh", &line);
            let started = bootstrap::start(channel, NONCE, &agents, first, TIMEOUT).unwrap();
            let Channel { reader, writer, .. } = started.channel;
            drop(writer);
            let mut said = started.read_ahead;
            read_nonblocking(reader, &mut said);
            assert_eq!(said, [word.as_bytes(), b" ", first].concat());
        }
    }
}

#[test]
fn installs_once_and_then_starts_in_every_login_shell() {
    for shell in ["bash", "dash", "zsh", "tcsh", "fish", "mksh", "busybox sh"] {
        let home = Home::new();
        for installs in [true, false] {
            let started =
                home.start_with(shell, &agents()).unwrap_or_else(|e| panic!("{shell}: {e}"));
            assert_eq!(started.noise, "", "{shell}");
            if let Some(installed) = &started.installed {
                assert_eq!(PathBuf::from(&installed.path), home.installed()[0], "{shell}");
                let size = fs::metadata(&installed.path).unwrap().len();
                assert_eq!(installed.bytes, size, "{shell}");
            }
            assert_eq!(started.installed.is_some(), installs, "{shell}");
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
        let line = bootstrap::command(NONCE, FIRST, &agents(), None);
        let line = line.replacen("/bin/sh", shell, 1);
        for installs in [true, false] {
            let channel = home.shell("dash", &line);
            let started = bootstrap::start(channel, NONCE, &agents(), FIRST, TIMEOUT);
            let started = started.unwrap_or_else(|e| panic!("{shell}: {e}"));
            assert_eq!(started.installed.is_some(), installs, "{shell}");
            assert_echoes(started);
        }
    }
}

#[test]
fn works_over_ssh_and_locally() {
    let sshd = Sshd::start();
    let line = bootstrap::command(NONCE, FIRST, &agents(), None);
    for _ in 0..2 {
        let channel =
            connect(&sshd.target(), &sshd.options(), &NoPrompt, &line, Ok).unwrap().channel;
        assert_echoes(bootstrap::start(channel, NONCE, &agents(), FIRST, TIMEOUT).unwrap());
        let channel = bootstrap::local(NONCE, &agents()).unwrap();
        assert_echoes(bootstrap::start(channel, NONCE, &agents(), FIRST, TIMEOUT).unwrap());
    }
}

#[test]
fn agents_travel_as_they_are_where_that_is_wanted() {
    for shell in ["bash", "dash", "mksh", "busybox sh", "zsh --emulate sh"] {
        let home = Home::new();
        // No other directory holds this one already.
        let program = format!("{STAND_IN}# {}\n", home.0.path().display());
        let plain = packed_of(&program, Some(b"no gzip"), b"no xz").plain();
        let line = bootstrap::command(NONCE, FIRST, &plain, None).replacen("/bin/sh", shell, 1);
        let started = bootstrap::start(home.shell("dash", &line), NONCE, &plain, FIRST, TIMEOUT);
        assert_echoes(started.unwrap_or_else(|e| panic!("{shell}: {e}")));
    }
}

/// Makes the last use of an installed agent so many days ago.
fn last_used(agent: &Path, days: u64) {
    let time = SystemTime::now() - Duration::from_secs(days * 86_400);
    let times = FileTimes::new().set_accessed(time).set_modified(time);
    fs::File::open(agent).unwrap().set_times(times).unwrap();
}

#[test]
fn at_most_two_older_agents_are_kept_and_they_are_those_that_are_used() {
    let home = Home::new();
    fs::create_dir_all(home.cache()).unwrap();
    fs::write(home.cache().join("mine"), "not an agent").unwrap();
    let mut versions: Vec<PathBuf> = Vec::new();
    // The first one is used each day, whatever is installed after it.
    for version in 0..5 {
        versions.iter().zip(1..).for_each(|(agent, age)| {
            if agent.exists() {
                last_used(agent, if age == 1 { 1 } else { 10 - age });
            }
        });
        let agents = agents_of(&format!("{STAND_IN}# {version}\n"));
        let started = home.start_with("sh", &agents).unwrap();
        versions.push(started.installed.as_ref().unwrap().path.clone().into());
        assert_echoes(started);
    }
    let kept: Vec<bool> = versions.iter().map(|agent| agent.exists()).collect();
    assert_eq!(kept, [true, false, false, true, true]);
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
fn an_agent_that_cannot_run_is_noexec() {
    let broken = agents_of("#!/nonexistent/interpreter\n");
    let error = Home::new().start_with("sh", &broken).unwrap_err();
    assert!(matches!(error, TransportError::Noexec { .. }), "{error}");
    assert!(error.suggests_sftp());
}

#[test]
fn noise_is_skipped_up_to_a_limit() {
    let home = Home::new();
    assert_echoes(home.start().unwrap());
    let line = bootstrap::command(NONCE, FIRST, &agents(), None);
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
    let silent = home.shell("sh", "exec sleep 600");
    let timeout = Duration::from_millis(300);
    let error = bootstrap::start(silent, NONCE, &agents(), FIRST, timeout).unwrap_err();
    assert!(matches!(error, TransportError::Timeout { .. }), "{error}");
    assert!(before.elapsed() < Duration::from_secs(300), "it waits for the command to end");
}

/// What a program that plays `ssh` says when the host starts no command.
#[test]
fn a_refused_request_is_told_from_a_lost_connection() {
    let home = Home::new();
    let start = |script: &str| {
        bootstrap::start(home.shell("sh", script), NONCE, &agents(), FIRST, TIMEOUT).unwrap_err()
    };
    for script in ["echo exec request failed on channel 0 >&2; exit 255", "exit 255"] {
        let error = start(script);
        assert!(matches!(error, TransportError::RequestRefused { .. }), "{script}: {error}");
        assert!(error.suggests_sftp(), "{script}");
    }
    for said in ["Connection to h closed by remote host.", "me@h: Permission denied (publickey)."] {
        let error = start(&format!("echo '{said}' >&2; exit 255"));
        assert!(matches!(error, TransportError::Closed { .. }), "{said}: {error}");
        assert!(!error.suggests_sftp(), "{said}");
    }
}

#[test]
fn an_sftp_only_account_is_recognised() {
    let sshd = Sshd::with("ForceCommand internal-sftp\n", &["ed25519"]);
    let line = bootstrap::command(NONCE, FIRST, &agents(), None);
    let channel = connect(&sshd.target(), &sshd.options(), &NoPrompt, &line, Ok).unwrap().channel;
    let error = bootstrap::start(channel, NONCE, &agents(), FIRST, TIMEOUT).unwrap_err();
    assert!(matches!(error, TransportError::Closed { .. }), "{error}");
    assert!(error.suggests_sftp(), "{error}");
}

#[test]
fn where_there_is_xz_the_agent_travels_by_it() {
    let only_xz = packed(Some(b"no gzip"), &xz(STAND_IN));
    for shell in ["bash", "dash", "mksh", "busybox sh", "zsh --emulate sh"] {
        let home = Home::new();
        let line = bootstrap::command(NONCE, FIRST, &only_xz, None).replacen("/bin/sh", shell, 1);
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
        programs(bin.path(), &[("xz", xz)]);
        let started = home.start_among(bin.path(), &only_gzip);
        assert_echoes(started.unwrap_or_else(|e| panic!("{xz:?}: {e}")));
    }
}

#[test]
fn where_xz_fails_the_agent_comes_once_more_by_gzip() {
    let version = "test \"$1\" = --version && { echo xz 5; echo liblzma 5; exit; };";
    for fails in ["exit 1", "echo garbage", "cat", "kill -9 $$", "head -c 3; exit 0"] {
        let (home, bin) = (Home::new(), tempfile::tempdir().unwrap());
        programs(bin.path(), &[("xz", Some(&format!("{version} {fails}")))]);
        let started = home.start_among(bin.path(), &packed(None, &xz(STAND_IN)));
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

/// Each program that is started delays every push.
#[test]
fn if_the_agent_is_there_only_ls_and_cksum_are_started() {
    let (home, bin) = (Home::new(), tempfile::tempdir().unwrap());
    let log = home.0.path().join("started");
    let logged =
        ["cksum", "grep", "gzip", "head", "id", "ls", "mkdir", "rm", "tail", "uname", "xz"];
    let scripts =
        logged.map(|name| format!("echo {name} >> {}; exec /usr/bin/{name} \"$@\"", log.display()));
    let replaced: Vec<_> =
        logged.iter().zip(&scripts).map(|(name, script)| (*name, Some(script.as_str()))).collect();
    programs(bin.path(), &replaced);
    assert!(home.start_among(bin.path(), &agents()).unwrap().installed.is_some());
    fs::remove_file(&log).unwrap();
    assert_echoes(home.start_among(bin.path(), &agents()).unwrap());
    let mut expected = vec!["ls", "cksum"];
    // Linux before 6.1.
    if !Path::new("/proc/sys/kernel/arch").exists() {
        expected.insert(0, "uname");
    }
    assert_eq!(fs::read_to_string(log).unwrap().lines().collect::<Vec<_>>(), expected);
}

#[test]
fn shellcheck_finds_nothing_in_the_script() {
    let mut shellcheck = Command::new("shellcheck");
    let output = shellcheck.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/src/bootstrap.sh")).output();
    let output = output.unwrap_or_else(|e| panic!("{e}: apt-get install shellcheck"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn an_agent_that_arrives_slowly_has_the_time_for_it() {
    let home = Home::new();
    let bin = tempfile::tempdir().unwrap();
    // As long as the whole time limit, before a byte is taken off the line.
    programs(bin.path(), &[("head", Some("sleep 4; exec /usr/bin/head \"$@\""))]);
    let mut state = 1_u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        format!("{state:08x}")
    });
    let program = format!("{STAND_IN}#{}\n", noise.take(16 * 1024).collect::<String>());
    let agents = agents_of(&program);
    let line = bootstrap::command(NONCE, FIRST, &agents, None);
    let line = format!("PATH={}; export PATH; {line}", bin.path().display());
    let limit = Duration::from_secs(3);
    let started = bootstrap::start(home.shell("sh", &line), NONCE, &agents, FIRST, limit).unwrap();
    assert!(started.installed.is_some());
    assert_echoes(started);
}
