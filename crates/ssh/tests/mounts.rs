//! Cache directories on file systems that cannot hold or run an agent.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use assetsync_ssh::{Agent, Agents, TransportError, bootstrap, spawn};

const NONCE: &str = "00112233445566778899aabbccddeeff";
const STAND_IN: &str = "#!/bin/sh\ntest \"$1\" = --probe && exit 0\n\
    printf 'assetsync:%s:ready\\n' \"$1\"\nexec cat\n";

/// A file system of its own over `/mnt` directories, in a mount namespace that ends with the
/// command; `mounts` is shell text.
fn start(mounts: &str, padding: usize) -> Result<bootstrap::Started, TransportError> {
    let output = Command::new("uname").arg("-sm").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (kernel, arch) = text.trim().split_once(' ').unwrap();
    let mut program = STAND_IN.to_owned();
    // Hard to compress, so that a small file system is full.
    let mut state = 1u64;
    while program.len() < padding {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        program.push_str(&format!("# {state:x}\n"));
    }
    let agents = Agents::new(vec![Agent::new(kernel.into(), arch.into(), program.into_bytes())]);
    let line = bootstrap::command(NONCE, b"assetsync 1\n", &agents, None);
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", &format!("{mounts}; {line}")]);
    command.env("HOME", "/mnt").env_remove("XDG_CACHE_HOME");
    assert!(Path::new("/mnt").is_dir());
    let channel = spawn(command, "host").unwrap();
    bootstrap::start(channel, NONCE, &agents, b"assetsync 1\n", Duration::from_secs(300))
}

fn tmpfs(options: &str, directories: &[&str]) -> String {
    let mount = |directory: &&str| format!("mount -t tmpfs -o {options} tmpfs {directory}");
    directories.iter().map(mount).collect::<Vec<_>>().join(" && ")
}

#[test]
fn the_next_directory_serves_where_the_first_cannot_run_programs() {
    let mounts =
        [tmpfs("noexec,mode=755", &["/mnt"]), tmpfs("mode=1777", &["/var/tmp"])].join(" && ");
    assert!(start(&mounts, 0).unwrap().installed.is_some());
}

#[test]
fn the_next_directory_serves_where_the_first_is_full_or_read_only() {
    let mounts =
        [tmpfs("size=64k,mode=755", &["/mnt"]), tmpfs("mode=1777", &["/var/tmp"])].join(" && ");
    assert!(start(&mounts, 500_000).unwrap().installed.is_some());
    let mounts = [tmpfs("ro", &["/mnt"]), tmpfs("mode=1777", &["/var/tmp"])].join(" && ");
    assert!(start(&mounts, 0).unwrap().installed.is_some());
}

#[test]
fn nowhere_to_run_is_noexec_and_nowhere_to_write_is_nowhere() {
    let all = ["/mnt", "/var/tmp", "/tmp"];
    let error = start(&tmpfs("noexec,mode=1777", &all), 0).unwrap_err();
    assert!(matches!(error, TransportError::Noexec { .. }), "{error}");
    let error = start(&tmpfs("size=64k,mode=1777", &all), 500_000).unwrap_err();
    assert!(matches!(error, TransportError::Damaged { .. }), "{error}");
    let error = start(&tmpfs("ro", &all), 0).unwrap_err();
    assert!(matches!(error, TransportError::NoDirectory { .. }), "{error}");
    assert!(error.suggests_sftp());
}
